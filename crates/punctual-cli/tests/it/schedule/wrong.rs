//! What is refused, and how it is told.

use crate::house::House;

/// A command line, and what is said of it.
const WRONG: [(&str, &str); 29] = [
    ("set x --cron @nightly mail", "--cron: "),
    ("set x --every soon mail", "--every"),
    ("set x --every 1h --after 1h mail", "never two"),
    ("set x --every 1h --zone Mars/Base mail", "--zone: "),
    (
        "set x --every 1h --gap skip mail",
        "--gap: it stands beside cron only",
    ),
    (
        "set x --after 1h --phase 1m mail",
        "--phase: it stands beside every only",
    ),
    (
        "set x --every 1h --exclude-date tomorrow mail",
        "--exclude-date: it is not a date",
    ),
    (
        "set x --every 1h --exclude-weekday someday mail",
        "--exclude-weekday: it is not a day of the week",
    ),
    (
        "set x --every 1h --misfire maybe mail",
        "possible values: skip, latest, all",
    ),
    (
        "set x --every 1h --overlap maybe mail",
        "possible values: skip, buffer_one, cancel_other, allow",
    ),
    ("set x --every 1h --misfire-max 0 mail", "--misfire-max"),
    ("set x --every 1h --max-runs 0 mail", "--max-runs"),
    ("set x --at tomorrow mail", "write a date and a time"),
    ("set x --every 1h http POST nowhere", "URL: "),
    ("set x --every 1h mail --priority 11", "--priority"),
    ("set x --every 1h mail --in 5m", "--in"),
    ("set x --every 1h", "say what is to run"),
    (
        "set x --every 1h command ./report.sh",
        "what to run stands after --, as in `punctual schedule set x --every 1h command -- ./report.sh`",
    ),
    (
        "set x --every 1h --every 2h mail",
        "cannot be used multiple times",
    ),
    (
        "set x mail --overlap allow --every 1h",
        "--overlap is about when, and stands before what is to run",
    ),
    ("set x! --every 1h mail", "NAME: the name of a schedule must have"),
    (
        "occurrences x --from yesterday",
        "or a length of time, such as 2h",
    ),
    (
        "preview --cron @daily --zone Europe/Lubljana",
        "--zone: there is no time zone \"Europe/Lubljana\"",
    ),
    ("set x mail", "say when"),
    ("set --every 1h http GET http://127.0.0.1:9/", "name the schedule"),
    ("preview x --every 1h", "not both"),
    ("set -f x.toml --every 1h", "not both"),
    ("calendar set x 2099-12-24 christmas", "DATE 2: it is not a date"),
    (
        "backfill x --from 2099-01-01T00:00:00Z --until 2098-01-01T00:00:00Z",
        "--until: it must not come before from",
    ),
];

#[test]
fn what_is_wrong_is_told_by_its_flag_and_nothing_is_set() {
    let house = House::open();
    for (line, told) in WRONG {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = house.schedule(&words);
        assert_eq!(ended.code, 64, "{line}: {ended:?}");
        assert!(ended.stderr.contains(told), "{line}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{line}: {ended:?}");
    }
    let pattern = house.schedule(&["set", "x", "--cron", "0 25 * * *", "mail"]);
    assert!(
        pattern
            .stderr
            .contains("--cron: \"25\" is not understood at column 3 of the cron pattern"),
        "{pattern:?}"
    );
    assert_eq!(house.schedule_names(), [""; 0]);
}

#[test]
fn what_is_not_there_is_told_as_such() {
    let house = House::open();
    for line in [
        "show x",
        "pause x",
        "resume x",
        "trigger x",
        "occurrences x",
        "explain x",
        "preview x",
        "delete x --yes",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let ended = house.schedule(&words);
        assert_eq!(ended.code, 66, "{line}: {ended:?}");
    }
}
