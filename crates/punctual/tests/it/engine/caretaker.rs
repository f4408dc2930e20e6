//! Chores: what is overdue is taken back, what was kept long enough is pruned.

use std::sync::{Arc, Mutex};

use macro_rules_attribute::apply;
use punctual::job::{FailureReason, Job, State};
use punctual::limits::{KEEP_SUCCEEDED, LEASE, PRUNE_SCAN};
use punctual::run::{Beat, BeatRun, BeatVerdict, Outcome, WorkerInfo};
use punctual::source::Source;
use punctual::store::Store;
use punctual::testing::{Call, Fate};
use punctual::{Error, JobId, Kind, days, hours, minutes, seconds};

use crate::stage::{Stage, claim, done, settlement, work, work_once};
use crate::stores::{Place, on_each_store};

async fn state(stage: &Stage, id: JobId) -> Result<State, Kind> {
    let row = stage.engine.fetch(id).await;
    row.map(|job| job.status.state).map_err(|error| error.kind())
}

#[apply(on_each_store)]
async fn a_job_of_a_killed_worker_is_claimable_two_seconds_after_its_lease(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let lost = stage.claim(1).await.remove(0);
    stage.advance(LEASE - seconds(1)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Running));
    stage.advance(seconds(3)).await;
    let again = stage.claim(1).await.remove(0);
    assert_eq!((again.id(), again.status.attempt), (id, 2));
    let late = stage.engine.settle(vec![settlement(&lost, done("1"))]).await;
    assert_eq!(late, Ok(vec![punctual::run::SettleVerdict::Stale]));
    assert_eq!(stage.engine.totals().reclaimed, 1);
}

#[apply(on_each_store)]
async fn work_that_must_not_run_twice_fails_when_its_worker_is_lost(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let id = stage
        .engine
        .enqueue(work_once())
        .await
        .expect("it is stored")
        .id();
    assert_eq!(stage.claim(1).await.len(), 1);
    stage.advance(LEASE + seconds(2)).await;
    let row = stage.engine.fetch(id).await.expect("it is kept");
    assert_eq!(
        row.status.failure.map(|failure| failure.reason),
        Some(FailureReason::Lost)
    );
}

#[apply(on_each_store)]
async fn a_job_that_was_not_started_by_its_deadline_has_failed(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let deadline = stage.engine.now() + seconds(20);
    let id = stage
        .engine
        .enqueue(work().start_deadline(deadline))
        .await
        .expect("it is stored")
        .id();
    stage.advance(seconds(19)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Waiting));
    stage.advance(seconds(2)).await;
    let row = stage.engine.fetch(id).await.expect("it is kept");
    assert_eq!(
        row.status.failure.map(|failure| failure.reason),
        Some(FailureReason::Expired)
    );
}

#[apply(on_each_store)]
async fn after_a_step_of_the_clock_the_living_can_beat_first(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    assert_eq!(stage.claim(1).await.len(), 1);
    stage.advance(seconds(2)).await;
    stage.clock.step_to(stage.engine.now() + hours(1));
    stage.advance(LEASE - seconds(2)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Running));
    stage.advance(seconds(4)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Waiting));
}

#[apply(on_each_store)]
async fn after_a_leap_of_time_nobody_with_a_longer_lease_is_taken_for_lost(place: Place) {
    for sleeps in [false, true] {
        let stage = Stage::with_caretaker(&place).await;
        let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
        let mut patient = claim("patient", 1);
        patient.lease = minutes(5);
        let claimed = stage.engine.claim(patient, seconds(0)).await;
        assert_eq!(claimed.expect("the store serves claims").jobs.len(), 1);
        stage.advance(seconds(2)).await;
        match sleeps {
            true => stage.clock.suspend(hours(1)),
            false => stage.clock.step_to(stage.engine.now() + hours(1)),
        }
        // A worker with a shorter lease makes nobody forget the longer one.
        assert!(stage.claim(1).await.is_empty());
        stage.advance(minutes(5) - seconds(4)).await;
        assert_eq!(state(&stage, id).await, Ok(State::Running));
        stage.advance(seconds(6)).await;
        assert_eq!(state(&stage, id).await, Ok(State::Waiting));
    }
}

/// A run that a worker of another process, which this engine knows nothing of, leased for five minutes.
async fn leased_elsewhere(stage: &Stage) -> Job {
    stage.engine.enqueue(work()).await.expect("it is stored");
    let mut patient = claim("patient", 1);
    patient.lease = minutes(5);
    let claimed = stage.store.behind.claim(patient).await;
    claimed.expect("the store serves claims").jobs.remove(0)
}

