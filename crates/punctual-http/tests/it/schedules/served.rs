//! Schedules on a server: made, looked at, held and asked for runs.

use macro_rules_attribute::apply;
use punctual_http::client::ClientError;
use punctual_http::schedules::{Difference, File};
use punctual_http::wire::{NewSchedule, Upsert};
use serde_json::{Value, json};

use super::{nightly, put};
use crate::house::House;
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn a_schedule_is_made_changed_and_left_as_it_is(place: Place) {
    let house = House::open(&place).await;
    let made = put(&house, "nightly", &[], &nightly()).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body["upsert"], "created");
    assert_eq!(made.body["description"], "every day at 02:30, Europe/Ljubljana");
    let etag = made.header("etag").expect("a version").to_owned();

    let again = put(&house, "nightly", &[], &nightly()).await;
    assert_eq!((again.status, again.header("etag")), (200, Some(etag.as_str())));
    assert_eq!(again.body["upsert"], "unchanged");

    let mut other = nightly();
    other["cron"] = json!("45 2 * * *");
    let changed = put(&house, "nightly", &[("If-Match", &etag)], &other).await;
    assert_eq!(
        (changed.status, &changed.body["upsert"]),
        (200, &json!("changed"))
    );
    assert_ne!(changed.header("etag"), Some(etag.as_str()));
    put(&house, "nightly", &[("If-Match", &etag)], &nightly())
        .await
        .problem(412);

    let shown = house.get("/v1/schedules/nightly").await;
    assert_eq!(
        (shown.status, shown.header("etag")),
        (200, changed.header("etag"))
    );
    assert_eq!(shown.body["cron"], "45 2 * * *");
    assert_eq!(shown.body["job"], nightly()["job"]);
    assert_eq!(
        (&shown.body["fired"], &shown.body["paused"]),
        (&json!(0), &Value::Null)
    );
}

#[apply(on_each_store)]
async fn a_version_of_zero_means_that_there_is_none(place: Place) {
    let house = House::open(&place).await;
    let none = [("If-Match", "\"0\"")];
    assert_eq!(put(&house, "nightly", &none, &nightly()).await.status, 201);
    put(&house, "nightly", &none, &nightly()).await.problem(412);
    let seen = [("If-Match", "\"1764000000000000\"")];
    put(&house, "weekly", &seen, &nightly()).await.problem(412);
    let several = [("If-Match", "\"1\", \"0\"")];
    assert_eq!(put(&house, "weekly", &several, &nightly()).await.status, 201);
}

#[apply(on_each_store)]
async fn schedules_are_listed_by_name_a_page_at_a_time(place: Place) {
    let house = House::open(&place).await;
    for name in ["b", "a%2Fx", "c"] {
        assert_eq!(put(&house, name, &[], &nightly()).await.status, 201);
    }
    let listed = house.get("/v1/schedules").await.body;
    assert_eq!(
        (names(&listed), &listed["next"]),
        (vec!["a/x", "b", "c"], &Value::Null)
    );
    assert_eq!(listed["items"][0]["zone"], "Europe/Ljubljana");
    assert_eq!(house.get("/v1/schedules/a%2Fx").await.body["name"], "a/x");

    let first = house.get("/v1/schedules?limit=2").await.body;
    assert_eq!(names(&first), ["a/x", "b"]);
    let next = first["next"].as_str().expect("there is another page");
    let second = house
        .get(&format!("/v1/schedules?limit=2&cursor={next}"))
        .await
        .body;
    assert_eq!((names(&second), &second["next"]), (vec!["c"], &Value::Null));
    for (query, parameter) in [
        ("limit=0", "limit"),
        ("cursor=%21", "cursor"),
        ("color=1", "color"),
    ] {
        let path = format!("/v1/schedules?{query}");
        assert_eq!(house.get(&path).await.problem(400), [parameter]);
    }
}

#[apply(on_each_store)]
async fn a_schedule_that_is_deleted_is_unknown_everywhere(place: Place) {
    let house = House::open(&place).await;
    put(&house, "nightly", &[], &nightly()).await;
    let path = "/v1/schedules/nightly";
    let stale = house.ask("DELETE", path, &[("If-Match", "\"7\"")], b"").await;
    stale.problem(412);
    assert_eq!(house.ask("DELETE", path, &[], b"").await.status, 204);
    house.ask("DELETE", path, &[], b"").await.problem(404);
    for rest in ["", "/occurrences", "/explain"] {
        house.get(&format!("{path}{rest}")).await.problem(404);
    }
    let range = r#"{"from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}"#;
    for (verb, body) in [
        ("pause", "{}"),
        ("resume", ""),
        ("trigger", "{}"),
        ("backfill", range),
    ] {
        house.post(&format!("{path}/{verb}"), body).await.problem(404);
    }
}

