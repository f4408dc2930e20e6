//! From a job to its outcome.

use bytes::Bytes;
use macro_rules_attribute::apply;
use punctual::job::{FailureReason, State as JobState};
use punctual::run::AttemptOutcome;
use punctual::worker::{FromRun, Run, State, Stop, StopReason};
use punctual::{JobId, NewJob, minutes, seconds};
use tokio::sync::mpsc;

use super::house::House;
use super::{Note, Told, endless, heeding, note};
use crate::polling::until;
use crate::stores::{Place, on_each_store};

#[apply(on_each_store)]
async fn a_job_is_run_and_its_result_kept_as_json(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("hello")).await;
    let worker = house
        .worker()
        .handle(|note: Note| async move { Ok(note.text.to_uppercase()) });
    let _worker = house.start(worker);
    house.quiet().await;

    let status = house.status(id).await;
    assert_eq!(status.state, JobState::Succeeded);
    assert_eq!(status.result.as_deref(), Some(&b"\"HELLO\""[..]));
}

#[apply(on_each_store)]
async fn a_job_starts_when_it_is_due_and_not_before(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("later").delay(minutes(5))).await;
    let worker = house.worker().handle(|note: Note| async move { Ok(note.text) });
    let _worker = house.start(worker);

    house.pass(minutes(5) - seconds(1)).await;
    assert_eq!(house.status(id).await.state, JobState::Waiting);
    house.pass(seconds(1)).await;
    assert_eq!(house.status(id).await.state, JobState::Succeeded);
}

#[apply(on_each_store)]
async fn an_error_is_another_attempt_and_tells_its_cause(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("twelve").max_attempts(2)).await;
    let worker = house.worker().handle(|note: Note| async move {
        let number: u8 = note.text.parse()?;
        Ok(number.to_string())
    });
    let _worker = house.start(worker);
    house.pass(minutes(1)).await;

    let status = house.status(id).await;
    assert_eq!(status.state, JobState::Failed);
    assert_eq!(status.history.len(), 2);
    assert_eq!(status.history[0].outcome, AttemptOutcome::Failed);
    assert_eq!(
        status.history[0].error.as_deref(),
        Some("invalid digit found in string")
    );
    let failure = status.failure.expect("it failed");
    assert_eq!(failure.reason, FailureReason::Exhausted);
}

#[apply(on_each_store)]
async fn a_handler_says_what_is_to_become_of_the_job(place: Place) {
    let house = House::new(&place).await;
    let mut ids = Vec::new();
    for text in ["fail", "cancel", "snooze", "retry", "defer"] {
        ids.push(house.enqueue(note(text)).await);
    }
    let worker = house.worker().handle(|note: Note| async move {
        Err(match note.text.as_str() {
            "fail" => Stop::fail("never"),
            "cancel" => Stop::cancel("not wanted"),
            "snooze" => Stop::snooze(minutes(7)),
            "retry" => Stop::retry("not yet").after(minutes(3)),
            _ => Stop::defer(minutes(10)),
        })
    });
    let begun = house.clock.now();
    let _worker = house.start(worker);
    house.quiet().await;

    let failed = house.status(ids[0]).await;
    assert_eq!(
        failed.failure.map(|failure| failure.message),
        Some("never".to_owned())
    );
    assert_eq!(house.status(ids[1]).await.state, JobState::Cancelled);
    let snoozed = house.status(ids[2]).await;
    assert_eq!((snoozed.attempt, snoozed.due), (0, begun + minutes(7)));
    let retried = house.status(ids[3]).await;
    assert_eq!((retried.attempt, retried.due), (1, begun + minutes(3)));
    let deferred = house.status(ids[4]).await;
    assert!(deferred.deferred);
    assert_eq!(deferred.alarm, Some(begun + minutes(10)));

    // Nobody beats for it here any more.
    house.pass(minutes(1)).await;
    assert_eq!(house.status(ids[4]).await.alarm, Some(begun + minutes(10)));
}

#[apply(on_each_store)]
async fn a_panic_is_an_attempt_that_failed_and_harms_no_other_run(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("panic").max_attempts(1)).await;
    let other = house.enqueue(note("fine")).await;
    let worker = house.worker().concurrency(1).handle(|note: Note| async move {
        assert_ne!(note.text, "panic", "this one panics");
        Ok(note.text)
    });
    let _worker = house.start(worker);
    house.quiet().await;

    let status = house.status(id).await;
    assert_eq!(status.history[0].outcome, AttemptOutcome::Panicked);
    assert!(
        status.history[0]
            .error
            .as_ref()
            .is_some_and(|error| error.contains("this one panics"))
    );
    assert_eq!(house.status(other).await.state, JobState::Succeeded);
}

