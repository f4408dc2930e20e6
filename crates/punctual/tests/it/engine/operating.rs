//! What operators do.

use punctual::change::Edit;
use punctual::job::State;
use punctual::source::Source;
use punctual::store::{Filter, Page};
use punctual::{JobId, Kind, minutes, seconds};

use crate::stage::{Stage, done, settlement, work};

#[tokio::test]
async fn a_waiting_job_is_cancelled_at_once_and_cancelling_it_again_changes_nothing() {
    let stage = Stage::quiet();
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let cancelled = stage.engine.cancel(id, "no").await.expect("it waits");
    assert_eq!(cancelled.status.state, State::Cancelled);
    assert_eq!(stage.engine.cancel(id, "again").await, Ok(cancelled.clone()));
    assert_eq!(stage.engine.fetch(id).await, Ok(cancelled));
}

#[tokio::test]
async fn what_has_ended_cannot_be_cancelled_and_what_is_not_there_cannot_be_anything() {
    let stage = Stage::quiet();
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let job = stage.claim(1).await.remove(0);
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    let late = stage.engine.cancel(id, "").await;
    assert_eq!(late.map_err(|error| error.kind()), Err(Kind::Conflict));
    let unknown = stage.engine.cancel(JobId::named("nobody"), "").await;
    assert_eq!(unknown.map_err(|error| error.kind()), Err(Kind::NotFound));
}

#[tokio::test]
async fn an_ended_job_is_retried_unless_its_key_is_anothers() {
    let stage = Stage::quiet();
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
    let held = stage.engine.retry(id).await;
    assert_eq!(held.map_err(|error| error.kind()), Err(Kind::Conflict));
    stage.engine.delete(other, None).await.expect("it waits");
    let retried = stage.engine.retry(id).await.expect("the key is free");
    assert_eq!((retried.status.state, retried.status.life), (State::Waiting, 2));
    assert_eq!(stage.claim(1).await[0].id(), id);
}

#[tokio::test]
async fn a_job_is_edited_and_deleted_only_at_the_version_that_was_seen() {
    let stage = Stage::quiet();
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

#[tokio::test]
async fn a_job_for_later_can_be_run_now() {
    let stage = Stage::quiet();
    let id = stage
        .engine
        .enqueue(work().delay(minutes(9)))
        .await
        .expect("it is stored")
        .id();
    assert!(stage.claim(1).await.is_empty());
    stage.engine.run_now(id).await.expect("it waits");
    assert_eq!(stage.claim(1).await.len(), 1);
}

#[tokio::test]
async fn jobs_are_listed_and_counted() {
    let stage = Stage::quiet();
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
