//! What operators do.

use macro_rules_attribute::apply;
use punctual::change::Edit;
use punctual::job::State;
use punctual::limits::SETTINGS_AGE;
use punctual::queue::QueueSettings;
use punctual::source::Source;
use punctual::store::{Filter, Page};
use punctual::testing::{Call, Fate};
use punctual::{Error, JobId, Kind, minutes, seconds};

use crate::stage::{Stage, claim, done, settlement, work};
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn a_waiting_job_is_cancelled_at_once_and_cancelling_it_again_changes_nothing(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let cancelled = stage.engine.cancel(id, "no", None).await.expect("it waits");
    assert_eq!(cancelled.status.state, State::Cancelled);
    assert_eq!(
        stage.engine.cancel(id, "again", None).await,
        Ok(cancelled.clone())
    );
    assert_eq!(stage.engine.fetch(id).await, Ok(cancelled));
}

#[apply(on_each_store)]
async fn a_cancel_is_answered_as_one_where_nothing_is_kept(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.keep("default", seconds(0)).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let cancelled = stage.engine.cancel(id, "no", None).await.expect("it waits");
    assert_eq!(cancelled.status.state, State::Cancelled);
    assert_eq!(cancelled.status.cancel.as_deref(), Some("no"));
    let kind = stage.engine.fetch(id).await.map_err(|error| error.kind());
    assert_eq!(kind, Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn what_has_ended_cannot_be_cancelled_and_what_is_not_there_cannot_be_anything(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let job = stage.claim(1).await.remove(0);
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    let late = stage.engine.cancel(id, "", None).await;
    assert_eq!(late.map_err(|error| error.kind()), Err(Kind::Conflict));
    let unknown = stage.engine.cancel(JobId::named("nobody"), "", None).await;
    assert_eq!(unknown.map_err(|error| error.kind()), Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn an_ended_job_is_retried_unless_its_key_is_anothers(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage
        .engine
        .enqueue(work().unique("k"))
        .await
        .expect("it is stored")
        .id();
    let job = stage.claim(1).await.remove(0);
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    let other = stage
        .engine
        .enqueue(work().unique("k"))
        .await
        .expect("the key is free")
        .id();
    let held = stage.engine.retry(id, None).await;
    assert_eq!(held.map_err(|error| error.kind()), Err(Kind::Conflict));
    stage.engine.delete(other, None).await.expect("it waits");
    let retried = stage.engine.retry(id, None).await.expect("the key is free");
    assert_eq!((retried.status.state, retried.status.life), (State::Waiting, 2));
    assert_eq!(stage.claim(1).await[0].id(), id);
}

#[apply(on_each_store)]
async fn a_retried_job_takes_its_key_back_from_an_ended_job_whose_window_is_over(place: Place) {
    let stage = Stage::quiet(&place).await;
    let first = stage.engine.enqueue(work().unique("k")).await;
    let first = first.expect("it is stored").id();
    stage.engine.cancel(first, "", None).await.expect("it waits");
    let windowed = work().unique("k").unique_for(minutes(5));
    let second = stage.engine.enqueue(windowed).await;
    let second = second.expect("the key is free").id();
    stage.engine.cancel(second, "", None).await.expect("it waits");
    let held = stage.engine.retry(first, None).await;
    assert_eq!(held.map_err(|error| error.kind()), Err(Kind::Conflict));
    stage.clock.advance(minutes(5));
    let retried = stage.engine.retry(first, None).await.expect("the window is over");
    assert_eq!(retried.status.unique_key.as_deref(), Some("k"));
    let second = stage.engine.fetch(second).await.expect("it is kept");
    assert_eq!(second.status.unique_key, None);
}

#[apply(on_each_store)]
async fn a_queue_that_was_set_is_said_to_be_although_it_cannot_be_read_again(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.store.rule(|call| match call {
        Call::Records => Fate::Refuse(Error::unavailable("it is down")),
        _ => Fate::Pass,
    });
    let set = stage
        .engine
        .set_queue("default", QueueSettings::default(), Some(0));
    assert_eq!(set.await, Ok(1));
    stage.store.rule(|_| Fate::Pass);
    let (_, rev) = stage.engine.queue("default").await.expect("it reads");
    assert_eq!(rev, 1);
}

#[apply(on_each_store)]
async fn settings_that_cannot_be_read_again_stay_in_force(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage.keep("default", seconds(0)).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    stage.clock.advance(SETTINGS_AGE);
    stage.store.rule(|call| match call {
        Call::Records => Fate::Refuse(Error::unavailable("it is down")),
        _ => Fate::Pass,
    });
    stage.engine.cancel(id, "", None).await.expect("it waits");
    let gone = stage.engine.fetch(id).await;
    assert_eq!(gone.map_err(|error| error.kind()), Err(Kind::NotFound));
}

#[apply(on_each_store)]
async fn an_engine_that_is_closed_reads_but_writes_and_claims_nothing(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    stage.engine.close().await.expect("it closes");
    let claims = stage.store.claims();
    let claimed = stage.engine.claim(claim("w", 1), seconds(0)).await;
    assert_eq!(claimed.map_err(|error| error.kind()), Err(Kind::Unavailable));
    assert_eq!(stage.store.claims(), claims);
    let set = stage
        .engine
        .set_queue("default", QueueSettings::default(), None)
        .await;
    assert_eq!(set.map_err(|error| error.kind()), Err(Kind::Unavailable));
    let cancelled = stage.engine.cancel(id, "", None).await;
    assert_eq!(cancelled.map_err(|error| error.kind()), Err(Kind::Unavailable));
    let row = stage.engine.fetch(id).await.expect("it is there");
    assert_eq!(row.status.state, State::Waiting);
}

#[apply(on_each_store)]
async fn a_job_is_edited_and_deleted_only_at_the_version_that_was_seen(place: Place) {
    let stage = Stage::quiet(&place).await;
    let seen = stage
        .engine
        .enqueue(work())
        .await
        .expect("it is stored")
        .row()
        .clone();
    let (id, rev) = (seen.id(), seen.status.rev);
    let edit = Edit {
        priority: Some(1),
        ..Edit::default()
    };
    let edited = stage
        .engine
        .edit(id, edit.clone(), Some(rev))
        .await
        .expect("it waits");
    assert_eq!((edited.body.priority, edited.status.rev), (1, rev + 1));
    let stale = stage.engine.edit(id, edit, Some(rev)).await;
    assert_eq!(stale.map_err(|error| error.kind()), Err(Kind::Conflict));
    let stale = stage.engine.delete(id, Some(rev)).await;
    assert_eq!(stale.map_err(|error| error.kind()), Err(Kind::Conflict));
    assert_eq!(stage.engine.delete(id, Some(rev + 1)).await, Ok(()));
    assert_eq!(
        stage.engine.fetch(id).await.map_err(|error| error.kind()),
        Err(Kind::NotFound)
    );
}

#[apply(on_each_store)]
async fn a_job_is_cancelled_retried_and_hurried_only_at_the_version_that_was_seen(place: Place) {
    let stage = Stage::quiet(&place).await;
    let enqueued = stage.engine.enqueue(work().delay(minutes(9))).await;
    let seen = enqueued.expect("it is stored").row().clone();
    let (id, engine) = (seen.id(), &stage.engine);
    let mut rev = seen.status.rev;
    let hurried = engine.run_now(id, Some(rev)).await.expect("it waits");
    let stale = engine.cancel(id, "", Some(rev)).await.expect_err("it moved on");
    rev = hurried.status.rev;
    assert_eq!((stale.kind(), stale.version_there()), (Kind::Conflict, Some(rev)));
    assert_eq!(engine.fetch(id).await, Ok(hurried));

    let cancelled = engine.cancel(id, "", Some(rev)).await.expect("it waits");
    let stale = engine.retry(id, Some(rev)).await.expect_err("it moved on");
    assert_eq!(stale.version_there(), Some(cancelled.status.rev));
    let retried = engine.retry(id, Some(cancelled.status.rev)).await;
    let retried = retried.expect("it has ended");
    let stale = engine.run_now(id, Some(rev)).await.expect_err("it moved on");
    assert_eq!(stale.version_there(), Some(retried.status.rev));
}

#[apply(on_each_store)]
async fn a_job_for_later_can_be_run_now(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage
        .engine
        .enqueue(work().delay(minutes(9)))
        .await
        .expect("it is stored")
        .id();
    assert!(stage.claim(1).await.is_empty());
    stage.engine.run_now(id, None).await.expect("it waits");
    assert_eq!(stage.claim(1).await.len(), 1);
}

#[apply(on_each_store)]
async fn jobs_are_listed_and_counted(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage
        .engine
        .enqueue_all(vec![work(), work().delay(seconds(9))])
        .await;
    let page = Page {
        limit: 10,
        after: None,
    };
    let listed = stage
        .engine
        .list(Filter::default(), page)
        .await
        .expect("the store lists");
    assert_eq!(listed.items.len(), 2);
    let counted = stage.engine.counts().await.expect("the store counts");
    assert_eq!(counted.queues[0].jobs, [2, 0, 0, 0, 0]);
}
