//! Rows to try stores with.

pub(super) mod plan;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::job::{Backoff, Body, Failure, FailureReason, Job, JobId, OnLost, Options, State, Status};
use crate::queue::QueueName;
use crate::run::{Attempt, AttemptOutcome, WorkerId};
use crate::schedule::{OpenSkips, Owed, Pause, Reason, Schedule, ScheduleId, ScheduleName, Standing};
use crate::store::View;
use crate::time::{Timestamp, hours, minutes, seconds};

/// The instant at which every case begins: far from any machine's own time, so that a store which reads the wrong
/// clock is found out.
pub(super) const NOW: Timestamp = Timestamp::from_micros(2_000_000_000_000_000);

/// The lease that cases ask for.
pub(super) const LEASE: Duration = seconds(30);

/// The first rev of every sample.
pub(super) const REV: u64 = 2_000_000_000_000_000;

/// Every view of a store's jobs.
pub(super) const VIEWS: [View; 7] = [
    View::All,
    View::Waiting,
    View::Running,
    View::Ended(None),
    View::Ended(Some(State::Succeeded)),
    View::Ended(Some(State::Failed)),
    View::Ended(Some(State::Cancelled)),
];

/// The id of sample `n`: they sort by `n`.
pub(super) fn id(n: u64) -> JobId {
    JobId(Uuid::from_u128(
        0x0199_c1f0_5b7e_7c3e_8000_0000_0000_0000 | u128::from(n),
    ))
}

/// Sample `n`: a plain job that is due now, in the queue `line`.
pub(super) fn job(n: u64) -> Job {
    Job {
        body: Arc::new(Body {
            id: id(n),
            kind: "sample".to_owned(),
            queue: QueueName::from("line"),
            priority: 5,
            created_at: NOW,
            payload: Bytes::from_static(b"{}"),
            tags: Vec::new(),
            options: Options::default(),
            unique_key: None,
            fingerprint: u128::from(n),
            origin: None,
        }),
        status: Status::waiting(REV, NOW),
    }
}

/// The schedule that is sample `n`: they sort by `n`.
pub(super) fn schedule(n: u64) -> Schedule {
    Schedule {
        id: ScheduleId(id(n).0),
        name: ScheduleName::from(format!("sample-{n:09}")),
        rev: 0,
        created_at: NOW,
        plan: Arc::new(plan::of(n)),
        standing: standing(0),
    }
}

/// How far a schedule may have come: nowhere, and with something in every field.
pub(super) fn standing(n: u64) -> Standing {
    let new = Standing::new(NOW);
    if n == 0 {
        return new;
    }
    Standing {
        settled_until: NOW + seconds(n),
        next: Some(NOW + minutes(n)),
        live: (0..n).map(id).collect(),
        owed: (1..=n)
            .map(|n| Owed {
                nominal_at: NOW - minutes(n),
                missed: n - 1,
            })
            .collect(),
        makes_way: true,
        skips: Some(OpenSkips {
            from: NOW - hours(2),
            until: NOW - hours(1),
            count: n,
            reason: Reason::ALL[usize::try_from(n).unwrap_or(0) % Reason::ALL.len()],
        }),
        missed: n,
        last_ended: Some(NOW - seconds(1)),
        watched: true,
        paused: Some(Pause {
            reason: "it's \"märz\" 🦀".to_owned(),
            since: NOW - hours(3),
        }),
        fired: 7 * n,
        last_fired: Some(NOW - seconds(n)),
        written: n,
        forgot_at: Some(NOW - hours(24)),
    }
}

/// Samples with these numbers.
pub(super) fn jobs(numbers: impl IntoIterator<Item = u64>) -> Vec<Job> {
    numbers.into_iter().map(job).collect()
}

