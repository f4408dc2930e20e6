//! The form of what a row holds beside plain columns: a number for a state; options, tags, history and failure as compact
//! JSON.
//!
//! It is shared by the stores that keep rows in a database, and it is a contract with every database that was ever
//! written: names in it never change their meaning, and new ones are optional. Lengths and instants are whole
//! microseconds. What is not set is left out, and a text that would say nothing is not written at all, so that the
//! ordinary job costs no JSON.

pub(crate) mod schedule;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) mod schedule_row;
#[cfg(any(feature = "postgres", feature = "redis", feature = "sqlite"))]
pub(crate) mod unreadable;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
use crate::job::Status;
use crate::job::{Backoff, Failure, FailureReason, OnLost, Options, Origin, State};
use crate::run::{Attempt, AttemptOutcome, WorkerId};
use crate::schedule::{ScheduleId, ScheduleName};
use crate::time::Timestamp;

/// The number that stands for a state: its place in [`State::ALL`].
pub(crate) fn state_number(state: State) -> i16 {
    state as i16
}

/// The state that a number stands for.
pub(crate) fn read_state(number: i16) -> Result<State, Error> {
    let state = usize::try_from(number)
        .ok()
        .and_then(|place| State::ALL.get(place));
    state
        .copied()
        .ok_or_else(|| Error::internal(format!("a row holds an unknown state: {number}")))
}

/// Whether a job waits and nothing ever happened to it, so that few columns tell it whole.
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub(crate) fn is_new(status: &Status) -> bool {
    let new = Status {
        alarm: status.alarm,
        unique_key: status.unique_key.clone(),
        key_until: status.key_until,
        ..Status::waiting(status.rev, status.due)
    };
    *status == new
}

/// Options, and which schedule made the job, as text, or nothing if none is set.
pub(crate) fn write_options(options: &Options, origin: Option<&Origin>) -> Option<String> {
    let Options {
        timeout,
        max_attempts,
        backoff,
        max_elapsed,
        start_deadline,
        on_lost,
    } = options;
    let text = OptionsText {
        timeout_us: timeout.map(micros),
        max_attempts: *max_attempts,
        backoff: backoff.as_ref().map(BackoffText::of),
        max_elapsed_us: max_elapsed.map(micros),
        start_deadline_us: start_deadline.map(Timestamp::as_micros),
        on_lost: on_lost.map(|on_lost| match on_lost {
            OnLost::Retry => OnLostText::Retry,
            OnLost::Fail => OnLostText::Fail,
        }),
        origin: origin.map(OriginText::of),
    };
    let is_set = origin.is_some() || *options != Options::default();
    is_set.then(|| write(&text))
}

/// Reads what [`write_options`] wrote.
pub(crate) fn read_options(text: Option<&str>) -> Result<(Options, Option<Origin>), Error> {
    let Some(text) = text else {
        return Ok((Options::default(), None));
    };
    let read: OptionsText = read("options", text)?;
    let options = Options {
        timeout: read.timeout_us.map(Duration::from_micros),
        max_attempts: read.max_attempts,
        backoff: read.backoff.map(BackoffText::read),
        max_elapsed: read.max_elapsed_us.map(Duration::from_micros),
        start_deadline: read.start_deadline_us.map(Timestamp::from_micros),
        on_lost: read.on_lost.map(|on_lost| match on_lost {
            OnLostText::Retry => OnLost::Retry,
            OnLostText::Fail => OnLost::Fail,
        }),
    };
    Ok((options, read.origin.map(OriginText::read)))
}

/// A list of texts, such as tags, as text, or nothing if it is empty.
pub(crate) fn write_texts<T: AsRef<str>>(texts: &[T]) -> Option<String> {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    (!texts.is_empty()).then(|| write(&texts))
}

/// Reads what [`write_texts`] wrote.
pub(crate) fn read_texts(text: Option<&str>) -> Result<Vec<String>, Error> {
    text.map_or(Ok(Vec::new()), |text| read("list of texts", text))
}

/// A history as text, or nothing if no attempt has ended.
pub(crate) fn write_history(history: &[Attempt]) -> Option<String> {
    let attempts = || history.iter().map(AttemptText::of).collect::<Vec<_>>();
    (!history.is_empty()).then(|| write(&attempts()))
}

