//! The one kind of job that everybody is given.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A job as the measurements ask for it.
#[derive(Clone, Debug)]
pub struct Job {
    /// What the handler gets.
    pub payload: Payload,
    /// When it may start at the earliest; `None` means now.
    pub due: Option<SystemTime>,
    /// Whether it goes before all jobs that are not urgent.
    pub urgent: bool,
}

/// A schedule as the measurements ask for it: one job after the other, that all carry the same.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What the handler gets.
    pub payload: Payload,
    /// How far its instants are apart; they are so many lengths from the epoch, and `phase` more.
    pub every: Duration,
    /// Shorter than `every`.
    pub phase: Duration,
}

/// About 100 bytes of JSON.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Payload {
    /// Which job this is; unique within one store.
    pub number: u64,
    template: String,
    address: String,
    attempt_link: bool,
}

impl Job {
    /// A job that is due now.
    pub fn now(number: u64) -> Self {
        Self {
            payload: Payload::new(number),
            due: None,
            urgent: false,
        }
    }

    /// A job that is due at `due`.
    pub fn at(number: u64, due: SystemTime) -> Self {
        Self {
            due: Some(due),
            ..Self::now(number)
        }
    }

    /// The due instant in whole seconds since the epoch, rounded up so that the job is never early:
    /// for systems whose timetable has no finer grain.
    pub fn due_seconds(&self) -> Option<u64> {
        self.due
            .map(|due| due_since_epoch(due).as_micros().div_ceil(1_000_000) as u64)
    }

    /// The due instant in microseconds since the epoch.
    pub fn due_micros(&self) -> Option<i64> {
        self.due.map(|due| due_since_epoch(due).as_micros() as i64)
    }
}

impl Schedule {
    /// One that has an instant at `due`.
    pub fn through(due: SystemTime, number: u64, every: Duration) -> Self {
        let phase = due_since_epoch(due).as_micros() % every.as_micros();
        Self {
            payload: Payload::new(number),
            every,
            phase: Duration::from_micros(phase as u64),
        }
    }
}

impl Payload {
    fn new(number: u64) -> Self {
        Self {
            number,
            template: "welcome".to_owned(),
            address: format!("user-{number:010}@mail.example.com"),
            attempt_link: true,
        }
    }
}

fn due_since_epoch(due: SystemTime) -> Duration {
    due.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_about_a_hundred_bytes_of_json() {
        let json = serde_json::to_string(&Payload::new(123_456)).expect("plain data");
        assert!((95..=110).contains(&json.len()), "{} bytes: {json}", json.len());
    }

    #[test]
    fn whole_seconds_are_never_early() {
        let due = SystemTime::UNIX_EPOCH + Duration::from_millis(1_001);
        assert_eq!(Job::at(0, due).due_seconds(), Some(2));
    }
}
