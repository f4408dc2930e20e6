//! Waiting for results.

use punctual::engine::Engine;
use punctual::job::Defaults;
use punctual::queue::Retention;
use punctual::run::Outcome;
use serde_json::json;
use std::time::Duration;

use crate::house::{House, done, within};

#[tokio::test]
async fn post_with_a_wait_answers_with_the_result() {
    let house = House::open().await;
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

#[tokio::test]
async fn a_wait_that_is_over_answers_202_with_the_job_as_it_is() {
    let house = House::open().await;
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

#[tokio::test]
async fn a_result_tells_a_failure_from_a_success_and_from_a_job_that_never_was() {
    let house = House::open().await;
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

#[tokio::test]
async fn a_result_that_is_no_json_is_told_in_base64() {
    let house = House::open().await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    house
        .run_next("default", Outcome::Done(bytes::Bytes::from_static(&[0xff])))
        .await;
    let result = house.get(&format!("/v1/jobs/{id}/result")).await.body;
    assert_eq!(
        (&result["result"], &result["result_base64"]),
        (&json!(null), &json!("/w=="))
    );
}

#[tokio::test]
async fn sixty_four_callers_of_one_key_share_one_job_and_one_result() {
    let house = House::open().await;
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

#[tokio::test]
async fn nobody_can_wait_for_jobs_that_are_deleted_as_they_end() {
    let defaults = Defaults {
        retention: Retention::all(Duration::ZERO),
        ..Defaults::default()
    };
    let engine = Engine::builder()
        .defaults(defaults)
        .open("memory:")
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

#[tokio::test]
async fn a_server_that_stops_answers_whoever_waits() {
    let mut house = House::open().await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    let client = house.client();
    let waiting = tokio::spawn(async move {
        client
            .result(&id.to_string(), Some(Duration::from_secs(300)))
            .await
    });
    // The wait may begin before or after the stop: both must end at once.
    tokio::task::yield_now().await;
    house.stop();
    if let Ok(pending) = within(waiting).await.expect("no panic") {
        assert!(pending.is_pending());
    }
    house.stopped().await;
}
