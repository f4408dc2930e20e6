//! `--store`, and `punctual store`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};

use crate::house::{Beside, Ended, House, NOTHING_BESIDE, namespace, punctual};

fn run(folder: &Path, arguments: &[&str]) -> Ended {
    let output: Output = punctual(folder).args(arguments).output().expect("it starts");
    Ended::of(output)
}

#[test]
fn a_store_is_worked_on_without_a_server_and_beside_one() {
    let house = House::open();
    let here = house.folder.path();
    let added = run(
        here,
        &[
            "job",
            "--store",
            "sqlite:punctual.db",
            "add",
            "command",
            "--wait",
            "--",
            "echo",
            "hello",
        ],
    );
    assert_eq!((added.code, added.stdout.as_str()), (0, "hello\n"), "{added:?}");

    let far = house.job(&["list", "--json"]);
    let near = run(here, &["job", "list", "--json", "--store", "sqlite:punctual.db"]);
    assert_eq!(near.stdout, far.stdout);
    assert_eq!(near.stdout.lines().count(), 1);

    let other = run(
        here,
        &[
            "job",
            "add",
            "mail",
            "--in",
            "1h",
            "--store",
            "sqlite:punctual.db",
        ],
    );
    assert_eq!(other.code, 0, "{other:?}");
    assert_eq!(
        house.json(&["list", "--kind", "mail", "--json"])["phase"],
        "scheduled"
    );
}

#[test]
fn a_store_that_is_not_there_exits_69_and_is_not_made_by_a_slip() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["job", "list", "--store", "sqlite:typo.db"][..],
        &["job", "add", "mail", "--store", "sqlite:typo.db"],
        &["store", "check", "--store", "sqlite:typo.db"],
        &["store", "backup", "copy.db", "--store", "sqlite:typo.db"],
        &["job", "list", "--store", "sqlite:no/such/folder.db"],
        &["runner", "--store", "sqlite:typo.db"],
    ] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, 69, "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains("there is no database at"), "{ended:?}");
    }
    assert_eq!(fs::read_dir(folder.path()).expect("it is there").count(), 0);
}

#[test]
fn nobody_is_told_to_make_a_store_that_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    // Not even whoever may read everything reads a database from a folder.
    fs::create_dir(folder.path().join("there.db")).expect("it is ours");
    let ended = run(folder.path(), &["job", "list", "--store", "sqlite:there.db"]);
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(
        ended.stderr.contains("there.db") && !ended.stderr.contains("makes one"),
        "{ended:?}"
    );
}

#[test]
fn a_store_is_the_one_of_the_settings_here_unless_another_is_named() {
    let house = House::open();
    let here = house.folder.path();
    fs::write(
        here.join("punctual.toml"),
        "store = \"sqlite:set.db\"\nlog.levle = \"info\"\n",
    )
    .expect("it is ours");
    let wrong = run(here, &["store", "backup", "copy.db"]);
    assert_eq!(wrong.code, 64, "{wrong:?}");
    // What is named needs no settings.
    let named = ["store", "--store", "sqlite:punctual.db", "backup", "set.db"];
    assert_eq!(run(here, &named).code, 0);

    fs::write(here.join("punctual.toml"), "store = \"sqlite:set.db\"\n").expect("it is ours");
    assert_eq!(run(here, &["store", "backup", "copy.db"]).code, 0);
    fs::remove_file(here.join("set.db")).expect("it is there");
    let set = run(here, &["store", "check"]);
    assert!(set.stderr.contains("there is no database at set.db"), "{set:?}");
    for (value, code) in [("", 69), ("sqlite:copy.db", 0)] {
        let mut check = punctual(here);
        check.args(["store", "check"]).env("PUNCTUAL_STORE", value);
        assert_eq!(
            Ended::of(check.output().expect("it starts")).code,
            code,
            "{value}"
        );
    }
}

