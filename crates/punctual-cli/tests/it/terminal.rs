//! What a person at a terminal is told, and what of that a log is.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use crate::house::{House, wait_until};
use crate::outside::server::request;

impl House {
    fn at_a_terminal(&self, arguments: &str) -> Child {
        self.terminal(&format!("job {arguments}"), Stdio::null())
    }

    /// `punctual …` at a terminal, which shows all that it prints in the file `seen`, and where this is typed.
    pub(crate) fn terminal(&self, arguments: &str, typed: Stdio) -> Child {
        let command = format!("$PUNCTUAL {arguments}");
        let seen = File::create(self.folder.path().join("seen")).expect("it is ours");
        let mut terminal = Command::new("script");
        terminal
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("PUNCTUAL", env!("CARGO_BIN_EXE_punctual"))
            .env("PUNCTUAL_SERVER", &self.address)
            .env("TERM", "xterm")
            .current_dir(self.folder.path())
            .stdin(typed)
            .stdout(seen);
        terminal.spawn().expect("script is there")
    }

    pub(crate) fn wait_for_sight(&self, text: &str) {
        wait_until(&format!("it shows {text}"), || self.read("seen").contains(text));
    }
}

#[test]
fn whoever_adds_and_waits_at_a_terminal_is_told_of_each_attempt_once() {
    let house = House::open();
    let mut terminal = house.at_a_terminal("add command --wait -- sh -c 'echo no luck >&2; [ -e go ]'");
    house.wait_for_sight("attempt 1 of 20 failed: ");
    house.write("go");
    assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
    let seen = house.read("seen");
    assert!(seen.contains("no luck"), "{seen}");
    assert_eq!(seen.matches("attempt 1 of 20").count(), 1, "{seen}");
}

#[test]
fn a_log_is_told_of_each_attempt_in_a_line_unless_json_is_wanted() {
    let house = House::open();
    let command = ["add", "command", "--wait", "--max-attempts", "2", "--", "false"];
    let ended = house.job(&command);
    assert_eq!(ended.code, 1, "{ended:?}");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{ended:?}");
    assert!(
        lines[0].contains("attempt 1 of 2 failed: exit code 1"),
        "{ended:?}"
    );
    assert!(lines[1].contains(" failed (exhausted): "), "{ended:?}");

    let json = [&["add", "command", "--json"], &command[2..]].concat();
    assert_eq!(house.job(&json).stderr, "");
}

#[test]
fn attempts_that_follow_each_other_at_once_are_told_as_well_and_the_last_one_by_the_end() {
    let house = House::open();
    let mut terminal = house.at_a_terminal("add command --wait --max-attempts 3 -- false");
    assert_eq!(terminal.wait().expect("it ends").code(), Some(1));
    let seen = house.read("seen");
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines.len(), 3, "{seen}");
    for (line, told) in lines.iter().zip([
        "attempt 1 of 3 failed: ",
        "attempt 2 of 3 failed: ",
        " failed (exhausted): ",
    ]) {
        assert!(line.contains(told), "{seen}");
    }
}

#[test]
fn what_a_command_wrote_steers_no_terminal_of_who_waits_for_it() {
    let house = House::open();
    let id = house.sh("printf 'a\\033[2Jb\\n'; printf '\\033[1mc' >&2");
    let mut terminal = house.at_a_terminal(&format!("wait {id}"));
    assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
    let seen = house.read("seen");
    assert!(!seen.contains('\u{1b}'), "{seen:?}");
    assert!(
        seen.contains("a\u{fffd}[2Jb") && seen.contains("\u{fffd}[1mc"),
        "{seen:?}"
    );
}

#[test]
fn whoever_waits_at_a_terminal_is_told_when_it_goes_on() {
    let house = House::open();
    let job = r#"{"kind": "command", "payload": {"program": "false"}, "backoff": {"type": "fixed", "delay": "2h"}}"#;
    let added = request(
        house.address.trim_start_matches("http://"),
        "POST",
        "/v1/jobs",
        Some(job),
    );
    let id = added.json()["id"].as_str().expect("an id").to_owned();
    let mut terminal = house.at_a_terminal(&format!("wait {id}"));
    house.wait_for_sight("attempt 1 of 20 failed: exit code 1; again in 1h59m");
    assert_eq!(house.job(&["cancel", &id]).code, 0);
    assert_eq!(terminal.wait().expect("it ends").code(), Some(2));
}

#[test]
fn a_list_fits_a_narrow_terminal_without_cutting_what_is_to_be_copied() {
    let house = House::open();
    let added = house.json(&[
        "add",
        "mail.with-a-long-name",
        "--queue",
        "a-queue-of-letters",
        "--in",
        // As long a minute later.
        "2h59m",
        "--json",
    ]);
    let id = added["id"].as_str().expect("an id").to_owned();
    for (columns, shown, left_out) in [
        (200, "a-queue-of-letters", "nothing"),
        (93, "a-queue-of-letters", "mail.with-a-long-name"),
        (73, "mail.", "a-queue-of-letters"),
        (20, "scheduled", "  in "),
    ] {
        let mut terminal = house.at_a_terminal(&format!(
            "list >/dev/null; stty cols {columns}; $PUNCTUAL job list"
        ));
        assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
        let seen = house.read("seen");
        assert!(seen.contains(&id) && seen.contains(shown), "{columns}: {seen}");
        assert!(!seen.contains(left_out), "{columns}: {seen}");
        let widest = seen.lines().map(|line| line.trim_end().chars().count()).max();
        assert!(columns == 20 || widest <= Some(columns), "{columns}: {seen}");
    }
}

