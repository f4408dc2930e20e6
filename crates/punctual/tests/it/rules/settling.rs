//! What becomes of a run, for every outcome; and of jobs whose alarm has passed.

use std::time::Duration;

use bytes::Bytes;
use punctual::job::{Backoff, FailureReason, OnLost};
use punctual::rules::edit::cancel;
use punctual::rules::settle::{prunable, reclaim, settle};
use punctual::run::{AttemptOutcome, Outcome, Release, RetryCause};
use punctual::{hours, milliseconds, seconds};

use super::*;

#[test]
fn a_run_that_does_not_hold_the_job_is_stale() {
    let world = World::new();
    let running = world.running(plain());
    let run = running.status.run;
    for stale in [0, run - 1, run + 1] {
        assert_eq!(settle(&running, stale, &done(), &world.moment()), None);
    }
    let ended = settled(&world, &running, &done());
    assert_eq!(settle(&ended, run, &done(), &world.moment()), None);
    let waiting = settled(&world, &running, &snooze(NOON));
    assert_eq!(settle(&waiting, run, &done(), &world.moment()), None);
}

#[test]
fn a_settle_after_the_lease_ran_out_is_accepted_as_long_as_nobody_reclaimed_the_job() {
    let mut world = World::new();
    let running = world.running(plain());
    world.now = NOON + hours(1);
    assert_eq!(settled(&world, &running, &done()).status.state, State::Succeeded);
}

#[test]
fn each_outcome_leads_to_its_state() {
    use Release::{Interrupted, UnknownKind, Unstarted};
    let cases = [
        (done(), State::Succeeded, AttemptOutcome::Succeeded),
        (fail(), State::Failed, AttemptOutcome::Failed),
        (retry(RetryCause::Error), State::Waiting, AttemptOutcome::Failed),
        (
            retry(RetryCause::Timeout),
            State::Waiting,
            AttemptOutcome::TimedOut,
        ),
        (retry(RetryCause::Panic), State::Waiting, AttemptOutcome::Panicked),
        (snooze(NOON), State::Waiting, AttemptOutcome::Snoozed),
        (cancelled(), State::Cancelled, AttemptOutcome::Cancelled),
        (
            Outcome::Release(Unstarted),
            State::Waiting,
            AttemptOutcome::Released,
        ),
        (
            Outcome::Release(Interrupted),
            State::Waiting,
            AttemptOutcome::Interrupted,
        ),
        (unknown(seconds(10)), State::Waiting, AttemptOutcome::Released),
        (
            Outcome::Release(UnknownKind(seconds(10))),
            State::Waiting,
            AttemptOutcome::Released,
        ),
    ];
    let world = World::new();
    for (outcome, state, how) in cases {
        let running = world.running(plain());
        let job = settled(&world, &running, &outcome);
        assert_eq!(job.status.state, state, "{outcome:?}");
        assert_eq!(job.status.ended_at.is_some(), state.is_ended());
        assert_eq!(job.status.alarm, None);
        let attempt = job.status.history.last().expect("the run is in the history");
        assert_eq!(
            (attempt.outcome, attempt.number, attempt.life),
            (how, 1, 1),
            "{outcome:?}"
        );
        assert_eq!(attempt.run, running.status.run);
        assert_eq!(attempt.worker, running.status.worker);
    }
}

#[test]
fn a_noted_cancel_wins_over_whatever_the_handler_answers() {
    let world = World::new();
    let running = world.running(plain().on_lost(OnLost::Fail).max_attempts(1));
    let noted = applied(&running, note_cancel(&world, &running));
    let outcomes = [
        done(),
        fail(),
        retry(RetryCause::Error),
        snooze(NOON),
        cancelled(),
        Outcome::Release(Release::Unstarted),
        Outcome::Release(Release::Interrupted),
        unknown(seconds(10)),
    ];
    for outcome in outcomes {
        let job = settled(&world, &noted, &outcome);
        assert_eq!(job.status.state, State::Cancelled, "{outcome:?}");
        assert_eq!(job.status.cancel.as_deref(), Some("no longer wanted"));
        assert_eq!((job.status.result, job.status.failure), (None, None));
    }
    let mut later = World::new();
    later.now = NOON + limits::LEASE;
    let change = reclaim(&noted, &later.moment()).expect("the lease ran out");
    assert_eq!(applied(&noted, change).status.state, State::Cancelled);
}

