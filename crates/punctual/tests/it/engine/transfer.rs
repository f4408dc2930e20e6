//! Export and import: from one store into another.

use std::time::Duration;

use bytes::Bytes;
use macro_rules_attribute::apply;
use punctual::change::RecordKind;
use punctual::engine::{Imported, Moved};
use punctual::job::State;
use punctual::limits::{EXPORT_JOBS, OUTPUT_BYTES};
use punctual::run::{Outcome, RetryCause, RunId, SettleVerdict};
use punctual::schedule::{AT_ONCE, Overlap, Plan, Spec};
use punctual::source::Source;
use punctual::testing::{Call, Fate};
use punctual::{Engine, Error, JobId, Kind, hours, minutes};

use crate::stage::{Stage, done, settlement, work};
use crate::stores::{Place, on_each_store};

/// Everything that an engine exports.
async fn all(engine: &Engine) -> Vec<Moved> {
    let (mut jobs, mut after) = (Vec::new(), None);
    loop {
        let page = engine.export(after).await.expect("it can be read");
        assert!(page.jobs.len() <= EXPORT_JOBS);
        jobs.extend(page.jobs);
        after = page.next;
        if after.is_none() {
            return jobs;
        }
    }
}

async fn put_out(stage: &Stage, run: RunId, bytes: Vec<u8>) {
    let held = stage.engine.append_output(run, Bytes::from(bytes)).await;
    assert!(held.expect("it answers"));
}

async fn one_claimed(stage: &Stage) -> (punctual::job::Job, RunId) {
    let job = stage.claim(1).await.pop().expect("one is due");
    let (id, run) = (job.id(), job.status.run);
    (job, RunId { job: id, run })
}

/// Jobs that wait, hold keys, have been tried twice, have ended and run, some with output.
async fn mixed(place: &Place) -> Stage {
    let stage = Stage::quiet(place).await;
    stage.keep("default", hours(1)).await;
    let enqueue = async |name: &str| {
        let job = work().id(JobId::named(name)).unique(name);
        stage.engine.enqueue(job).await.expect("it is stored");
    };
    for (name, bytes) in [("short", 100), ("long", 3 * OUTPUT_BYTES)] {
        enqueue(name).await;
        let (job, run) = one_claimed(&stage).await;
        put_out(&stage, run, b"first".to_vec()).await;
        let retry = Outcome::Retry {
            cause: RetryCause::Error,
            error: "not yet".to_owned(),
            after: Some(Duration::ZERO),
        };
        stage
            .engine
            .settle(vec![settlement(&job, retry)])
            .await
            .expect("it answers");
        let (job, run) = one_claimed(&stage).await;
        let pattern = (0..=250).cycle().take(bytes).collect();
        put_out(&stage, run, pattern).await;
        let settled = vec![settlement(&job, done("7"))];
        stage.engine.settle(settled).await.expect("it answers");
    }
    enqueue("running").await;
    let (_, run) = one_claimed(&stage).await;
    put_out(&stage, run, b"so far".to_vec()).await;
    for n in 0..2 * EXPORT_JOBS {
        enqueue(&format!("waiting {n}")).await;
    }
    stage
}

fn count(imported: &[Result<Imported, Error>], what: Imported) -> usize {
    imported.iter().filter(|one| **one == Ok(what)).count()
}

#[apply(on_each_store)]
async fn what_is_moved_is_the_same_in_every_store(place: Place) {
    let from = mixed(&Place::memory()).await;
    let jobs = all(&from.engine).await;
    let runs = |moved: &Moved| moved.output.len();
    assert_eq!(jobs.iter().map(runs).sum::<usize>(), 5);
    assert!(
        jobs.iter()
            .any(|moved| moved.output.iter().any(|kept| kept.left_out > 0))
    );

    let to = Stage::quiet(&place).await;
    let imported = to.engine.import(jobs.clone()).await;
    assert_eq!(count(&imported, Imported::Added), jobs.len());
    assert_eq!(all(&to.engine).await, jobs);
    let again = to.engine.import(jobs.clone()).await;
    assert_eq!(count(&again, Imported::There), jobs.len());
    assert_eq!(all(&to.engine).await, jobs);

    // It comes back as it went.
    let back = Stage::quiet(&Place::memory()).await;
    back.engine.import(all(&to.engine).await).await;
    assert_eq!(all(&back.engine).await, jobs);

    // A run that was moved is as good there.
    let running = jobs.iter().find(|moved| moved.job.status.state == State::Running);
    let running = &running.expect("one runs").job;
    let verdicts = to.engine.settle(vec![settlement(running, done("1"))]).await;
    assert_eq!(verdicts, Ok(vec![SettleVerdict::Settled]));
}

