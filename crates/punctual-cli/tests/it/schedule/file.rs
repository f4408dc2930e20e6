//! A file of schedules, applied again and again.

use std::io::Write;
use std::process::Stdio;

use crate::house::House;

const TWO: &str = r#"
[schedule.nightly]
cron = "30 2 * * *"
zone = "Europe/Ljubljana"
job = { kind = "http", payload = { method = "POST", url = "http://127.0.0.1:9/hook", auth = { bearer = "secret" } } }

[schedule.digest]
every = "1h"
job = { kind = "mail.digest" }
"#;

#[test]
fn a_file_is_applied_once_however_often_it_is() {
    let house = House::open();
    house.put("schedules.toml", TWO);
    let file = ["set", "-f", "schedules.toml"];
    let difference = "+ nightly: every day at 02:30, Europe/Ljubljana\n+ digest: every hour\n2 created\n";
    let dry = house.schedule_prints(&[&file[..], &["--dry-run"]].concat());
    assert_eq!(dry, difference);
    assert_eq!(house.schedule_names(), [""; 0]);

    assert_eq!(house.schedule_prints(&file), difference);
    let revs = || {
        let listed = house.schedule_lines(&["list"]).into_iter();
        listed.map(|schedule| schedule["rev"].clone()).collect::<Vec<_>>()
    };
    let before = revs();
    assert_eq!(house.schedule_prints(&file), "2 unchanged\n");
    assert_eq!(revs(), before);
}