#[test]
fn a_long_name_is_clipped_and_takes_no_other_column_with_it() {
    let house = House::open();
    let kind = "mail.with-a-very-long-name-that-no-column-has-room-for";
    house.job(&["add", kind, "--in", "2h59m"]);
    let show = |columns| {
        let mut terminal = house.at_a_terminal(&format!(
            "list >/dev/null; stty cols {columns}; $PUNCTUAL job list"
        ));
        assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
        house.read("seen")
    };
    // A terminal that does not know how wide it is passes for one of 80 columns.
    for columns in [80, 0] {
        let seen = show(columns);
        assert!(seen.contains("mail.") && seen.contains('…'), "{seen}");
        assert!(!seen.contains(kind), "{seen}");
        assert_eq!(seen.lines().count(), 2, "{seen}");
        assert!(
            seen.lines().all(|line| line.trim_end().chars().count() <= 80),
            "{seen}"
        );
    }
    assert!(show(200).contains(kind));
}

#[test]
fn help_fits_a_narrow_terminal() {
    let house = House::open();
    for columns in [60, 80] {
        let mut terminal = house.at_a_terminal(&format!(
            "list >/dev/null; stty rows 24 cols {columns}; NO_COLOR=1 $PUNCTUAL job list --help"
        ));
        assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
        let seen = house.read("seen");
        let widest = seen.lines().map(|line| line.trim_end().chars().count()).max();
        assert!(widest <= Some(columns), "{columns}: {seen}");
    }
}

#[test]
fn whoever_waits_for_a_server_that_says_nothing_is_told_which_one() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut house = House::open();
    house.address = format!("http://{}", silent.local_addr().expect("it listens"));
    let mut terminal = house.at_a_terminal("list");
    house.wait_for_sight(&format!("waiting for {} to answer", house.address));
    // A line that breaks off ends the wait.
    drop(silent.accept().expect("it has asked"));
    drop(silent);
    assert_eq!(terminal.wait().expect("it ends").code(), Some(69));
}

#[test]
fn a_long_error_hides_no_other_column_and_is_wrapped_under_its_own() {
    let house = House::open();
    let script = "'seq -s, 100 >&2; exit 3'";
    let mut terminal = house.at_a_terminal(&format!(
        "add command --wait --max-attempts 1 -- sh -c {script} 2>/dev/null; stty cols 90; \
         $PUNCTUAL job attempts $($PUNCTUAL job list --json | cut -d'\"' -f4)"
    ));
    assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
    let seen = house.read("seen");
    assert!(seen.contains("STARTED") && seen.contains("TOOK"), "{seen}");
    let lines: Vec<&str> = seen.lines().map(str::trim_end).collect();
    assert!(
        lines.len() > 3 && lines.iter().all(|line| line.chars().count() <= 90),
        "{seen}"
    );
    let text: String = lines.iter().map(|line| line.trim()).collect();
    assert!(text.ends_with("98,99,100"), "{seen}");
}

#[test]
fn states_have_colours_at_a_terminal_unless_somebody_wants_none() {
    let house = House::open();
    house.job(&["add", "command", "--wait", "--", "true"]);
    for (command, coloured) in [
        ("list", true),
        ("list; NO_COLOR=1 $PUNCTUAL job list", true),
        ("list; TERM=dumb $PUNCTUAL job list", true),
    ] {
        let mut terminal = house.at_a_terminal(command);
        terminal.wait().expect("it ends");
        let lines = house.read("seen");
        let succeeded = lines.lines().filter(|line| line.contains("succeeded"));
        let colours: Vec<bool> = succeeded.map(|line| line.contains('\u{1b}')).collect();
        assert_eq!(colours.first(), Some(&coloured), "{lines}");
        assert!(colours.get(1).is_none_or(|plain| !plain), "{lines}");
    }
}

#[test]
fn long_work_shows_how_far_it_has_come() {
    let house = House::open();
    let lines = "{\"kind\": \"mail\", \"delay\": \"1h\"}\n".repeat(3_000);
    std::fs::write(house.folder.path().join("jobs.jsonl"), lines).expect("it is ours");
    for (work, told) in [
        ("add -f jobs.jsonl", "3000 jobs added"),
        ("cancel --kind mail --yes", "3000 jobs cancelled"),
    ] {
        let mut terminal = house.at_a_terminal(work);
        assert_eq!(terminal.wait().expect("it ends").code(), Some(0));
        let seen = house.read("seen");
        assert!(seen.contains("jobs  ") && seen.contains('%'), "{seen}");
        assert!(seen.trim_end().ends_with(told), "{seen}");
    }
}