#[apply(on_each_store)]
async fn an_import_that_stops_at_any_write_is_begun_again_where_it_stopped(place: Place) {
    let from = mixed(&place).await;
    let jobs: Vec<Moved> = all(&from.engine).await;
    let jobs: Vec<Moved> = jobs
        .into_iter()
        .filter(|moved| !moved.output.is_empty())
        .collect();
    let mut stopped = 0;
    for stop in 0.. {
        let to = Stage::quiet(&place).await;
        let mut writes = 0;
        to.store.rule(move |call| match call {
            Call::Insert(_) | Call::Apply(_) | Call::AppendOutput(_) => {
                writes += 1;
                match writes > stop {
                    true => Fate::Refuse(Error::unavailable("it was killed")),
                    false => Fate::Pass,
                }
            }
            _ => Fate::Pass,
        });
        let first = to.engine.import(jobs.clone()).await;
        to.store.rule(|_| Fate::Pass);
        let again = to.engine.import(jobs.clone()).await;
        assert!(again.iter().all(Result::is_ok), "{again:?}");
        assert_eq!(all(&to.engine).await, jobs, "it stopped after {stop} writes");
        if first.iter().all(Result::is_ok) {
            break;
        }
        stopped = stop;
    }
    assert!(stopped > 2 * jobs.len());
}

#[apply(on_each_store)]
async fn what_is_there_stays_as_it_is(place: Place) {
    let from = mixed(&place).await;
    let jobs = all(&from.engine).await;
    let to = Stage::quiet(&place).await;
    let other = work().id(JobId::named("waiting 0")).priority(1);
    to.engine.enqueue(other).await.expect("it is stored");
    to.engine
        .enqueue(work().unique("waiting 1"))
        .await
        .expect("it is stored");
    let imported = to.engine.import(jobs.clone()).await;
    let refused = imported.iter().filter_map(|one| one.as_ref().err());
    let told: Vec<String> = refused
        .map(|error| {
            assert_eq!(error.kind(), Kind::Conflict);
            error.to_string()
        })
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(count(&imported, Imported::Added), jobs.len() - 2);
    let there = to
        .engine
        .fetch(JobId::named("waiting 0"))
        .await
        .expect("it is there");
    assert_eq!(there.body.priority, 1);
}

#[apply(on_each_store)]
async fn records_are_moved_and_none_is_overwritten(place: Place) {
    let from = mixed(&place).await;
    let records = from.engine.export_records(RecordKind::Queue, None).await;
    let record = records.expect("it can be read").pop().expect("one queue is set");
    let to = Stage::quiet(&place).await;
    let import = async || {
        let document = record.document.clone();
        to.engine.import_record(record.kind, &record.name, document).await
    };
    assert_eq!(import().await, Ok(Imported::Added));
    assert_eq!(import().await, Ok(Imported::There));
    to.keep("default", hours(2)).await;
    let refused = import().await.map_err(|error| error.kind());
    assert_eq!(refused, Err(Kind::Conflict));
}

#[apply(on_each_store)]
async fn a_run_that_ended_before_its_schedule_was_moved_wakes_it_there(place: Place) {
    let from = Stage::with_caretaker(&place).await;
    let buffering = Plan {
        overlap: Overlap::BufferOne,
        ..Plan::new(Spec::every(minutes(1)), work())
    };
    let set = from.engine.set_schedule("s", buffering, None).await;
    set.expect("it is set");
    from.advance(minutes(2)).await;
    let row = from.engine.schedule("s").await.expect("it is there");
    assert_eq!((row.standing.live.len(), row.standing.owed.len()), (1, 1));
    let live = all(&from.engine).await;
    let (job, _) = one_claimed(&from).await;
    let settled = vec![settlement(&job, done("7"))];
    from.engine.settle(settled).await.expect("it answers");
    let mut ended = all(&from.engine).await;
    ended.retain(|moved| moved.job.id() == job.id());

    for (jobs, next) in [(live, row.standing.next), (ended, Some(AT_ONCE))] {
        let to = Stage::quiet(&Place::memory()).await;
        let imported = to.engine.import(jobs).await;
        assert_eq!(count(&imported, Imported::Added), 1);
        let arrival = to.engine.import_schedule(row.clone()).await;
        let arrival = arrival.expect("it can be").expect("it was not there");
        arrival.finish().await.expect("it stands still");
        let there = to.engine.schedule("s").await.expect("it is there");
        assert_eq!(there.standing.next, next);
    }
}

#[apply(on_each_store)]
async fn a_row_that_no_rule_made_is_refused_and_others_are_not(place: Place) {
    let from = mixed(&place).await;
    let jobs = all(&from.engine).await;
    type Spoil = fn(&mut Moved);
    let spoils: [(&str, Spoil); 5] = [
        ("/rev", |moved| moved.job.status.rev = 0),
        ("/run", |moved| moved.job.status.run = u64::MAX),
        ("/ended_at", |moved| {
            moved.job.status.ended_at = Some(moved.job.status.due)
        }),
        ("/life", |moved| moved.job.status.life = 0),
        ("/output", |moved| moved.output = vec![Default::default()]),
    ];
    for (pointer, spoil) in spoils {
        let to = Stage::quiet(&place).await;
        let waits = |moved: &Moved| moved.job.status.state == State::Waiting;
        let mut some: Vec<Moved> = jobs
            .iter()
            .filter(|moved| waits(moved))
            .take(3)
            .cloned()
            .collect();
        spoil(&mut some[1]);
        let imported = to.engine.import(some).await;
        assert_eq!(count(&imported, Imported::Added), 2);
        let refused = imported[1].as_ref().expect_err(pointer);
        assert_eq!(refused.fields()[0].pointer, pointer);
    }
}
