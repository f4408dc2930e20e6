//! What the routes under `/v1/jobs` answer.

use std::sync::Arc;

use macro_rules_attribute::apply;
use punctual::run::{Outcome, RetryCause};
use punctual::testing::{Call, Fate, FaultyStore};
use punctual::{Engine, Kind};
use punctual_http::wire::{ListQuery, NewJob};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::house::{DEADLINE, House, done, within};
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn a_posted_job_is_created_and_can_be_read_again(place: Place) {
    let house = House::open(&place).await;
    let body = json!({
        "kind": "mail", "payload": {"user": 7}, "queue": "post", "priority": 2, "run_at": "2099-12-01T10:00:00+01:00",
        "timeout": "90s", "max_attempts": 3, "backoff": {"type": "fixed", "delay": "5s"}, "tags": ["a"],
        "unique": {"key": "k", "window": "5m"}
    });
    let posted = house.post("/v1/jobs", body.to_string()).await;
    assert_eq!(posted.status, 201, "{posted:?}");
    assert_eq!(posted.body["deduplicated"], false);
    let location = posted.header("location").expect("it says where").to_owned();
    let read = house.get(&location).await;
    assert_eq!(read.status, 200);
    assert_eq!(
        read.header("etag"),
        Some(format!("\"{}\"", read.body["rev"]).as_str())
    );
    let expected = json!({
        "kind": "mail", "payload": {"user": 7}, "queue": "post", "priority": 2, "state": "waiting", "phase": "scheduled",
        "run_at": "2099-12-01T09:00:00.000000Z", "timeout": "1m30s", "max_attempts": 3, "attempt": 0, "life": 1, "run": 0,
        "backoff": {"type": "fixed", "delay": "5s"}, "tags": ["a"], "result": null, "ended_at": null, "lease_until": null
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&read.body[name], value, "{name}");
    }
    assert_eq!(read.body["unique"]["key"], "k");
    assert!(read.body["unique"]["until"].is_string());
}

