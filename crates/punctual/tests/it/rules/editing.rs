//! What an operator may do to a job in each of its states.

use punctual::Kind;
use punctual::change::{Edit, OptionsEdit};
use punctual::job::{Options, Start};
use punctual::rules::edit::{cancel, delete, edit, retry, run_now};
use punctual::run::Release;

use super::*;

#[test]
fn each_verb_is_allowed_in_its_states_and_else_a_conflict() {
    let world = World::new();
    let moment = world.moment();
    let priority = Edit {
        priority: Some(1),
        ..Edit::default()
    };
    // For each state: whether it may be cancelled, retried, run, edited, deleted.
    let cases = [
        (State::Waiting, [true, false, true, true, true]),
        (State::Running, [true, false, false, false, false]),
        (State::Succeeded, [false, true, false, false, true]),
        (State::Failed, [false, true, false, false, true]),
        (State::Cancelled, [true, true, false, false, true]),
    ];
    for (state, allowed) in cases {
        let job = in_state(&world, state);
        let answers = [
            cancel(&job, "", &moment).map(drop),
            retry(&job, &moment).map(drop),
            run_now(&job, &moment).map(drop),
            edit(&job, priority.clone(), &moment).map(drop),
            delete(&job).map(drop),
        ];
        for (answer, allowed) in answers.into_iter().zip(allowed) {
            let kind = answer.map_err(|error| error.kind());
            assert_eq!(
                kind,
                if allowed { Ok(()) } else { Err(Kind::Conflict) },
                "{state}"
            );
        }
    }
}

#[test]
fn a_waiting_job_is_cancelled_at_once_and_gives_its_key_back() {
    let world = World::new();
    let waiting = world.row(plain().unique("k").start_deadline(NOON + hours(1)));
    let job = applied(&waiting, noted(&world, &waiting));
    assert_eq!(job.status.state, State::Cancelled);
    assert_eq!(job.status.cancel.as_deref(), Some("stop it"));
    assert_eq!((job.status.ended_at, job.status.alarm), (Some(NOON), None));
    assert_eq!(job.status.unique_key, None);
}

#[test]
fn a_running_job_keeps_everything_until_it_has_stopped() {
    let world = World::new();
    let running = world.running(plain().unique("k"));
    let noted = applied(&running, noted(&world, &running));
    let mut expected = running.clone();
    expected.status.rev += 1;
    expected.status.cancel = Some("stop it".to_owned());
    assert_eq!(noted, expected);
    assert_eq!(cancel(&noted, "again", &world.moment()), Ok(None));
}

#[test]
fn a_deferred_run_is_left_no_more_than_a_lease_to_stop() {
    let mut world = World::new();
    for (length, alarm) in [(hours(1), minutes(1) + limits::LEASE), (seconds(70), seconds(70))] {
        world.now = NOON;
        let running = world.running(plain());
        let deferred = settled(&world, &running, &Outcome::Defer(length));
        world.now = NOON + minutes(1);
        let noted = applied(&deferred, noted(&world, &deferred));
        assert_eq!(noted.status.alarm, Some(NOON + alarm));
    }
}

#[test]
fn a_reason_is_bounded_text() {
    let world = World::new();
    for reason in ["nul\0".to_owned(), "r".repeat(limits::REASON_BYTES + 1)] {
        let error = cancel(&world.row(plain()), &reason, &world.moment()).expect_err("it is bad");
        assert_eq!(pointers(&error), ["/reason"]);
    }
}

#[test]
fn a_retried_job_begins_a_new_life() {
    let mut world = World::new();
    let running = world.running(plain().unique("k"));
    let ended = settled(
        &world,
        &running,
        &Outcome::Fail {
            error: "it broke".to_owned(),
        },
    );
    world.now = NOON + hours(1);
    let job = applied(&ended, retry(&ended, &world.moment()).expect("it has ended"));
    assert_eq!((job.status.state, job.status.life), (State::Waiting, 2));
    assert_eq!((job.status.attempt, job.status.refunds), (0, 0));
    assert_eq!(job.status.due, world.now);
    assert_eq!((job.status.ended_at, job.status.failure), (None, None));
    assert_eq!(job.status.first_started_at, None);
    assert_eq!(
        job.status.unique_key.as_deref(),
        Some("k"),
        "the key is taken again"
    );
    assert_eq!(
        job.status.history, ended.status.history,
        "what happened stays known"
    );
    assert_eq!(job.status.run, ended.status.run);
    assert_eq!(job.body, ended.body);
}

