//! What a row keeps of a run and of a life, and for how long.

use punctual::rules::settle::prunable;
use punctual::run::AttemptOutcome;

use super::*;

#[test]
fn an_end_gives_the_key_back_unless_its_window_still_runs() {
    let world = World::new();
    let cases = [
        (plain().unique("k"), None),
        (plain().unique("k").unique_for(minutes(5)), Some("k")),
    ];
    for (new, key) in cases {
        let running = world.running(new);
        for outcome in [done(), fail(), cancelled()] {
            let job = settled(&world, &running, &outcome);
            assert_eq!(job.status.unique_key.as_deref(), key);
            assert_eq!(job.status.key_until.is_some(), key.is_some());
        }
        let job = settled(&world, &running, &retry(RetryCause::Error));
        assert_eq!(
            job.status.unique_key.as_deref(),
            Some("k"),
            "a live job keeps its key"
        );
    }
    let mut later = World::new();
    later.now = NOON + minutes(5);
    let running = world.running(plain().unique("k").unique_for(minutes(5)));
    assert_eq!(settled(&later, &running, &done()).status.unique_key, None);
}

#[test]
fn what_is_not_kept_is_deleted_as_it_ends() {
    let mut world = World::new();
    world.retention.succeeded = Duration::ZERO;
    let running = world.running(plain().unique("k"));
    let change = settle(&running, running.status.run, &done(), &world.moment()).expect("it runs");
    assert_eq!(apply(&running, change), None);
    assert_eq!(settled(&world, &running, &fail()).status.state, State::Failed);
}

#[test]
fn what_is_not_kept_leaves_a_husk_as_long_as_its_window_runs() {
    let mut world = World::new();
    world.retention = Retention::all(Duration::ZERO);
    let running = world.running(plain().unique("k").unique_for(minutes(5)));
    let husk = settled(&world, &running, &done());
    assert_eq!(husk.status.state, State::Succeeded);
    assert_eq!(husk.status.unique_key.as_deref(), Some("k"));
    assert_eq!((husk.body.payload.len(), &husk.status.result), (0, &None));
    assert_eq!(
        husk.body.fingerprint, running.body.fingerprint,
        "sent again, it is still the same job"
    );
    let secret = plain()
        .unique("k")
        .unique_for(minutes(5))
        .tag("secret")
        .max_attempts(1);
    for outcome in [fail(), retry(RetryCause::Panic), cancelled()] {
        let silent = settled(&world, &world.running(secret.clone()), &outcome);
        let (body, status) = (&silent.body, &silent.status);
        assert_eq!(
            (&body.tags, &body.options),
            (&Vec::new(), &punctual::job::Options::default())
        );
        assert_eq!(status.history, []);
        let told = format!("{silent:?}");
        for said in ["it broke", "changed my mind", "secret"] {
            assert!(!told.contains(said), "{told}");
        }
    }
    let ready = |now| {
        prunable(
            State::Succeeded,
            Some(NOON),
            husk.status.key_until,
            &world.retention,
            now,
        )
    };
    assert!(!ready(NOON + minutes(4)));
    assert!(ready(NOON + minutes(5)));
}

#[test]
fn ended_rows_can_be_pruned_when_their_retention_is_over() {
    let retention = Retention {
        succeeded: minutes(1),
        failed: minutes(2),
        cancelled: minutes(3),
    };
    let ready = |state, after| prunable(state, Some(NOON), None, &retention, NOON + after);
    for (state, kept) in [
        (State::Succeeded, minutes(1)),
        (State::Failed, minutes(2)),
        (State::Cancelled, minutes(3)),
    ] {
        assert!(!ready(state, kept - milliseconds(1)));
        assert!(ready(state, kept));
    }
    for state in [State::Waiting, State::Running] {
        assert!(!ready(state, limits::LENGTH_MAX), "a live job is kept for ever");
    }
}

#[test]
fn a_result_that_is_too_long_is_a_failure_that_says_so() {
    let mut world = World::new();
    world.defaults.result_bytes = 4;
    let running = world.running(plain());
    let fits = settled(&world, &running, &Outcome::Done(Bytes::from_static(b"1234")));
    assert_eq!(fits.status.result.as_deref(), Some(&b"1234"[..]));
    let long = settled(&world, &running, &Outcome::Done(Bytes::from_static(b"12345")));
    assert_eq!(
        failure(&long),
        (
            FailureReason::Failed,
            "it is done, but its result has 5 bytes, and at most 4 are kept"
        )
    );
    assert_eq!(long.status.result, None);
    assert_eq!(long.status.history[0].outcome, AttemptOutcome::Failed);
}

#[test]
fn errors_are_clipped_and_hold_no_nul() {
    let world = World::new();
    let error = format!("\0{}", "é".repeat(limits::ERROR_BYTES));
    for outcome in [
        Outcome::Fail { error: error.clone() },
        Outcome::Cancelled {
            reason: error.clone(),
        },
    ] {
        let job = settled(&world, &world.running(plain()), &outcome);
        let texts = [
            job.status.history[0].error.clone(),
            job.status.failure.map(|failure| failure.message),
            job.status.cancel,
        ];
        for text in texts.into_iter().flatten() {
            assert!(text.len() <= limits::ERROR_BYTES && text.len() > limits::ERROR_BYTES - 2);
            assert!(text.starts_with("\u{fffd}é"));
        }
    }
}

#[test]
fn the_history_keeps_the_newest_twenty() {
    let mut world = World::new();
    let mut job = world.row(plain().max_attempts(30));
    for _ in 0..25 {
        world.now = job.status.due;
        job = settled(&world, &world.claimed(&job), &retry_after(seconds(1)));
    }
    let numbers: Vec<u32> = job.status.history.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (6..=25).collect::<Vec<u32>>());
}

#[test]
fn progress_ends_with_the_wait_for_another_run() {
    let world = World::new();
    let mut running = world.running(plain());
    running.status.progress = Some(Bytes::from_static(b"50"));
    assert_eq!(
        settled(&world, &running, &retry(RetryCause::Error))
            .status
            .progress,
        None
    );
    assert!(settled(&world, &running, &fail()).status.progress.is_some());
}
