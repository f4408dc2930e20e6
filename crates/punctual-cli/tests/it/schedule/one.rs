//! One schedule: set, looked at, held, deleted.

use serde_json::{Value, json};

use crate::house::House;

const NIGHTLY: [&str; 9] = [
    "set",
    "nightly",
    "--cron",
    "30 2 * * *",
    "--zone",
    "Europe/Ljubljana",
    "http",
    "POST",
    "http://127.0.0.1:9/hook",
];
const STORE: [&str; 2] = ["--store", "sqlite:punctual.db"];

#[test]
fn what_became_of_a_schedule_is_said_with_its_next_instant_and_offset() {
    let house = House::open();
    let set = house.schedule_prints(&NIGHTLY);
    assert!(
        set.starts_with("schedule nightly is set: every day at 02:30, Europe/Ljubljana; next 2"),
        "{set}"
    );
    assert!(set.contains(" 02:30:00 +0") && set.contains(" (in "), "{set}");
    let again = house.schedule_prints(&NIGHTLY);
    assert!(again.starts_with("schedule nightly is unchanged: "), "{again}");
    let mut later = NIGHTLY;
    later[3] = "45 2 * * *";
    let changed = house.schedule_prints(&later);
    assert!(
        changed.starts_with("schedule nightly is changed: every day at 02:45, "),
        "{changed}"
    );
}

#[test]
fn a_schedule_is_the_same_on_its_store_as_on_its_server() {
    let house = House::open();
    let on_store = |arguments: &[&str]| house.schedule_json(&[arguments, &STORE].concat());
    on_store(&[
        "set",
        "digest",
        "--every",
        "1h",
        "--phase",
        "5m",
        "--overlap",
        "allow",
        "mail.digest",
    ]);
    let shown = house.schedule_json(&["show", "digest"]);
    assert_eq!(shown["every"], "1h");
    assert_eq!(shown["phase"], "5m");
    assert_eq!(shown["overlap"], "allow");
    assert_eq!(shown["job"]["kind"], "mail.digest");
    assert_eq!(on_store(&["show", "digest"]), shown);
    assert_eq!(on_store(&["list"]), shown);
}

#[test]
fn every_flag_of_a_plan_arrives_where_it_belongs() {
    let house = House::open();
    house.schedule_prints(&["calendar", "set", "holidays", "2099-12-25", "2099-12-26"]);
    let flags = "set report --every 15m --zone Europe/Ljubljana --start 2099-01-01T00:00:00Z --end 2099-12-31T00:00:00Z \
                 --max-runs 7 --exclude-date 2099-05-01 --exclude-weekday sat --exclude-weekday sun \
                 --exclude-calendar holidays --spread 10m --misfire all --grace 2m --misfire-max 9 --overlap buffer_one \
                 mail --payload [1] --queue letters --priority 3 --tag a --tag b --timeout 1m --max-attempts 4 \
                 --backoff fixed:10s";
    let set = house.schedule_json(&flags.split_whitespace().collect::<Vec<_>>());
    let expected = json!({
        "every": "15m", "zone": "Europe/Ljubljana", "max_runs": 7, "spread": "10m",
        "exclude": {"dates": ["2099-05-01"], "weekdays": ["sat", "sun"], "calendars": ["holidays"]},
        "misfire": {"mode": "all", "grace": "2m", "max": 9}, "overlap": "buffer_one",
    });
    for (field, value) in expected.as_object().expect("it is one") {
        assert_eq!(&set[field], value, "{set}");
    }
    let job = &set["job"];
    assert_eq!(
        (&job["queue"], &job["priority"], &job["payload"], &job["tags"]),
        (&json!("letters"), &json!(3), &json!([1]), &json!(["a", "b"]))
    );
    assert_eq!(
        (&job["timeout"], &job["max_attempts"], &job["backoff"]["delay"]),
        (&json!("1m"), &json!(4), &json!("10s"))
    );
}

#[test]
fn what_the_clocks_of_its_zone_do_to_a_schedule_is_shown_beforehand() {
    let house = House::open();
    let unset = [
        "preview",
        "--cron",
        "30 2 * * *",
        "--zone",
        "Europe/Ljubljana",
        "--from",
        "2027-03-27T12:00:00Z",
        "-n",
        "2",
    ];
    let printed = house.schedule_prints(&unset);
    assert!(
        printed.starts_with("every day at 02:30, Europe/Ljubljana\nUTC "),
        "{printed}"
    );
    assert!(
        printed.contains("2027-03-28T01:00:00.000000Z  2027-03-28T03:00:00+02:00  fires"),
        "{printed}"
    );
    assert!(printed.contains("02:30 does not exist on this day"), "{printed}");
    assert_eq!(printed.lines().count(), 4, "{printed}");

    house.schedule_prints(&NIGHTLY);
    let set = house.schedule_json(&["preview", "nightly", "--from", "2027-10-30T12:00:00Z", "-n", "1"]);
    assert_eq!(set["items"][0]["clocks"], "first", "{set}");
    assert_eq!(set["items"][0]["local"], "2027-10-31T02:30:00+02:00");
}

#[test]
fn a_paused_schedule_says_why_and_goes_on_when_it_is_told() {
    let house = House::open();
    house.schedule_prints(&NIGHTLY);
    assert_eq!(
        house.schedule_prints(&["pause", "nightly", "--reason", "strike"]),
        "schedule nightly is paused\n"
    );
    let shown = house.schedule_prints(&["show", "nightly"]);
    assert!(shown.contains("strike"), "{shown}");
    let listed = house.schedule_prints(&["list"]);
    assert!(
        listed.contains("nightly  every day at 02:30, Europe/Ljubljana  paused"),
        "{listed}"
    );
    let explained = house.schedule_prints(&["explain", "nightly"]);
    assert!(explained.contains("strike"), "{explained}");
    let resumed = house.schedule_prints(&["resume", "nightly"]);
    assert!(
        resumed.starts_with("schedule nightly goes on: next 2"),
        "{resumed}"
    );
    assert_eq!(house.schedule_json(&["show", "nightly"])["paused"], Value::Null);
}

#[test]
fn a_schedule_is_deleted_once_somebody_agrees() {
    let house = House::open();
    house.schedule_prints(&NIGHTLY);
    let asked = house.schedule(&["delete", "nightly"]);
    assert_eq!(asked.code, 64, "{asked:?}");
    assert!(
        asked.stderr.contains("--yes agrees, and nothing was done"),
        "{asked:?}"
    );
    assert_eq!(house.schedule_names(), ["nightly"]);
    assert_eq!(
        house.schedule_prints(&["delete", "nightly", "--yes"]),
        "schedule nightly is deleted\n"
    );
    assert_eq!(house.schedule_names(), [""; 0]);
    assert_eq!(house.schedule(&["delete", "nightly"]).code, 66);
}

#[test]
fn a_calendar_is_set_shown_and_deleted() {
    let house = House::open();
    let set = house.schedule_prints(&["calendar", "set", "holidays", "2099-12-26", "2099-12-25"]);
    assert_eq!(set, "calendar holidays has 2 dates\n");
    assert_eq!(
        house.schedule_prints(&["calendar", "show", "holidays"]),
        "2099-12-25\n2099-12-26\n"
    );
    assert_eq!(
        house.schedule_prints(&["calendar", "list"]),
        "CALENDAR\nholidays\n"
    );
    assert_eq!(house.schedule(&["calendar", "delete", "holidays"]).code, 64);
    house.schedule_prints(&["calendar", "delete", "holidays", "--yes"]);
    assert_eq!(house.schedule(&["calendar", "show", "holidays"]).code, 66);
}
