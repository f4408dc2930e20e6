//! What changes one job over HTTP: edit, retry, run, and the tags that fence them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use macro_rules_attribute::apply;
use punctual::engine::Engine;
use punctual::job::State;
use punctual::run::Outcome;
use punctual::testing::{Call, Fate, FaultyStore};
use punctual::{Kind, minutes};
use punctual_http::wire::{JobEdit, NewJob};
use serde_json::{Value, json};

use crate::house::{Answer, House, done};
use crate::stores::{Place, on_each_store};

async fn patch(house: &House, path: &str, body: Value) -> Answer {
    let headers = [("Content-Type", "application/json")];
    house
        .ask("PATCH", path, &headers, body.to_string().as_bytes())
        .await
}

async fn posted(house: &House, body: Value) -> (String, Answer) {
    let posted = house.post("/v1/jobs", body.to_string()).await;
    assert_eq!(posted.status, 201, "{posted:?}");
    (format!("/v1/jobs/{}", posted.id()), posted)
}

#[apply(on_each_store)]
async fn an_edit_changes_what_it_names_and_answers_the_job(place: Place) {
    let house = House::open(&place).await;
    let job = json!({"kind": "mail", "payload": 1, "delay": "1h", "timeout": "5s", "max_attempts": 3, "tags": ["old"]});
    let (path, _) = posted(&house, job).await;
    let edit = json!({"run_at": "2099-12-01T10:00:00+01:00", "priority": 1, "payload": {"n": 1.50}, "tags": ["new"],
                      "timeout": null, "max_elapsed": "2h", "backoff": {"type": "fixed", "delay": "1s"}, "on_lost": "fail",
                      "start_deadline": "2099-12-02T00:00:00Z"});
    let edited = patch(&house, &path, edit).await;
    assert_eq!(edited.status, 200, "{edited:?}");
    let expected = json!({"run_at": "2099-12-01T09:00:00.000000Z", "priority": 1, "payload": {"n": 1.50}, "tags": ["new"],
                          "timeout": "1h", "max_attempts": 3, "max_elapsed": "2h", "on_lost": "fail",
                          "backoff": {"type": "fixed", "delay": "1s"}, "start_deadline": "2099-12-02T00:00:00.000000Z"});
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&edited.body[name], value, "{name}");
    }
    let read = house.get(&path).await;
    assert_eq!(read.body, edited.body);
    assert_eq!(read.header("etag"), edited.header("etag"));
}

#[apply(on_each_store)]
async fn an_edit_by_delay_counts_from_now_and_null_gives_a_value_up(place: Place) {
    let house = House::open(&place).await;
    let (path, answer) = posted(
        &house,
        json!({"kind": "mail", "priority": 1, "tags": ["a"], "delay": "5h"}),
    )
    .await;
    let before = house.engine.now();
    let edited = patch(
        &house,
        &path,
        json!({"delay": "5m", "priority": null, "tags": null}),
    )
    .await;
    assert_eq!(
        (&edited.body["priority"], &edited.body["tags"]),
        (&json!(5), &json!([]))
    );
    let row = house.engine.fetch(answer.id()).await.expect("it is there");
    assert!(row.status.due >= before + minutes(5) && row.status.due <= house.engine.now() + minutes(5));
}

#[apply(on_each_store)]
async fn each_bad_field_of_an_edit_is_pointed_at_and_nothing_is_changed(place: Place) {
    let house = House::open(&place).await;
    let (path, first) = posted(
        &house,
        json!({"kind": "http", "delay": "1h", "payload": {"method": "GET", "url": "http://x.y/"}}),
    )
    .await;
    for (edit, pointers) in [
        (
            json!({"priority": 99, "timeout": "0s"}),
            &["/priority", "/timeout"][..],
        ),
        (
            json!({"run_at": "soon", "max_attempts": -1}),
            &["/run_at", "/max_attempts"],
        ),
        (
            json!({"run_at": "2099-01-01T00:00:00Z", "delay": "1s"}),
            &["/delay"],
        ),
        (json!({"queue": "other"}), &["/queue"]),
        (json!({"kind": "mail"}), &["/kind"]),
        (json!({"payload": {"method": "GET", "url": 7}}), &["/payload/url"]),
        (json!({"on_lost": "shrug"}), &["/on_lost"]),
        (json!([]), &[""]),
    ] {
        assert_eq!(
            patch(&house, &path, edit.clone()).await.problem(422),
            pointers,
            "{edit}"
        );
    }
    patch(&house, "/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11", json!({}))
        .await
        .problem(404);
    assert_eq!(house.get(&path).await.header("etag"), first.header("etag"));
}

#[apply(on_each_store)]
async fn a_job_that_has_started_cannot_be_edited(place: Place) {
    let house = House::open(&place).await;
    let (path, _) = posted(&house, json!({"kind": "mail"})).await;
    let job = house.claim("default").await;
    patch(&house, &path, json!({"priority": 1})).await.problem(409);
    house.settle(&job, done("1")).await;
    patch(&house, &path, json!({"priority": 1})).await.problem(409);
}