/// Reads what [`write_history`] wrote.
pub(crate) fn read_history(text: Option<&str>) -> Result<Vec<Attempt>, Error> {
    let Some(text) = text else {
        return Ok(Vec::new());
    };
    let attempts: Vec<AttemptText<String>> = read("history", text)?;
    Ok(attempts.into_iter().map(AttemptText::read).collect())
}

/// A failure as text.
pub(crate) fn write_failure(failure: &Failure) -> String {
    write(&FailureText {
        reason: failure.reason.as_str(),
        message: &failure.message,
    })
}

/// Reads what [`write_failure`] wrote. A reason that only a newer version knows is told in the message.
pub(crate) fn read_failure(text: &str) -> Result<Failure, Error> {
    let FailureText { reason, message } = read::<FailureText<String>>("failure", text)?;
    let known = FailureReason::ALL
        .into_iter()
        .find(|known| known.as_str() == reason);
    Ok(match known {
        Some(reason) => Failure { reason, message },
        None => Failure {
            reason: FailureReason::Failed,
            message: unknown("it failed", &reason, Some(&message)),
        },
    })
}

#[derive(Serialize, Deserialize)]
struct OptionsText {
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff: Option<BackoffText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_elapsed_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_deadline_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_lost: Option<OnLostText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginText>,
}