#[test]
fn a_handler_may_cancel_its_own_job() {
    let world = World::new();
    let job = settled(&world, &world.running(plain()), &cancelled());
    assert_eq!(job.status.cancel.as_deref(), Some("changed my mind"));
}

#[test]
fn a_retry_waits_for_its_backoff_or_as_long_as_the_handler_says() {
    let mut world = World::new();
    world.chance = 0.5;
    let backoff = Backoff::Exponential {
        base: seconds(4),
        factor: 2.0,
        max: hours(1),
    };
    let running = world.running(plain().backoff(backoff));
    let job = settled(&world, &running, &retry(RetryCause::Error));
    assert_eq!(job.status.due, NOON + seconds(2));
    assert_eq!(job.status.attempt, 1);
    let job = settled(&world, &running, &retry_after(seconds(77)));
    assert_eq!(job.status.due, NOON + seconds(77));
    let job = settled(&world, &running, &retry_after(Duration::MAX));
    assert_eq!(job.status.due, NOON + limits::LENGTH_MAX);
}

#[test]
fn the_last_attempt_fails_the_job_as_exhausted() {
    let world = World::new();
    let job = world.row(plain().max_attempts(2).backoff(Backoff::Fixed(Duration::ZERO)));
    let job = settled(&world, &world.claimed(&job), &retry(RetryCause::Error));
    assert_eq!(job.status.state, State::Waiting);
    let job = settled(&world, &world.claimed(&job), &retry(RetryCause::Error));
    assert_eq!(job.status.state, State::Failed);
    assert_eq!(
        failure(&job),
        (FailureReason::Exhausted, "attempt 2 of 2: it broke")
    );
    assert_eq!(job.status.history.len(), 2);
}

#[test]
fn no_attempt_begins_after_max_elapsed() {
    let mut world = World::new();
    let running = world.running(plain().max_elapsed(minutes(10)));
    world.now = NOON + minutes(5);
    let early = settled(&world, &running, &retry_after(minutes(4)));
    assert_eq!(early.status.state, State::Waiting);
    for outcome in [retry_after(minutes(5)), snooze(NOON + minutes(10))] {
        let job = settled(&world, &running, &outcome);
        assert_eq!(failure(&job).0, FailureReason::Exhausted, "{outcome:?}");
    }
    world.now = NOON + minutes(10);
    let late = settled(&world, &running, &Outcome::Release(Release::Interrupted));
    assert_eq!(failure(&late).0, FailureReason::Exhausted);
    let unstarted = settled(&world, &running, &Outcome::Release(Release::Unstarted));
    assert_eq!(
        unstarted.status.state,
        State::Waiting,
        "its first attempt has not begun"
    );
}

#[test]
fn a_snooze_costs_no_attempt_and_names_no_instant_beyond_the_bounds() {
    let world = World::new();
    let running = world.running(plain().max_attempts(1));
    for (until, due) in [
        (NOON + hours(1), NOON + hours(1)),
        (NOON - hours(1), NOON),
        (Timestamp::MAX, NOON + limits::LENGTH_MAX),
    ] {
        let job = settled(&world, &running, &snooze(until));
        assert_eq!((job.status.due, job.status.attempt), (due, 0));
        assert_eq!(
            job.status.first_started_at,
            Some(NOON),
            "it has started all the same"
        );
    }
}

#[test]
fn what_was_put_back_unstarted_is_as_if_it_had_never_been_claimed() {
    let world = World::new();
    let waiting = world.row(plain().start_deadline(NOON + hours(1)));
    for outcome in [Outcome::Release(Release::Unstarted), unknown(seconds(10))] {
        let job = settled(&world, &world.claimed(&waiting), &outcome);
        assert_eq!((job.status.attempt, job.status.first_started_at), (0, None));
        assert_eq!(
            job.status.alarm,
            Some(NOON + hours(1)),
            "the start deadline holds again"
        );
    }
    let first = settled(&world, &world.claimed(&waiting), &retry_after(seconds(1)));
    let mut later = World::new();
    later.now = NOON + seconds(1);
    let again = settled(
        &later,
        &later.claimed(&first),
        &Outcome::Release(Release::Unstarted),
    );
    assert_eq!(
        (again.status.attempt, again.status.first_started_at),
        (1, Some(NOON))
    );
    assert_eq!(again.status.alarm, None);
    assert_eq!(
        again.status.due,
        NOON + seconds(1),
        "it keeps its place in the line"
    );
}