#[test]
fn a_retry_waives_a_start_deadline_that_has_passed_and_keeps_one_that_has_not() {
    let mut world = World::new();
    let running = world.running(plain().start_deadline(NOON + hours(1)));
    let ended = settled(
        &world,
        &running,
        &Outcome::Fail {
            error: "it broke".to_owned(),
        },
    );
    for (now, alarm) in [(NOON, Some(NOON + hours(1))), (NOON + hours(1), None)] {
        world.now = now;
        let job = applied(&ended, retry(&ended, &world.moment()).expect("it has ended"));
        assert_eq!(job.status.alarm, alarm);
        let released = settled(
            &world,
            &world.claimed(&job),
            &Outcome::Release(Release::Unstarted),
        );
        assert_eq!(released.status.alarm, alarm);
    }
}

#[test]
fn a_row_kept_for_its_key_alone_cannot_be_retried() {
    let mut world = World::new();
    world.retention = Retention::all(seconds(0));
    let running = world.running(plain().unique("k").unique_for(hours(1)));
    let husk = settled(&world, &running, &Outcome::Done(Bytes::new()));
    world.retention = Retention::default();
    let error = retry(&husk, &world.moment()).expect_err("its payload is gone");
    assert_eq!(error.kind(), Kind::Conflict);
}

#[test]
fn a_job_that_is_run_now_is_due_now_or_keeps_its_place() {
    let world = World::new();
    let due = |new: NewJob| {
        let job = world.row(new);
        applied(&job, run_now(&job, &world.moment()).expect("it waits"))
            .status
            .due
    };
    assert_eq!(due(plain().delay(hours(1))), NOON);
    assert_eq!(due(plain().at(NOON - hours(1))), NOON - hours(1));
}

#[test]
fn an_edit_changes_what_it_names_and_nothing_else() {
    let world = World::new();
    let job = world.row(plain().unique_by_payload().tag("old"));
    let options = Options {
        timeout: Some(seconds(5)),
        start_deadline: Some(NOON + hours(2)),
        ..Options::default()
    };
    let all = Edit {
        start: Some(Start::At(NOON + hours(1))),
        priority: Some(0),
        payload: Some(Bytes::from_static(b"[]")),
        tags: Some(vec!["new".to_owned()]),
        options: options.clone().into(),
    };
    let edited = applied(&job, edit(&job, all, &world.moment()).expect("it is right"));
    let body = Body {
        priority: 0,
        payload: Bytes::from_static(b"[]"),
        tags: vec!["new".to_owned()],
        options,
        ..Body::clone(&job.body)
    };
    assert_eq!(
        *edited.body, body,
        "fingerprint and key are those of the job as it was sent"
    );
    assert_eq!(edited.status.due, NOON + hours(1));
    assert_eq!(edited.status.alarm, Some(NOON + hours(2)));
    let nothing = edit(&job, Edit::default(), &world.moment()).expect("it is right");
    assert_eq!(nothing.body, None);
}

#[test]
fn an_edit_of_one_limit_leaves_the_others_and_may_give_one_up() {
    let world = World::new();
    let job = world.row(plain().timeout(seconds(5)).max_attempts(3));
    let wish = Edit {
        start: Some(Start::In(minutes(5))),
        options: OptionsEdit {
            timeout: Some(None),
            max_elapsed: Some(Some(hours(1))),
            ..OptionsEdit::default()
        },
        ..Edit::default()
    };
    let edited = applied(&job, edit(&job, wish, &world.moment()).expect("it is right"));
    assert_eq!(edited.status.due, world.moment().now + minutes(5));
    let options = Options {
        timeout: None,
        max_attempts: Some(3),
        max_elapsed: Some(hours(1)),
        ..Options::default()
    };
    assert_eq!(edited.body.options, options);
}