#[apply(on_each_store)]
async fn a_payload_that_does_not_decode_fails_without_a_further_attempt(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(NewJob::bytes("note", "not json")).await;
    let worker = house.worker().handle(|note: Note| async move { Ok(note.text) });
    let _worker = house.start(worker);
    house.quiet().await;

    let status = house.status(id).await;
    assert_eq!(status.state, JobState::Failed);
    assert_eq!(
        status.failure.map(|failure| failure.reason),
        Some(FailureReason::Failed)
    );
}

#[apply(on_each_store)]
async fn an_untyped_handler_is_handed_bytes_and_answers_bytes(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(NewJob::bytes("raw", &b"\x00\xff"[..])).await;
    let worker = house
        .worker()
        .handle_kind("raw", |payload: Bytes, _run: Run| async move {
            Ok([&payload[..], &b"!"[..]].concat().into())
        });
    let _worker = house.start(worker);
    house.quiet().await;
    assert_eq!(house.status(id).await.result.as_deref(), Some(&b"\x00\xff!"[..]));
}

#[apply(on_each_store)]
async fn a_handler_that_does_not_heed_is_dropped_at_its_timeout(place: Place) {
    let house = House::new(&place).await;
    let id = house
        .enqueue(note("slow").timeout(seconds(90)).max_attempts(1))
        .await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house.worker().handle(move |note: Note| {
        let tell = tell.clone();
        async move {
            endless(note.text.clone(), tell).await;
            Ok(note.text)
        }
    });
    let _worker = house.start(worker);
    house.pass(seconds(89)).await;
    assert_eq!(told.recv().await, Some(Told::Began("slow".to_owned())));
    assert_eq!(
        house.status(id).await.state,
        JobState::Running,
        "the heartbeat holds it"
    );
    house.pass(seconds(1)).await;

    assert_eq!(told.try_recv(), Ok(Told::Dropped("slow".to_owned())));
    let status = house.status(id).await;
    assert_eq!(status.history[0].outcome, AttemptOutcome::TimedOut);
    assert_eq!(status.history[0].error.as_deref(), Some("timed out after 1m30s"));
}

#[apply(on_each_store)]
async fn a_result_within_the_grace_counts_and_an_error_then_is_a_timeout(place: Place) {
    let house = House::new(&place).await;
    let mut ids = Vec::new();
    for text in ["done", "error", "stuck"] {
        ids.push(
            house
                .enqueue(note(text).timeout(seconds(10)).max_attempts(1))
                .await,
        );
    }
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house.worker().handle(move |note: Note, run: Run| {
        let tell = tell.clone();
        async move {
            heeding(run, note.text.clone(), tell).await;
            match note.text.as_str() {
                "done" => Ok("just in time".to_owned()),
                "error" => Err(Stop::retry("stopped half-way")),
                _ => std::future::pending().await,
            }
        }
    });
    let _worker = house.start(worker);
    house.pass(seconds(14)).await;
    for _ in 0..3 {
        assert!(matches!(told.try_recv(), Ok(Told::Began(_))));
    }
    assert_eq!(told.try_recv(), Ok(Told::AskedToStop(StopReason::Timeout)));
    assert_eq!(house.status(ids[0]).await.state, JobState::Succeeded);
    let error = house.status(ids[1]).await;
    assert_eq!(error.history[0].outcome, AttemptOutcome::TimedOut);
    assert_eq!(
        error.history[0].error.as_deref(),
        Some("timed out after 10s: stopped half-way")
    );
    assert_eq!(house.status(ids[2]).await.state, JobState::Running);

    house.pass(seconds(1)).await;
    assert_eq!(
        house.status(ids[2]).await.history[0].outcome,
        AttemptOutcome::TimedOut
    );
}

#[apply(on_each_store)]
async fn a_cancelled_run_is_told_at_once_and_ends_as_cancelled(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("cancel me")).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let worker = house.worker().handle(move |note: Note, run: Run| {
        let tell = tell.clone();
        async move {
            heeding(run, note.text, tell).await;
            Err(Stop::retry("I was stopped"))
        }
    });
    let _worker = house.start(worker);
    house.quiet().await;
    house.cancel(id).await;
    house.quiet().await;

    assert_eq!(told.recv().await, Some(Told::Began("cancel me".to_owned())));
    assert_eq!(told.try_recv(), Ok(Told::AskedToStop(StopReason::Cancelled)));
    let status = house.status(id).await;
    assert_eq!(status.state, JobState::Cancelled);
    assert_eq!(status.cancel.as_deref(), Some("a test wants it"));
}

