//! Unique keys: how a batch is folded, and what becomes of a new job whose key is held.

use punctual::job::OnConflict;
use punctual::rules::admit::{Admitted, Conflict, conflict, fold};
use punctual::rules::edit::retry;

use super::*;

#[test]
fn a_key_is_the_users_text_or_made_of_kind_and_payload() {
    let key = |new: NewJob| World::new().row(new).status.unique_key;
    assert_eq!(key(plain().unique("k")).as_deref(), Some("k"));
    let made = key(NewJob::bytes("k", r#"{"a":1,"b":2}"#).unique_by_payload());
    assert_eq!(
        made,
        key(NewJob::bytes("k", r#"{ "b": 2, "a": 1 }"#).unique_by_payload())
    );
    assert_ne!(
        made,
        key(NewJob::bytes("l", r#"{"a":1,"b":2}"#).unique_by_payload())
    );
    assert!(made.is_some_and(|key| key.starts_with("xxh3:")));
}

#[test]
fn a_window_runs_from_creation() {
    let job = World::new().row(plain().delay(hours(1)).unique("k").unique_for(minutes(5)));
    assert_eq!(job.status.key_until, Some(NOON + minutes(5)));
    assert_eq!(job.body.unique_key, job.status.unique_key);
}

#[test]
fn a_batch_is_folded_as_its_conflict_modes_say() {
    use OnConflict::{Debounce, Existing, Reject, Replace};
    // For the modes of four jobs of one key: whose id stands for all of them.
    let cases = [
        ([Existing, Existing, Existing, Existing], 0),
        ([Existing, Reject, Existing, Reject], 0),
        ([Replace, Existing, Reject, Reject], 0),
        ([Existing, Replace, Existing, Reject], 1),
        ([Existing, Replace, Debounce, Reject], 2),
        ([Replace, Replace, Debounce, Debounce], 3),
    ];
    for (modes, winner) in cases {
        let jobs: Vec<Admitted> = (0..4)
            .map(|index| entry(index, Some("k"), modes[index]))
            .collect();
        assert_eq!(fold(&jobs), [winner; 4], "{modes:?}");
    }
}

#[test]
fn jobs_of_other_keys_or_none_stay_apart_and_in_order() {
    let keys = [Some("a"), None, Some("b"), Some("a"), None, Some("b")];
    let jobs: Vec<Admitted> = (0..6)
        .map(|index| entry(index, keys[index], OnConflict::Existing))
        .collect();
    assert_eq!(fold(&jobs), [0, 1, 2, 0, 4, 2]);
    assert_eq!(fold(&[]), [0; 0]);
}

#[test]
fn jobs_of_one_id_are_left_for_the_store() {
    for mode in [OnConflict::Existing, OnConflict::Replace] {
        let jobs = [entry(0, Some("k"), mode), entry(0, Some("k"), mode)];
        assert_eq!(fold(&jobs), [0, 1]);
    }
}

#[test]
fn existing_and_reject_leave_a_live_holder_alone() {
    let world = World::new();
    let waiting = holder(&world, plain());
    let running = world.claimed(&waiting);
    for holder in [waiting, running] {
        assert_eq!(meet(&world, OnConflict::Existing, &holder), Conflict::Existing);
        assert_eq!(meet(&world, OnConflict::Reject, &holder), Conflict::Reject);
    }
}

#[test]
fn replace_gives_a_waiting_holder_the_new_payload_and_due_instant() {
    let world = World::new();
    let holder = holder(&world, plain().priority(1).tag("old"));
    let new = newcomer(&world, OnConflict::Replace);
    let Conflict::Edit(change) = conflict(&new, &holder, NOON) else {
        panic!("a waiting holder can be edited");
    };
    let edited = applied(&holder, change);
    let expected = Body {
        payload: new.job.body.payload.clone(),
        ..Body::clone(&holder.body)
    };
    assert_eq!(*edited.body, expected, "all but the payload stays");
    assert_eq!(edited.status.due, NOON + minutes(7));
    assert_eq!(edited.status.unique_key, holder.status.unique_key);
    assert_eq!(edited.status.key_until, holder.status.key_until);
}

#[test]
fn debounce_pushes_the_due_instant_and_nothing_else() {
    let world = World::new();
    let holder = holder(&world, plain().delay(minutes(1)));
    let Conflict::Edit(change) = meet(&world, OnConflict::Debounce, &holder) else {
        panic!("a waiting holder can be edited");
    };
    assert_eq!(change.body, None);
    let edited = applied(&holder, change);
    assert_eq!(edited.status.due, NOON + minutes(7));
}

#[test]
fn a_due_instant_brings_its_start_deadline() {
    let world = World::new();
    let holder = holder(&world, plain().start_deadline(NOON + minutes(1)));
    for mode in [OnConflict::Replace, OnConflict::Debounce] {
        let Conflict::Edit(change) = meet(&world, mode, &holder) else {
            panic!("a waiting holder can be edited");
        };
        let edited = applied(&holder, change);
        assert_eq!(edited.status.alarm, None, "else it would expire before it is due");
        assert_eq!(edited.body.options.start_deadline, None);
    }
}

#[test]
fn a_holder_that_waits_for_its_next_attempt_is_edited_too() {
    let world = World::new();
    let holder = world.claimed(&holder(&world, plain()));
    let retry = Outcome::Retry {
        error: "no".to_owned(),
        after: None,
        cause: punctual::run::RetryCause::Error,
    };
    let change = settle(&holder, holder.status.run, &retry, &world.moment()).expect("it runs");
    let holder = applied(&holder, change);
    let Conflict::Edit(change) = meet(&world, OnConflict::Replace, &holder) else {
        panic!("a waiting holder can be edited");
    };
    assert_eq!(
        applied(&holder, change).status.attempt,
        1,
        "its attempts stay spent"
    );
}

#[test]
fn a_running_holder_is_answered_instead_of_replaced() {
    let world = World::new();
    let running = world.claimed(&holder(&world, plain()));
    for mode in [OnConflict::Replace, OnConflict::Debounce] {
        assert_eq!(meet(&world, mode, &running), Conflict::Existing);
    }
}

#[test]
fn a_holder_of_another_kind_never_takes_the_payload() {
    let world = World::new();
    let other = holder(&world, NewJob::bytes("other", "{}"));
    assert_eq!(meet(&world, OnConflict::Replace, &other), Conflict::Reject);
    assert!(matches!(
        meet(&world, OnConflict::Debounce, &other),
        Conflict::Edit(_)
    ));
}

#[test]
fn an_ended_holder_keeps_its_key_until_its_window_is_over_and_is_then_evicted() {
    let world = World::new();
    let ended = end(&world, &holder(&world, plain().unique_for(minutes(5))));
    let new = newcomer(&world, OnConflict::Replace);
    let last = NOON + minutes(5) - std::time::Duration::from_micros(1);
    assert_eq!(conflict(&new, &ended, last), Conflict::Existing);
    let Conflict::Evict(change) = conflict(&new, &ended, NOON + minutes(5)) else {
        panic!("the window is over");
    };
    let evicted = applied(&ended, change);
    assert_eq!(
        (evicted.status.unique_key.clone(), evicted.status.key_until),
        (None, None)
    );
    assert_eq!(evicted.status.state, State::Succeeded);
    assert_eq!(evicted.status.result, ended.status.result, "the row stays");
    assert_eq!(conflict(&new, &evicted, NOON + minutes(6)), Conflict::Gone);
    let retried = applied(&evicted, retry(&evicted, &world.moment()).expect("it has ended"));
    assert_eq!(
        retried.status.unique_key.as_deref(),
        Some("k"),
        "a new life takes the key again"
    );
}

#[test]
fn a_row_kept_for_its_key_alone_goes_when_it_is_evicted() {
    let mut world = World::new();
    world.retention = Retention::all(seconds(0));
    let husk = end(&world, &holder(&world, plain().unique_for(minutes(5))));
    let new = newcomer(&world, OnConflict::Existing);
    assert_eq!(conflict(&new, &husk, NOON), Conflict::Existing);
    let Conflict::Evict(change) = conflict(&new, &husk, NOON + minutes(5)) else {
        panic!("the window is over");
    };
    assert_eq!(apply(&husk, change), None);
}

/// A job that holds the key `k`.
fn holder(world: &World, new: NewJob) -> Job {
    world.row(new.id(JobId::named("holder")).unique("k"))
}

/// A job that wants the key `k`, with a payload of its own, in seven minutes.
fn newcomer(world: &World, on_conflict: OnConflict) -> Admitted {
    let new = NewJob::bytes("mail.welcome", r#"{"new":true}"#)
        .delay(minutes(7))
        .unique("k");
    world
        .admit(new.on_conflict(on_conflict))
        .expect("the job is right")
}

fn meet(world: &World, on_conflict: OnConflict, holder: &Job) -> Conflict {
    conflict(&newcomer(world, on_conflict), holder, world.now)
}

/// The row after a successful run.
fn end(world: &World, job: &Job) -> Job {
    let running = world.claimed(job);
    let done = Outcome::Done(Bytes::from_static(b"1"));
    let change = settle(&running, running.status.run, &done, &world.moment()).expect("it runs");
    applied(&running, change)
}

fn id(index: usize) -> JobId {
    JobId::named(&index.to_string())
}

fn entry(index: usize, key: Option<&str>, on_conflict: OnConflict) -> Admitted {
    let new = plain().id(id(index));
    let new = match key {
        Some(key) => new.unique(key).on_conflict(on_conflict),
        None => new,
    };
    World::new().admit(new).expect("the job is right")
}