/// A heartbeat of that worker.
async fn beat_elsewhere(stage: &Stage, run: &Job) {
    let beat = Beat {
        worker: WorkerInfo {
            id: "patient".into(),
            host: "elsewhere".to_owned(),
            pid: 1,
            queues: Vec::new(),
            concurrency: 1,
            running: 1,
            started_at: stage.engine.now(),
            stopping: false,
        },
        runs: vec![BeatRun {
            id: settlement(run, done("1")).id,
            progress: None,
        }],
        lease: minutes(5),
        stopped: false,
        now: None,
    };
    stage
        .store
        .behind
        .beat(beat)
        .await
        .expect("the store serves beats");
}

#[apply(on_each_store)]
async fn after_a_leap_of_time_the_leases_of_other_processes_last_as_long_as_before(place: Place) {
    for sleeps in [false, true] {
        let stage = Stage::with_caretaker(&place).await;
        let run = leased_elsewhere(&stage).await;
        stage.advance(seconds(100)).await;
        beat_elsewhere(&stage, &run).await;
        stage.advance(seconds(10)).await;
        match sleeps {
            true => stage.clock.suspend(hours(1)),
            false => stage.clock.step_to(stage.engine.now() + hours(1)),
        }
        stage.advance(minutes(5) - seconds(12)).await;
        assert_eq!(state(&stage, run.id()).await, Ok(State::Running));
        stage.advance(seconds(6)).await;
        assert_eq!(state(&stage, run.id()).await, Ok(State::Waiting));
    }
}

#[apply(on_each_store)]
async fn a_lease_that_was_prolonged_after_a_leap_ends_when_it_says(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let run = leased_elsewhere(&stage).await;
    stage.advance(seconds(2)).await;
    stage.clock.step_to(stage.engine.now() + hours(1));
    stage.advance(seconds(5)).await;
    beat_elsewhere(&stage, &run).await;
    stage.advance(minutes(5) - seconds(2)).await;
    assert_eq!(state(&stage, run.id()).await, Ok(State::Running));
    stage.advance(seconds(4)).await;
    assert_eq!(state(&stage, run.id()).await, Ok(State::Waiting));
}

#[apply(on_each_store)]
async fn a_deferred_run_that_was_prolonged_after_a_leap_ends_when_it_says_and_another_one_late(place: Place) {
    for prolongs in [false, true] {
        let stage = Stage::with_caretaker(&place).await;
        let run = leased_elsewhere(&stage).await;
        let defer = settlement(&run, Outcome::Defer(minutes(5)));
        let token = stage.engine.token(defer.id).await.expect("the store is there");
        stage.engine.settle(vec![defer]).await.expect("it is deferred");
        stage.advance(seconds(2)).await;
        stage.clock.step_to(stage.engine.now() + hours(1));
        stage.advance(seconds(5)).await;
        if prolongs {
            let token = token.expect("an engine gives tokens");
            let beaten = stage.engine.beat_deferred(&token, minutes(5), None).await;
            assert_eq!(beaten, Ok(BeatVerdict::Held));
        }
        stage.advance(minutes(5) - seconds(10)).await;
        assert_eq!(state(&stage, run.id()).await, Ok(State::Running));
        stage.advance(seconds(12)).await;
        assert_eq!(state(&stage, run.id()).await, Ok(State::Waiting), "{prolongs}");
    }
}

#[apply(on_each_store)]
async fn a_leap_that_is_taken_back_prolongs_no_lease(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let run = leased_elsewhere(&stage).await;
    stage.advance(seconds(2)).await;
    stage.clock.step_to(stage.engine.now() + hours(1));
    stage.advance(seconds(10)).await;
    stage.clock.step_to(stage.engine.now() - hours(1));
    stage.advance(minutes(5) - seconds(16)).await;
    assert_eq!(state(&stage, run.id()).await, Ok(State::Running));
    stage.advance(seconds(8)).await;
    assert_eq!(state(&stage, run.id()).await, Ok(State::Waiting));
}

#[apply(on_each_store)]
async fn after_a_suspend_the_living_can_beat_first(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    assert_eq!(stage.claim(1).await.len(), 1);
    stage.advance(seconds(2)).await;
    stage.clock.suspend(hours(1));
    stage.advance(LEASE - seconds(2)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Running));
    stage.advance(seconds(4)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Waiting));
}

#[apply(on_each_store)]
async fn a_step_back_holds_nothing_up(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    stage.advance(seconds(2)).await;
    stage.clock.step_to(stage.engine.now() - hours(1));
    stage.engine.run_now(id, None).await.expect("it waits");
    assert_eq!(stage.claim(1).await.len(), 1);
    stage.advance(LEASE + seconds(2)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Waiting));
}

#[apply(on_each_store)]
async fn chores_are_taken_up_again_when_the_store_is_back(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    assert_eq!(stage.claim(1).await.len(), 1);
    stage.store.rule(|call| match call {
        Call::Overdue => Fate::Refuse(Error::unavailable("it is down")),
        _ => Fate::Pass,
    });
    stage.advance(minutes(2)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Running));
    stage.store.rule(|_| Fate::Pass);
    stage.advance(seconds(10)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Waiting));
}

