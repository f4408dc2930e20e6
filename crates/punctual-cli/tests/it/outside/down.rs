//! A server that was down for ten minutes of a schedule of every minute.
//!
//! Redis does not run with a clock that is behind: its allocator asks for the time before there is another one. The engine's tests
//! show the same on each store, with a clock that is stepped.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::firing::{ledger, nothing_is_live};
use super::past::Behind;
use super::server::{Place, shell, until};
use super::stores::Sort;

mod sqlite {
    use crate::outside::stores::Sort;

    #[test]
    fn ten_minutes_down_are_made_up_for_as_the_policy_says() {
        super::ten_minutes_down_are_made_up_for_as_the_policy_says(Sort::Sqlite);
    }
}

mod postgres {
    use crate::outside::stores::Sort;

    #[test]
    fn ten_minutes_down_are_made_up_for_as_the_policy_says() {
        super::ten_minutes_down_are_made_up_for_as_the_policy_says(Sort::Postgres);
    }
}

/// How far behind the clocks are of a first server, which is to be gone before the first of ten minutes, and two minutes before
/// now the last of them has passed.
const BEHIND: i64 = 14;
const DOWN: i64 = 10;

fn ten_minutes_down_are_made_up_for_as_the_policy_says(sort: Sort) {
    let Some(behind) = Behind::minutes(BEHIND) else {
        return;
    };
    let Some(store) = sort.own_in(&behind.environment()) else {
        return;
    };
    let place = Place::new();
    let on_store = ["--store", store.url()];
    let first = whole_minute(behind.now() + minutes(2));
    let mut server = place.serve_by(&behind.binary(&place), &on_store);
    for mode in ["latest", "all", "skip"] {
        let log = "echo $PUNCTUAL_SCHEDULE $PUNCTUAL_NOMINAL_TIME $PUNCTUAL_MISSED";
        let plan = json!({
            "every": "1m",
            "start": first.to_string(),
            "end": (first + minutes(DOWN)).to_string(),
            "misfire": {"mode": mode},
            "job": shell(&format!("{log} >> {}", place.path("log").display())),
        });
        let set = server.request("PUT", &format!("/v1/schedules/{mode}"), Some(&plan.to_string()));
        assert_eq!(set.status, 201, "{}", set.body);
    }
    server.kill();
    assert!(place.lines("log").is_empty(), "none was due yet");
    if sort != Sort::Sqlite {
        // It has the clock of everybody now.
        store.restart();
    }

    let server = place.serve(&on_store);
    let told = |mode: &str| -> Vec<String> {
        let ledger = ledger(server.address(), mode);
        ledger.iter().map(|entry| in_short(entry, first)).collect()
    };
    until("each schedule has told of all ten", || {
        let skipped = told("skip") == ["0-9 misfire"];
        (skipped && told("all").len() == 10 && told("latest").len() == 2 && nothing_is_live(server.address()))
            .then_some(())
    });
    assert_eq!(told("latest"), ["0-8 misfire", "9 fired for 9 more"]);
    let all: Vec<String> = (0..DOWN).map(|minute| format!("{minute} fired")).collect();
    assert_eq!(told("all"), all);

    let ran = |mode: &str| -> Vec<String> {
        let lines = place.lines("log").into_iter();
        let mine = lines.filter_map(|line| line.strip_prefix(mode).map(str::to_owned));
        mine.map(|line| {
            let (at, missed) = line.trim().split_once(' ').expect("an instant and a number");
            format!("{} missed {missed}", minute(at, first))
        })
        .collect()
    };
    assert_eq!(ran("latest"), ["9 missed 9"], "one that knows it stands for ten");
    let all: Vec<String> = (0..DOWN).map(|minute| format!("{minute} missed 0")).collect();
    assert_eq!(ran("all"), all);
    assert!(ran("skip").is_empty(), "{:?}", ran("skip"));
}

/// An entry of a ledger, in minutes after the first: `9 fired for 9 more`, `0-8 misfire`.
fn in_short(entry: &Value, first: Timestamp) -> String {
    let at = |field: &str| entry[field].as_str().map(|text| minute(text, first).to_string());
    let last = at("until").map_or(String::new(), |last| format!("-{last}"));
    let what = match (entry["reason"].as_str(), entry["missed"].as_u64()) {
        (Some(reason), _) => reason.to_owned(),
        (None, Some(0)) => "fired".to_owned(),
        (None, missed) => format!("fired for {} more", missed.unwrap_or_default()),
    };
    format!("{}{last} {what}", at("nominal_at").unwrap_or_default())
}

fn minute(at: &str, first: Timestamp) -> i64 {
    let at: Timestamp = at.parse().expect("as RFC 3339 has it");
    at.duration_since(first).as_mins()
}

/// The first whole minute that is not before this.
fn whole_minute(at: Timestamp) -> Timestamp {
    let minute = (at.as_second() + 60).div_euclid(60);
    Timestamp::from_second(minute * 60).expect("it is before the year 9999")
}

fn minutes(number: i64) -> SignedDuration {
    SignedDuration::from_mins(number)
}
