//! The command line of an adapter.

use std::{path::Path, str::FromStr, time::Duration};

use crate::Error;

/// One command and its numbers; what a command does not use it ignores.
#[derive(Clone, Debug)]
pub struct Request {
    /// What to measure.
    pub command: String,
    /// The store's URL: `sqlite:FILE`, `postgres://…` or `redis://…`.
    pub store: String,
    /// How many jobs are due now, or in all.
    pub jobs: u64,
    /// How many jobs are due in a day.
    pub tomorrow: u64,
    /// How many schedules are stored: for `fill`, each makes its first job in a day.
    pub schedules: u64,
    /// Whether the jobs of tomorrow go before all others once they are due.
    pub urgent_tomorrow: bool,
    /// How long to measure.
    pub seconds: f64,
    /// How many callers enqueue at once.
    pub callers: u64,
    /// Jobs in one call of each of them.
    pub together: u64,
    /// Due jobs a second.
    pub rate: u64,
    /// Whether a finished job is deleted rather than kept.
    pub delete: bool,
    /// Jobs that the floor claims, and completes, at once; the others have settings of their own.
    pub batch: usize,
    /// When to give up.
    pub deadline: Duration,
}

impl Request {
    pub(crate) fn from_arguments() -> Result<Self, Error> {
        let mut arguments = std::env::args().skip(1);
        let mut request = Self {
            command: arguments.next().ok_or("usage: ADAPTER COMMAND --store URL …")?,
            store: String::new(),
            jobs: 0,
            tomorrow: 0,
            schedules: 0,
            urgent_tomorrow: false,
            seconds: 5.0,
            callers: 64,
            together: 1,
            rate: 25,
            delete: false,
            batch: 100,
            deadline: Duration::from_secs(600),
        };
        while let Some(flag) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{flag} needs a value"));
            match flag.as_str() {
                "--store" => request.store = value()?,
                "--jobs" => request.jobs = number(&value()?)?,
                "--tomorrow" => request.tomorrow = number(&value()?)?,
                "--schedules" => request.schedules = number(&value()?)?,
                "--urgent-tomorrow" => request.urgent_tomorrow = true,
                "--seconds" => request.seconds = number(&value()?)?,
                "--callers" => request.callers = number(&value()?)?,
                "--together" => request.together = number(&value()?)?,
                "--rate" => request.rate = number(&value()?)?,
                "--delete" => request.delete = true,
                "--batch" => request.batch = number(&value()?)?,
                "--deadline" => request.deadline = Duration::from_secs(number(&value()?)?),
                unknown => return Err(format!("unknown flag {unknown}").into()),
            }
        }
        if request.store.is_empty() {
            return Err("--store is needed".into());
        }
        Ok(request)
    }

    /// The file of an SQLite store.
    pub fn file(&self) -> &Path {
        let path = self.store.strip_prefix("sqlite:");
        Path::new(path.unwrap_or(&self.store))
    }

    /// Whether this measures how soon a job starts rather than how many do.
    pub fn is_of_latency(&self) -> bool {
        ["pickup", "lateness", "schedules"].contains(&self.command.as_str())
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| format!("{text:?} is no number").into())
}
