//! Runs that a server takes over, and what it says of them later.

use bytes::Bytes;
use punctual::engine::Ending;
use punctual::job::State;
use punctual::run::{BeatVerdict, Outcome, SettleVerdict};
use punctual::{Engine, Kind, minutes, seconds};
use serde_json::json;

use super::server::{Reply, Server};
use super::{get, house};
use crate::target_house::{House, PATIENCE, once};

async fn deferring() -> Server {
    Server::that(|request| match request.path() {
        "/soon" => Reply::says("202 Accepted", "punctual-defer: soon\r\n", ""),
        "/short" => Reply::says("202 Accepted", "punctual-defer: 1ms\r\n", ""),
        "/plain" => Reply::says("202 Accepted", "", "accepted"),
        _ => Reply::says("202 Accepted", "punctual-defer: 10m\r\n", ""),
    })
    .await
}

fn token(server: &Server) -> String {
    let request = server.requests().pop().expect("it was called");
    request.header("punctual-token").expect("it has a token")
}

/// A job that is deferred, and its token.
async fn deferred(house: &House, server: &Server) -> (punctual::job::Job, String) {
    let call = once(&get(server.url("/"))).timeout(seconds(1));
    let job = house.engine.enqueue(call).await.expect("a job");
    let job = house.until(job.id(), |job| job.status.deferred).await;
    (job, token(server))
}

fn done(result: &serde_json::Value) -> Outcome {
    Outcome::Done(Bytes::from(result.to_string()))
}

#[tokio::test]
async fn a_run_that_a_server_defers_goes_on_until_its_token_settles_it() {
    let server = deferring().await;
    let house = house().await;
    let (job, token) = deferred(&house, &server).await;
    let status = &job.status;
    assert_eq!(status.state, State::Running);
    let lease = status
        .alarm
        .expect("it is leased")
        .since(status.started_at.expect("it runs"));
    assert!(lease >= minutes(10), "{lease:?}");

    let progress = Some(Bytes::from("{\"half\":1}"));
    let beaten = house
        .engine
        .beat_deferred(&token, minutes(60), progress.clone())
        .await;
    assert_eq!(beaten, Ok(BeatVerdict::Held));
    let prolonged = house.engine.fetch(job.id()).await.expect("it is there").status;
    assert_eq!(prolonged.progress, progress);
    assert!(prolonged.alarm > status.alarm);
    // A shorter length takes nothing away.
    assert_eq!(
        house.engine.beat_deferred(&token, seconds(1), None).await,
        Ok(BeatVerdict::Held)
    );
    let kept = house.engine.fetch(job.id()).await.expect("it is there").status;
    assert_eq!((kept.alarm, kept.progress), (prolonged.alarm, progress));

    let result = json!({"pages": 7});
    let settled = house.engine.settle_deferred(&token, done(&result)).await;
    assert_eq!(settled, Ok(SettleVerdict::Settled));
    match house.engine.result(job.id(), PATIENCE).await {
        Ok(Ending::Succeeded(_, said)) => assert_eq!(said, result.to_string()),
        other => panic!("{other:?}"),
    }
    let again = house.engine.settle_deferred(&token, done(&result)).await;
    assert_eq!(again, Ok(SettleVerdict::Stale));
    assert_eq!(
        house.engine.beat_deferred(&token, seconds(1), None).await,
        Ok(BeatVerdict::Lost)
    );
}

#[tokio::test]
async fn a_server_may_settle_a_run_before_its_own_answer_is_read() {
    let house = house().await;
    let engine = house.engine.clone();
    let settles = move |request: &super::server::Request| {
        let (engine, token) = (engine.clone(), request.header("punctual-token").expect("a token"));
        let settled = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(engine.settle_deferred(&token, done(&json!("quick"))))
        });
        assert_eq!(settled.join().expect("no panic"), Ok(SettleVerdict::Settled));
        Reply::says("202 Accepted", "punctual-defer: 10m\r\n", "")
    };
    let server = Server::that(settles).await;
    match house.ending(once(&get(server.url("/")))).await {
        Ending::Succeeded(job, result) => {
            assert_eq!(result, "\"quick\"");
            assert_eq!(job.status.history.len(), 1);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_cancel_reaches_whoever_a_run_is_deferred_to_with_the_next_beat() {
    let server = deferring().await;
    let house = house().await;
    let (job, token) = deferred(&house, &server).await;
    house
        .engine
        .cancel(job.id(), "no longer wanted", None)
        .await
        .expect("it runs");
    assert_eq!(
        house.engine.beat_deferred(&token, minutes(60), None).await,
        Ok(BeatVerdict::Cancel)
    );
    let status = house.engine.fetch(job.id()).await.expect("it is there").status;
    let left = status.alarm.expect("it is leased").since(house.engine.now());
    assert!(left < minutes(1), "{left:?}");
    let settled = house.engine.settle_deferred(&token, done(&json!(1))).await;
    assert_eq!(settled, Ok(SettleVerdict::Settled));
    let job = house.engine.fetch(job.id()).await.expect("it is there");
    assert_eq!(job.status.state, State::Cancelled);
}

#[tokio::test]
async fn a_deferral_that_nobody_settles_is_a_lost_attempt_and_its_token_is_void() {
    let server = deferring().await;
    let house = house().await;
    let (said, again) = house.failure(&get(server.url("/short"))).await;
    assert!(
        said.contains("deferred, and nobody settled it") && again,
        "{said}"
    );
    let settled = house
        .engine
        .settle_deferred(&token(&server), done(&json!(1)))
        .await;
    assert_eq!(settled, Ok(SettleVerdict::Stale));
}

#[tokio::test]
async fn an_answer_202_is_a_plain_success_without_a_length_and_fails_with_a_bad_one() {
    let server = deferring().await;
    let house = house().await;
    assert_eq!(
        house.result(&get(server.url("/plain"))).await.text(),
        Some("accepted")
    );
    let (said, again) = house.failure(&get(server.url("/soon"))).await;
    assert!(said.contains("punctual-defer: \"soon\"") && !again, "{said}");
}

#[tokio::test]
async fn a_token_is_good_on_its_own_store_only_and_nobody_guesses_one() {
    let server = deferring().await;
    let (house, stranger) = (house().await, Engine::open("memory:").await.expect("memory"));
    let (job, token) = deferred(&house, &server).await;
    for forged in ["", "no token", &token[1..], &job.id().to_string()] {
        let error = house
            .engine
            .settle_deferred(forged, done(&json!(1)))
            .await
            .expect_err("it is forged");
        assert_eq!(error.kind(), Kind::NotFound, "{forged}");
    }
    let error = stranger
        .settle_deferred(&token, done(&json!(1)))
        .await
        .expect_err("it is a stranger's");
    assert_eq!(error.kind(), Kind::NotFound);
    let error = stranger
        .beat_deferred(&token, seconds(1), None)
        .await
        .expect_err("it is a stranger's");
    assert_eq!(error.kind(), Kind::NotFound);
}