#[derive(Serialize, Deserialize)]
struct OriginText {
    schedule: Uuid,
    name: String,
    nominal: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    missed: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pokes: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl OriginText {
    fn of(origin: &Origin) -> OriginText {
        OriginText {
            schedule: origin.schedule.0,
            name: origin.name.to_string(),
            nominal: origin.nominal_at.as_micros(),
            missed: origin.missed,
            pokes: origin.pokes,
        }
    }

    fn read(self) -> Origin {
        Origin {
            schedule: ScheduleId(self.schedule),
            name: ScheduleName::from(self.name),
            nominal_at: Timestamp::from_micros(self.nominal),
            missed: self.missed,
            pokes: self.pokes,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum OnLostText {
    Retry,
    Fail,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BackoffText {
    Exponential { base_us: u64, factor: f64, max_us: u64 },
    FixedUs(u64),
    ListUs(Vec<u64>),
}

impl BackoffText {
    fn of(backoff: &Backoff) -> BackoffText {
        match backoff {
            Backoff::Exponential { base, factor, max } => BackoffText::Exponential {
                base_us: micros(*base),
                factor: *factor,
                max_us: micros(*max),
            },
            Backoff::Fixed(delay) => BackoffText::FixedUs(micros(*delay)),
            Backoff::List(delays) => BackoffText::ListUs(delays.iter().copied().map(micros).collect()),
        }
    }

    fn read(self) -> Backoff {
        match self {
            BackoffText::Exponential {
                base_us,
                factor,
                max_us,
            } => Backoff::Exponential {
                base: Duration::from_micros(base_us),
                factor,
                max: Duration::from_micros(max_us),
            },
            BackoffText::FixedUs(delay) => Backoff::Fixed(Duration::from_micros(delay)),
            BackoffText::ListUs(delays) => {
                Backoff::List(delays.into_iter().map(Duration::from_micros).collect())
            }
        }
    }
}

/// `S` is text: borrowed to write it, owned to read it.
#[derive(Serialize, Deserialize)]
struct AttemptText<S> {
    attempt: u32,
    #[serde(default = "first", skip_serializing_if = "is_first")]
    life: u32,
    run: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    worker: Option<S>,
    started: i64,
    ended: i64,
    outcome: S,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<S>,
}

impl<'a> AttemptText<&'a str> {
    fn of(attempt: &'a Attempt) -> AttemptText<&'a str> {
        AttemptText {
            attempt: attempt.number,
            life: attempt.life,
            run: attempt.run,
            worker: attempt.worker.as_ref().map(WorkerId::as_str),
            started: attempt.started_at.as_micros(),
            ended: attempt.ended_at.as_micros(),
            outcome: attempt.outcome.as_str(),
            error: attempt.error.as_deref(),
        }
    }
}

impl AttemptText<String> {
    /// An outcome that only a newer version knows is told in the error: a failure is what every version can show, and
    /// one attempt must not make its whole row unreadable.
    fn read(self) -> Attempt {
        let known = AttemptOutcome::ALL
            .into_iter()
            .find(|known| known.as_str() == self.outcome);
        let (outcome, error) = match known {
            Some(outcome) => (outcome, self.error),
            None => {
                let error = unknown("it ended", &self.outcome, self.error.as_deref());
                (AttemptOutcome::Failed, Some(error))
            }
        };
        Attempt {
            number: self.attempt,
            life: self.life,
            run: self.run,
            worker: self.worker.map(WorkerId::from),
            started_at: Timestamp::from_micros(self.started),
            ended_at: Timestamp::from_micros(self.ended),
            outcome,
            error,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct FailureText<S> {
    reason: S,
    message: S,
}

fn first() -> u32 {
    1
}

fn is_first(life: &u32) -> bool {
    *life == first()
}

/// Lengths beyond half a million years saturate.
fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}

fn write(text: &impl Serialize) -> String {
    serde_json::to_string(text).expect("texts, numbers and lists always have a JSON form")
}

fn read<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| {
        Error::internal(format!("a row holds a {what} that cannot be read")).caused_by(error)
    })
}

/// What is told of an end whose name this version does not know.
fn unknown(what: &str, name: &str, message: Option<&str>) -> String {
    let message = message.map_or(String::new(), |message| format!(": {message}"));
    format!("{what} as {name:?}, which this version does not know{message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{milliseconds, seconds};

    /// These texts stand in databases that people have: a change here is a change of the schema.
    #[test]
    fn the_text_form_of_a_row_never_changes() {
        let options = Options {
            timeout: Some(seconds(90)),
            max_attempts: Some(3),
            backoff: Some(Backoff::Exponential {
                base: seconds(1),
                factor: 1.5,
                max: seconds(60),
            }),
            max_elapsed: Some(seconds(600)),
            start_deadline: Some(Timestamp::from_micros(1_763_690_000_000_000)),
            on_lost: Some(OnLost::Fail),
        };
        same_options(
            &options,
            r#"{"timeout_us":90000000,"max_attempts":3,"backoff":{"exponential":{"base_us":1000000,"factor":1.5,"max_us":60000000}},"max_elapsed_us":600000000,"start_deadline_us":1763690000000000,"on_lost":"fail"}"#,
        );
        let fixed = Options {
            backoff: Some(Backoff::Fixed(milliseconds(5))),
            on_lost: Some(OnLost::Retry),
            ..Options::default()
        };
        same_options(&fixed, r#"{"backoff":{"fixed_us":5000},"on_lost":"retry"}"#);
        let list = Options {
            backoff: Some(Backoff::List(vec![seconds(1), seconds(2)])),
            ..Options::default()
        };
        same_options(&list, r#"{"backoff":{"list_us":[1000000,2000000]}}"#);

        let tags = vec!["eu".to_owned(), "\"a\"\n".to_owned()];
        let text = r#"["eu","\"a\"\n"]"#;
        assert_eq!(write_texts(&tags).as_deref(), Some(text));
        assert_eq!(read_texts(Some(text)), Ok(tags));

        let failure = Failure {
            reason: FailureReason::Exhausted,
            message: "it was \"down\"".to_owned(),
        };
        let text = r#"{"reason":"exhausted","message":"it was \"down\""}"#;
        assert_eq!(write_failure(&failure), text);
        assert_eq!(read_failure(text), Ok(failure));
    }

    #[test]
    fn the_text_form_of_a_history_never_changes() {
        let short = Attempt {
            number: 1,
            life: 1,
            run: 1_763_690_000_000_001,
            worker: Some(WorkerId::from("w1")),
            started_at: Timestamp::from_micros(10),
            ended_at: Timestamp::from_micros(20),
            outcome: AttemptOutcome::TimedOut,
            error: Some("too slow".to_owned()),
        };
        let bare = Attempt {
            life: 2,
            worker: None,
            outcome: AttemptOutcome::Succeeded,
            error: None,
            ..short.clone()
        };
        let history = vec![short, bare];
        let text = concat!(
            r#"[{"attempt":1,"run":1763690000000001,"worker":"w1","started":10,"ended":20,"outcome":"timed_out","error":"too slow"},"#,
            r#"{"attempt":1,"life":2,"run":1763690000000001,"started":10,"ended":20,"outcome":"succeeded"}]"#
        );
        assert_eq!(write_history(&history).as_deref(), Some(text));
        assert_eq!(read_history(Some(text)), Ok(history));
    }

    #[test]
    fn what_is_not_set_is_not_written() {
        assert_eq!(write_options(&Options::default(), None), None);
        assert_eq!(write_texts::<String>(&[]), None);
        assert_eq!(write_history(&[]), None);
        assert_eq!(read_options(None), Ok((Options::default(), None)));
        assert_eq!(read_texts(None), Ok(Vec::new()));
        assert_eq!(read_history(None), Ok(Vec::new()));
    }

    #[test]
    fn the_schedule_that_made_a_job_is_written_with_its_options() {
        let origin = Origin {
            schedule: ScheduleId(Uuid::from_u128(1)),
            name: ScheduleName::from("nightly"),
            nominal_at: Timestamp::from_micros(10),
            missed: 9,
            pokes: true,
        };
        let text = concat!(
            r#"{"origin":{"schedule":"00000000-0000-0000-0000-000000000001","name":"nightly","nominal":10,"#,
            r#""missed":9,"pokes":true}}"#
        );
        assert_eq!(
            write_options(&Options::default(), Some(&origin)).as_deref(),
            Some(text)
        );
        assert_eq!(read_options(Some(text)), Ok((Options::default(), Some(origin))));
    }

    #[test]
    fn every_reason_and_outcome_is_read_back() {
        for reason in FailureReason::ALL {
            let failure = Failure {
                reason,
                message: String::new(),
            };
            assert_eq!(read_failure(&write_failure(&failure)), Ok(failure));
        }
        for outcome in AttemptOutcome::ALL {
            let history = vec![Attempt {
                number: 7,
                life: 1,
                run: u64::MAX,
                worker: None,
                started_at: Timestamp::MIN,
                ended_at: Timestamp::MAX,
                outcome,
                error: None,
            }];
            assert_eq!(read_history(write_history(&history).as_deref()), Ok(history));
        }
    }

    #[test]
    fn texts_that_are_damaged_are_told_apart_from_texts_that_are_not_there() {
        assert!(read_options(Some("{")).is_err());
        assert!(read_texts(Some("7")).is_err());
        assert!(read_history(Some(r#"[{"attempt":1}]"#)).is_err());
        assert!(read_failure(r#"{"reason":"bored"}"#).is_err());
    }

    #[test]
    fn what_a_newer_version_wrote_is_read_as_far_as_it_is_known() {
        let text = concat!(
            r#"[{"attempt":1,"run":1,"started":10,"ended":20,"outcome":"evicted","error":"no room","by":"x"},"#,
            r#"{"attempt":2,"run":2,"started":30,"ended":40,"outcome":"lost"}]"#
        );
        let history = read_history(Some(text)).expect("it can be read");
        let outcomes: Vec<_> = history.iter().map(|attempt| attempt.outcome).collect();
        assert_eq!(outcomes, [AttemptOutcome::Failed, AttemptOutcome::Lost]);
        let told = r#"it ended as "evicted", which this version does not know: no room"#;
        assert_eq!(history[0].error.as_deref(), Some(told));
        assert_eq!(history[1].error, None);

        let failure = read_failure(r#"{"reason":"bored","message":"of it","since":7}"#);
        let told = r#"it failed as "bored", which this version does not know: of it"#;
        let told = Failure {
            reason: FailureReason::Failed,
            message: told.to_owned(),
        };
        assert_eq!(failure, Ok(told));
        assert_eq!(
            read_options(Some(r#"{"colour":1}"#)),
            Ok((Options::default(), None))
        );
    }

    fn same_options(options: &Options, text: &str) {
        assert_eq!(write_options(options, None).as_deref(), Some(text));
        assert_eq!(read_options(Some(text)), Ok((options.clone(), None)));
    }
}
