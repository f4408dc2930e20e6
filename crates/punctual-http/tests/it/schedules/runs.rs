//! What schedules make jobs for, and what their ledgers tell of it.

use bytes::Bytes;
use macro_rules_attribute::apply;
use punctual::worker::{Run, Worker};
use punctual::{Timestamp, hours, minutes};
use punctual_http::wire::{LedgerQuery, Occurrence};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{nightly, put};
use crate::house::{DEADLINE, House, within};
use crate::stores::{Place, on_each_store};

/// Its jobs wait, since nobody claims them; it fires all the same.
fn each_second() -> Value {
    json!({"every": "1s", "overlap": "allow", "job": {"kind": "tick", "tags": ["clock"]}})
}

/// Waits until a ledger has so many entries.
async fn entries(house: &House, name: &str, query: &LedgerQuery, count: usize) -> Vec<Occurrence> {
    let client = house.client();
    within(async {
        loop {
            let page = client.occurrences(name, query).await.expect("it is told");
            if page.items.len() >= count {
                return page.items;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

#[apply(on_each_store)]
async fn a_schedule_fires_and_its_ledger_tells_each_instant_once(place: Place) {
    let house = House::open(&place).await;
    put(&house, "clock", &[], &each_second()).await;
    let fired = LedgerQuery {
        outcome: Some("fired".to_owned()),
        ..LedgerQuery::default()
    };
    entries(&house, "clock", &fired, 3).await;
    house.post("/v1/schedules/clock/pause", "{}").await;

    let whole = house.get("/v1/schedules/clock/occurrences").await.body;
    let whole = whole["items"].as_array().expect("entries").clone();
    let fired: Vec<&Value> = whole.iter().filter(|entry| entry["outcome"] == "fired").collect();
    let newest = fired[0];
    assert_eq!(
        (&newest["cause"], &newest["count"]),
        (&json!("planned"), &json!(1))
    );
    let job = newest["job"].as_str().expect("a job");
    let job = house.get(&format!("/v1/jobs/{job}")).await.body;
    assert_eq!((&job["kind"], &job["tags"]), (&json!("tick"), &json!(["clock"])));
    assert_eq!(job["schedule"]["name"], "clock");
    assert_eq!(job["schedule"]["nominal_at"], newest["nominal_at"]);

    // The same, an entry at a time.
    let mut paged = Vec::new();
    let mut path = "/v1/schedules/clock/occurrences?outcome=fired&limit=1".to_owned();
    loop {
        let page = house.get(&path).await.body;
        paged.extend(page["items"].as_array().expect("entries").clone());
        match page["next"].as_str() {
            Some(next) => {
                path = format!("/v1/schedules/clock/occurrences?outcome=fired&limit=1&cursor={next}")
            }
            None => break,
        }
    }
    assert_eq!(paged.iter().collect::<Vec<_>>(), fired);

    let at = fired[1]["nominal_at"].as_str().expect("an instant");
    let path = format!("/v1/schedules/clock/occurrences?from={at}&until={at}");
    let one = house.get(&path).await.body;
    assert_eq!(one["items"], json!([fired[1]]));
}

#[apply(on_each_store)]
async fn the_jobs_of_a_schedule_are_listed_in_the_order_of_its_ledger(place: Place) {
    let house = House::open(&place).await;
    for name in ["yearly", "other"] {
        let yearly = json!({"cron": "@yearly", "job": {"kind": "report"}});
        put(&house, name, &[], &yearly).await;
        for _ in 0..3 {
            house.post(&format!("/v1/schedules/{name}/trigger"), "").await;
        }
    }
    house.post("/v1/jobs", r#"{"kind": "report"}"#).await;
    let told = house.get("/v1/schedules/yearly/occurrences").await.body;
    let told = texts(&told, "job");
    assert_eq!(told.len(), 3, "{told:?}");
    let listed = house.get("/v1/jobs?schedule=yearly").await.body;
    assert_eq!(
        (texts(&listed, "id"), &listed["next"]),
        (told.clone(), &Value::Null)
    );

    // The same, a job at a time.
    let mut paged = Vec::new();
    let mut path = "/v1/jobs?schedule=yearly&limit=1".to_owned();
    loop {
        let page = house.get(&path).await.body;
        paged.extend(texts(&page, "id"));
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/jobs?schedule=yearly&limit=1&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, told);

    house.post(&format!("/v1/jobs/{}/cancel", told[1]), "{}").await;
    for (filter, shown) in [
        ("state=cancelled", vec![told[1].clone()]),
        ("phase=ready&kind=report", vec![told[0].clone(), told[2].clone()]),
        ("tag=none", vec![]),
    ] {
        let path = format!("/v1/jobs?schedule=yearly&{filter}");
        assert_eq!(texts(&house.get(&path).await.body, "id"), shown, "{filter}");
    }
    house
        .ask("DELETE", &format!("/v1/jobs/{}", told[1]), &[], b"")
        .await;
    let left = house.get("/v1/jobs?schedule=yearly").await.body;
    assert_eq!(texts(&left, "id"), [told[0].clone(), told[2].clone()]);

    house.get("/v1/jobs?schedule=nobody").await.problem(404);
    for (query, parameter) in [
        ("schedule=no%20name", "schedule"),
        ("schedule=yearly&cursor=AAAA", "cursor"),
        ("schedule=yearly&limit=0", "limit"),
    ] {
        let path = format!("/v1/jobs?{query}");
        assert_eq!(house.get(&path).await.problem(400), [parameter]);
    }
}

/// This field of each item of a list.
fn texts(list: &Value, field: &str) -> Vec<String> {
    let items = list["items"].as_array().expect("items").iter();
    let text = |item: &Value| item[field].as_str().expect("a text").to_owned();
    items.map(text).collect()
}

#[apply(on_each_store)]
async fn a_look_into_a_ledger_that_makes_no_sense_is_refused(place: Place) {
    let house = House::open(&place).await;
    put(&house, "nightly", &[], &nightly()).await;
    let empty = house.get("/v1/schedules/nightly/occurrences").await.body;
    assert_eq!(empty, json!({"items": [], "next": null}));
    for (query, parameter) in [
        ("from=soon", "from"),
        ("until=1", "until"),
        ("outcome=lost", "outcome"),
        ("limit=1001", "limit"),
        ("cursor=AAAA", "cursor"),
        ("color=1", "color"),
    ] {
        let path = format!("/v1/schedules/nightly/occurrences?{query}");
        assert_eq!(house.get(&path).await.problem(400), [parameter]);
    }
}

#[apply(on_each_store)]
async fn a_run_out_of_turn_is_made_once_for_its_id(place: Place) {
    let house = House::open(&place).await;
    put(&house, "nightly", &[], &nightly()).await;
    let path = "/v1/schedules/nightly/trigger";
    let id = "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11";
    let order = json!({"id": id}).to_string();
    for _ in 0..2 {
        let made = house.post(path, &order).await;
        assert_eq!((made.status, made.body), (200, json!({"job": id})));
    }
    assert_eq!(house.jobs().await, 1);
    let other = house.post(path, "").await;
    let job = other.body["job"].as_str().expect("a job");
    assert_eq!(other.header("location"), Some(format!("/v1/jobs/{job}").as_str()));
    let entries = entries(&house, "nightly", &LedgerQuery::default(), 2).await;
    assert!(
        entries.iter().all(|entry| entry.cause == "triggered"),
        "{entries:?}"
    );
    let shown = house.get("/v1/schedules/nightly").await.body;
    assert_eq!(shown["fired"], 0, "the plan goes on where it was");

    let foreign = house.post("/v1/jobs", r#"{"kind": "x"}"#).await.body["id"].clone();
    house
        .post(path, json!({"id": foreign}).to_string())
        .await
        .problem(409);
    assert_eq!(house.post(path, r#"{"id": "x"}"#).await.problem(422), ["/id"]);
    assert_eq!(house.post(path, r#"{"color": 1}"#).await.problem(422), ["/color"]);
}

#[apply(on_each_store)]
async fn a_backfill_counts_first_and_makes_each_job_once(place: Place) {
    let house = House::open(&place).await;
    let hourly = json!({"every": "1h", "job": {"kind": "report"}});
    put(&house, "hourly", &[], &hourly).await;
    let path = "/v1/schedules/hourly/backfill";
    let hour = i64::try_from(hours(1).as_micros()).expect("it is short");
    let this = house.engine.now().as_micros() / hour * hour;
    let from = Timestamp::from_micros(this) - hours(48);
    let range = json!({"from": from.to_string(), "until": (from + minutes(330)).to_string()});
    let mut counted = range.clone();
    counted["dry_run"] = json!(true);
    for (order, made) in [(&counted, 6), (&range, 6), (&range, 0), (&counted, 0)] {
        let done = house.post(path, order.to_string()).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(
            (&done.body["made"], &done.body["next"]),
            (&json!(made), &Value::Null)
        );
        assert_eq!(
            done.body["dry_run"],
            order["dry_run"].as_bool().unwrap_or_default()
        );
    }
    assert_eq!(house.jobs().await, 6);
    let entries = entries(&house, "hourly", &LedgerQuery::default(), 6).await;
    assert!(
        entries.iter().all(|entry| entry.cause == "backfilled"),
        "{entries:?}"
    );

    let backward = json!({"from": from.to_string(), "until": (from - hours(1)).to_string()});
    assert_eq!(
        house.post(path, backward.to_string()).await.problem(422),
        ["/until"]
    );
    let early = json!({"from": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"});
    assert_eq!(house.post(path, early.to_string()).await.problem(422), ["/from"]);
    assert_eq!(house.post(path, "{}").await.problem(422), ["/from", "/until"]);
    put(
        &house,
        "after",
        &[],
        &json!({"after": "1h", "job": {"kind": "report"}}),
    )
    .await;
    let path = "/v1/schedules/after/backfill";
    house.post(path, range.to_string()).await.problem(422);
}

#[apply(on_each_store)]
async fn a_far_worker_is_told_for_which_instant_it_runs(place: Place) {
    let house = House::open(&place).await;
    put(
        &house,
        "nightly",
        &[],
        &json!({"cron": "@yearly", "job": {"kind": "report"}}),
    )
    .await;
    let worker = Worker::new(house.client()).handle_kind("report", |_: Bytes, run: Run| async move {
        let origin = run.origin().expect("its schedule");
        let told = json!([
            origin.schedule.to_string(),
            origin.name.to_string(),
            origin.missed
        ]);
        Ok(Bytes::from(told.to_string()))
    });
    let (stop, stopped) = oneshot::channel::<()>();
    let working = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    let client = house.client();
    let made = client
        .trigger_schedule("nightly", None)
        .await
        .expect("it is made");
    let result = within(client.result(&made.job, Some(DEADLINE)))
        .await
        .expect("it ends");
    let schedule = house.engine.schedule("nightly").await.expect("it is there");
    let told: Value = serde_json::from_str(result.result.expect("a result").get()).expect("JSON");
    assert_eq!(told, json!([schedule.id.to_string(), "nightly", 0]));
    drop(stop);
    within(working).await.expect("no panic").expect("it stops");
}
