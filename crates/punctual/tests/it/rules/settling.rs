//! What becomes of a run, for every outcome.

use punctual::job::{Backoff, OnLost};
use punctual::rules::edit::cancel;
use punctual::rules::settle::{prolong, reclaim};
use punctual::run::{AttemptOutcome, Release};

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

fn note_cancel(world: &World, job: &Job) -> Change {
    cancel(job, "no longer wanted", &world.moment())
        .expect("a running job can be cancelled")
        .expect("nobody has cancelled it before")
}

fn snooze(until: Timestamp) -> Outcome {
    Outcome::Snooze { until }
}

fn unknown(after: Duration) -> Outcome {
    Outcome::Release(Release::UnknownKind(after))
}

#[test]
fn a_run_that_goes_on_elsewhere_is_prolonged_and_never_shortened() {
    let mut world = World::new();
    let running = world.running(plain());
    let run = running.status.run;
    // Whoever it is deferred to may say so before its worker does.
    let early = prolong(&running, run, hours(2), Some(&Bytes::from("1")), &world.moment());
    let early = applied(&running, early.expect("it is held"));
    assert_eq!(
        (early.status.deferred, early.status.alarm),
        (true, Some(NOON + hours(2)))
    );
    assert_eq!(early.status.progress.as_deref(), Some(&b"1"[..]));
    let deferred = settled(&world, &early, &Outcome::Defer(hours(1)));
    assert_eq!(deferred.status.alarm, Some(NOON + hours(2)));

    world.now = NOON + minutes(90);
    let kept = prolong(&deferred, run, minutes(10), None, &world.moment()).expect("it is held");
    let kept = applied(&deferred, kept);
    assert_eq!(
        (kept.status.alarm, kept.status.progress),
        (Some(NOON + hours(2)), deferred.status.progress.clone())
    );
    let longer = prolong(&deferred, run, hours(1), None, &world.moment()).expect("it is held");
    assert_eq!(
        applied(&deferred, longer).status.alarm,
        Some(world.now + hours(1))
    );

    assert_eq!(prolong(&deferred, run + 1, hours(1), None, &world.moment()), None);
    let ended = settled(&world, &deferred, &done());
    assert_eq!(prolong(&ended, run, hours(1), None, &world.moment()), None);
}
