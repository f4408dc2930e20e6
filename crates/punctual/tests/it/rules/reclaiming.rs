//! What becomes of a job whose alarm has passed.

use punctual::job::OnLost;
use punctual::rules::edit::{self, run_now};
use punctual::rules::settle::reclaim;
use punctual::run::AttemptOutcome;

use super::*;

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
fn a_job_that_still_waits_when_its_longest_time_has_elapsed_is_exhausted() {
    let mut world = World::new();
    let job = plain().max_elapsed(minutes(1)).start_deadline(NOON + hours(1));
    let running = world.running(job);
    world.now = NOON + seconds(10);
    let waiting = settled(&world, &running, &retry_after(seconds(20)));
    assert_eq!(waiting.status.alarm, Some(NOON + minutes(1)));
    let hurried = applied(&waiting, run_now(&waiting, &world.moment()).expect("it waits"));
    assert_eq!(hurried.status.alarm, waiting.status.alarm);
    world.now = NOON + minutes(1) - milliseconds(1);
    assert_eq!(reclaim(&waiting, &world.moment()), None);
    world.now = NOON + minutes(1);
    let message = "no attempt begins 1m after the first: it broke";
    let failed = lost(&world, &waiting);
    assert_eq!(failure(&failed), (FailureReason::Exhausted, message));
    assert_eq!(failed.status.history, waiting.status.history);
    let anew = applied(
        &failed,
        edit::retry(&failed, &world.moment()).expect("it has ended"),
    );
    assert_eq!(anew.status.alarm, Some(NOON + hours(1)), "a new life, a new time");
}

#[test]
fn a_deferred_run_that_nobody_settled_blames_no_worker() {
    let mut world = World::new();
    let running = world.running(plain().on_lost(OnLost::Fail));
    let deferred = settled(&world, &running, &Outcome::Defer(minutes(10)));
    world.now = NOON + minutes(10);
    let message = "it was deferred, and nobody settled it by 2026-12-01T12:10:00.000000Z";
    let failed = lost(&world, &deferred);
    assert_eq!(failure(&failed), (FailureReason::Lost, message));
}

fn lost(world: &World, job: &Job) -> Job {
    applied(job, reclaim(job, &world.moment()).expect("its alarm has passed"))
}
