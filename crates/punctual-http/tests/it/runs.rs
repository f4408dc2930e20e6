//! The routes for whoever a run was deferred to.

use macro_rules_attribute::apply;
use punctual::job::{Job, NewJob};
use punctual::minutes;
use punctual::run::{Outcome, RunId};
use punctual::source::Source;
use punctual_http::wire;
use serde_json::json;

use crate::house::House;
use crate::stores::{Place, on_each_store};

/// A deferred run of a new job, and the path that its token makes.
async fn deferred(house: &House) -> (Job, String) {
    let new = NewJob::new("render", &json!({"page": 1}))
        .expect("JSON")
        .max_attempts(1);
    house.engine.enqueue(new).await.expect("a job");
    let job = house.run_next("default", Outcome::Defer(minutes(10))).await;
    let run = RunId {
        job: job.id(),
        run: job.status.run,
    };
    let token = Source::token(&house.engine, run)
        .await
        .expect("the store answers");
    (job, format!("/v1/runs/{}", token.expect("an engine has tokens")))
}

#[apply(on_each_store)]
async fn whoever_holds_the_token_prolongs_a_run_and_settles_it_once(place: Place) {
    let house = House::open(&place).await;
    let (job, path) = deferred(&house).await;
    let beat = r#"{"lease": "1h", "progress": {"pages": 3}}"#;
    let answer = house.post(&format!("{path}/beat"), beat).await;
    assert_eq!((answer.status, answer.body), (200, json!({"verdict": "held"})));
    let shown = house.get(&format!("/v1/jobs/{}", job.id())).await.body;
    assert_eq!(
        (&shown["state"], &shown["progress"]),
        (&json!("running"), &json!({"pages": 3}))
    );

    let settle = r#"{"outcome": {"done": {"url": "https://example.com/1.pdf"}}}"#;
    let answer = house.post(&path, settle).await;
    assert_eq!((answer.status, answer.body), (200, json!({"verdict": "settled"})));
    let result = house.get(&format!("/v1/jobs/{}/result", job.id())).await.body;
    assert_eq!(result["result"], json!({"url": "https://example.com/1.pdf"}));

    for (path, body) in [(path.clone(), settle), (format!("{path}/beat"), beat)] {
        let answer = house.post(&path, body).await;
        assert_eq!(answer.status, 409, "{answer:?}");
    }
}

#[apply(on_each_store)]
async fn each_outcome_may_be_told_by_token(place: Place) {
    let house = House::open(&place).await;
    for (outcome, state) in [
        (json!({"done": null}), "succeeded"),
        (json!({"done_base64": "/w=="}), "succeeded"),
        (json!({"retry": {"error": "busy", "after": "5s"}}), "failed"),
        (json!({"retry": {"error": "slow", "cause": "timeout"}}), "failed"),
        (json!({"fail": {"error": "no such page"}}), "failed"),
        (json!({"snooze": {"until": "2200-01-01T00:00:00Z"}}), "waiting"),
        (json!({"snooze": {"for": "1h"}}), "waiting"),
        (json!({"cancelled": {}}), "cancelled"),
        (json!({"cancelled": {"reason": "no need"}}), "cancelled"),
    ] {
        let (job, path) = deferred(&house).await;
        let answer = house.post(&path, json!({ "outcome": outcome }).to_string()).await;
        assert_eq!(answer.status, 200, "{outcome}: {answer:?}");
        let shown = house.get(&format!("/v1/jobs/{}", job.id())).await.body;
        assert_eq!(shown["state"], state, "{outcome}: {shown}");
    }
}

#[apply(on_each_store)]
async fn a_cancel_is_told_with_the_next_beat(place: Place) {
    let house = House::open(&place).await;
    let (job, path) = deferred(&house).await;
    house
        .engine
        .cancel(job.id(), "no longer wanted", None)
        .await
        .expect("it runs");
    let answer = house.post(&format!("{path}/beat"), r#"{"lease": "1h"}"#).await;
    assert_eq!((answer.status, answer.body), (200, json!({"verdict": "cancel"})));
}

#[apply(on_each_store)]
async fn what_is_no_token_and_what_says_nothing_is_refused_and_changes_nothing(place: Place) {
    let house = House::open(&place).await;
    let (job, path) = deferred(&house).await;
    let done = r#"{"outcome": {"done": 1}}"#;
    for token in ["x", "%FF", &"A".repeat(75), &job.id().to_string()] {
        let answer = house.post(&format!("/v1/runs/{token}"), done).await;
        assert!([400, 404].contains(&answer.status), "{token}: {answer:?}");
    }
    for (body, pointer) in [
        (r#"{"outcome": {}}"#, "/outcome"),
        (r#"{"outcome": {"done": 1, "fail": {"error": "x"}}}"#, "/outcome"),
        (r#"{"outcome": {"defer": {"for": "1h"}}}"#, "/outcome/defer"),
        (r#"{"outcome": {"release": {}}}"#, "/outcome/release"),
        (r#"{"outcome": {"fail": null}}"#, "/outcome/fail"),
        (
            r#"{"outcome": {"retry": {"error": "x", "after": "soon"}}}"#,
            "/outcome/retry/after",
        ),
        (
            r#"{"outcome": {"snooze": {"until": "later"}}}"#,
            "/outcome/snooze/until",
        ),
        (r#"{"outcome": [1]}"#, "/outcome"),
        (r#"{"outcome": {"fail": ["x"]}}"#, "/outcome/fail"),
    ] {
        let answer = house.post(&path, body).await;
        assert!([400, 422].contains(&answer.status), "{body}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}: {answer:?}");
    }
    let answer = house.post(&format!("{path}/beat"), r#"{"lease": "soon"}"#).await;
    assert_eq!(answer.body["errors"][0]["pointer"], "/lease", "{answer:?}");
    let long = json!({"lease": "1h", "progress": "x".repeat(5_000)}).to_string();
    let answer = house.post(&format!("{path}/beat"), long).await;
    assert_eq!(
        (answer.status, &answer.body["errors"][0]["pointer"]),
        (422, &json!("/progress"))
    );
    let odd = r#"{"lease": "1h", "progress": "\ud800"}"#;
    let answer = house.post(&format!("{path}/beat"), odd).await;
    assert_eq!(answer.problem(422), ["/progress"]);
    let row = house.engine.fetch(job.id()).await.expect("it is there");
    assert!(row.status.deferred && row.status.progress.is_none());
}

#[apply(on_each_store)]
async fn the_client_settles_and_prolongs_by_token(place: Place) {
    let house = House::open(&place).await;
    let (_, path) = deferred(&house).await;
    let token = path.trim_start_matches("/v1/runs/");
    let prolong = wire::BeatDeferred {
        lease: Some("1m".to_owned()),
        progress: None,
    };
    let client = house.client();
    let verdict = client.beat_deferred(token, &prolong).await.expect("it is held");
    assert_eq!(verdict.verdict, "held");
    let outcome = wire::Outcome {
        fail: Some(wire::Fail {
            error: "no such page".to_owned(),
        }),
        ..wire::Outcome::default()
    };
    let verdict = client
        .settle_deferred(token, outcome.clone())
        .await
        .expect("it is held");
    assert_eq!(verdict.verdict, "settled");
    let error = client
        .settle_deferred(token, outcome)
        .await
        .expect_err("it is over");
    assert_eq!(error.kind(), punctual::Kind::Conflict);
}
