//! The library's own worker on a client, and what its source makes of a server that is far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use macro_rules_attribute::apply;
use punctual::job::{Job, NewJob};
use punctual::run::{
    Beat, BeatRun, BeatVerdict, Outcome, RetryCause, RunId, SettleVerdict, Settlement, WorkerInfo,
};
use punctual::source::Source;
use punctual::worker::{Run, Stop, StopReason, Worker};
use punctual::{Timestamp, minutes};
use punctual_http::{Client, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::house::{DEADLINE, House, within};
use crate::stores::{Place, on_each_store};

/// A worker on a client, until it is told to stop.
fn work(worker: Worker) -> (oneshot::Sender<()>, JoinHandle<Result<(), punctual::Error>>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let working = tokio::spawn(worker.run_until(async {
        let _ = stopped.await;
    }));
    (stop, working)
}

#[apply(on_each_store)]
async fn a_far_worker_runs_jobs_as_a_near_one_does(place: Place) {
    let house = House::open(&place).await;
    let worker = Worker::new(house.client())
        .handle_kind("echo", |payload: Bytes, run: Run| async move {
            assert_eq!(run.job().body.tags, ["a tag"]);
            match run.attempt() {
                1 => Err(Stop::retry("once more").after(Duration::ZERO)),
                _ => Ok(payload),
            }
        })
        .handle_kind("big", |_, _| async { Ok(Bytes::from(vec![0xff_u8; 2_000_000])) });
    let (stop, working) = work(worker);
    for payload in [&b"null"[..], b"", b"\xff\x00", br#"{"a": 1.50}"#] {
        let job = NewJob::bytes("echo", Bytes::from_static(payload)).tag("a tag");
        let job = house.engine.enqueue(job).await.expect("it is stored");
        let ending = within(house.engine.result(job.id(), DEADLINE))
            .await
            .expect("it ends");
        let status = &ending.job().status;
        assert_eq!(status.result.as_deref(), Some(payload), "{status:?}");
        assert_eq!((status.attempt, status.history.len()), (2, 2));
    }
    let job = house
        .engine
        .enqueue(NewJob::bytes("big", ""))
        .await
        .expect("it is stored");
    let ending = within(house.engine.result(job.id(), DEADLINE))
        .await
        .expect("it ends");
    let failure = ending.job().status.failure.as_ref().map(ToString::to_string);
    assert!(
        failure
            .as_ref()
            .is_some_and(|told| told.contains("2000000 bytes")),
        "{failure:?}"
    );

    let workers = house.client().workers().await.expect("it answers").items;
    assert_eq!((workers.len(), workers[0].pid), (1, Some(std::process::id())));
    drop(stop);
    within(working)
        .await
        .expect("it does not panic")
        .expect("it stops");
}

#[apply(on_each_store)]
async fn a_far_worker_hands_its_run_on_by_its_token(place: Place) {
    let house = House::open(&place).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = Worker::new(house.client()).handle_kind("render", move |_, run: Run| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(run.token().await?);
            Err(Stop::defer(minutes(10)))
        }
    });
    let (stop, working) = work(worker);
    let id = house.post("/v1/jobs", r#"{"kind": "render"}"#).await.id();
    let token = within(told.recv()).await.flatten().expect("it came with the run");
    drop(stop);
    within(working)
        .await
        .expect("it does not panic")
        .expect("it stops");

    let settle = r#"{"outcome": {"done": 7}}"#;
    let settled = house.post(&format!("/v1/runs/{token}"), settle).await;
    assert_eq!(settled.status, 200, "{settled:?}");
    let result = house.get(&format!("/v1/jobs/{id}/result")).await.body;
    assert_eq!(result["result"], 7, "{result}");
}

#[apply(on_each_store)]
async fn a_cancel_reaches_a_far_worker_at_once(place: Place) {
    let house = House::open(&place).await;
    let worker = Worker::new(house.client())
        // Its next heartbeat comes too late for this test.
        .lease(minutes(30))
        .handle_kind("wait", |_, run: Run| async move {
            match run.stop().requested().await {
                StopReason::Cancelled => Err(Stop::cancel("")),
                other => Err(Stop::fail(other)),
            }
        });
    let (stop, working) = work(worker);
    let job = house
        .engine
        .enqueue(NewJob::bytes("wait", ""))
        .await
        .expect("it is stored");
    let running = async {
        while house
            .engine
            .fetch(job.id())
            .await
            .expect("it is there")
            .status
            .started_at
            .is_none()
        {
            tokio::task::yield_now().await;
        }
    };
    within(running).await;
    house
        .engine
        .cancel(job.id(), "enough", None)
        .await
        .expect("it is noted");
    let ending = within(house.engine.result(job.id(), DEADLINE))
        .await
        .expect("it ends");
    assert_eq!(ending.job().status.cancel.as_deref(), Some("enough"));
    drop(stop);
    within(working)
        .await
        .expect("it does not panic")
        .expect("it stops");
}