#[test]
fn a_redis_is_a_store_as_any_other() {
    let Some(url) = namespace("redis") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let missing = run(folder.path(), &["job", "list", "--store", &url]);
    assert_eq!(missing.code, 69, "{missing:?}");
    assert!(missing.stderr.contains("has no namespace"), "{missing:?}");
    assert!(
        missing.stderr.contains("`punctual store migrate` makes it"),
        "{missing:?}"
    );

    let arguments = Vec::leak(vec!["--store", String::leak(url.clone())]);
    let house = House::with(Beside {
        arguments,
        ..NOTHING_BESIDE
    });
    let added = run(
        folder.path(),
        &[
            "job", "add", "command", "--wait", "--store", &url, "--", "echo", "hello",
        ],
    );
    assert_eq!((added.code, added.stdout.as_str()), (0, "hello\n"), "{added:?}");
    let far = house.job(&["list", "--json"]);
    let near = run(folder.path(), &["job", "list", "--json", "--store", &url]);
    assert_eq!((near.stdout.lines().count(), near.stdout), (1, far.stdout));
    let checked = run(folder.path(), &["store", "check", "--json", "--store", &url]);
    let checked: serde_json::Value = serde_json::from_str(&checked.stdout).expect("it is JSON");
    assert_eq!(checked["store"], "redis");
}

#[test]
fn a_password_in_the_url_of_a_store_is_never_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = "redis://ann:hunter2@127.0.0.1:1";
    let postgres = "postgres://ann:hunter2@127.0.0.1:1/jobs";
    for (arguments, code) in [
        (&["job", "list", "--store", url][..], 69),
        (&["serve", "--store", url], 69),
        (
            &["store", "check", "--store", "redis://ann:hunter2@host/jobs"],
            64,
        ),
        (&["store", "check", "--store", "reddis://ann:hunter2@host"], 64),
        (&["config", "show", "--store", url], 0),
        (&["config", "show", "--json", "--store", url], 0),
        (&["serve", "--store", "sqlite:jobs.db", "--dispatch", url], 64),
        (
            &[
                "serve",
                "--store",
                postgres,
                "--dispatch",
                "redis://ann:hunter2@host/jobs",
            ],
            64,
        ),
        (&["serve", "--store", postgres, "--dispatch", url], 69),
        (&["store", "check", "--store", postgres, "--dispatch", url], 69),
        (&["store", "check", "--store", url, "--dispatch", url], 64),
        (&["config", "show", "--store", postgres, "--dispatch", url], 0),
    ] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {ended:?}");
        let said = ended.stdout + &ended.stderr;
        assert!(
            !said.is_empty() && !said.contains("hunter2"),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn a_store_that_cannot_be_meant_is_wrong_usage() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, told) in [
        (&["job", "list", "--store", "memory:"][..], "forgotten"),
        (&["job", "list", "--store", "jobs.db"], "sqlite:jobs.db"),
        (
            &[
                "job",
                "list",
                "--store",
                "sqlite:a.db",
                "--server",
                "http://127.0.0.1:1",
            ],
            "not both",
        ),
        (
            &[
                "job",
                "--store",
                "sqlite:a.db",
                "add",
                "mail",
                "--server",
                "http://127.0.0.1:1",
            ],
            "not both",
        ),
        (&["store", "backup", "copy.db", "--store", "memory:"], "no file"),
    ] {
        let ended = run(folder.path(), arguments);
        assert_eq!(ended.code, 64, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(told), "{arguments:?}: {ended:?}");
    }
    // The variable is for when nothing is said.
    let mut command = punctual(folder.path());
    command.env("PUNCTUAL_SERVER", "http://127.0.0.1:1");
    let ended = Ended::of(
        command
            .args(["job", "list", "--store", "sqlite:none.db"])
            .output()
            .expect("it starts"),
    );
    assert!(ended.stderr.contains("there is no database"), "{ended:?}");
}

#[test]
fn a_backup_is_a_whole_store_that_only_its_owner_reads() {
    let house = House::open();
    let here = house.folder.path();
    for n in 0..50 {
        assert_eq!(
            house
                .job(&["add", "mail", "--payload", &n.to_string(), "--in", "1h"])
                .code,
            0
        );
    }
    let made = run(here, &["store", "backup", "copy.db"]);
    assert_eq!(made.code, 0, "{made:?}");
    let copy = here.join("copy.db");
    let mode = fs::metadata(&copy).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for beside in ["copy.db-wal", "copy.db-shm", "copy.db.part"] {
        assert!(!here.join(beside).exists(), "{beside} was left behind");
    }
    assert_eq!(house.job(&["add", "mail", "--in", "1h"]).code, 0);
    let listed = run(
        here,
        &[
            "job",
            "list",
            "--json",
            "--limit",
            "1000",
            "--store",
            "sqlite:copy.db",
        ],
    );
    assert_eq!(listed.stdout.lines().count(), 50, "{listed:?}");
}

