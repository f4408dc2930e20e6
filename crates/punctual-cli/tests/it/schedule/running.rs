//! Schedules that fire.

use punctual::Timestamp;
use punctual::clock::{Clock, SystemClock};
use punctual::time::days;
use serde_json::Value;

use crate::house::{House, wait_until};

#[test]
fn a_command_of_a_schedule_runs_and_its_environment_tells_the_nominal_time() {
    let house = House::open();
    let script = r#"echo "$PUNCTUAL_SCHEDULE $PUNCTUAL_NOMINAL_TIME" >> told"#;
    house.schedule_prints(&["set", "tick", "--every", "1s", "command", "--shell", script]);
    let told = || std::fs::read_to_string(house.folder.path().join("told")).unwrap_or_default();
    wait_until("it has fired thrice", || told().lines().count() >= 3);

    let fired = house.schedule_lines(&["occurrences", "tick", "--outcome", "fired"]);
    let instants: Vec<String> = fired
        .iter()
        .map(|entry| format!("tick {}", entry["nominal_at"].as_str().expect("an instant")))
        .collect();
    for line in told().lines().take(3) {
        assert!(line.contains(".000000Z"), "a whole second: {line}");
        let places = instants.iter().filter(|instant| instant.as_str() == line).count();
        assert_eq!(places, 1, "{line} stands once among {instants:?}");
    }
    let printed = house.schedule_prints(&["occurrences", "tick", "-n", "1"]);
    assert!(
        printed.starts_with("INSTANT") && printed.contains("planned"),
        "{printed}"
    );
    assert_eq!(printed.lines().count(), 2, "{printed}");
}

#[test]
fn a_job_out_of_turn_can_be_waited_for_and_is_made_once_for_an_id() {
    let house = House::open();
    house.schedule_prints(&[
        "set",
        "hello",
        "--at",
        "2099-01-01T00:00:00Z",
        "command",
        "--",
        "echo",
        "hello",
    ]);
    let waited = house.schedule(&["trigger", "hello", "--wait"]);
    assert_eq!(
        (waited.code, waited.stdout.as_str()),
        (0, "hello\n"),
        "{waited:?}"
    );

    let id = "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11";
    for _ in 0..2 {
        assert_eq!(
            house.schedule_prints(&["trigger", "hello", "--id", id]),
            format!("{id}\n")
        );
    }
    let ledger = house.schedule_lines(&["occurrences", "hello"]);
    let triggered: Vec<&Value> = ledger
        .iter()
        .filter(|entry| entry["cause"] == "triggered")
        .collect();
    assert_eq!(triggered.len(), 2, "{ledger:?}");
    assert_eq!(house.schedule_json(&["show", "hello"])["fired"], 0);
}

#[test]
fn a_preview_of_a_stored_schedule_begins_where_it_stands() {
    let house = House::open();
    let fired = |name: &str| {
        house.schedule_json(&["show", name])["fired"]
            .as_u64()
            .expect("a number")
    };
    let each_second = ["--every", "1s", "--overlap", "allow", "mail"];
    let set = |name: &str, most: &str| {
        let bound = ["set", name, "--max-runs", most];
        house.schedule_prints(&[&bound[..], &each_second].concat())
    };
    set("long", "1000");
    wait_until("it has fired", || fired("long") > 0);
    house.schedule_prints(&["pause", "long"]);
    let left = house.schedule_json(&["preview", "long", "-n", "1000"]);
    assert_eq!(
        left["items"].as_array().map(Vec::len),
        usize::try_from(1000 - fired("long")).ok()
    );
    assert_eq!(left["more"], false);
    let told = house.schedule(&["preview", "long"]);
    assert!(told.stderr.contains("it is paused"), "{told:?}");

    set("short", "2");
    wait_until("it has ended", || fired("short") == 2);
    let ended = house.schedule(&["preview", "short"]);
    assert_eq!((ended.code, ended.stdout.lines().count()), (0, 1), "{ended:?}");
    assert!(ended.stderr.contains("it comes to no more"), "{ended:?}");

    house.schedule_prints(&["set", "poll", "--after", "1h", "mail"]);
    wait_until("it has fired", || fired("poll") == 1);
    let waits = house.schedule(&["preview", "poll"]);
    assert_eq!((waits.code, waits.stdout.lines().count()), (0, 1), "{waits:?}");
    assert!(
        waits
            .stderr
            .contains("its next run comes 1h after the end of the one that is live"),
        "{waits:?}"
    );
}

#[test]
fn the_jobs_of_a_schedule_are_listed_by_its_name() {
    let house = House::open();
    for name in ["yearly", "other"] {
        house.schedule_prints(&["set", name, "--cron", "@yearly", "mail"]);
        house.schedule_prints(&["trigger", name]);
    }
    let job = house.schedule_prints(&["trigger", "yearly"]);
    house.schedule_prints(&["trigger", "yearly"]);
    assert_eq!(house.punctual(&["job", "cancel", job.trim()]).code, 0);

    let list = |more: &[&str]| {
        let listed = house.punctual(&[&["job", "list", "--schedule", "yearly"], more].concat());
        assert_eq!(listed.code, 0, "{listed:?}");
        listed.stdout
    };
    let told = house.schedule_lines(&["occurrences", "yearly"]).into_iter();
    let told: Vec<Value> = told.map(|entry| entry["job"].clone()).collect();
    let lines = list(&["--json"]);
    let listed: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("each is JSON")["id"].clone())
        .collect();
    assert_eq!((listed.len(), &listed), (3, &told));
    let table = list(&[]);
    assert_eq!(table.lines().count(), 4, "{table}");
    let cancelled = list(&["--state", "cancelled"]);
    assert!(
        cancelled.contains(job.trim()) && cancelled.lines().count() == 2,
        "{cancelled}"
    );
    let unknown = house.punctual(&["job", "list", "--schedule", "nobody"]);
    assert_eq!(unknown.code, 66, "{unknown:?}");
    assert!(
        unknown.stderr.contains("there is no schedule nobody"),
        "{unknown:?}"
    );
}

#[test]
fn instants_before_a_schedule_was_made_are_counted_and_then_made_up_for() {
    let house = House::open();
    house.schedule_prints(&["set", "daily", "--cron", "@daily", "mail"]);
    let day = i64::try_from(days(1).as_micros()).expect("it is short");
    let today = Timestamp::from_micros(SystemClock::new().now().as_micros() / day * day);
    let (from, until) = ((today - days(6)).to_string(), (today - days(2)).to_string());
    let range = ["--from", &from, "--until", &until];
    let backfill =
        |more: &[&str]| house.schedule_prints(&[&["backfill", "daily"], &range[..], more].concat());
    assert_eq!(backfill(&["--dry-run"]), "5 jobs would be made\n");
    assert_eq!(backfill(&[]), "5 jobs made\n");
    assert_eq!(backfill(&[]), "0 jobs made\n");
    let ledger = house.schedule_lines(&["occurrences", "daily", "--until", &until]);
    assert_eq!(ledger.len(), 5, "{ledger:?}");
    assert!(
        ledger.iter().all(|entry| entry["cause"] == "backfilled"),
        "{ledger:?}"
    );
    let early = ["backfill", "daily", "--from", "31d", "--until", "1d"];
    let refused = house.schedule(&early);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.stderr.contains("--from") && refused.stderr.contains("within the last 30d"),
        "{refused:?}"
    );
}
