//! A file of schedules, applied again and again.

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
