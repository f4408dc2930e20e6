//! Settling: exactly one outcome a run, whatever goes wrong on the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use macro_rules_attribute::apply;
use punctual::job::{Backoff, State};
use punctual::run::{Beat, BeatRun, Outcome, RetryCause, RunId, SettleVerdict, WorkerId, WorkerInfo};
use punctual::source::Source;
use punctual::store::Store;
use punctual::testing::{Call, Fate};
use punctual::{Engine, Error, Kind, milliseconds, seconds};

use crate::stage::{Stage, claim, done, settlement, soon, until, work};
use crate::stores::{Place, on_each_store};

fn failed() -> Outcome {
    Outcome::Retry {
        error: "no luck".into(),
        after: None,
        cause: RetryCause::Error,
    }
}

#[apply(on_each_store)]
async fn an_outcome_stands_once_and_is_stale_ever_after(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let job = stage.claim(1).await.remove(0);
    for (outcome, verdict) in [
        (done("1"), SettleVerdict::Settled),
        (done("2"), SettleVerdict::Stale),
    ] {
        let verdicts = stage.engine.settle(vec![settlement(&job, outcome)]).await;
        assert_eq!(verdicts, Ok(vec![verdict]));
    }
    let row = stage.engine.fetch(id).await.expect("it is kept");
    assert_eq!(
        (row.status.state, row.status.result.as_deref()),
        (State::Succeeded, Some(b"1".as_ref()))
    );
    let totals = stage.engine.totals();
    assert_eq!(
        (totals.enqueued, totals.claimed, totals.settled, totals.stale),
        (1, 1, 1, 1)
    );
}

#[apply(on_each_store)]
async fn a_settlement_without_its_row_is_read_and_one_of_a_deleted_job_is_stale(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue_all(vec![work(); 2]).await;
    let jobs = stage.claim(2).await;
    let mut settlements: Vec<_> = jobs.iter().map(|job| settlement(job, done("1"))).collect();
    settlements[1].id.job = punctual::JobId::named("never was");
    settlements
        .iter_mut()
        .for_each(|settlement| settlement.claimed = None);
    let verdicts = stage.engine.settle(settlements).await;
    assert_eq!(verdicts, Ok(vec![SettleVerdict::Settled, SettleVerdict::Stale]));
}

#[apply(on_each_store)]
async fn a_settle_is_decided_again_on_the_row_that_a_heartbeat_changed(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let job = stage.claim(1).await.remove(0);
    beat(&stage.engine, &job).await;
    let verdicts = stage.engine.settle(vec![settlement(&job, done("1"))]).await;
    assert_eq!(verdicts, Ok(vec![SettleVerdict::Settled]));
}

async fn beat(engine: &Engine, job: &punctual::job::Job) {
    let worker = WorkerInfo {
        id: WorkerId::from("w"),
        host: "here".into(),
        pid: 1,
        queues: Vec::new(),
        concurrency: 1,
        running: 1,
        started_at: engine.now(),
        stopping: false,
    };
    let run = BeatRun {
        id: RunId {
            job: job.id(),
            run: job.status.run,
        },
        progress: None,
    };
    let beat = Beat {
        worker,
        runs: vec![run],
        lease: seconds(30),
        stopped: false,
        now: None,
    };
    engine.beat(beat).await.expect("the store serves beats");
}

#[apply(on_each_store)]
async fn a_settle_goes_on_trying_until_the_store_is_back(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let job = stage.claim(1).await.remove(0);
    stage.store.rule(|call| match call {
        Call::Apply(_) => Fate::Refuse(Error::unavailable("it is down")),
        _ => Fate::Pass,
    });
    let engine = stage.engine.clone();
    let settling = tokio::spawn(async move { engine.settle(vec![settlement(&job, done("1"))]).await });
    stage
        .advance_until("many tries", || stage.store.applies().len() > 10)
        .await;
    assert!(!settling.is_finished());
    stage.store.rule(|_| Fate::Pass);
    stage
        .advance_until("the verdict", || settling.is_finished())
        .await;
    assert_eq!(
        soon(settling).await.expect("it panicked"),
        Ok(vec![SettleVerdict::Settled])
    );
}

