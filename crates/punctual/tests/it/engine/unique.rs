//! Unique jobs: one live job a key, in all four modes.

use futures_util::FutureExt;
use macro_rules_attribute::apply;
use punctual::change::Change;
use punctual::job::OnConflict;
use punctual::limits::CONFLICT_ROUNDS;
use punctual::source::Source;
use punctual::store::{Answer, Store};
use punctual::testing::{Call, Fate};
use punctual::{Error, JobId, Kind, NewJob, minutes, seconds};

use crate::stage::{Stage, done, settlement, soon, work};
use crate::stores::{Place, on_each_store};

fn keyed(payload: &'static str, on_conflict: OnConflict) -> NewJob {
    NewJob::bytes("work", payload)
        .unique("k")
        .on_conflict(on_conflict)
}

/// Enqueues this job by 64 callers at once. Answers for each the id that it was given, and whether that was another's.
async fn by_64(stage: &Stage, on_conflict: OnConflict) -> Vec<Result<(JobId, bool), Error>> {
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let engine = stage.engine.clone();
            let job = keyed("{}", on_conflict);
            tokio::spawn(async move {
                engine
                    .enqueue(job)
                    .await
                    .map(|job| (job.id(), job.deduplicated()))
            })
        })
        .collect();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(soon(caller).await.expect("a caller panicked"));
    }
    answers
}

#[apply(on_each_store)]
async fn sixty_four_callers_of_one_key_are_given_one_job(place: Place) {
    for on_conflict in [OnConflict::Existing, OnConflict::Replace, OnConflict::Debounce] {
        let stage = Stage::quiet(&place).await;
        let answers: Vec<_> = by_64(&stage, on_conflict).await.into_iter().flatten().collect();
        assert_eq!(answers.len(), 64);
        assert!(answers.iter().all(|(id, _)| *id == answers[0].0));
        assert_eq!(
            answers.iter().filter(|(_, deduplicated)| !deduplicated).count(),
            1
        );
        assert_eq!(stage.claim(100).await.len(), 1);
    }
}