#[apply(on_each_store)]
async fn ended_jobs_are_pruned_when_they_were_kept_long_enough(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let windowed = work().unique("k").unique_for(KEEP_SUCCEEDED * 2);
    let mut ids = Vec::new();
    for job in [work(), windowed, work().delay(hours(999))] {
        ids.push(stage.engine.enqueue(job).await.expect("it is stored").id());
    }
    for job in stage.claim(10).await {
        let verdict = stage.engine.settle(vec![settlement(&job, done("1"))]).await;
        verdict.expect("it is settled");
    }
    stage.clock.advance(KEEP_SUCCEEDED - seconds(1));
    stage.advance(seconds(0)).await;
    assert_eq!(state(&stage, ids[0]).await, Ok(State::Succeeded));
    stage.advance(seconds(20)).await;
    assert_eq!(state(&stage, ids[0]).await, Err(Kind::NotFound));
    assert_eq!(
        state(&stage, ids[1]).await,
        Ok(State::Succeeded),
        "its key is still held"
    );
    assert_eq!(state(&stage, ids[2]).await, Ok(State::Waiting));
    assert_eq!(stage.engine.totals().pruned, 1);
}

#[apply(on_each_store)]
async fn a_queues_own_retention_is_read_when_pruning(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    stage.engine.cancel(id, "", None).await.expect("it waits");
    stage.advance(minutes(5)).await;
    assert_eq!(state(&stage, id).await, Ok(State::Cancelled));
    stage.keep("default", minutes(1)).await;
    stage.advance(seconds(20)).await;
    assert_eq!(state(&stage, id).await, Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn pruning_goes_on_page_by_page(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    stage.engine.enqueue_all(vec![work(); 2_500]).await;
    for _ in 0..3 {
        let settlements = stage
            .claim(1_000)
            .await
            .iter()
            .map(|job| settlement(job, done("1")))
            .collect();
        stage.engine.settle(settlements).await.expect("they are settled");
    }
    stage.clock.advance(KEEP_SUCCEEDED);
    stage.advance(seconds(20)).await;
    assert_eq!(stage.engine.totals().pruned, 2_500);
}

/// What this many jobs leave behind.
async fn succeed(stage: &Stage, jobs: usize) {
    stage.engine.enqueue_all(vec![work(); jobs]).await;
    while let jobs = stage.claim(1_000).await
        && !jobs.is_empty()
    {
        let settlements = jobs.iter().map(|job| settlement(job, done("1"))).collect();
        stage.engine.settle(settlements).await.expect("they are settled");
    }
}

#[apply(on_each_store)]
async fn a_long_history_holds_up_no_lost_run(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    succeed(&stage, 5_000).await;
    stage.engine.enqueue(work()).await.expect("it is stored");
    let mut patient = claim("patient", 1);
    patient.lease = KEEP_SUCCEEDED + LEASE;
    let claimed = stage.engine.claim(patient, seconds(0)).await;
    assert_eq!(claimed.expect("the store serves claims").jobs.len(), 1);
    // Each page takes its time, so that the lease is over when the second one is read.
    let events = Arc::new(Mutex::new(Vec::new()));
    let (seen, clock) = (Arc::clone(&events), stage.clock.clone());
    stage.store.rule(move |call| {
        let event = match call {
            Call::List(_) => {
                clock.advance(LEASE);
                "page"
            }
            Call::Apply(changes) if changes.iter().any(|change| change.becomes.is_some()) => "taken back",
            _ => return Fate::Pass,
        };
        seen.lock().expect("nobody panicked").push(event);
        Fate::Pass
    });
    stage.clock.advance(KEEP_SUCCEEDED);
    stage.settle_down().await;
    let events = events.lock().expect("nobody panicked").clone();
    let taken_back = events.iter().position(|event| *event == "taken back");
    let last_page = events.iter().rposition(|event| *event == "page");
    assert!(taken_back.is_some() && taken_back < last_page, "{events:?}");
}

#[apply(on_each_store)]
async fn what_is_kept_longer_is_not_read_again_and_again(place: Place) {
    let stage = Stage::with_caretaker(&place).await;
    stage.keep("default", days(365)).await;
    succeed(&stage, 3).await;
    stage.clock.advance(KEEP_SUCCEEDED * 2);
    let (filters, now) = (Arc::new(Mutex::new(Vec::new())), stage.engine.now());
    let seen = Arc::clone(&filters);
    stage.store.rule(move |call| {
        if let Call::List(filter) = call {
            seen.lock().expect("nobody panicked").push(filter.clone());
        }
        Fate::Pass
    });
    stage.advance(PRUNE_SCAN * 3).await;
    let filters = filters.lock().expect("nobody panicked").clone();
    assert!((2..=4).contains(&filters.len()), "{filters:?}");
    for filter in filters {
        assert_eq!(filter.queue, Some("default".into()));
        assert!(filter.ended_before < Some(now - days(364)));
    }
}