#[test]
fn an_edits_lengths_are_cut_to_the_microseconds_that_stores_keep() {
    let world = World::new();
    let edited = Edit {
        options: plain().timeout(Duration::from_nanos(1_999)).options.into(),
        ..Edit::default()
    };
    let job = world.row(plain());
    let change = edit(&job, edited, &world.moment()).expect("the job waits");
    let options = &applied(&job, change).body.options;
    assert_eq!(options.timeout, Some(Duration::from_micros(1)));
}

#[test]
fn an_edit_is_held_to_what_admission_is_held_to() {
    let world = World::new();
    let job = world.row(plain().start_deadline(NOON + hours(1)));
    let refused = |wish: Edit| {
        let error = edit(&job, wish, &world.moment()).expect_err("it is bad");
        pointers(&error)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let bad = Edit {
        start: Some(Start::At(Timestamp::EPOCH - seconds(1))),
        priority: Some(10),
        payload: Some(vec![0; limits::PAYLOAD_BYTES + 1].into()),
        tags: Some(vec![String::new()]),
        options: OptionsEdit {
            timeout: Some(Some(seconds(0))),
            ..OptionsEdit::default()
        },
    };
    assert_eq!(
        refused(bad),
        ["/run_at", "/priority", "/payload", "/tags/0", "/timeout"]
    );
    let too_late = Edit {
        start: Some(Start::At(NOON + hours(1))),
        ..Edit::default()
    };
    assert_eq!(refused(too_late), ["/run_at"], "it could never start");
    let too_late = Edit {
        start: Some(Start::In(hours(1))),
        ..Edit::default()
    };
    assert_eq!(refused(too_late), ["/delay"], "it could never start");
    let too_early = OptionsEdit {
        start_deadline: Some(Some(NOON)),
        ..OptionsEdit::default()
    };
    let too_early = Edit {
        options: too_early,
        ..Edit::default()
    };
    assert_eq!(refused(too_early), ["/start_deadline"]);
}

#[test]
fn a_job_that_has_started_cannot_be_edited_even_while_it_waits() {
    let world = World::new();
    let running = world.running(plain());
    let snoozed = settled(&world, &running, &Outcome::Snooze { until: NOON });
    let error = edit(&snoozed, Edit::default(), &world.moment()).expect_err("it has started");
    assert_eq!(error.kind(), Kind::Conflict);
    let released = settled(&world, &running, &Outcome::Release(Release::Unstarted));
    assert!(edit(&released, Edit::default(), &world.moment()).is_ok());
}

#[test]
fn an_edit_cannot_leave_fewer_attempts_than_are_used() {
    let world = World::new();
    let mut job = world.row(plain());
    for _ in 0..=limits::REFUNDS {
        job = settled(
            &world,
            &world.claimed(&job),
            &Outcome::Release(Release::Unstarted),
        );
    }
    assert_eq!((job.status.attempt, job.status.first_started_at), (1, None));
    let attempts = |count| Edit {
        options: OptionsEdit {
            max_attempts: Some(Some(count)),
            ..OptionsEdit::default()
        },
        ..Edit::default()
    };
    let error = edit(&job, attempts(1), &world.moment()).expect_err("it is used up");
    assert_eq!(pointers(&error), ["/max_attempts"]);
    assert!(edit(&job, attempts(2), &world.moment()).is_ok());
}

fn in_state(world: &World, state: State) -> Job {
    let outcome = match state {
        State::Waiting => return world.row(plain()),
        State::Running => return world.running(plain()),
        State::Succeeded => Outcome::Done(Bytes::new()),
        State::Failed => Outcome::Fail { error: String::new() },
        State::Cancelled => Outcome::Cancelled {
            reason: String::new(),
        },
    };
    settled(world, &world.running(plain()), &outcome)
}

fn noted(world: &World, job: &Job) -> Change {
    cancel(job, "stop it", &world.moment())
        .expect("a live job can be cancelled")
        .expect("nobody has cancelled it before")
}