#[apply(on_each_store)]
async fn who_asks_for_it_is_told_of_a_conflict(place: Place) {
    let stage = Stage::quiet(&place).await;
    let answers = by_64(&stage, OnConflict::Reject).await;
    let (given, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((given.len(), refused.len()), (1, 63));
    assert!(
        refused
            .iter()
            .all(|answer| answer.as_ref().is_err_and(|error| error.kind() == Kind::Conflict))
    );
}

#[apply(on_each_store)]
async fn a_waiting_holder_takes_the_new_payload_and_instant(place: Place) {
    let stage = Stage::quiet(&place).await;
    let first = stage
        .engine
        .enqueue(keyed("1", OnConflict::Existing).delay(seconds(9)))
        .await
        .expect("it is stored");
    let due = stage.engine.now() + minutes(5);
    let second = stage
        .engine
        .enqueue(keyed("2", OnConflict::Replace).at(due))
        .await
        .expect("it is stored");
    assert!(second.deduplicated());
    assert_eq!(second.id(), first.id());
    let row = stage.engine.fetch(first.id()).await.expect("it is there");
    assert_eq!(&row, second.row());
    assert_eq!((row.body.payload.as_ref(), row.status.due), (b"2".as_ref(), due));
}

#[apply(on_each_store)]
async fn a_debounce_pushes_the_instant_and_keeps_the_payload(place: Place) {
    let stage = Stage::quiet(&place).await;
    let first = stage
        .engine
        .enqueue(keyed("1", OnConflict::Existing).delay(seconds(9)))
        .await
        .expect("it is stored");
    let due = stage.engine.now() + minutes(5);
    let second = stage
        .engine
        .enqueue(keyed("2", OnConflict::Debounce).at(due))
        .await
        .expect("it is stored");
    assert_eq!(second.id(), first.id());
    let row = stage.engine.fetch(first.id()).await.expect("it is there");
    assert_eq!((row.body.payload.as_ref(), row.status.due), (b"1".as_ref(), due));
}

#[apply(on_each_store)]
async fn a_running_holder_is_left_alone(place: Place) {
    let stage = Stage::quiet(&place).await;
    stage
        .engine
        .enqueue(keyed("1", OnConflict::Existing))
        .await
        .expect("it is stored");
    let running = stage.claim(1).await.remove(0);
    for on_conflict in [OnConflict::Existing, OnConflict::Replace, OnConflict::Debounce] {
        let given = stage
            .engine
            .enqueue(keyed("2", on_conflict))
            .await
            .expect("there is a holder");
        assert_eq!(given.row(), &running);
    }
}

#[apply(on_each_store)]
async fn the_key_is_free_when_the_job_has_ended(place: Place) {
    let stage = Stage::quiet(&place).await;
    let first = stage
        .engine
        .enqueue(keyed("1", OnConflict::Reject))
        .await
        .expect("it is stored");
    let job = stage.claim(1).await.remove(0);
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    let second = stage
        .engine
        .enqueue(keyed("1", OnConflict::Reject))
        .await
        .expect("the key is free");
    assert_ne!(second.id(), first.id());
}

#[apply(on_each_store)]
async fn an_ended_holder_past_its_window_is_evicted(place: Place) {
    let stage = Stage::quiet(&place).await;
    let windowed = || keyed("1", OnConflict::Reject).unique_for(minutes(5));
    let first = stage.engine.enqueue(windowed()).await.expect("it is stored");
    let job = stage.claim(1).await.remove(0);
    stage
        .engine
        .settle(vec![settlement(&job, done("1"))])
        .await
        .expect("it is settled");
    let early = stage.engine.enqueue(windowed()).await.map(|job| job.id());
    assert_eq!(early.map_err(|error| error.kind()), Err(Kind::Conflict));
    stage.clock.advance(minutes(5));
    let second = stage
        .engine
        .enqueue(windowed())
        .await
        .expect("the window is over");
    assert_ne!(second.id(), first.id());
    assert_eq!(
        stage
            .engine
            .fetch(first.id())
            .await
            .expect("it is kept")
            .status
            .unique_key,
        None
    );
}

#[tokio::test]
async fn an_insert_is_tried_anew_when_the_holder_moves_on_meanwhile() {
    let stage = Stage::quiet(&Place::memory()).await;
    let first = stage.engine.enqueue(keyed("1", OnConflict::Existing)).await;
    let first = first.expect("it is stored").row().clone();
    // The holder goes between the insert that meets it and the look at it.
    let memory = std::sync::Arc::clone(&stage.store.behind);
    let mut holder = Some(first.clone());
    stage.store.rule(move |call| {
        if let Call::Fetch(_) = call
            && let Some(holder) = holder.take()
        {
            answered(memory.apply(&[Change::delete(&holder)]));
        }
        Fate::Pass
    });
    let second = soon(stage.engine.enqueue(keyed("2", OnConflict::Existing))).await;
    let second = second.expect("it is stored");
    assert!(!second.deduplicated() && second.id() != first.id());
    assert_eq!(stage.store.insert_sizes(), [1, 1, 1]);
    stage.engine.fetch(second.id()).await.expect("it is there");
}

#[apply(on_each_store)]
async fn a_batch_is_folded_as_if_its_jobs_had_come_one_after_the_other(place: Place) {
    let stage = Stage::quiet(&place).await;
    let batch = vec![
        keyed("1", OnConflict::Existing),
        work(),
        keyed("2", OnConflict::Existing),
        keyed("3", OnConflict::Reject),
        keyed("4", OnConflict::Existing).priority(99),
    ];
    let answers = stage.engine.enqueue_all(batch).await;
    let ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|job| job.id()).ok())
        .collect();
    let how: Vec<_> = answers.iter().flatten().map(|job| job.deduplicated()).collect();
    assert_eq!(ids[0], ids[2]);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(how, [false, false, true]);
    let kinds: Vec<_> = answers
        .iter()
        .skip(3)
        .map(|answer| answer.as_ref().map_err(Error::kind).err())
        .collect();
    assert_eq!(kinds, [Some(Kind::Conflict), Some(Kind::Invalid)]);
}

