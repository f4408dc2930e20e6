//! One verb for all jobs that a filter matches.

use macro_rules_attribute::apply;
use punctual::engine::{Bulk, BulkVerb, Bulked, Filter, View};
use punctual::job::State;
use punctual::limits::{BULK_JOBS, BULK_REFUSALS, BULK_ROWS};
use punctual::source::Source;
use punctual::testing::{Call, Fate};
use punctual::{Error, JobId, Kind, NewJob, hours};

use crate::stage::{Stage, done, settlement, work};
use crate::stores::{Place, on_each_store};

fn all(verb: BulkVerb) -> Bulk {
    Bulk {
        verb,
        filter: Filter::default(),
        after: None,
        limit: BULK_JOBS,
        dry_run: false,
    }
}

fn cancel() -> BulkVerb {
    BulkVerb::Cancel("no more".to_owned())
}

async fn stored(stage: &Stage, jobs: Vec<NewJob>) -> Vec<JobId> {
    let stored = stage.engine.enqueue_all(jobs).await;
    stored
        .into_iter()
        .map(|job| job.expect("it is stored").id())
        .collect()
}

/// Calls again until the whole list was passed; all that came of it, and how many calls it took.
async fn to_the_end(stage: &Stage, mut bulk: Bulk) -> (Bulked, usize) {
    let mut sum = Bulked::default();
    for calls in 1..100 {
        let some = stage.engine.bulk(&bulk).await.expect("the store serves it");
        assert!(some.matched <= bulk.limit);
        sum.matched += some.matched;
        sum.changed += some.changed;
        sum.refused += some.refused;
        sum.refusals.extend(some.refusals);
        match some.next {
            Some(next) => bulk.after = Some(next),
            None => return (sum, calls),
        }
    }
    panic!("it never ends");
}

#[apply(on_each_store)]
async fn thousands_of_jobs_are_counted_then_cancelled_in_several_calls_and_others_stay(place: Place) {
    let stage = Stage::quiet(&place).await;
    let later = |n: usize| work().delay(hours(1)).tag(format!("t{}", n % 2));
    stored(&stage, (0..5_000).map(later).collect()).await;
    let mut bulk = all(cancel());
    bulk.filter.tag = Some("t1".to_owned());
    bulk.limit = 700;
    bulk.dry_run = true;
    let (counted, calls) = to_the_end(&stage, bulk.clone()).await;
    assert_eq!((counted.matched, counted.changed), (2_500, 0));
    assert_eq!(calls, 4);
    bulk.dry_run = false;
    let (cancelled, _) = to_the_end(&stage, bulk.clone()).await;
    assert_eq!(
        (cancelled.matched, cancelled.changed, cancelled.refused),
        (2_500, 2_500, 0)
    );
    let largest = stage.store.applies().iter().map(Vec::len).max();
    assert!(largest <= Some(BULK_ROWS), "{largest:?}");
    let (again, _) = to_the_end(&stage, bulk).await;
    assert_eq!(again.matched, 0, "what has ended is not for cancel");
    let counts = stage.engine.counts().await.expect("it counts");
    assert_eq!(counts.queues[0].jobs[State::Waiting as usize], 2_500);
    assert_eq!(counts.queues[0].jobs[State::Cancelled as usize], 2_500);
}

#[apply(on_each_store)]
async fn a_running_job_is_told_to_stop_once_and_is_not_deleted(place: Place) {
    let stage = Stage::quiet(&place).await;
    stored(&stage, vec![work(), work(), work()]).await;
    let running = stage.claim(1).await.remove(0);
    let (cancelled, _) = to_the_end(&stage, all(cancel())).await;
    assert_eq!((cancelled.matched, cancelled.changed), (3, 3));
    let (again, _) = to_the_end(&stage, all(cancel())).await;
    assert_eq!((again.matched, again.changed, again.refused), (1, 0, 0));
    let (deleted, _) = to_the_end(&stage, all(BulkVerb::Delete)).await;
    assert_eq!((deleted.matched, deleted.changed, deleted.refused), (3, 2, 1));
    let (id, why) = &deleted.refusals[0];
    assert_eq!((*id, why.kind()), (running.id(), Kind::Conflict));
}