#[test]
fn a_job_that_has_started_stays_so_even_if_its_next_run_begins_in_the_same_instant() {
    let world = World::new();
    let job = world.row(plain().start_deadline(NOON + hours(1)));
    let job = settled(&world, &world.claimed(&job), &retry_after(Duration::ZERO));
    let job = settled(
        &world,
        &world.claimed(&job),
        &Outcome::Release(Release::Unstarted),
    );
    assert_eq!(
        (job.status.first_started_at, job.status.alarm),
        (Some(NOON), None)
    );
}

#[test]
fn after_ten_refunds_a_release_counts() {
    let world = World::new();
    for release in [Release::Unstarted, Release::Interrupted] {
        let mut job = world.row(plain().max_attempts(2));
        for _ in 0..limits::REFUNDS {
            job = settled(&world, &world.claimed(&job), &Outcome::Release(release));
            assert_eq!(job.status.attempt, 0);
        }
        job = settled(&world, &world.claimed(&job), &Outcome::Release(release));
        assert_eq!((job.status.state, job.status.attempt), (State::Waiting, 1));
        job = settled(&world, &world.claimed(&job), &Outcome::Release(release));
        assert_eq!(failure(&job).0, FailureReason::Exhausted);
    }
}

#[test]
fn an_unknown_kind_never_costs_an_attempt_and_never_comes_back_at_once() {
    let mut world = World::new();
    let mut job = world.row(plain().max_attempts(1));
    for _ in 0..100 {
        job = settled(&world, &world.claimed(&job), &unknown(Duration::ZERO));
        assert_eq!((job.status.state, job.status.attempt), (State::Waiting, 0));
        assert_eq!(job.status.due, world.now + limits::UNKNOWN_KIND_DELAY);
        world.now = job.status.due;
    }
    assert_eq!(
        job.status.history.len(),
        1,
        "of releases in a row the last one stays"
    );
    let job = settled(&world, &world.claimed(&job), &unknown(hours(1)));
    assert_eq!(job.status.due, world.now + limits::UNKNOWN_KIND_DELAY_MAX);
}

#[test]
fn an_interrupted_run_that_must_not_run_twice_has_failed() {
    let world = World::new();
    let running = world.running(plain().on_lost(OnLost::Fail));
    let job = settled(&world, &running, &Outcome::Release(Release::Interrupted));
    assert_eq!(failure(&job), (FailureReason::Interrupted, "its worker stopped"));
    let job = settled(&world, &running, &Outcome::Release(Release::Unstarted));
    assert_eq!(job.status.state, State::Waiting, "it has not run even once");
}

#[test]
fn a_deferred_run_goes_on_and_can_be_settled_or_lost_like_any_other() {
    let mut world = World::new();
    let running = world.running(plain());
    let deferred = settled(&world, &running, &Outcome::Defer(hours(1)));
    assert_eq!(deferred.status.state, State::Running);
    assert!(deferred.status.deferred);
    assert_eq!(deferred.status.run, running.status.run);
    assert_eq!(deferred.status.worker, running.status.worker);
    assert_eq!(deferred.status.alarm, Some(NOON + hours(1)));
    assert_eq!(deferred.status.history, []);
    let ended = settled(&world, &deferred, &done());
    assert_eq!(
        (ended.status.state, ended.status.deferred),
        (State::Succeeded, false)
    );
    world.now = NOON + hours(1);
    let lost = applied(
        &deferred,
        reclaim(&deferred, &world.moment()).expect("its lease ran out"),
    );
    assert_eq!((lost.status.state, lost.status.deferred), (State::Waiting, false));
}

