//! Verdicts: what a job's own table says of a status or an exit code.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;

use crate::limits::{LENGTH_MAX, VERDICTS};
use crate::target::fields::Fields;
use crate::time::{format_length, parse_length};

/// What a job does with an answer or an exit code that its table names.
///
/// In JSON: `"done"`, `"retry"`, `{"retry": "30s"}`, `"fail"` or `{"snooze": "5m"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is success.
    Done,
    /// Another attempt, after this long or else the job's backoff.
    Retry(Option<Duration>),
    /// The job fails, without another attempt.
    Fail,
    /// Not now: again after this long, at no cost of an attempt, however often that is.
    Snooze(Duration),
}

impl Verdict {
    const ACCEPTED: &str = "\"done\", \"retry\", \"fail\", {\"retry\": \"30s\"} or {\"snooze\": \"5m\"}";

    fn read(value: &Value) -> Result<Verdict, String> {
        let refuse = || format!("it must be {}", Verdict::ACCEPTED);
        match value {
            Value::String(word) => match word.as_str() {
                "done" => Ok(Verdict::Done),
                "retry" => Ok(Verdict::Retry(None)),
                "fail" => Ok(Verdict::Fail),
                _ => Err(refuse()),
            },
            Value::Object(object) if object.len() == 1 => {
                let length = |value: &Value| match value.as_str() {
                    Some(text) => parse_length(text).map_err(|error| error.to_string()),
                    None => Err(refuse()),
                };
                match object.iter().next() {
                    Some((word, value)) if word == "retry" => Verdict::Retry(Some(length(value)?)).checked(),
                    Some((word, value)) if word == "snooze" => Verdict::Snooze(length(value)?).checked(),
                    _ => Err(refuse()),
                }
            }
            _ => Err(refuse()),
        }
    }

    /// A job that snoozes for no time would be run again and again without a pause.
    fn checked(self) -> Result<Verdict, String> {
        let max = || format_length(LENGTH_MAX);
        match self {
            Verdict::Snooze(length) if length.is_zero() || length > LENGTH_MAX => {
                Err(format!("a snooze is longer than 0 and at most {}", max()))
            }
            Verdict::Retry(Some(length)) if length > LENGTH_MAX => {
                Err(format!("a delay is at most {}", max()))
            }
            _ => Ok(self),
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (word, length) = match self {
            Verdict::Done => return serializer.serialize_str("done"),
            Verdict::Retry(None) => return serializer.serialize_str("retry"),
            Verdict::Fail => return serializer.serialize_str("fail"),
            Verdict::Retry(Some(length)) => ("retry", length),
            Verdict::Snooze(length) => ("snooze", length),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(word, &format_length(*length))?;
        map.end()
    }
}

/// Some codes, as a table names them: one, or several at once.
pub(super) trait Codes: Copy + PartialEq + Display + FromStr<Err = String> {
    /// Whether this code is among them.
    fn holds(self, code: u16) -> bool;

    /// Whether they are one code.
    fn is_one(self) -> bool;

    /// Whether some code is among both.
    fn meets(self, other: Self) -> bool;
}

/// What becomes of which codes. A code that stands alone goes before those that hold several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table<C>(Vec<(C, Verdict)>);

impl<C> Default for Table<C> {
    fn default() -> Table<C> {
        Table(Vec::new())
    }
}

impl<C: Codes> Table<C> {
    /// What the table says of this code itself.
    pub(super) fn of_one(&self, code: u16) -> Option<Verdict> {
        self.find(code, true)
    }

    /// What the table says of several codes, among them this one.
    pub(super) fn of_several(&self, code: u16) -> Option<Verdict> {
        self.find(code, false)
    }

    fn find(&self, code: u16, one: bool) -> Option<Verdict> {
        let mut lines = self.0.iter();
        let line = lines.find(|(codes, _)| codes.is_one() == one && codes.holds(code));
        line.map(|(_, verdict)| *verdict)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether these codes stand in it.
    #[cfg(feature = "target-http")]
    pub(super) fn names(&self, codes: C) -> bool {
        self.0.iter().any(|(named, _)| *named == codes)
    }

    /// Adds a line, unless it contradicts another one.
    pub(super) fn add(&mut self, codes: &str, verdict: Verdict) -> Result<(), String> {
        let codes: C = codes.parse()?;
        let verdict = verdict.checked()?;
        let contradicts = |(other, _): &&(C, Verdict)| other.is_one() == codes.is_one() && other.meets(codes);
        if let Some((other, _)) = self.0.iter().find(contradicts) {
            return Err(format!("{other} says something of the same codes"));
        }
        if self.0.len() == VERDICTS {
            return Err(format!("a table has at most {VERDICTS} lines"));
        }
        self.0.push((codes, verdict));
        Ok(())
    }

    /// Takes the field of this name, if it is given.
    pub(super) fn read(fields: &mut Fields, name: &str) -> Table<C> {
        let mut table = Table::default();
        fields.entries(
            name,
            "an object such as {\"404\": \"done\"}",
            Verdict::ACCEPTED,
            |codes, value: Value| table.add(codes, Verdict::read(&value)?),
        );
        table
    }
}

impl<C: Codes> Serialize for Table<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(codes, verdict)| (codes.to_string(), verdict)))
    }
}