#[apply(on_each_store)]
async fn a_far_worker_outlives_its_server_and_brings_its_outcome_home(place: Place) {
    let mut house = House::open(&place).await;
    let engine = house.engine.clone();
    let (begun, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let runs = Arc::new(AtomicU32::new(0));
    let (its_begun, its_go, its_runs) = (begun.clone(), go.clone(), runs.clone());
    let worker = Worker::new(house.client()).handle_kind("work", move |_, _| {
        let (begun, go, runs) = (its_begun.clone(), its_go.clone(), its_runs.clone());
        async move {
            runs.fetch_add(1, Ordering::Relaxed);
            begun.notify_one();
            go.notified().await;
            Ok(Bytes::from_static(b"1"))
        }
    });
    let (stop, working) = work(worker);
    let job = engine
        .enqueue(NewJob::bytes("work", ""))
        .await
        .expect("it is stored");
    within(begun.notified()).await;
    let address = house.address;
    house.stop();
    within(house.stopped()).await;
    go.notify_one();
    let server = Server::bind(engine.clone(), address)
        .await
        .expect("its port is free again");
    let (stop_server, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(server.run_until(async {
        let _ = stopped.await;
    }));
    let ending = within(engine.result(job.id(), DEADLINE)).await.expect("it ends");
    assert_eq!(ending.job().status.history.len(), 1);
    assert_eq!(runs.load(Ordering::Relaxed), 1, "it ran once");
    drop(stop);
    within(working)
        .await
        .expect("it does not panic")
        .expect("it stops");
    drop(stop_server);
    within(served).await.expect("it does not panic");
}

fn run_of(job: &Job) -> RunId {
    RunId {
        job: job.id(),
        run: job.status.run,
    }
}

/// A beat of this worker for these runs, each with what it says of its progress.
fn beat(lease: Duration, runs: &[(RunId, &'static str)]) -> Beat {
    let runs = runs.iter().map(|(id, progress)| BeatRun {
        id: *id,
        progress: Some(Bytes::from_static(progress.as_bytes())),
    });
    Beat {
        worker: WorkerInfo {
            id: "a test".into(),
            host: String::new(),
            pid: 0,
            queues: vec!["default".into()],
            concurrency: 2,
            running: 2,
            started_at: Timestamp::EPOCH,
            stopping: false,
        },
        runs: runs.collect(),
        lease,
        stopped: false,
        now: None,
    }
}

/// JSON that not every reader can read: half of a character that takes two halves.
const HALF: &str = r#""\ud800""#;

#[apply(on_each_store)]
async fn a_run_that_says_something_odd_of_its_progress_does_not_take_its_worker_down(place: Place) {
    let house = House::open(&place).await;
    let far: Arc<dyn Source> = house.client().into();
    let mut runs = Vec::new();
    for progress in [HALF, "1"] {
        house.post("/v1/jobs", r#"{"kind": "work"}"#).await;
        runs.push((run_of(&house.claim("default").await), progress));
    }
    let beaten = far.beat(beat(minutes(1), &runs)).await.expect("it is answered");
    assert_eq!(beaten.verdicts, [BeatVerdict::Held, BeatVerdict::Held]);
    let row = house.engine.fetch(runs[1].0.job).await.expect("it is there");
    assert_eq!(row.status.progress.as_deref(), Some(&b"1"[..]));
}

#[apply(on_each_store)]
async fn every_outcome_of_a_handler_comes_home_whatever_is_in_it(place: Place) {
    let house = House::open(&place).await;
    let far: Arc<dyn Source> = house.client().into();
    let deep = "[".repeat(300) + &"]".repeat(300);
    for outcome in [
        Outcome::Done(HALF.into()),
        Outcome::Done(deep.into()),
        Outcome::Retry {
            error: "not in this life".to_owned(),
            after: Some(Duration::MAX),
            cause: RetryCause::Error,
        },
        Outcome::Snooze {
            until: Timestamp::MIN,
        },
        Outcome::Snooze {
            until: Timestamp::MAX,
        },
        Outcome::Defer(Duration::MAX),
    ] {
        let id = house.post("/v1/jobs", r#"{"kind": "work"}"#).await.id();
        let settlement = Settlement {
            id: run_of(&house.claim("default").await),
            outcome: outcome.clone(),
            claimed: None,
        };
        let settled = within(far.settle(vec![settlement])).await;
        assert_eq!(
            settled.expect("it is answered"),
            [SettleVerdict::Settled],
            "{outcome:?}"
        );
        let row = house.engine.fetch(id).await.expect("it is there");
        if let Outcome::Done(result) = outcome {
            assert_eq!(row.status.result, Some(result));
        }
        // Not to be claimed by the next round.
        house.engine.cancel(id, "", None).await.ok();
    }
}

#[tokio::test]
async fn a_beat_does_not_wait_for_an_answer_that_stops_in_the_middle() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("somebody comes");
        let half = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
        let _ = stream.read(&mut [0; 4096]).await;
        stream.write_all(half).await.expect("it is read");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let client = Client::new(&format!("http://{address}")).expect("an address");
    let far: Arc<dyn Source> = client.into();
    let run = RunId {
        job: punctual::JobId::named("a"),
        run: 1,
    };
    let error = within(far.beat(beat(Duration::from_millis(300), &[(run, "1")])))
        .await
        .expect_err("it never ends");
    assert_eq!(error.kind(), punctual::Kind::Unavailable, "{error}");
    drop(far);
    within(server).await.expect("its connection is ended");
}