#[apply(on_each_store)]
async fn progress_is_seen_while_the_run_goes_on(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("long")).await;
    let worker = house.worker().handle(|_: Note, run: Run| async move {
        run.progress(&"half-way")?;
        let too_much = "x".repeat(punctual::limits::PROGRESS_BYTES);
        assert!(run.progress(&too_much).is_err());
        std::future::pending().await
    });
    let _worker = house.start(worker);
    house.pass(seconds(1)).await;
    assert_eq!(
        house.status(id).await.progress.as_deref(),
        Some(&b"\"half-way\""[..])
    );
}

/// A type of a user's own that a handler asks for.
struct Name(JobId);

impl FromRun for Name {
    fn from_run(run: &Run) -> Result<Name, Stop> {
        Ok(Name(run.id().job))
    }
}

#[apply(on_each_store)]
async fn a_handler_is_handed_the_state_and_what_else_it_asks_for(place: Place) {
    let house = House::new(&place).await;
    let id = house.enqueue(note("who am I")).await;
    let worker = house.worker().state("a greeting").state(7_u32).handle(
        |_: Note, run: Run, greeting: State<&'static str>, State(number): State<u32>, name: Name| async move {
            assert_eq!(run.attempt(), 1);
            Ok(format!("{} {number} {}", *greeting, name.0))
        },
    );
    let _worker = house.start(worker);
    house.quiet().await;
    let wanted = format!("\"a greeting 7 {id}\"");
    assert_eq!(house.status(id).await.result.as_deref(), Some(wanted.as_bytes()));
}

#[apply(on_each_store)]
async fn a_worker_without_the_state_of_a_handler_does_not_start(place: Place) {
    let house = House::new(&place).await;
    let worker = house
        .worker()
        .handle(|note: Note, _: State<u32>| async move { Ok(note.text) });
    let refused = house.start(worker).stopped().await.expect_err("there is no u32");
    assert!(refused.to_string().contains("State<u32>"), "{refused}");
}

#[apply(on_each_store)]
async fn a_kind_with_two_handlers_does_not_start(place: Place) {
    let house = House::new(&place).await;
    let worker = house
        .worker()
        .handle(|note: Note| async move { Ok(note.text) })
        .handle_blocking(|note: Note| Ok(note.text));
    let refused = house
        .start(worker)
        .stopped()
        .await
        .expect_err("both are for notes");
    assert!(
        refused.to_string().contains("\"note\" has two handlers"),
        "{refused}"
    );
}

#[apply(on_each_store)]
async fn settings_out_of_bounds_do_not_start(place: Place) {
    let house = House::new(&place).await;
    for worker in [
        house.worker().concurrency(0),
        house.worker().lease(punctual::milliseconds(10)),
        house.worker().queues(["a", "a"]),
        house.worker().queues(["a", "a b"]),
        house.worker().queues([""]),
        house.worker().queues(["q".repeat(129)]),
        house.worker().queues(Vec::<String>::new()),
    ] {
        assert!(house.start(worker).stopped().await.is_err());
    }
}

#[apply(on_each_store)]
async fn a_blocking_handler_works_on_another_thread_and_its_panic_is_caught(place: Place) {
    let house = House::in_real_time(&place).await;
    let fine = house.enqueue(note("fine")).await;
    let panics = house.enqueue(note("panic").max_attempts(1)).await;
    let stuck = house
        .enqueue(note("stuck").timeout(seconds(1)).max_attempts(1))
        .await;
    let worker = house.worker().handle_blocking(|note: Note, run: Run| {
        assert_ne!(note.text, "panic", "a blocking one panics");
        let stop = run.stop();
        while note.text == "stuck" && stop.reason().is_none() {
            std::thread::yield_now();
        }
        match stop.reason() {
            Some(reason) => Err(Stop::retry(reason)),
            None => Ok(format!("{:?}", std::thread::current().id())),
        }
    });
    let _worker = house.start(worker);
    until("all three ended", async || {
        let states = [
            house.status(fine).await,
            house.status(panics).await,
            house.status(stuck).await,
        ];
        states.iter().all(|status| status.state.is_ended())
    })
    .await;

    let result = house.status(fine).await.result.expect("it succeeded");
    let here = serde_json::to_vec(&format!("{:?}", std::thread::current().id())).expect("it is text");
    assert_ne!(result, here);
    assert_eq!(
        house.status(panics).await.history[0].outcome,
        AttemptOutcome::Panicked
    );
    let stuck = house.status(stuck).await;
    assert_eq!(
        stuck.history[0].error.as_deref(),
        Some("timed out after 1s: timeout")
    );
}
