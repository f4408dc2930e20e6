//! What every command prints, word for word: one run through all of them, in one file.
//!
//! What differs from run to run is masked. After a change that is meant, run the test with `PUNCTUAL_TEST_BLESS=1` and read
//! the difference.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::house::House;

/// One shell runs them, so that a variable set by one is there for the next. `settle` waits until the worker says that nothing
/// runs, and `anonymous` hides its machine and its process.
const COMMANDS: &str = "\
punctual job add mail --payload '{\"user\": 7}' --at 2099-12-01T09:00:00Z --unique-key k --tag a --priority 2
punctual job add mail --payload '{\"user\": 7}' --at 2099-12-01T09:00:00Z --unique-key k
punctual job add mail --id 0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11 --at 2099-12-01T09:00 --json
punctual job add command --wait -- echo hello
punctual job add command --wait --json -- echo hello
punctual job add command --wait --max-attempts 1 -- sh -c 'echo no >&2; exit 3'
punctual job add http GET ftp://example.com
punctual job add http GET http://127.0.0.1:9 --answer 404=gone
punctual job add http GET http://127.0.0.1:9 --basic-secret ann
punctual job add command --shell 'echo shelled; exit 75' --exit-code 75=done --wait
punctual job add command --exit-code 256=done -- true
punctual job add command --exit-code 3=done --exit-code 3=fail -- true
punctual job add -f jobs.jsonl
punctual job add -f jobs.jsonl --json
punctual job list --state scheduled
punctual job list --kind command --state failed
punctual job list --state running
punctual job list --tag a --json
punctual job show $ID
punctual job show $ID --json
punctual job edit $ID --in 30d --priority 1
punctual job edit $ID
punctual job wait $ID --timeout 1ms
punctual job wait $ID --timeout 1ms --json
punctual job attempts $ID
punctual job attempts $(id failed)
punctual job attempts $(id failed) --json
punctual job output $ID
punctual job output $(id failed)
punctual job output $(id succeeded) --follow
punctual job output $ID --run 1
punctual job cancel $ID --reason 'no longer wanted'
punctual job cancel $ID --json
punctual job retry $ID
punctual job run $ID
punctual job cancel --queue default
punctual job cancel --queue default --kind line --yes
punctual job retry --state cancelled --kind line --yes --json
punctual job delete --kind line --yes
punctual job delete --kind line --yes
punctual job delete $ID
punctual job delete $ID
punctual job list --kind nothing
punctual queue list
punctual queue list --json
punctual queue limit mail --max-running 3 --rate 100/1m/20 --keep-failed 30d
punctual queue limit mail --rate unlimited --keep-failed default --json
punctual queue limit mail --rate fast
punctual queue limit mail --max-running -1
punctual queue limit mail
punctual queue pause mail --reason 'the mail server moves'
punctual queue pause mail --json
punctual queue show mail
punctual queue show mail --json
punctual queue list
punctual queue resume mail
punctual queue resume mail --json
punctual queue show 'no such name'
punctual job add mail --queue mail --in 1h >job
punctual queue purge mail
punctual queue purge mail --state failed
punctual queue purge mail --state running
punctual queue purge mail --yes
punctual queue purge mail --yes --json
settle; punctual worker list | anonymous
punctual worker list --json | anonymous
punctual store check
punctual store check --json
punctual store backup copy.db
punctual store backup copy.db
punctual store export all.jsonl
punctual store export all.jsonl
punctual store import all.jsonl
punctual store import all.jsonl --store sqlite:moved.db --json
punctual store migrate --store sqlite:moved.db
punctual store migrate --store sqlite:moved.db --json
punctual job list --store sqlite:nothing.db
punctual job list --server http://127.0.0.1:1
punctual job lst
punctual completion csh
";

#[test]
fn every_command_prints_what_it_did() {
    let house = House::open();
    let lines = "{\"kind\": \"line\", \"delay\": \"2h\"}\n".repeat(3);
    fs::write(house.folder.path().join("jobs.jsonl"), lines).expect("it is ours");
    let printed = masked(&run(&house));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/verbs.txt");
    if std::env::var_os("PUNCTUAL_TEST_BLESS").is_some() {
        fs::write(&file, &printed).expect("it is ours");
    }
    let before = fs::read_to_string(&file).unwrap_or_default();
    let differs = printed
        .lines()
        .zip(before.lines())
        .find(|(now, before)| now != before);
    assert!(
        printed == before,
        "it prints something else now: {differs:?}\n{printed}"
    );
}

