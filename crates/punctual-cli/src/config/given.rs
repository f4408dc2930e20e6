//! What somebody gave for a setting, before it is known what it means.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use punctual::time::{format_length, parse_length};
use serde_json::Value;

/// A value as it was written.
#[derive(Clone, PartialEq)]
pub(crate) enum Given {
    /// Text of a file, which is no number and no list.
    Text(String),
    Whole(i64),
    Decimal(f64),
    Texts(Vec<String>),
    /// Text of a flag or a variable: also a number, or a list with commas.
    Plain(String),
    /// What no setting takes, by a word for it.
    Other(&'static str),
}

/// How much of a wrong value an error tells, in characters.
const TOLD: usize = 80;

impl Given {
    pub(crate) fn new(text: &str) -> Given {
        Given::Text(text.to_owned())
    }

    pub(crate) fn length(length: Duration) -> Given {
        Given::Text(format_length(length))
    }

    pub(crate) fn whole(number: impl TryInto<i64>) -> Given {
        number
            .try_into()
            .map_or(Given::Other("a number that is too large"), Given::Whole)
    }

    /// It as text.
    pub(crate) fn as_text(&self, accepted: &str) -> Result<&str, String> {
        match self {
            Given::Text(text) | Given::Plain(text) => Ok(text),
            other => Err(format!("{other} is no text; {accepted}")),
        }
    }

    /// It as a whole number within bounds.
    pub(crate) fn as_whole<N: TryFrom<i64>>(&self, range: RangeInclusive<i64>) -> Result<N, String> {
        let number = match self {
            Given::Whole(number) => Some(*number),
            Given::Plain(text) => text.parse().ok(),
            _ => None,
        };
        let within = number.filter(|number| range.contains(number));
        let read = within.and_then(|number| N::try_from(number).ok());
        read.ok_or_else(|| {
            let (first, last) = (range.start(), range.end());
            format!("{self} is not accepted; write a whole number from {first} to {last}")
        })
    }

    /// It as a number within bounds.
    pub(crate) fn as_decimal(&self, range: RangeInclusive<f64>) -> Result<f64, String> {
        let number = match self {
            #[expect(clippy::cast_precision_loss, reason = "what is within bounds is far smaller")]
            Given::Whole(number) => Some(*number as f64),
            Given::Decimal(number) => Some(*number),
            Given::Plain(text) => text.parse().ok(),
            _ => None,
        };
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let (first, last) = (range.start(), range.end());
            format!("{self} is not accepted; write a number from {first} to {last}")
        })
    }

    /// It as a length of time within bounds.
    pub(crate) fn as_length(&self, range: RangeInclusive<Duration>) -> Result<Duration, String> {
        let (Given::Text(text) | Given::Plain(text)) = self else {
            return Err(format!(
                "{self} is no length of time; write one such as \"30s\" or \"1h30m\""
            ));
        };
        let length = parse_length(text).map_err(|error| error.to_string())?;
        match length {
            _ if length < *range.start() => Err(format!(
                "{self} is too short; the shortest is {}",
                format_length(*range.start())
            )),
            _ if length > *range.end() => Err(format!(
                "{self} is too long; the longest is {}",
                format_length(*range.end())
            )),
            _ => Ok(length),
        }
    }

    /// It as a list of texts.
    pub(crate) fn as_texts(&self) -> Result<Vec<String>, String> {
        match self {
            Given::Texts(texts) => Ok(texts.clone()),
            Given::Plain(text) => Ok(text.split(',').map(|part| part.trim().to_owned()).collect()),
            other => Err(format!(
                "{other} is no list of texts; write one such as [\"a\", \"b\"]"
            )),
        }
    }

    /// It as one of these words.
    pub(crate) fn as_one_of<T: Copy>(&self, words: &[(&str, T)]) -> Result<T, String> {
        let said = words
            .iter()
            .map(|(word, _)| *word)
            .collect::<Vec<_>>()
            .join(" or ");
        let text = self.as_text(&format!("write {said}"))?;
        let found = words.iter().find(|(word, _)| *word == text);
        found
            .map(|(_, meant)| *meant)
            .ok_or_else(|| format!("{self} is not accepted; write {said}"))
    }

    /// Text of a flag or a variable as a file would have it: in the first form that the setting takes.
    pub(crate) fn typed(self, takes: impl Fn(&Given) -> bool) -> Given {
        let Given::Plain(text) = &self else { return self };
        let forms = [
            Some(Given::Text(text.clone())),
            text.parse().ok().map(Given::Whole),
            text.parse().ok().map(Given::Decimal),
            self.as_texts().ok().map(Given::Texts),
        ];
        forms.into_iter().flatten().find(takes).unwrap_or(self)
    }

    /// It as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Given::Text(text) | Given::Plain(text) => Value::from(text.as_str()),
            Given::Whole(number) => Value::from(*number),
            Given::Decimal(number) => Value::from(*number),
            Given::Texts(texts) => Value::from(texts.as_slice()),
            Given::Other(word) => Value::from(*word),
        }
    }

    /// It as TOML.
    pub(crate) fn to_toml(&self) -> String {
        match self {
            Given::Text(text) | Given::Plain(text) => quoted(text),
            Given::Whole(number) => number.to_string(),
            Given::Decimal(number) => format!("{number:?}"),
            Given::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(", "))
            }
            Given::Other(word) => (*word).to_owned(),
        }
    }
}

/// As an error tells it: on one line, and not without end.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_toml();
        match text.char_indices().nth(TOLD) {
            None => f.write_str(&text),
            Some((end, _)) => write!(f, "{}…", &text[..end]),
        }
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