#[test]
fn a_backup_replaces_a_file_only_when_it_is_told_to_and_never_its_own_store() {
    let house = House::open();
    let here = house.folder.path();
    fs::write(here.join("copy.db"), "precious").expect("it is ours");
    let refused = run(here, &["store", "backup", "copy.db"]);
    assert_eq!(refused.code, 65, "{refused:?}");
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    assert_eq!(house.read("copy.db"), "precious");

    for itself in ["punctual.db", "./punctual.db"] {
        let refused = run(here, &["store", "backup", "--force", itself]);
        assert_eq!(refused.code, 64, "{refused:?}");
    }
    assert_eq!(run(here, &["store", "backup", "--force", "copy.db"]).code, 0);
    assert_eq!(
        run(here, &["store", "check", "--store", "sqlite:copy.db"]).code,
        0
    );
}

#[test]
fn a_check_tells_what_the_store_promises() {
    let house = House::open();
    let checked = run(house.folder.path(), &["store", "check", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!(
        (&report["store"], &report["durable"]),
        (&"sqlite".into(), &true.into())
    );
    let told = run(house.folder.path(), &["store", "check"]);
    assert!(told.stdout.contains("durable     yes"), "{told:?}");
}

#[test]
fn a_check_finds_a_damaged_file_and_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path();
    let house = House::open();
    let lines: String = (0..2_000)
        .map(|n| format!("{{\"kind\": \"mail\", \"payload\": {n}, \"delay\": \"1h\"}}\n"))
        .collect();
    fs::write(house.folder.path().join("jobs.jsonl"), lines).expect("it is ours");
    assert_eq!(house.job(&["add", "-f", "jobs.jsonl"]).code, 0);
    let copy = here.join("copy.db").display().to_string();
    assert_eq!(run(house.folder.path(), &["store", "backup", &copy]).code, 0);

    let check = ["store", "check", "--store", "sqlite:copy.db"];
    let whole = run(here, &check);
    assert_eq!(whole.code, 0, "{whole:?}");
    assert!(whole.stdout.contains("it is whole"), "{whole:?}");

    let mut bytes = fs::read(&copy).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16 * 1024].fill(0xa5);
    fs::write(&copy, bytes).expect("it is ours");
    let damaged = run(here, &check);
    assert_eq!(damaged.code, 70, "{damaged:?}");
    assert_eq!(damaged.stderr.lines().count(), 1, "{damaged:?}");
    assert!(damaged.stderr.contains("damaged"), "{damaged:?}");
    assert!(damaged.stderr.contains("backup"), "{damaged:?}");
    assert_eq!(damaged.stdout, "");
}

#[test]
fn a_backup_holds_up_nobody_who_writes_and_is_of_one_instant() {
    let house = House::open();
    let here = house.folder.path();
    let lines: String = (0..20_000)
        .map(|n| format!("{{\"kind\": \"mail\", \"payload\": {n}, \"delay\": \"1h\"}}\n"))
        .collect();
    fs::write(here.join("jobs.jsonl"), lines).expect("it is ours");
    let mut import = house.command(&["add", "-f", "jobs.jsonl"]);
    let mut import = import.stdout(Stdio::null()).spawn().expect("it starts");
    let mut copies = Vec::new();
    while import.try_wait().expect("it runs").is_none() {
        let name = format!("copy-{}.db", copies.len());
        let made = run(here, &["store", "backup", &name]);
        assert_eq!(made.code, 0, "{made:?}");
        copies.push(name);
    }
    assert!(import.wait().expect("it ends").success());
    let mut before = 0;
    for name in copies {
        let store = format!("sqlite:{name}");
        let list = ["job", "list", "--json", "--limit", "100000", "--store", &store];
        let jobs = run(here, &list).stdout.lines().count();
        assert!(
            jobs >= before,
            "{name} has {jobs} jobs, and an earlier one {before}"
        );
        before = jobs;
    }
}