#[apply(on_each_store)]
async fn what_is_wrong_with_a_schedule_is_pointed_at_and_nothing_is_made(place: Place) {
    let house = House::open(&place).await;
    for (body, places) in [
        (
            json!({"cron": "0 25 * * *", "zone": "Mars"}),
            vec!["/job", "/zone", "/cron"],
        ),
        (json!({"job": {"kind": "x"}}), vec!["/cron"]),
        (
            json!({"cron": "@daily", "every": "1m", "job": {"kind": "x"}}),
            vec!["/every"],
        ),
        (json!({"every": "10ms", "job": {"kind": "x"}}), vec!["/every"]),
        (
            json!({"every": "1m", "color": 1, "job": {"kind": "x"}}),
            vec!["/color"],
        ),
        (
            json!({"every": "1m", "job": {"kind": "x", "delay": "1m"}}),
            vec!["/job/delay"],
        ),
        (
            json!({"every": "1m", "job": {"kind": "x", "priority": 10}}),
            vec!["/job/priority"],
        ),
        (
            json!({"every": "1m", "job": {"kind": "http", "payload": {"method": "GET", "url": 7}}}),
            vec!["/job/payload/url"],
        ),
        (
            json!({"every": "1m", "misfire": {"max": 0}, "job": {"kind": "x"}}),
            vec!["/misfire/max"],
        ),
    ] {
        let mut found = put(&house, "nightly", &[], &body).await.problem(422);
        found.sort_unstable();
        let mut places = places;
        places.sort_unstable();
        assert_eq!(found, places, "{body}");
    }
    let past = json!({"at": ["2020-01-01T00:00:00Z"], "job": {"kind": "x"}});
    put(&house, "nightly", &[], &past).await.problem(422);
    house.get("/v1/schedules/nightly").await.problem(404);
    assert_eq!(
        put(&house, "no%20name", &[], &nightly()).await.problem(400),
        ["name"]
    );
    let text = [("Content-Type", "text/plain")];
    house
        .ask("PUT", "/v1/schedules/nightly", &text, b"{}")
        .await
        .problem(415);
}

#[apply(on_each_store)]
async fn a_pause_tells_its_reason_until_somebody_ends_it(place: Place) {
    let house = House::open(&place).await;
    put(&house, "nightly", &[], &nightly()).await;
    let path = "/v1/schedules/nightly/pause";
    let paused = house.post(path, r#"{"reason": "we move house"}"#).await;
    assert_eq!(paused.status, 200, "{paused:?}");
    assert_eq!(paused.body["paused"]["reason"], "we move house");
    assert_eq!(paused.body["next_at"], Value::Null);
    let again = house.post(path, r#"{"reason": "still"}"#).await.body;
    assert_eq!(again["paused"]["since"], paused.body["paused"]["since"]);

    let long = json!({"reason": "x".repeat(1025)}).to_string();
    assert_eq!(house.post(path, long).await.problem(422), ["/reason"]);
    let json = ("Content-Type", "application/json");
    let stale = [("If-Match", "\"7\""), json];
    house.ask("POST", path, &stale, b"{}").await.problem(412);
    let path = "/v1/schedules/nightly/resume";
    house.ask("POST", path, &stale, b"{}").await.problem(412);

    let resumed = house.post(path, "").await;
    assert_eq!((resumed.status, &resumed.body["paused"]), (200, &Value::Null));
    assert!(resumed.body["next_at"].is_string(), "{resumed:?}");
    let again = house.post(path, "{}").await;
    assert_eq!(again.header("etag"), resumed.header("etag"));
}

#[apply(on_each_store)]
async fn a_file_that_is_applied_twice_changes_nothing_the_second_time(place: Place) {
    let house = House::open(&place).await;
    let client = house.client();
    let file = File::read(
        r#"
[schedule.nightly]
cron = "30 2 * * *"
zone = "Europe/Ljubljana"
job = { kind = "http", payload = { method = "GET", url = "https://example.com/", auth = { bearer = "hunter2" } } }

[schedule.preview]
every = "15m"
exclude = { weekdays = ["sat", "sun"] }
job = { kind = "report", tags = ["shop"] }
"#,
    )
    .expect("it is right");
    for expected in [Upsert::Created, Upsert::Unchanged] {
        for written in file.schedules() {
            let set = client.set_schedule(&written.name, &written.schedule, None).await;
            let set = set.expect("it is set");
            assert_eq!((set.upsert, &set.schedule.head.name), (expected, &written.name));
        }
        let stored = client.schedules(None).await.expect("they are listed").items;
        assert_eq!(stored.len(), 2);
        assert!(Difference::new(file.schedules(), &stored, true).is_empty());
    }
    let shown = client.schedule("nightly").await.expect("it is there");
    let shown = serde_json::to_string(&shown).expect("it has a JSON form");
    assert!(!shown.contains("hunter2") && shown.contains("***"), "{shown}");
    client
        .delete_schedule("preview", None)
        .await
        .expect("it is deleted");
}

#[apply(on_each_store)]
async fn the_client_tells_a_version_that_has_moved_on_from_one_that_is_unknown(place: Place) {
    let house = House::open(&place).await;
    let client = house.client();
    let new: NewSchedule = serde_json::from_value(nightly()).expect("it is a schedule");
    let refused = |error: ClientError| error.problem().map(|problem| problem.status);
    let missing = client.pause_schedule("nightly", "", None).await;
    assert_eq!(missing.map_err(refused).err(), Some(Some(404)));
    let made = client.set_schedule("nightly", &new, Some(0)).await;
    let rev = made.expect("it is made").schedule.head.rev;
    let stale = client.pause_schedule("nightly", "", Some(rev + 1)).await;
    assert_eq!(stale.map_err(refused).err(), Some(Some(412)));
    let paused = client.pause_schedule("nightly", "why not", Some(rev)).await;
    let rev = paused.expect("it is paused").head.rev;
    let resumed = client.resume_schedule("nightly", Some(rev)).await;
    assert!(resumed.expect("it goes on").head.paused.is_none());
}

#[apply(on_each_store)]
async fn an_explanation_says_what_holds_a_schedule(place: Place) {
    let house = House::open(&place).await;
    put(&house, "nightly", &[], &nightly()).await;
    house
        .post("/v1/schedules/nightly/pause", r#"{"reason": "we move house"}"#)
        .await;
    let told = house
        .client()
        .explain_schedule("nightly")
        .await
        .expect("it is told");
    let told = told.sentences.join(" ");
    assert!(told.contains("every day at 02:30"), "{told}");
    assert!(told.contains("we move house"), "{told}");
}

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("items").iter();
    items.map(|item| item["name"].as_str().expect("a name")).collect()
}