#[apply(on_each_store)]
async fn an_outcome_that_was_written_without_an_answer_is_not_called_stale(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let job = stage.claim(1).await.remove(0);
    let mut calls = 0;
    stage.store.rule(move |call| match call {
        // The lane's own repeats are used up, so the settle itself has to find out.
        Call::Apply(_) if calls < 4 => {
            calls += 1;
            let lost = Error::unknown("the connection broke");
            if calls == 1 {
                Fate::Lose(lost)
            } else {
                Fate::Refuse(lost)
            }
        }
        _ => Fate::Pass,
    });
    let engine = stage.engine.clone();
    let settling = tokio::spawn(async move { engine.settle(vec![settlement(&job, done("1"))]).await });
    stage
        .advance_until("the verdict", || settling.is_finished())
        .await;
    assert_eq!(
        soon(settling).await.expect("it panicked"),
        Ok(vec![SettleVerdict::Settled])
    );
}

#[apply(on_each_store)]
async fn a_settle_that_cannot_be_written_ends_with_the_engine(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let job = stage.claim(1).await.remove(0);
    stage.store.rule(|call| match call {
        Call::Apply(_) => Fate::Refuse(Error::unavailable("it is down")),
        _ => Fate::Pass,
    });
    let engine = stage.engine.clone();
    let settling = tokio::spawn(async move { engine.settle(vec![settlement(&job, done("1"))]).await });
    until("a try", || !stage.store.applies().is_empty()).await;
    soon(stage.engine.close()).await.expect("it closes");
    let verdict = soon(settling).await.expect("it panicked");
    assert_eq!(verdict.map_err(|error| error.kind()), Err(Kind::Unavailable));
}

#[apply(on_each_store)]
async fn retries_come_after_their_delay_until_none_is_left(place: Place) {
    let stage = Stage::quiet(&place).await;
    let job = work().max_attempts(3).backoff(Backoff::Fixed(seconds(10)));
    let id = stage.engine.enqueue(job).await.expect("it is stored").id();
    for attempt in 1..=3 {
        let job = stage.claim(1).await.remove(0);
        assert_eq!(job.status.attempt, attempt);
        stage
            .engine
            .settle(vec![settlement(&job, failed())])
            .await
            .expect("it is settled");
        assert!(stage.claim(1).await.is_empty(), "it came back early");
        stage.clock.advance(seconds(10));
    }
    let row = stage.engine.fetch(id).await.expect("it is kept");
    assert_eq!((row.status.state, row.status.history.len()), (State::Failed, 3));
}

#[apply(on_each_store)]
async fn a_running_job_is_cancelled_in_two_steps(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage
        .engine
        .enqueue(work().unique("k"))
        .await
        .expect("it is stored")
        .id();
    let job = stage.claim(1).await.remove(0);
    let noted = stage
        .engine
        .cancel(id, "not needed", None)
        .await
        .expect("it runs");
    assert_eq!(
        (noted.status.state, noted.status.cancel.as_deref()),
        (State::Running, Some("not needed"))
    );
    assert!(
        stage
            .engine
            .enqueue(work().unique("k"))
            .await
            .expect("there is a holder")
            .deduplicated()
    );
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    let row = stage.engine.fetch(id).await.expect("it is kept");
    assert_eq!(
        (row.status.state, row.status.unique_key),
        (State::Cancelled, None)
    );
}

#[apply(on_each_store)]
async fn a_queue_without_retention_keeps_nothing(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.keep("default", seconds(0)).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let job = stage.claim(1).await.remove(0);
    let verdicts = stage.engine.settle(vec![settlement(&job, done("1"))]).await;
    assert_eq!(verdicts, Ok(vec![SettleVerdict::Settled]));
    assert_eq!(
        stage.engine.fetch(id).await.map_err(|error| error.kind()),
        Err(Kind::NotFound)
    );
}