#[test]
fn a_run_that_is_to_stop_is_deferred_for_no_more_than_a_lease() {
    let world = World::new();
    let running = world.running(plain());
    let noted = applied(&running, note_cancel(&world, &running));
    let deferred = settled(&world, &noted, &Outcome::Defer(hours(1)));
    assert_eq!(deferred.status.state, State::Running);
    assert_eq!(deferred.status.alarm, Some(NOON + limits::LEASE));
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
fn nothing_is_reclaimed_before_its_alarm() {
    let mut world = World::new();
    let waiting = world.row(plain().start_deadline(NOON + limits::LEASE));
    let running = world.claimed(&waiting);
    let ended = settled(&world, &running, &done());
    world.now = NOON + limits::LEASE - milliseconds(1);
    assert_eq!(reclaim(&waiting, &world.moment()), None);
    assert_eq!(reclaim(&running, &world.moment()), None);
    world.now = NOON + hours(100);
    assert_eq!(reclaim(&ended, &world.moment()), None);
    assert_eq!(reclaim(&world.row(plain()), &world.moment()), None);
}

#[test]
fn a_lost_run_spends_its_attempt_and_the_job_can_be_claimed_at_once() {
    let mut world = World::new();
    let job = world.row(plain().max_attempts(2));
    let running = world.claimed(&job);
    world.now = NOON + limits::LEASE;
    let waiting = lost(&world, &running);
    assert_eq!(
        (waiting.status.state, waiting.status.attempt),
        (State::Waiting, 1)
    );
    assert_eq!(waiting.status.due, world.now);
    assert_eq!(waiting.status.history[0].outcome, AttemptOutcome::Lost);
    let running = world.claimed(&waiting);
    world.now = world.now + limits::LEASE;
    let failed = lost(&world, &running);
    assert_eq!(failure(&failed).0, FailureReason::Exhausted);
}

#[test]
fn a_lost_run_that_must_not_run_twice_has_failed() {
    let mut world = World::new();
    let running = world.running(plain().on_lost(OnLost::Fail));
    world.now = NOON + limits::LEASE;
    let (reason, message) = (
        FailureReason::Lost,
        "worker w was lost: its lease ran out at 2026-12-01T12:00:30.000000Z",
    );
    assert_eq!(failure(&lost(&world, &running)), (reason, message));
}

#[test]
fn a_job_that_did_not_start_by_its_deadline_has_expired() {
    let mut world = World::new();
    let waiting = world.row(plain().start_deadline(NOON + minutes(1)));
    world.now = NOON + minutes(1);
    let job = lost(&world, &waiting);
    assert_eq!(failure(&job).0, FailureReason::Expired);
    assert_eq!(job.status.history, [], "there was no run");
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

fn settled(world: &World, job: &Job, outcome: &Outcome) -> Job {
    let change = settle(job, job.status.run, outcome, &world.moment()).expect("the run holds the job");
    applied(job, change)
}

fn lost(world: &World, job: &Job) -> Job {
    applied(job, reclaim(job, &world.moment()).expect("its alarm has passed"))
}

fn note_cancel(world: &World, job: &Job) -> Change {
    cancel(job, "no longer wanted", &world.moment())
        .expect("a running job can be cancelled")
        .expect("nobody has cancelled it before")
}

fn failure(job: &Job) -> (FailureReason, &str) {
    let failure = job.status.failure.as_ref().expect("the job has failed");
    (failure.reason, &failure.message)
}

fn done() -> Outcome {
    Outcome::Done(Bytes::from_static(b"1"))
}

fn fail() -> Outcome {
    Outcome::Fail {
        error: "it broke".to_owned(),
    }
}

fn retry(cause: RetryCause) -> Outcome {
    Outcome::Retry {
        error: "it broke".to_owned(),
        after: None,
        cause,
    }
}

fn retry_after(after: Duration) -> Outcome {
    Outcome::Retry {
        error: "it broke".to_owned(),
        after: Some(after),
        cause: RetryCause::Error,
    }
}

fn snooze(until: Timestamp) -> Outcome {
    Outcome::Snooze { until }
}

fn cancelled() -> Outcome {
    Outcome::Cancelled {
        reason: "changed my mind".to_owned(),
    }
}

fn unknown(after: Duration) -> Outcome {
    Outcome::Release(Release::UnknownKind(after))
}
