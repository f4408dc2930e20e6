//! How a job is tried.

use std::time::Duration;

use clap::{Args, ValueEnum};
use punctual::time::format_length;
use punctual_http::wire::{self, Backoff, Shape};

use crate::when;

/// How a job is tried.
#[derive(Args)]
pub(crate) struct Trying {
    /// The longest that one attempt may take
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    timeout: Option<Duration>,
    /// Attempts before it fails, the first one included
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=1000))]
    pub(crate) max_attempts: Option<i64>,
    /// The delays between attempts, such as exponential:1s,2,1h (the first, the factor, the longest), fixed:10s or list:1s,1m,1h
    #[arg(long, value_name = "DELAYS", value_parser = backoff)]
    pub(crate) backoff: Option<Backoff>,
    /// No further attempt begins this long after the first one began
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    max_elapsed: Option<Duration>,
    /// When its worker is lost: try again, or fail, for what must not run twice
    #[arg(long, value_name = "WHAT")]
    on_lost: Option<OnLost>,
}

// No docs on the values: they would stretch the help over three pages.
#[derive(Clone, Copy, ValueEnum)]
enum OnLost {
    Retry,
    Fail,
}

impl Trying {
    /// The longest attempt, as the wire has it.
    pub(crate) fn timeout(&self) -> Option<String> {
        self.timeout.map(format_length)
    }

    /// How long after the first attempt the last one may begin, as the wire has it.
    pub(crate) fn max_elapsed(&self) -> Option<String> {
        self.max_elapsed.map(format_length)
    }

    /// What becomes of a run whose worker is lost, as the wire has it.
    pub(crate) fn on_lost(&self) -> Option<wire::OnLost> {
        self.on_lost.map(|what| match what {
            OnLost::Retry => wire::OnLost::Retry,
            OnLost::Fail => wire::OnLost::Fail,
        })
    }
}

/// Reads `exponential:1s,2,1h`, `fixed:10s` or `list:1s,1m,1h`.
fn backoff(text: &str) -> Result<Backoff, String> {
    let form = || "write it as exponential:1s,2,1h, as fixed:10s or as list:1s,1m,1h".to_owned();
    let (shape, values) = text.split_once(':').ok_or_else(form)?;
    let values: Vec<&str> = values.split(',').map(str::trim).collect();
    let length = |text: &str| when::length(text).map(format_length);
    let mut backoff = Backoff {
        shape: Shape::Exponential,
        base: None,
        factor: None,
        max: None,
        delay: None,
        delays: None,
    };
    match (shape, values.as_slice()) {
        ("exponential", [base, factor, max]) => {
            backoff.base = Some(length(base)?);
            backoff.factor = Some(factor.parse().map_err(|_| form())?);
            backoff.max = Some(length(max)?);
        }
        ("fixed", [delay]) => {
            backoff.shape = Shape::Fixed;
            backoff.delay = Some(length(delay)?);
        }
        ("list", delays) => {
            backoff.shape = Shape::List;
            backoff.delays = Some(
                delays
                    .iter()
                    .map(|delay| length(delay))
                    .collect::<Result<_, _>>()?,
            );
        }
        _ => return Err(form()),
    }
    Ok(backoff)
}
