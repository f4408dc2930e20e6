//! `cancel`, `retry` and `delete` for many jobs, and what operators do to one.

use crate::house::House;

impl House {
    fn add_mail(&self, tag: &str, jobs: usize) {
        for _ in 0..jobs {
            assert_eq!(self.job(&["add", "mail", "--tag", tag, "--in", "1h"]).code, 0);
        }
    }

    fn phases(&self, tag: &str) -> Vec<String> {
        let listed = self.job(&["list", "--tag", tag, "--json"]).stdout;
        let phase = |line: &str| {
            let job: serde_json::Value = serde_json::from_str(line).expect("JSON");
            job["phase"].as_str().expect("a phase").to_owned()
        };
        listed.lines().map(phase).collect()
    }
}

#[test]
fn many_jobs_are_counted_and_left_alone_until_somebody_agrees() {
    let house = House::open();
    house.add_mail("a", 3);
    house.add_mail("b", 1);
    let asked = house.job(&["cancel", "--tag", "a"]);
    assert_eq!(asked.code, 64, "{asked:?}");
    assert!(
        asked.stderr.contains("cancel 3 jobs?") && asked.stderr.contains("--yes"),
        "{asked:?}"
    );
    assert_eq!(house.phases("a"), ["scheduled"; 3]);

    let done = house.json(&["cancel", "--tag", "a", "--yes", "--json"]);
    assert_eq!((&done["matched"], &done["changed"]), (&3.into(), &3.into()));
    assert_eq!(house.phases("a"), ["cancelled"; 3]);
    assert_eq!(house.phases("b"), ["scheduled"]);

    assert_eq!(
        house
            .job(&["retry", "--tag", "a", "--state", "cancelled", "-y"])
            .code,
        0
    );
    assert!(house.phases("a").iter().all(|phase| phase == "ready"));
    assert_eq!(
        house.job(&["delete", "--all", "--yes"]).stdout,
        "4 jobs deleted\n"
    );
    assert_eq!(house.job(&["list", "--json"]).stdout, "");
}

#[test]
fn whoever_sits_at_a_terminal_is_asked_first() {
    let house = House::open();
    house.add_mail("a", 2);
    for (answer, phase) in [("n", "scheduled"), ("", "scheduled"), ("y", "cancelled")] {
        let command = format!("echo {answer} | script -qec \"$PUNCTUAL job cancel --tag a\" /dev/null");
        let mut shell = std::process::Command::new("sh");
        let told = shell
            .args(["-c", &command])
            .env("PUNCTUAL", env!("CARGO_BIN_EXE_punctual"))
            .env("PUNCTUAL_SERVER", &house.address)
            .current_dir(house.folder.path())
            .output()
            .expect("sh is there");
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.contains("cancel 2 jobs? [y/N]"), "{told}");
        assert_eq!(house.phases("a"), [phase; 2], "{answer}: {told}");
    }
}

#[test]
fn several_jobs_are_named_and_one_that_cannot_be_leaves_the_others_none_behind() {
    let house = House::open();
    let add = || house.json(&["add", "mail", "--tag", "a", "--in", "1h", "--json"])["id"].clone();
    let ids = [add(), add()];
    let [first, second] = ids.each_ref().map(|id| id.as_str().expect("an id"));
    let nobody = "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11";
    let ran = house.job(&["run", first, second, "--json"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 2), "{ran:?}");

    let cancelled = house.job(&["cancel", first, nobody, second]);
    assert_eq!(cancelled.code, 66, "{cancelled:?}");
    assert_eq!(
        cancelled.stderr,
        format!("punctual: {nobody}: there is no job {nobody}\n")
    );
    assert_eq!(house.phases("a"), ["cancelled"; 2]);
    assert_eq!(house.job(&["retry", first, second]).code, 0);
    assert_eq!(house.job(&["delete", first, second]).stdout.lines().count(), 2);
    assert_eq!(house.phases("a"), [""; 0]);
}

#[test]
fn jobs_are_found_by_when_they_are_due_and_when_they_ended() {
    let house = House::open();
    let tagged = |tag: &str, due: &str| house.job(&["add", "mail", "--tag", tag, "--in", due]);
    tagged("soon", "30m");
    tagged("later", "3h");
    let tags = |filter: &[&str]| {
        let listed = house.job(&[&["list", "--json"], filter].concat());
        assert_eq!(listed.code, 0, "{listed:?}");
        let tags = ["soon", "later"].map(|tag| listed.stdout.contains(tag));
        (tags[0], tags[1])
    };
    assert_eq!(tags(&["--due-before", "1h"]), (true, false));
    assert_eq!(
        tags(&["--due-after", "1h", "--due-before", "2099-01-01T00:00Z"]),
        (false, true)
    );
    assert_eq!(tags(&["--worker", "nobody"]), (false, false));

    assert_eq!(
        house.job(&["cancel", "--due-after", "1h", "--yes"]).stdout,
        "1 job cancelled\n"
    );
    let old = ["delete", "--state", "cancelled", "--yes", "--ended-before"];
    assert_eq!(
        house.job(&[&old[..], &["1h"]].concat()).stdout,
        "0 jobs deleted\n"
    );
    assert_eq!(house.job(&[&old[..], &["0s"]].concat()).stdout, "1 job deleted\n");
}

#[test]
fn neither_no_job_nor_a_job_and_a_filter_is_meant() {
    let house = House::open();
    house.add_mail("a", 1);
    for arguments in [
        &["cancel"][..],
        &["delete", "--yes"],
        &["retry", "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11", "--tag", "a"],
        &["delete", "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11", "--all"],
    ] {
        let ended = house.job(arguments);
        assert_eq!(ended.code, 64, "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
    assert_eq!(house.phases("a"), ["scheduled"]);
}

#[test]
fn a_waiting_job_is_edited_only_in_the_version_that_is_meant() {
    let house = House::open();
    let job = house.json(&["add", "mail", "--in", "1h", "--json"]);
    let (id, rev) = (job["id"].as_str().expect("an id"), job["rev"].to_string());
    let edited = house.json(&[
        "edit",
        id,
        "--priority",
        "0",
        "--payload",
        "[1]",
        "--tag",
        "x",
        "--if-rev",
        &rev,
        "--json",
    ]);
    assert_eq!(
        (&edited["priority"], &edited["payload"][0], &edited["tags"][0]),
        (&0.into(), &1.into(), &"x".into())
    );
    let stale = house.job(&["edit", id, "--priority", "9", "--if-rev", &rev]);
    assert_eq!(stale.code, 65, "{stale:?}");
    assert_eq!(
        stale.stderr,
        format!("punctual: it has moved on: its rev is {} now\n", edited["rev"])
    );
    assert_eq!(house.json(&["show", id, "--json"])["priority"], 0);
    assert_eq!(house.json(&["run", id, "--json"])["phase"], "ready");
}