#[apply(on_each_store)]
async fn a_job_that_holds_the_key_is_answered_in_place_of_a_new_one(place: Place) {
    let house = House::open(&place).await;
    let body = r#"{"kind": "mail", "unique": {"key": "k"}}"#;
    let first = house.post("/v1/jobs", body).await;
    let second = house.post("/v1/jobs", body).await;
    assert_eq!((first.status, second.status), (201, 200));
    assert_eq!(
        (&first.body["deduplicated"], &second.body["deduplicated"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(first.id(), second.id());
    let third = house
        .post(
            "/v1/jobs",
            r#"{"kind": "mail", "unique": {"key": "k", "on_conflict": "reject"}}"#,
        )
        .await;
    third.problem(409);
}

#[apply(on_each_store)]
async fn the_same_id_and_body_again_is_the_same_job_and_another_body_is_a_conflict(place: Place) {
    let house = House::open(&place).await;
    let body = r#"{"id": "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11", "kind": "mail", "payload": 1}"#;
    let first = house.post("/v1/jobs", body).await;
    let again = house.post("/v1/jobs", body).await;
    assert_eq!((first.status, again.status), (201, 200));
    assert_eq!(again.body["deduplicated"], false);
    house
        .post("/v1/jobs", body.replace("1}", "2}"))
        .await
        .problem(409);
}

#[apply(on_each_store)]
async fn numbers_and_bytes_of_a_payload_come_back_as_they_were_sent(place: Place) {
    let house = House::open(&place).await;
    for payload in [
        "12345678901234567890123456789",
        "1.00",
        "null",
        "[1e400]",
        r#""\u0000""#,
    ] {
        let posted = house
            .post("/v1/jobs", format!(r#"{{"kind": "mail", "payload": {payload}}}"#))
            .await;
        // serde_json's own numbers end at 1e308; what it cannot read, no handler could.
        if payload == "[1e400]" {
            assert_eq!(posted.problem(422), ["/payload"]);
            continue;
        }
        let row = house.engine.fetch(posted.id()).await.expect("it is stored");
        assert_eq!(row.body.payload, payload.as_bytes());
    }
    let posted = house
        .post("/v1/jobs", r#"{"kind": "mail", "payload_base64": "/wA="}"#)
        .await;
    assert_eq!(posted.body["payload_base64"], "/wA=");
    let row = house.engine.fetch(posted.id()).await.expect("it is stored");
    assert_eq!(row.body.payload, &[0xff, 0x00][..]);
}

#[apply(on_each_store)]
async fn a_list_is_read_page_by_page(place: Place) {
    let house = House::open(&place).await;
    for n in 0..5 {
        house
            .post(
                "/v1/jobs",
                format!(r#"{{"kind": "mail", "payload": {n}, "delay": "1h", "tags": ["t{n}"]}}"#),
            )
            .await;
    }
    house.post("/v1/jobs", r#"{"kind": "other"}"#).await;
    let mut seen = Vec::new();
    let mut path = "/v1/jobs?state=scheduled&kind=mail&limit=2".to_owned();
    for _ in 0..5 {
        let page = house.get(&path).await;
        assert_eq!(page.status, 200, "{page:?}");
        seen.extend(
            page.body["items"]
                .as_array()
                .expect("items")
                .iter()
                .map(|item| item["id"].to_string()),
        );
        match page.body["next"].as_str() {
            Some(next) => path = format!("/v1/jobs?state=scheduled&kind=mail&limit=2&cursor={next}"),
            None => break,
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let tagged = house.get("/v1/jobs?tag=t3").await;
    assert_eq!(tagged.body["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        house.get("/v1/jobs?state=failed").await.body,
        json!({"items": [], "next": null})
    );
}

#[apply(on_each_store)]
async fn a_list_shows_what_each_filter_matches(place: Place) {
    let house = House::open(&place).await;
    let post = async |body: &str| house.post("/v1/jobs", body).await.id().to_string();
    let soon =
        post(r#"{"kind": "mail", "run_at": "2099-01-01T00:00:00Z", "queue": "a", "tags": ["t"]}"#).await;
    let late =
        post(r#"{"kind": "bill", "run_at": "2099-01-02T00:00:00Z", "queue": "b", "unique": {"key": "k"}}"#)
            .await;
    let ended = post(r#"{"kind": "mail", "queue": "c"}"#).await;
    house.run_next("c", done("1")).await;
    for (query, expected) in [
        ("queue=a", vec![&soon]),
        ("kind=bill", vec![&late]),
        ("tag=t", vec![&soon]),
        ("key=k", vec![&late]),
        ("worker=a%20test", vec![&ended]),
        ("state=scheduled&due_before=2099-01-02T00:00:00Z", vec![&soon]),
        ("state=scheduled&due_after=2099-01-02T00:00:00Z", vec![&late]),
        (
            "due_after=2099-01-01T00:00:00Z&due_before=2099-01-02T00:00:00Z",
            vec![&soon],
        ),
        ("ended_before=2098-01-01T00:00:00Z", vec![&ended]),
        ("state=succeeded&ended_before=2020-01-01T00:00:00Z", vec![]),
        ("kind=mail&state=waiting", vec![&soon]),
    ] {
        let listed = house.get(&format!("/v1/jobs?{query}")).await;
        let items = listed.body["items"].as_array().expect("items");
        let ids: Vec<&str> = items.iter().filter_map(|item| item["id"].as_str()).collect();
        assert_eq!(ids, expected, "{query}");
    }
}

#[apply(on_each_store)]
async fn a_cancelled_job_says_why(place: Place) {
    let house = House::open(&place).await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    let cancelled = house
        .post(&format!("/v1/jobs/{id}/cancel"), r#"{"reason": "no more"}"#)
        .await;
    assert_eq!(
        (cancelled.status, &cancelled.body["state"]),
        (200, &json!("cancelled"))
    );
    assert_eq!(cancelled.body["cancel"], "no more");
    let result = house.get(&format!("/v1/jobs/{id}/result")).await;
    assert_eq!(
        (result.status, &result.body["state"], &result.body["cancel"]),
        (200, &json!("cancelled"), &json!("no more"))
    );
}

#[apply(on_each_store)]
async fn cancel_needs_no_body_and_a_job_that_has_ended_cannot_be_cancelled(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    house.run_next("default", done("1")).await;
    house
        .ask("POST", &format!("/v1/jobs/{id}/cancel"), &[], b"")
        .await
        .problem(409);
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    assert_eq!(
        house
            .ask("POST", &format!("/v1/jobs/{id}/cancel"), &[], b"")
            .await
            .status,
        200
    );
}

#[apply(on_each_store)]
async fn a_running_job_shows_its_lease_and_is_cancelling_until_its_run_has_stopped(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let job = house.claim("default").await;
    let shown = house.get(&format!("/v1/jobs/{id}")).await.body;
    assert_eq!(
        (&shown["phase"], &shown["worker"]),
        (&json!("running"), &json!("a test"))
    );
    assert!(shown["lease_until"].is_string());
    let cancelled = house.post(&format!("/v1/jobs/{id}/cancel"), "{}").await.body;
    assert_eq!(
        (&cancelled["state"], &cancelled["phase"]),
        (&json!("running"), &json!("cancelling"))
    );
    house.settle(&job, done("1")).await;
    assert_eq!(
        house.get(&format!("/v1/jobs/{id}")).await.body["state"],
        "cancelled"
    );
}

#[apply(on_each_store)]
async fn a_secret_in_a_call_is_stored_and_never_read_back(place: Place) {
    let house = House::open(&place).await;
    let body = r#"{"kind": "http", "delay": "1h", "payload": {"method": "GET", "url": "https://example.com/",
                   "headers": {"Authorization": "Bearer hunter2", "accept": "text/plain"}}}"#;
    let posted = house.post("/v1/jobs", body).await;
    let path = format!("/v1/jobs/{}", posted.id());
    let cancelled = house.post(&format!("{path}/cancel"), "{}").await;
    for answer in [
        &posted,
        &house.get(&path).await,
        &house.get("/v1/jobs").await,
        &cancelled,
    ] {
        assert!(!answer.body.to_string().contains("hunter2"), "{answer:?}");
    }
    assert_eq!(
        posted.body["payload"]["headers"],
        json!({"Authorization": "***", "accept": "text/plain"})
    );
    let row = house.engine.fetch(posted.id()).await.expect("it is stored");
    assert!(
        String::from_utf8_lossy(&row.body.payload).contains("hunter2"),
        "the call needs it"
    );
}

#[apply(on_each_store)]
async fn a_weak_tag_matches_nothing_and_any_member_of_a_list_will_do(place: Place) {
    let house = House::open(&place).await;
    let posted = house.post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#).await;
    let path = format!("/v1/jobs/{}", posted.id());
    let cancel = format!("{path}/cancel");
    let etag = posted.header("etag").expect("an ETag").to_owned();
    let (weak, list) = (format!("W/{etag}"), format!("\"1\", {etag}"));
    for (method, path) in [("DELETE", &path), ("POST", &cancel)] {
        for tags in [
            &[("If-Match", weak.as_str())][..],
            &[("If-Match", "\"1\""), ("If-Match", "\"2\"")],
        ] {
            house.ask(method, path, tags, b"").await.problem(412);
        }
        house
            .ask(method, path, &[("If-Match", "1")], b"")
            .await
            .problem(400);
    }
    let cancelled = house.ask("POST", &cancel, &[("If-Match", &list)], b"").await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    let etag = cancelled.header("etag").expect("an ETag");
    let lines = [("If-Match", "\"1\""), ("If-Match", etag)];
    assert_eq!(house.ask("DELETE", &path, &lines, b"").await.status, 204);
}

#[apply(on_each_store)]
async fn a_job_that_moves_on_while_its_etag_is_compared_is_not_cancelled(place: Place) {
    let store = Arc::new(FaultyStore::new(place.open().await));
    let house = House::on(Engine::builder().caretaker(false).on(store.clone())).await;
    let posted = house.post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#).await;
    let etag = posted.header("etag").expect("an ETag").to_owned();
    let (read, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, answer) = (read.clone(), go_on.clone());
    let mut first = true;
    store.rule(move |call| match call {
        Call::Fetch(_) if std::mem::take(&mut first) => {
            tell.notify_one();
            Fate::Late(answer.clone())
        }
        _ => Fate::Pass,
    });
    let path = format!("/v1/jobs/{}/cancel", posted.id());
    let headers = [("If-Match", etag.as_str())];
    let hurry = async {
        within(read.notified()).await;
        let hurried = house.engine.run_now(posted.id(), None).await;
        go_on.notify_one();
        hurried.expect("it waits")
    };
    let (cancelled, hurried) = tokio::join!(house.ask("POST", &path, &headers, b""), hurry);
    cancelled.problem(412);
    let row = house.engine.fetch(posted.id()).await;
    assert_eq!(row, Ok(hurried), "nothing was cancelled");
}

#[apply(on_each_store)]
async fn delete_compares_the_etag_and_takes_no_running_job(place: Place) {
    let house = House::open(&place).await;
    let posted = house.post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#).await;
    let path = format!("/v1/jobs/{}", posted.id());
    let etag = posted.header("etag").expect("an ETag").to_owned();
    house
        .ask("DELETE", &path, &[("If-Match", "\"1\"")], b"")
        .await
        .problem(412);
    house
        .ask("DELETE", &path, &[("If-Match", "1")], b"")
        .await
        .problem(400);
    assert_eq!(
        house
            .ask("DELETE", &path, &[("If-Match", &etag)], b"")
            .await
            .status,
        204
    );
    house.get(&path).await.problem(404);
    house.ask("DELETE", &path, &[], b"").await.problem(404);

    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    house.claim("default").await;
    house
        .ask("DELETE", &format!("/v1/jobs/{id}"), &[], b"")
        .await
        .problem(409);
}

#[apply(on_each_store)]
async fn attempts_tell_what_went_wrong_and_what_runs_now(place: Place) {
    let house = House::open(&place).await;
    let id = house
        .post(
            "/v1/jobs",
            r#"{"kind": "mail", "backoff": {"type": "fixed", "delay": "0"}}"#,
        )
        .await
        .id();
    let wrong = Outcome::Retry {
        error: "it rains".to_owned(),
        after: None,
        cause: RetryCause::Error,
    };
    house.run_next("default", wrong).await;
    house.claim("default").await;
    let attempts = house.get(&format!("/v1/jobs/{id}/attempts")).await.body;
    let items = attempts["items"].as_array().expect("items");
    let told: Vec<(&Value, &Value, &Value)> = items
        .iter()
        .map(|item| (&item["number"], &item["outcome"], &item["error"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!(1), &json!("failed"), &json!("it rains")),
            (&json!(2), &Value::Null, &Value::Null)
        ]
    );
}

#[apply(on_each_store)]
async fn the_client_reads_what_the_server_writes(place: Place) {
    let house = House::open(&place).await;
    let client = house.client();
    let new: NewJob =
        serde_json::from_str(r#"{"kind": "mail", "payload": {"n": 1.50}, "unique": {"key": "k"}}"#)
            .expect("a job");
    let posted = client.enqueue(&new, None).await.expect("it is created");
    assert!(!posted.deduplicated);
    assert_eq!(posted.job.payload.expect("a payload").get(), r#"{"n": 1.50}"#);
    assert!(
        client
            .enqueue(&new, None)
            .await
            .expect("it is there")
            .deduplicated
    );

    let id = &posted.job.head.id;
    let query = ListQuery {
        key: Some("k".to_owned()),
        ..ListQuery::default()
    };
    assert_eq!(&client.list(&query).await.expect("a page").items[0].id, id);
    assert!(client.result(id, None).await.expect("it is known").is_pending());
    house.run_next("default", done("[7.0]")).await;
    let end = client.result(id, Some(DEADLINE)).await.expect("it has ended");
    assert_eq!(end.result.expect("a result").get(), "[7.0]");
    assert_eq!(client.attempts(id).await.expect("attempts").items.len(), 1);
    assert_eq!(
        client
            .cancel(id, "", None)
            .await
            .expect_err("it has ended")
            .kind(),
        Kind::Conflict
    );
    client.delete(id, None).await.expect("it does not run");
    assert_eq!(
        client.job(id).await.expect_err("it is gone").kind(),
        Kind::NotFound
    );
}