#[apply(on_each_store)]
async fn ended_jobs_begin_a_new_life_unless_their_key_is_anothers(place: Place) {
    let stage = Stage::quiet(&place).await;
    let held = stored(&stage, vec![work().unique("k"), work()]).await[0];
    for job in stage.claim(2).await {
        let settled = stage.engine.settle(vec![settlement(&job, done("1"))]).await;
        settled.expect("it is settled");
    }
    stored(&stage, vec![work().unique("k")]).await;
    let mut bulk = all(BulkVerb::Retry);
    bulk.filter.view = View::Ended(None);
    let (retried, _) = to_the_end(&stage, bulk).await;
    assert_eq!((retried.matched, retried.changed, retried.refused), (2, 1, 1));
    assert_eq!(retried.refusals[0].0, held);
}

#[apply(on_each_store)]
async fn a_job_that_moves_on_meanwhile_is_changed_only_if_the_filter_still_matches(place: Place) {
    let stage = Stage::quiet(&place).await;
    let ids = stored(&stage, vec![work(), work().priority(0)]).await;
    let mut bulk = all(cancel());
    bulk.filter.view = View::Waiting;
    // Between the look and the write, one of them is claimed and the other one made due.
    let (engine, hurried) = (stage.neighbour(), ids[0]);
    let mut first = true;
    let held = std::sync::Arc::new(tokio::sync::Notify::new());
    let release = held.clone();
    stage.store.rule(move |call| match call {
        Call::Fetch(ids) if ids.len() == 2 && std::mem::take(&mut first) => Fate::Late(held.clone()),
        _ => Fate::Pass,
    });
    let meanwhile = async {
        stage.settle_down().await;
        let claimed = stage.claim(1).await;
        assert_eq!(claimed[0].id(), ids[1], "priority 0 goes first");
        engine.run_now(hurried, None).await.expect("it waits");
        release.notify_one();
    };
    let (cancelled, ()) = tokio::join!(stage.engine.bulk(&bulk), meanwhile);
    let cancelled = cancelled.expect("the store serves it");
    assert_eq!((cancelled.changed, cancelled.refused), (1, 0));
    let first = stage.engine.fetch(ids[0]).await.expect("it is there").status;
    let second = stage.engine.fetch(ids[1]).await.expect("it is there").status;
    assert_eq!(first.state, State::Cancelled);
    assert_eq!((second.state, second.cancel), (State::Running, None));
}

#[apply(on_each_store)]
async fn a_store_that_fails_midway_is_told_and_the_same_call_again_does_the_rest(place: Place) {
    let stage = Stage::quiet(&place).await;
    stored(&stage, (0..350).map(|_| work()).collect()).await;
    let mut calls = 0;
    stage.store.rule(move |call| match call {
        Call::Apply(_) => {
            calls += 1;
            match calls {
                3.. => Fate::Refuse(Error::unavailable("the disk is full")),
                _ => Fate::Pass,
            }
        }
        _ => Fate::Pass,
    });
    let failed = stage.engine.bulk(&all(BulkVerb::Delete)).await;
    assert_eq!(failed.map_err(|error| error.kind()), Err(Kind::Unavailable));
    stage.store.rule(|_| Fate::Pass);
    let (deleted, _) = to_the_end(&stage, all(BulkVerb::Delete)).await;
    assert_eq!((deleted.matched, deleted.changed), (150, 150));
}

#[apply(on_each_store)]
async fn what_cannot_be_is_refused_before_anything_is_done(place: Place) {
    let stage = Stage::quiet(&place).await;
    stored(&stage, vec![work()]).await;
    let mut none = all(cancel());
    none.limit = 0;
    let mut many = all(cancel());
    many.limit = BULK_JOBS + 1;
    for bulk in [none, many, all(BulkVerb::Cancel("x".repeat(2_000)))] {
        let refused = stage.engine.bulk(&bulk).await;
        assert_eq!(refused.map_err(|error| error.kind()), Err(Kind::Invalid));
    }
    assert!(stage.store.applies().is_empty());
}

#[apply(on_each_store)]
async fn only_the_first_refusals_are_told_one_by_one(place: Place) {
    let stage = Stage::quiet(&place).await;
    stored(&stage, (0..BULK_REFUSALS + 5).map(|_| work()).collect()).await;
    stage.claim(BULK_REFUSALS + 5).await;
    let (refused, _) = to_the_end(&stage, all(BulkVerb::Delete)).await;
    assert_eq!(
        (refused.refused, refused.refusals.len()),
        (BULK_REFUSALS + 5, BULK_REFUSALS)
    );
}