#[apply(on_each_store)]
async fn a_job_is_run_now_rather_than_later_and_retried_once_it_has_ended(place: Place) {
    let house = House::open(&place).await;
    let (path, _) = posted(&house, json!({"kind": "mail", "delay": "1h"})).await;
    let run = house.ask("POST", &format!("{path}/run"), &[], b"").await;
    assert_eq!((run.status, &run.body["phase"]), (200, &json!("ready")));
    house.post(&format!("{path}/retry"), "{}").await.problem(409);
    let wrong = Outcome::Fail {
        error: "it rains".to_owned(),
    };
    house.run_next("default", wrong).await;
    house.post(&format!("{path}/run"), "{}").await.problem(409);
    let retried = house.ask("POST", &format!("{path}/retry"), &[], b"").await;
    assert_eq!(retried.status, 200, "{retried:?}");
    let told = (
        &retried.body["state"],
        &retried.body["life"],
        &retried.body["attempt"],
    );
    assert_eq!(told, (&json!("waiting"), &json!(2), &json!(0)));
    house.run_next("default", done("1")).await;
    for verb in ["retry", "run"] {
        house
            .post(&format!("{path}/{verb}"), r#"{"colour": 1}"#)
            .await
            .problem(422);
        let nobody = "/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11";
        house.post(&format!("{nobody}/{verb}"), "").await.problem(404);
    }
}

#[apply(on_each_store)]
async fn every_verb_compares_the_etag_it_is_given_and_answers_the_next_one(place: Place) {
    let house = House::open(&place).await;
    let (path, first) = posted(&house, json!({"kind": "mail", "delay": "1h"})).await;
    let mut etag = first.header("etag").expect("an ETag").to_owned();
    for (method, verb, body) in [
        ("PATCH", "", r#"{"priority": 1}"#),
        ("POST", "/run", ""),
        ("POST", "/cancel", ""),
        ("POST", "/retry", ""),
        ("POST", "/cancel", "{}"),
    ] {
        let path = format!("{path}{verb}");
        let json = ("Content-Type", "application/json");
        for stale in ["\"1\"", "W/\"1\""] {
            house
                .ask(method, &path, &[json, ("If-Match", stale)], body.as_bytes())
                .await
                .problem(412);
        }
        let headers = [json, ("If-Match", etag.as_str())];
        let changed = house.ask(method, &path, &headers, body.as_bytes()).await;
        assert_eq!(changed.status, 200, "{method} {path}: {changed:?}");
        house
            .ask(method, &path, &headers, body.as_bytes())
            .await
            .problem(412);
        etag = changed.header("etag").expect("an ETag").to_owned();
    }
    let headers = [("If-Match", etag.as_str())];
    assert_eq!(house.ask("DELETE", &path, &headers, b"").await.status, 204);
}

#[apply(on_each_store)]
async fn an_edit_of_a_payload_under_an_etag_reads_its_job_once(place: Place) {
    let store = Arc::new(FaultyStore::new(place.open().await));
    let house = House::on(Engine::builder().on(store.clone())).await;
    let call = json!({"method": "GET", "url": "http://a/"});
    let job = json!({"kind": "http", "delay": "1h", "payload": call});
    let (path, first) = posted(&house, job).await;
    let etag = first.header("etag").expect("an ETag");
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    store.rule(move |call| {
        if let Call::Fetch(_) = call {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Fate::Pass
    });
    let headers = [("Content-Type", "application/json"), ("If-Match", etag)];
    let bad = json!({"payload": {"method": "GET", "url": "nowhere"}}).to_string();
    let refused = house.ask("PATCH", &path, &headers, bad.as_bytes()).await;
    assert_eq!(refused.problem(422), ["/payload/url"]);
    reads.store(0, Ordering::Relaxed);
    let good = json!({"payload": {"method": "GET", "url": "http://b/"}}).to_string();
    let changed = house.ask("PATCH", &path, &headers, good.as_bytes()).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(reads.load(Ordering::Relaxed), 1);
}

#[apply(on_each_store)]
async fn the_client_changes_jobs_and_keeps_what_the_server_said_of_a_refusal(place: Place) {
    let house = House::open(&place).await;
    let client = house.client();
    let new: NewJob = serde_json::from_value(json!({"kind": "mail", "delay": "1h"})).expect("a job");
    let posted = client.enqueue(&new, None).await.expect("it is created").job;
    let (id, rev) = (posted.head.id.as_str(), posted.head.rev);
    let edit = JobEdit {
        priority: Some(Some(1)),
        ..JobEdit::default()
    };
    let edited = client.edit(id, &edit, Some(rev)).await.expect("it waits");
    assert_eq!(edited.head.priority, 1);
    let stale = client
        .edit(id, &edit, Some(rev))
        .await
        .expect_err("it has moved on");
    assert_eq!(stale.kind(), Kind::Conflict);
    assert_eq!(stale.problem().map(|problem| problem.status), Some(412));
    let bad = JobEdit {
        timeout: Some(Some("soon".to_owned())),
        ..JobEdit::default()
    };
    let refused = client.edit(id, &bad, None).await.expect_err("it is no length");
    assert_eq!(refused.kind(), Kind::Invalid);
    assert_eq!(refused.faults()[0].pointer.as_deref(), Some("/timeout"));
    let due = client.run_now(id, None).await.expect("it waits");
    assert_eq!(due.head.phase, "ready");
    let cancelled = client.cancel(id, "", Some(due.head.rev)).await.expect("it waits");
    assert_eq!(cancelled.head.state, State::Cancelled.as_str());
    let retried = client
        .retry(id, Some(cancelled.head.rev))
        .await
        .expect("it has ended");
    assert_eq!(retried.life, 2);
    let stale = client.delete(id, Some(rev)).await.expect_err("it has moved on");
    assert_eq!(stale.kind(), Kind::Conflict);
    client.delete(id, Some(retried.head.rev)).await.expect("it waits");
}