fn run(house: &House) -> String {
    let mut script = String::from(
        "exec 2>&1 </dev/null
         id() { punctual job list --json --kind command --state $1 | head -1 | cut -d'\"' -f4; }
         settle() { for n in $(seq 200); do punctual worker list --json | grep -q '\"running\":0,' && return; sleep 0.05; done; }
         anonymous() { sed -E 's/\"host\":\"[^\"]*\",\"pid\":[0-9]+/\"host\":\"<host>\",\"pid\":<pid>/; s/[^ ]+ +[0-9]+$/<host>  <pid>/'; }
         ID=0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11\n",
    );
    for command in COMMANDS.lines() {
        let shown = command.replace('\'', "'\\''");
        script.push_str(&format!("echo '$ {shown}'\n{command}\necho \"[$?]\"\n"));
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_punctual"))
        .parent()
        .expect("it is in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell
        .env_clear()
        .env("PATH", format!("{}:{path}", binary.display()))
        .env("TZ", "UTC")
        .env("PUNCTUAL_SERVER", &house.address)
        .current_dir(house.folder.path())
        .args(["-c", &script]);
    let output = shell.output().expect("bash is there");
    let here = house.folder.path().canonicalize().expect("it is there");
    String::from_utf8_lossy(&output.stdout).replace(&here.display().to_string(), "<folder>")
}

/// The text without what no two runs share: ids, instants, lengths, versions of rows, and the room that they take.
fn masked(text: &str) -> String {
    let mut ids: Vec<String> = Vec::new();
    let mask = |line: &str| match line.starts_with("$ ") {
        true => format!("{line}\n"),
        false => masked_line(line, &mut ids) + "\n",
    };
    text.lines().map(mask).collect()
}

fn masked_line(line: &str, ids: &mut Vec<String>) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-+.:_".contains(c);
    let mut masked = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let end = match is_part(first) {
            true => rest.find(|c| !is_part(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        let from_now = masked.ends_with("in ") || after.starts_with(" ago");
        let told = match after.starts_with(" bytes") {
            true => "<number>".to_owned(),
            false => masked_word(word, from_now, ids),
        };
        masked.push_str(&told);
        rest = after;
    }
    // Columns are as wide as what is in them.
    let mut narrow = masked.replace("   ", "  ");
    while narrow.contains("   ") {
        narrow = narrow.replace("   ", "  ");
    }
    narrow
}

fn masked_word(word: &str, from_now: bool, ids: &mut Vec<String>) -> String {
    let is_date = |word: &str| word.parse::<jiff::civil::Date>().is_ok();
    let length = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let is_length = length.len() < word.len() && length.chars().any(|c| c.is_ascii_digit());
    let stem = word.trim_end_matches(['.', ':']);
    if stem.len() == 36 && stem.matches('-').count() == 4 {
        let known = ids.iter().position(|id| id == stem);
        let number = known.unwrap_or_else(|| {
            ids.push(stem.to_owned());
            ids.len() - 1
        });
        return format!("<id {}>{}", number + 1, &word[stem.len()..]);
    }
    if word.starts_with("2099-") {
        return word.to_owned();
    }
    if word.parse::<jiff::Timestamp>().is_ok() || is_date(word) {
        return "<instant>".to_owned();
    }
    if word.len() == 8 && word.parse::<jiff::civil::Time>().is_ok() {
        return "<time>".to_owned();
    }
    if is_length && (from_now || word.ends_with("ms") || word.ends_with("us")) {
        return "<length>".to_owned();
    }
    let number = word.trim_start_matches(':');
    if number.len() > 12 && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.replace(number, "<rev>");
    }
    if word.split(':').count() == 3 && word.len() > 32 {
        return "<worker>".to_owned();
    }
    word.to_owned()
}