#[apply(on_each_store)]
async fn the_same_job_sent_again_is_the_same_job_and_another_under_its_id_is_a_conflict(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = JobId::named("invoice 7");
    let first = stage.engine.enqueue(work().id(id)).await.expect("it is stored");
    stage.clock.advance(seconds(3));
    let again = stage.engine.enqueue(work().id(id)).await.expect("it is the same");
    assert!(again.existed() && !first.existed());
    assert_eq!(again.row(), first.row());
    let other = stage
        .engine
        .enqueue(NewJob::bytes("work", "7").id(id))
        .await
        .map(|job| job.id());
    assert_eq!(other.map_err(|error| error.kind()), Err(Kind::Conflict));
}

#[apply(on_each_store)]
async fn a_refusal_in_a_batch_is_the_refuseds_own(place: Place) {
    let stage = Stage::quiet(&place).await;
    let holder = stage.engine.enqueue(keyed("0", OnConflict::Existing)).await;
    let holder = holder.expect("it is stored").id();
    let batch = vec![
        keyed("1", OnConflict::Reject),
        keyed("2", OnConflict::Existing),
        keyed("3", OnConflict::Reject),
        keyed("4", OnConflict::Debounce),
    ];
    let answers = stage.engine.enqueue_all(batch).await;
    let answers: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().map(|job| job.id()).map_err(Error::kind))
        .collect();
    let refused = Err(Kind::Conflict);
    assert_eq!(answers, [refused, Ok(holder), refused, Ok(holder)]);
    let pair = vec![keyed("1", OnConflict::Reject), keyed("2", OnConflict::Existing)];
    let answers = stage.engine.enqueue_all(pair).await;
    assert_eq!(
        answers[0].as_ref().map_err(Error::kind).err(),
        Some(Kind::Conflict)
    );
    assert_eq!(answers[1].as_ref().map(|job| job.id()), Ok(holder));
}

#[apply(on_each_store)]
async fn a_job_whose_id_is_taken_takes_nobody_of_its_key_with_it(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = JobId::named("taken");
    stage.engine.enqueue(work().id(id)).await.expect("it is stored");
    let batch = vec![
        keyed("1", OnConflict::Existing).id(id),
        keyed("2", OnConflict::Existing),
        keyed("3", OnConflict::Existing),
        keyed("4", OnConflict::Reject),
    ];
    let answers = stage.engine.enqueue_all(batch).await;
    let refused = |at: usize| answers[at].as_ref().map_err(Error::kind).err();
    assert_eq!(refused(0), Some(Kind::Conflict));
    let (second, third) = (answers[1].as_ref().expect("it is stored"), &answers[2]);
    assert!(!second.deduplicated());
    assert_eq!(third.as_ref().map(|job| job.id()), Ok(second.id()));
    assert_eq!(refused(3), Some(Kind::Conflict));
}

#[tokio::test]
async fn a_job_that_is_said_to_be_refused_was_never_stored() {
    let stage = Stage::quiet(&Place::memory()).await;
    let memory = std::sync::Arc::clone(&stage.store.behind);
    let id = JobId::named("new");
    // However often it is inserted, a holder is there, and is gone when it is looked at.
    let mut holders: Vec<_> = Vec::new();
    for n in 0..CONFLICT_ROUNDS {
        let engine = Stage::quiet(&Place::memory()).await.engine;
        let holder = keyed("1", OnConflict::Existing).id(JobId::named(&n.to_string()));
        holders.push(engine.enqueue(holder).await.expect("it is stored").row().clone());
    }
    stage.store.rule(move |call| {
        match call {
            Call::Insert(_) => {
                if let Some(holder) = holders.pop() {
                    answered(memory.insert(&[holder]));
                }
            }
            Call::Fetch(ids) if ids != [id] => {
                let rows = answered(memory.fetch(ids));
                let gone: Vec<_> = rows.iter().flatten().map(Change::delete).collect();
                answered(memory.apply(&gone));
            }
            _ => {}
        }
        Fate::Pass
    });
    let refused = stage
        .engine
        .enqueue(keyed("2", OnConflict::Existing).id(id))
        .await;
    assert_eq!(
        refused.map(|job| job.id()).map_err(|error| error.kind()),
        Err(Kind::Conflict)
    );
    let row = stage.engine.fetch(id).await;
    assert_eq!(row.map_err(|error| error.kind()), Err(Kind::NotFound));
}

/// A memory store answers at once.
fn answered<T>(answer: Answer<'_, T>) -> T {
    let answer = answer.now_or_never().expect("it is there");
    answer.expect("it serves")
}