/// Sample `n`, with something in every field that a job in this state may have.
pub(super) fn full(n: u64, state: State) -> Job {
    let mut job = job(n)
        .tag("blue")
        .tag("märz 🦀")
        .key(&format!("key {n}"))
        .key_until(NOW + hours(1));
    let body = Arc::make_mut(&mut job.body);
    body.payload = Bytes::from((0..=255).collect::<Vec<u8>>());
    body.unique_key = Some(format!("key '{n}'"));
    body.fingerprint = u128::MAX - u128::from(n);
    body.options = Options {
        timeout: Some(seconds(90)),
        max_attempts: Some(7),
        backoff: Some(Backoff::Exponential {
            base: Duration::from_micros(1),
            factor: 1.25,
            max: hours(3),
        }),
        max_elapsed: Some(hours(48)),
        start_deadline: Some(NOW + minutes(10)),
        on_lost: Some(OnLost::Fail),
    };
    let status = &mut job.status;
    status.state = state;
    status.run = REV - 5;
    status.life = 2;
    status.attempt = 3;
    status.refunds = 4;
    status.alarm = (!state.is_ended()).then_some(NOW + minutes(10));
    status.first_started_at = Some(NOW - hours(2));
    status.started_at = Some(NOW - hours(1));
    status.ended_at = state.is_ended().then_some(NOW - minutes(1));
    status.worker = Some(WorkerId::from("worker \"one\""));
    status.cancel = (state == State::Running).then(String::new);
    status.deferred = state == State::Running;
    status.history = attempts();
    status.result = (state == State::Succeeded).then(|| Bytes::from_static(b"\xff\x00\xfe"));
    status.failure = (state == State::Failed).then(|| Failure {
        reason: FailureReason::Exhausted,
        message: "it's gone: \"\\\n\u{202e}".to_owned(),
    });
    status.progress = Some(Bytes::from_static(b"{\"percent\": 50}"));
    job
}

/// One attempt of each outcome.
fn attempts() -> Vec<Attempt> {
    let attempts = AttemptOutcome::ALL.iter().zip(1..);
    attempts
        .map(|(outcome, number)| Attempt {
            number,
            life: 1,
            run: REV - 100 + u64::from(number),
            worker: (number % 2 == 0).then(|| WorkerId::from("w")),
            started_at: NOW - hours(10),
            ended_at: NOW - hours(9),
            outcome: *outcome,
            error: (number % 3 == 0).then(|| "no route to 'host'; \u{1f9e8}".to_owned()),
        })
        .collect()
}

/// Samples are made by saying in what they differ from the plain one.
pub(super) trait Draft: Sized {
    fn body(self, edit: impl FnOnce(&mut Body)) -> Self;
    fn status(self, edit: impl FnOnce(&mut Status)) -> Self;

    fn due(self, at: Timestamp) -> Self {
        self.status(|status| status.due = at)
    }

    fn deadline(self, at: Timestamp) -> Self {
        self.status(|status| status.alarm = Some(at))
    }

    fn key(self, key: &str) -> Self {
        self.status(|status| status.unique_key = Some(key.to_owned()))
    }

    fn key_until(self, until: Timestamp) -> Self {
        self.status(|status| status.key_until = Some(until))
    }

    fn queue(self, queue: &str) -> Self {
        self.body(|body| body.queue = QueueName::from(queue))
    }

    fn priority(self, priority: u8) -> Self {
        self.body(|body| body.priority = priority)
    }

    fn kind(self, kind: &str) -> Self {
        self.body(|body| body.kind = kind.to_owned())
    }

    fn tag(self, tag: &str) -> Self {
        self.body(|body| body.tags.push(tag.to_owned()))
    }

    /// Another job than the plain one of this number.
    fn other(self) -> Self {
        self.body(|body| body.fingerprint ^= 1 << 100)
    }

    fn ended(self, state: State, at: Timestamp) -> Self {
        self.status(|status| {
            status.state = state;
            status.ended_at = Some(at);
            status.alarm = None;
        })
    }

    fn running(self, worker: &str, until: Timestamp) -> Self {
        self.status(|status| {
            status.state = State::Running;
            status.run = status.rev;
            status.attempt = 1;
            status.worker = Some(WorkerId::from(worker));
            status.alarm = Some(until);
        })
    }
}

impl Draft for Job {
    fn body(mut self, edit: impl FnOnce(&mut Body)) -> Job {
        edit(Arc::make_mut(&mut self.body));
        self
    }

    fn status(mut self, edit: impl FnOnce(&mut Status)) -> Job {
        edit(&mut self.status);
        self
    }
}

/// The same things in another order, which is the same each time.
pub(super) fn shuffled<T>(mut things: Vec<T>) -> Vec<T> {
    // Fisher and Yates, drawing from Knuth's linear congruential generator (MMIX).
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for last in (1..things.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(state >> 33).unwrap_or(0) % (last + 1);
        things.swap(last, place);
    }
    things
}
