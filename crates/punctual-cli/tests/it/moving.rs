//! `punctual store export`, `import` and `migrate`.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::house::{Ended, House, namespace, punctual, wait_until};
use crate::outside::stores;

mod schedules;

/// Jobs of all that a test moves, unless it is run at another size.
const JOBS: usize = 5_000;
/// Those of them that run.
const RUNS: usize = 150;
/// How many bytes before and behind the first that differs are told.
const SHOWN: usize = 200;

/// Five times as many as other tests of many take.
fn jobs() -> usize {
    (5 * stores::jobs()).max(JOBS)
}

fn store(folder: &Path, store: &str, arguments: &[&str]) -> Ended {
    let mut command = punctual(folder);
    command.arg("store").args(arguments).args(["--store", store]);
    Ended::of(command.output().expect("it starts"))
}

#[track_caller]
fn done(folder: &Path, url: &str, arguments: &[&str]) -> String {
    let ended = store(folder, url, arguments);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    ended.stdout
}

/// A job of every sort, by its number: waiting, delayed, keyed, in another queue, no JSON, one that succeeds, one that fails.
fn line(n: usize) -> String {
    let command = |script: &str| {
        format!(
            r#"{{"kind": "command", "payload": {{"program": "sh", "args": ["-c", "{script}"]}}, "max_attempts": 1, "tags": ["run"]}}"#
        )
    };
    match n {
        // Until somebody has seen that it is more than is kept.
        0 => command("until [ -e go ]; do head -c 60000 /dev/zero | tr '\\\\0' x; sleep 0.1; done"),
        n if n < RUNS && n % 3 == 0 => command(&format!("echo {n}; echo failed >&2; exit 3")),
        n if n < RUNS => command(&format!("printf 'job {n} \\\\377'")),
        n if n % 5 == 0 => format!(r#"{{"kind": "mail", "payload": {{"n":  {n}}}, "queue": "slow"}}"#),
        n if n % 5 == 1 => {
            format!(r#"{{"kind": "mail", "delay": "2h", "unique": {{"key": "k{n}", "window": "1d"}}, "priority": 2}}"#)
        }
        n if n % 5 == 2 => {
            r#"{"kind": "mail", "payload_base64": "/wA=", "queue": "slow", "backoff": {"type": "list", "delays": ["1s", "5m"]}}"#
                .to_owned()
        }
        n => format!(r#"{{"kind": "mail", "payload": {n}, "delay": "1h", "tags": ["ä", "b"], "timeout": "90s"}}"#),
    }
}

/// A store of many mixed jobs and settings of queues, which nobody has open any more.
fn full() -> House {
    let mut house = House::open();
    let pause = |queue: &str, more: &[&str]| {
        let mut command = punctual(house.folder.path());
        command.env("PUNCTUAL_SERVER", &house.address);
        let paused = command.args(["queue", "pause", queue]).args(more).output();
        assert_eq!(Ended::of(paused.expect("it starts")).code, 0);
    };
    pause("slow", &["--reason", "the printer burns"]);
    pause("default", &[]);
    let lines: String = (0..jobs()).map(|n| line(n) + "\n").collect();
    fs::write(house.folder.path().join("jobs.jsonl"), lines).expect("it is ours");
    let added = house.job(&["add", "-f", "jobs.jsonl"]);
    assert_eq!(added.code, 0, "{added:?}");
    let list = |filter: &[&str]| -> Vec<Value> {
        let listed = house
            .job(&[&["list", "--json", "--limit", "1000"], filter].concat())
            .stdout;
        let job = |line| serde_json::from_str(line).expect("JSON");
        listed.lines().map(job).collect()
    };
    let all_ended = |count: usize| {
        let commands = list(&["--tag", "run"]);
        commands.iter().filter(|job| !job["ended_at"].is_null()).count() == count
    };
    wait_until("all commands but one have ended", || all_ended(RUNS - 1));
    let floods = list(&["--state", "running"]);
    let flood = floods[0]["id"].as_str().expect("an id");
    wait_until("more was put out than is kept", || {
        house.job(&["output", flood]).stdout.contains(" bytes left out …")
    });
    house.write("go");
    wait_until("the commands have ended", || all_ended(RUNS));
    for (verb, kind) in [("cancel", "mail"), ("retry", "command")] {
        let state = if verb == "cancel" { "waiting" } else { "failed" };
        for job in list(&["--kind", kind, "--state", state]).iter().take(20) {
            let id = job["id"].as_str().expect("an id");
            assert_eq!(house.job(&[verb, id]).code, 0);
        }
    }
    wait_until("what was tried again has ended", || all_ended(RUNS));
    assert_eq!(house.terminate(), Some(0));
    house
}

fn lines(folder: &Path, file: &str) -> Vec<String> {
    let text = fs::read_to_string(folder.join(file)).expect("it is there");
    text.lines().map(str::to_owned).collect()
}

/// Tells where one export parts from another one, in few words: a line may be as long as the output of its job.
#[track_caller]
fn assert_same<'a>(
    what: &str,
    one: impl IntoIterator<Item = &'a String>,
    other: impl IntoIterator<Item = &'a str>,
) {
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    for number in 1.. {
        let (line, again) = match (one.next(), other.next()) {
            (None, None) => return,
            (line, again) => (line.map_or("", String::as_str), again.unwrap_or_default()),
        };
        let same = line
            .bytes()
            .zip(again.bytes())
            .take_while(|(a, b)| a == b)
            .count();
        let around = |text: &str| {
            let shown = same.saturating_sub(SHOWN).min(text.len())..(same + SHOWN).min(text.len());
            String::from_utf8_lossy(&text.as_bytes()[shown]).into_owned()
        };
        assert!(
            line == again,
            "{what}: line {number} of the export is another one, from its byte {same} on:\n{}\n{}",
            around(line),
            around(again)
        );
    }
}

/// The jobs are as mixed as [`full`] makes them.
fn assert_mixed(export: &[String]) {
    let some = |what: &str| export.iter().any(|line| line.contains(what));
    for what in [
        "\"life\":2",
        "\"left_out\":",
        "\"head_base64\":",
        "\"payload_base64\":",
        "\"key\":\"k",
        "\"state\":\"cancelled\"",
        "\"reason\":\"exhausted\"",
        "the printer burns",
    ] {
        assert!(
            some(what),
            "the jobs are not as mixed as they should be: no {what}"
        );
    }
}

#[test]
fn an_export_that_is_imported_and_exported_again_is_the_same_also_after_a_kill() {
    let house = full();
    let here = house.folder.path();
    let told = done(here, "sqlite:punctual.db", &["export", "a.jsonl"]);
    assert_eq!(told, format!("a.jsonl holds {} jobs and 2 records\n", jobs()));
    let mode = fs::metadata(here.join("a.jsonl"))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = lines(here, "a.jsonl");
    assert_mixed(&first);

    // What is killed half way is in it as far as it came, and the same import again adds the rest.
    let mut import = punctual(here);
    import.args(["store", "import", "-", "--store", "sqlite:copy.db"]);
    let mut import = import.stdin(Stdio::piped()).spawn().expect("it starts");
    let mut pipe = import.stdin.take().expect("it is piped");
    let half: String = first[..jobs() / 2]
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    pipe.write_all(half.as_bytes()).expect("it reads");
    let count = || {
        let list = [
            "job",
            "list",
            "--json",
            "--limit",
            "100000",
            "--store",
            "sqlite:copy.db",
        ];
        let listed = punctual(here).args(list).output().expect("it starts");
        Ended::of(listed).stdout.lines().count()
    };
    wait_until("some jobs are in", || count() > RUNS);
    import.kill().expect("it runs");
    import.wait().expect("it ends");

    let again = done(here, "sqlite:copy.db", &["import", "a.jsonl", "--json"]);
    let again: Value = serde_json::from_str(&again).expect("JSON");
    let number = |name: &str| again[name].as_u64().expect("a number");
    assert_eq!(
        number("jobs") + number("records") + number("there"),
        jobs() as u64 + 2,
        "{again}"
    );
    assert!(number("there") > RUNS as u64 && number("jobs") > 0, "{again}");
    done(here, "sqlite:copy.db", &["export", "b.jsonl"]);
    assert_same(
        "copy.db",
        &first,
        lines(here, "b.jsonl").iter().map(String::as_str),
    );

    let third = done(here, "sqlite:copy.db", &["import", "b.jsonl"]);
    let all = jobs() + 2;
    assert_eq!(
        third,
        format!("0 jobs and 0 records added; {all} there already\n")
    );
    let piped = done(here, "sqlite:copy.db", &["export", "-"]);
    assert_same("to a pipe", &first, piped.lines());
    moves_to_every_kind_of_store(here, &first);
}

/// Imports the export `a.jsonl` there, and exports it again.
fn moves_to_every_kind_of_store(here: &Path, first: &[String]) {
    for url in ["postgres", "redis"].into_iter().filter_map(namespace) {
        let moved = done(here, &url, &["import", "a.jsonl"]);
        assert_eq!(moved, format!("{} jobs and 2 records added\n", jobs()));
        let moved = done(here, &url, &["export", "-"]);
        // Only the header says where an export is from.
        assert_same(&url, &first[1..], moved.lines().skip(1));
        let (to, _) = url.split_once(':').expect("a scheme");
        stores::tell(
            "sqlite",
            &format!("{} jobs moved to {to}, and out again as they were", jobs()),
        );
    }
}

#[test]
fn moved_jobs_run_where_they_came_to() {
    let mut house = House::open();
    let id = house.json(&["add", "command", "--in", "1h", "--json", "--", "echo", "moved"]);
    let id = id["id"].as_str().expect("an id").to_owned();
    assert_eq!(house.terminate(), Some(0));
    let here = house.folder.path().to_owned();
    done(&here, "sqlite:punctual.db", &["export", "a.jsonl"]);
    fs::remove_file(here.join("punctual.db")).expect("it is there");
    done(&here, "sqlite:punctual.db", &["import", "a.jsonl"]);
    house.restart();
    assert_eq!(house.job(&["edit", &id, "--in", "0s"]).code, 0);
    let waited = house.job(&["wait", &id]);
    assert_eq!(
        (waited.code, waited.stdout.as_str()),
        (0, "moved\n"),
        "{waited:?}"
    );
}

/// An export of one waiting job in a paused queue.
fn small() -> (House, Vec<String>) {
    let mut house = House::open();
    assert_eq!(
        house
            .job(&["add", "mail", "--in", "1h", "--unique-key", "u"])
            .code,
        0
    );
    assert_eq!(house.terminate(), Some(0));
    done(house.folder.path(), "sqlite:punctual.db", &["export", "a.jsonl"]);
    let lines = lines(house.folder.path(), "a.jsonl");
    (house, lines)
}

#[test]
fn a_line_that_is_wrong_is_named_and_those_before_it_are_in() {
    let (house, lines) = small();
    let here = house.folder.path();
    let job = &lines[1];
    let other = job.replacen("\"id\":\"0", "\"id\":\"1", 1);
    for (line, code, told) in [
        ("{\"job\"", 64, "a.jsonl:3:6: this is not JSON"),
        (
            &*job.replace("\"priority\":5", "\"priority\":11"),
            64,
            "/priority: must lie between 0",
        ),
        (
            &*job.replace("\"priority\":5", "\"colour\":5"),
            64,
            "/job/colour: there is no such field",
        ),
        (
            &*job.replace("waiting", "lost"),
            64,
            "/state: there is no \"lost\"",
        ),
        ("{}", 64, "a line is one of"),
        (&*lines[0], 64, "another export begins here"),
        (&*other, 65, "cannot have its unique key, which job "),
        (
            &*job.replacen("\"fingerprint\":\"", "\"fingerprint\":\"x", 1),
            64,
            "/fingerprint",
        ),
    ] {
        let text = [&*lines[0], job, line, &*lines[2]].join("\n");
        fs::write(here.join("a.jsonl"), text).expect("it is ours");
        let ended = store(here, "sqlite:copy.db", &["import", "a.jsonl"]);
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (code, ""),
            "{line}: {ended:?}"
        );
        assert!(
            ended.stderr.contains(told) && ended.stderr.contains("a.jsonl:3"),
            "{line}: {ended:?}"
        );
        let passed = store(here, "sqlite:copy.db", &["import", "a.jsonl", "--keep-going"]);
        assert_eq!(passed.code, 64, "{passed:?}");
        let said = "0 jobs and 0 records added; 1 there already; 1 line refused\n";
        assert_eq!(passed.stdout, said, "{passed:?}");
    }
}

#[test]
fn a_file_that_is_not_whole_or_no_export_is_told() {
    let (house, lines) = small();
    let here = house.folder.path();
    for (text, told) in [
        (lines[..2].join("\n"), "the line that ends an export is missing"),
        (
            [&*lines[0], &*lines[2]].join("\n"),
            "some of its lines are missing",
        ),
        (String::new(), "it is empty"),
        ("{\"kind\": \"mail\"}\n".to_owned(), "is no export of a store"),
        (
            lines.join("\n").replace("\"format\":1", "\"format\":2"),
            "in a form that this one does not know",
        ),
    ] {
        fs::write(here.join("b.jsonl"), text).expect("it is ours");
        let ended = store(here, "sqlite:copy.db", &["import", "b.jsonl"]);
        assert_eq!(ended.code, 64, "{ended:?}");
        assert!(ended.stderr.contains(told), "{told}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}

#[test]
fn an_export_replaces_a_file_only_when_it_is_told_to() {
    let (house, _) = small();
    let here = house.folder.path();
    let refused = store(here, "sqlite:punctual.db", &["export", "a.jsonl"]);
    assert_eq!(refused.code, 65, "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    done(here, "sqlite:punctual.db", &["export", "a.jsonl", "--force"]);
    assert!(!here.join("a.jsonl.part").exists());
    let nowhere = store(here, "sqlite:punctual.db", &["export", "no/such/folder.jsonl"]);
    assert_eq!(nowhere.code, 74, "{nowhere:?}");
    let gone = store(here, "sqlite:typo.db", &["export", "b.jsonl"]);
    assert_eq!(gone.code, 69, "{gone:?}");
    let memory = store(here, "memory:", &["import", "a.jsonl"]);
    assert_eq!(memory.code, 64, "{memory:?}");
}

#[test]
fn a_migration_says_from_which_version_to_which() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let made: Value = serde_json::from_str(&done(here, "sqlite:a.db", &["migrate", "--json"])).expect("JSON");
    assert_eq!(made["from"], 0);
    let again: Value =
        serde_json::from_str(&done(here, "sqlite:a.db", &["migrate", "--json"])).expect("JSON");
    assert_eq!((&again["from"], &again["to"]), (&made["to"], &made["to"]));
    let told = done(here, "sqlite:a.db", &["migrate"]);
    assert!(told.contains("nothing was to be done"), "{told}");
    for url in ["postgres", "redis"].into_iter().filter_map(namespace) {
        let migrate =
            || -> Value { serde_json::from_str(&done(here, &url, &["migrate", "--json"])).expect("JSON") };
        let made = migrate();
        assert_eq!(made["from"], 0, "{url}");
        let again = migrate();
        assert_eq!(
            (&again["from"], &again["to"]),
            (&made["to"], &made["to"]),
            "{url}"
        );
    }
    let memory = store(here, "memory:", &["migrate"]);
    assert_eq!(memory.code, 64, "{memory:?}");
    fs::write(here.join("other.db"), "no database").expect("it is ours");
    assert_eq!(store(here, "sqlite:other.db", &["migrate"]).code, 64);
    assert_eq!(
        fs::read(here.join("other.db")).expect("it is there"),
        b"no database"
    );
}