#[test]
fn a_changed_field_is_told_before_it_is_changed() {
    let house = House::open();
    house.put("schedules.toml", TWO);
    house.schedule_prints(&["set", "-f", "schedules.toml"]);
    house.put(
        "schedules.toml",
        &TWO.replace("30 2", "45 2").replace("mail.digest", "mail.weekly"),
    );
    let told = house.schedule_prints(&["set", "-f", "schedules.toml"]);
    assert!(told.contains("~ nightly: every day at 02:45"), "{told}");
    assert!(
        told.contains(r#"    cron: "30 2 * * *" → "45 2 * * *""#),
        "{told}"
    );
    assert!(
        told.contains(r#"    job.kind: "mail.digest" → "mail.weekly""#),
        "{told}"
    );
    assert!(told.ends_with("2 changed\n"), "{told}");
    assert_eq!(house.schedule_json(&["show", "nightly"])["cron"], "45 2 * * *");
}

#[test]
fn a_secret_that_is_another_one_is_changed_and_said_so() {
    let house = House::open();
    house.put("schedules.toml", TWO);
    house.schedule_prints(&["set", "-f", "schedules.toml"]);
    house.put("schedules.toml", &TWO.replace("\"secret\"", "\"other\""));
    let set = house.schedule(&["set", "-f", "schedules.toml"]);
    assert_eq!((set.code, set.stdout.as_str()), (0, "2 unchanged\n"), "{set:?}");
    assert!(
        set.stderr
            .contains("nightly: its secrets were others, and are changed"),
        "{set:?}"
    );
    assert_eq!(house.schedule(&["set", "-f", "schedules.toml"]).stderr, "");
}

#[test]
fn what_a_file_has_no_more_is_left_alone_unless_it_is_pruned_and_somebody_agrees() {
    let house = House::open();
    house.put("schedules.toml", TWO);
    house.schedule_prints(&["set", "-f", "schedules.toml"]);
    house.put(
        "schedules.toml",
        TWO.split("[schedule.digest]").next().expect("a half"),
    );
    let file = ["set", "-f", "schedules.toml"];
    assert_eq!(
        house.schedule_prints(&file),
        "1 unchanged, 1 not in the file and left alone\n"
    );
    let prune = [&file[..], &["--prune"]].concat();
    let asked = house.schedule(&prune);
    assert_eq!(asked.code, 64, "{asked:?}");
    assert!(asked.stdout.contains("- digest: every hour\n"), "{asked:?}");
    assert!(asked.stderr.contains("delete 1 schedule?"), "{asked:?}");
    assert_eq!(house.schedule_names(), ["digest", "nightly"]);
    house.schedule_prints(&[&prune[..], &["--yes"]].concat());
    assert_eq!(house.schedule_names(), ["nightly"]);
}

#[test]
fn a_schedule_that_fires_each_second_is_changed_by_a_file_all_the_same() {
    let house = House::open();
    let text = "[schedule.tick]\nevery = \"1s\"\njob = { kind = \"mail\", queue = \"a\" }\n";
    house.put("schedules.toml", text);
    house.schedule_prints(&["set", "-f", "schedules.toml"]);
    for queue in ["b", "c", "d"] {
        house.put("schedules.toml", &text.replace("\"a\"", &format!("{queue:?}")));
        let told = house.schedule_prints(&["set", "-f", "schedules.toml"]);
        assert!(told.ends_with("1 changed\n"), "{told}");
        assert_eq!(house.schedule_json(&["show", "tick"])["job"]["queue"], queue);
    }
}

#[test]
fn every_wrong_place_of_a_file_is_told_and_nothing_is_set() {
    let house = House::open();
    house.put(
        "schedules.toml",
        &TWO.replace("30 2", "30 25").replace("\"1h\"", "\"soon\""),
    );
    let refused = house.schedule(&["set", "-f", "schedules.toml"]);
    assert_eq!(refused.code, 64, "{refused:?}");
    let told = &refused.stderr;
    assert!(
        told.contains("schedules.toml:3:1: schedule.nightly.cron: \"25\" is not understood at column 4"),
        "{told}"
    );
    assert!(
        told.contains("schedules.toml:8:1: schedule.digest.every: "),
        "{told}"
    );
    assert!(told.contains("2 places are wrong, and nothing was set"), "{told}");
    assert_eq!(house.schedule_names(), [""; 0]);
}

#[test]
fn what_the_server_would_refuse_of_any_schedule_of_a_file_is_told_before_the_first_is_set() {
    let house = House::open();
    let file = r#"
[schedule.past]
at = ["2020-01-01T00:00:00Z"]
job = { kind = "mail" }

[schedule.hook]
every = "1h"
job = { kind = "http", payload = { method = "POST", url = "nowhere" } }
"#;
    house.put("schedules.toml", &format!("{TWO}{file}"));
    for more in [&["--dry-run"][..], &[]] {
        let refused = house.schedule(&[&["set", "-f", "schedules.toml"], more].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (64, ""), "{refused:?}");
        let told = &refused.stderr;
        assert!(
            told.contains("schedules.toml:11:11: schedule.past: nothing would ever come of this schedule"),
            "{told}"
        );
        assert!(
            told.contains("schedules.toml:17:") && told.contains("schedule.hook.job.payload.url: "),
            "{told}"
        );
        assert!(told.contains("2 places are wrong, and nothing was set"), "{told}");
    }
    assert_eq!(house.schedule_names(), [""; 0]);
}

#[test]
fn what_somebody_else_does_before_a_prune_is_agreed_to_is_heeded() {
    let house = House::open();
    house.put("schedules.toml", TWO);
    house.schedule_prints(&["set", "-f", "schedules.toml"]);
    let nightly = TWO.split("[schedule.digest]").next().expect("a half");
    house.put("schedules.toml", nightly);
    let agreed_after = |meanwhile: &[&str]| {
        let mut terminal = house.terminal("schedule set -f schedules.toml --prune", Stdio::piped());
        house.wait_for_sight("delete 1 schedule?");
        house.schedule_prints(meanwhile);
        let mut typed = terminal.stdin.take().expect("it is piped");
        typed.write_all(b"y\n").expect("it is read");
        let code = terminal.wait().expect("it ends").code();
        (code, house.read("seen"))
    };
    let (code, seen) = agreed_after(&["set", "digest", "--every", "1h", "mail.weekly"]);
    assert_eq!(code, Some(65), "{seen}");
    assert!(
        seen.contains("schedule digest: it has moved on") && seen.contains("1 of 2 steps done"),
        "{seen}"
    );
    assert_eq!(house.schedule_names(), ["digest", "nightly"]);

    let (code, seen) = agreed_after(&["delete", "digest", "--yes"]);
    assert_eq!(code, Some(0), "{seen}");
    assert_eq!(house.schedule_names(), ["nightly"]);
}
