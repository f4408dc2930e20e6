//! Waiting for results.

use std::sync::Arc;
use std::time::Duration;

use macro_rules_attribute::apply;
use punctual::Error;
use punctual::engine::Engine;
use punctual::job::{Defaults, JobId};
use punctual::queue::Retention;
use punctual::run::Outcome;
use punctual::testing::{Call, Fate, FaultyStore};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::house::{Answer, House, done, within};
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn post_with_a_wait_answers_with_the_result(place: Place) {
    let house = House::open(&place).await;
    let (posted, _) = tokio::join!(
        house.post("/v1/jobs?wait=15s", r#"{"kind": "mail", "payload": 3}"#),
        house.run_next("default", done(r#"{"sent": true}"#)),
    );
    assert_eq!(posted.status, 200, "{posted:?}");
    assert_eq!(
        (&posted.body["state"], &posted.body["result"]),
        (&json!("succeeded"), &json!({"sent": true}))
    );
}

#[apply(on_each_store)]
async fn a_wait_that_is_over_answers_202_with_the_job_as_it_is(place: Place) {
    let house = House::open(&place).await;
    let posted = house
        .post("/v1/jobs?wait=20ms", r#"{"kind": "mail", "delay": "1h"}"#)
        .await;
    assert_eq!(
        (posted.status, &posted.body["phase"]),
        (202, &json!("scheduled")),
        "{posted:?}"
    );
    let result = house
        .get(&format!("/v1/jobs/{}/result?wait=1ms", posted.id()))
        .await;
    assert_eq!((result.status, &result.body["state"]), (202, &json!("waiting")));
}

#[apply(on_each_store)]
async fn a_result_tells_a_failure_from_a_success_and_from_a_job_that_never_was(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    house
        .run_next(
            "default",
            Outcome::Fail {
                error: "no such user".to_owned(),
            },
        )
        .await;
    let result = house.get(&format!("/v1/jobs/{id}/result?wait=10s")).await;
    assert_eq!((result.status, &result.body["state"]), (200, &json!("failed")));
    assert_eq!(
        result.body["failure"],
        json!({"reason": "failed", "message": "no such user"})
    );
    let unknown = "/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11/result?wait=10s";
    house.get(unknown).await.problem(404);
}

#[apply(on_each_store)]
async fn a_result_that_is_no_json_is_told_in_base64(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    house
        .run_next("default", Outcome::Done(bytes::Bytes::from_static(&[0xff])))
        .await;
    let ending = house
        .client()
        .result(&id.to_string(), None)
        .await
        .expect("it answers");
    let bytes = ending
        .result_bytes()
        .expect("it is no JSON")
        .expect("it is base64");
    assert_eq!(bytes, &[0xff][..]);
    let result = house.get(&format!("/v1/jobs/{id}/result")).await.body;
    assert_eq!(
        (&result["result"], &result["result_base64"]),
        (&json!(null), &json!("/w=="))
    );
}

#[apply(on_each_store)]
async fn sixty_four_callers_of_one_key_share_one_job_and_one_result(place: Place) {
    let house = House::open(&place).await;
    // With a window, a caller that comes after the end is given the job that has ended.
    let body = r#"{"kind": "mail", "unique": {"key": "k", "window": "1h"}}"#;
    let callers = futures_util::future::join_all((0..64).map(|_| house.post("/v1/jobs?wait=15s", body)));
    let (answers, job) = tokio::join!(callers, house.run_next("default", done("42")));
    for answer in answers {
        assert_eq!(
            (answer.status, answer.id(), &answer.body["result"]),
            (200, job.id(), &json!(42))
        );
    }
    assert_eq!(house.jobs().await, 1);
}

#[apply(on_each_store)]
async fn nobody_can_wait_for_jobs_that_are_deleted_as_they_end(place: Place) {
    let defaults = Defaults {
        retention: Retention::all(Duration::ZERO),
        ..Defaults::default()
    };
    let engine = Engine::builder()
        .defaults(defaults)
        .open(&place.url())
        .await
        .expect("memory opens");
    let house = House::on(engine).await;
    house
        .post("/v1/jobs?wait=1s", r#"{"kind": "mail"}"#)
        .await
        .problem(422);
    assert_eq!(house.jobs().await, 0);
    assert_eq!(house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.status, 201);
}

#[apply(on_each_store)]
async fn a_job_that_is_deleted_while_its_caller_waits_was_posted_all_the_same(place: Place) {
    let house = House::open(&place).await;
    let posting = house.post("/v1/jobs?wait=300s", r#"{"kind": "mail", "delay": "1h"}"#);
    let deleting = async {
        let id = only_job(&house).await;
        // The wait may begin before or after this: its caller is told of the job in both cases.
        house.engine.delete(id, None).await.expect("it does not run");
        id
    };
    let (posted, id) = tokio::join!(posting, deleting);
    assert_eq!((posted.status, posted.id()), (202, id));
    assert_eq!(posted.header("location"), Some(format!("/v1/jobs/{id}").as_str()));
}

#[apply(on_each_store)]
async fn a_store_that_goes_away_during_the_wait_does_not_hide_what_was_posted(place: Place) {
    let store = Arc::new(FaultyStore::new(place.open().await));
    let house = House::on(Engine::builder().on(store.clone())).await;
    let mut stored = false;
    store.rule(move |call| match call {
        Call::Insert(_) => {
            stored = true;
            Fate::Pass
        }
        _ if stored => Fate::Refuse(Error::unavailable("the store is away")),
        _ => Fate::Pass,
    });
    let posted = house
        .post("/v1/jobs?wait=300s", r#"{"kind": "mail", "delay": "1h"}"#)
        .await;
    assert_eq!(posted.status, 202, "{posted:?}");
    let location = posted.header("location").expect("it says where");
    assert_eq!(location, format!("/v1/jobs/{}", posted.id()));
}

/// The id of the one job, once it is there.
async fn only_job(house: &House) -> JobId {
    within(async {
        loop {
            let listed = house.get("/v1/jobs").await;
            if let Some(id) = listed.body["items"][0]["id"].as_str() {
                return id.parse().expect("an id");
            }
        }
    })
    .await
}

#[apply(on_each_store)]
async fn a_server_that_stops_answers_whoever_waits(place: Place) {
    let mut house = House::open(&place).await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    let (address, path) = (house.address, format!("/v1/jobs/{id}/result?wait=300s"));
    let mut waiting = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    waiting.write_all(request.as_bytes()).await.expect("it reads");
    // Later connections are taken later: with this answer, the one that waits is known to be the server's, which
    // answers on it what has arrived.
    assert_eq!(house.get("/healthz").await.status, 200);
    house.stop();
    let pending = within(Answer::read(&mut waiting)).await;
    assert_eq!((pending.status, &pending.body["state"]), (202, &json!("waiting")));
    house.stopped().await;
}