#[apply(on_each_store)]
async fn an_engine_that_is_dropped_lets_go_of_its_store(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let waiting = {
        let engine = stage.engine.clone();
        tokio::spawn(async move { engine.claim(claim("w", 1), seconds(60)).await })
    };
    soon(waiting).await.expect("it panicked").expect("there is a job");
    let store: Arc<dyn Store> = stage.store.faulty.clone();
    drop(stage.engine);
    drop(stage.store);
    until("the last task to end", || Arc::strong_count(&store) == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_on_many_threads_settle_each_job_exactly_once() {
    const JOBS: usize = 2_000;
    let engine = Engine::open("memory:").await.expect("it opens");
    let settled = Arc::new(AtomicUsize::new(0));
    let workers: Vec<_> = (0..8)
        .map(|n| {
            let (engine, settled) = (engine.clone(), Arc::clone(&settled));
            tokio::spawn(async move {
                while settled.load(Ordering::Relaxed) < JOBS {
                    let claimed = engine.claim(claim(&format!("w{n}"), 7), milliseconds(100)).await;
                    let jobs = claimed.expect("the store serves claims").jobs;
                    let settlements = jobs.iter().map(|job| settlement(job, done("1"))).collect();
                    let verdicts = engine.settle(settlements).await.expect("they are settled");
                    assert!(verdicts.iter().all(|verdict| *verdict == SettleVerdict::Settled));
                    settled.fetch_add(verdicts.len(), Ordering::Relaxed);
                }
            })
        })
        .collect();
    let callers = (0..20).map(|_| {
        let engine = engine.clone();
        tokio::spawn(async move {
            for _ in 0..JOBS / 20 {
                let job = engine.enqueue(work()).await.expect("it is stored");
                assert_eq!(job.result().await, Ok(serde_json::json!(1)));
            }
        })
    });
    for task in callers.collect::<Vec<_>>().into_iter().chain(workers) {
        soon(task).await.expect("a task panicked");
    }
    let totals = engine.totals();
    assert_eq!((totals.enqueued, totals.settled, totals.stale), (2_000, 2_000, 0));
}

/// The store takes nothing of what a rule made of these jobs.
fn refuse_results(stage: &Stage, refused: impl Fn(&punctual::change::Change) -> bool + Send + 'static) {
    stage.store.rule(move |call| match call {
        Call::Apply(changes) if changes.iter().any(&refused) => {
            Fate::Refuse(Error::internal("a fault of the store"))
        }
        _ => Fate::Pass,
    });
}

#[apply(on_each_store)]
async fn a_result_that_the_store_refuses_fails_its_job_and_no_other(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue_all(vec![work(); 3]).await;
    let jobs = stage.claim(3).await;
    let bad = jobs[1].id();
    refuse_results(&stage, move |change| {
        let result = change.becomes.as_ref().and_then(|status| status.result.as_ref());
        change.id == bad && result.is_some()
    });
    let settlements = jobs.iter().map(|job| settlement(job, done("1"))).collect();
    let verdicts = soon(stage.engine.settle(settlements)).await;
    assert_eq!(verdicts, Ok(vec![SettleVerdict::Settled; 3]));
    for (job, state) in jobs
        .iter()
        .zip([State::Succeeded, State::Failed, State::Succeeded])
    {
        let row = stage.engine.fetch(job.id()).await.expect("it is kept");
        assert_eq!(row.status.state, state);
        let told = row.status.failure.map(|failure| failure.message);
        assert!(
            told.is_none_or(|told| told.contains("a fault of the store")),
            "it says why"
        );
    }
}

#[apply(on_each_store)]
async fn an_outcome_that_the_store_can_never_take_is_given_up_and_counted(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    stage.engine.enqueue_all(vec![work(); 2]).await;
    let jobs = stage.claim(2).await;
    let bad = jobs[0].id();
    refuse_results(&stage, move |change| change.id == bad);
    let settlements = vec![settlement(&jobs[0], done("1")), settlement(&jobs[1], failed())];
    let verdicts = soon(stage.engine.settle(settlements)).await;
    assert_eq!(verdicts, Ok(vec![SettleVerdict::Refused, SettleVerdict::Settled]));
    let totals = stage.engine.totals();
    assert_eq!((totals.settled, totals.refused, totals.stale), (1, 1, 0));
    // Once the store takes it again, its lease brings it back.
    stage.store.rule(|_| Fate::Pass);
    stage.advance(seconds(32)).await;
    let row = stage.engine.fetch(bad).await.expect("it is kept");
    assert_eq!((row.status.state, row.status.attempt), (State::Waiting, 1));
}

#[apply(on_each_store)]
async fn a_row_that_cannot_be_read_keeps_no_other_run_from_being_settled(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.engine.enqueue_all(vec![work(); 5]).await;
    let jobs = stage.claim(5).await;
    let bad = jobs[2].id();
    stage.store.rule(move |call| match call {
        Call::Fetch(ids) if ids.contains(&bad) => Fate::Refuse(Error::internal("a row that cannot be read")),
        _ => Fate::Pass,
    });
    let mut settlements: Vec<_> = jobs.iter().map(|job| settlement(job, done("1"))).collect();
    settlements
        .iter_mut()
        .for_each(|settlement| settlement.claimed = None);
    let verdicts = soon(stage.engine.settle(settlements)).await.expect("it answers");
    let refused = |at: usize| verdicts[at] == SettleVerdict::Refused;
    assert_eq!((0..5).filter(|at| refused(*at)).collect::<Vec<_>>(), [2]);
    assert_eq!(stage.engine.totals().settled, 4);
}
