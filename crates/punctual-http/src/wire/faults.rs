//! Everything that is wrong with a body, told at once, each under its JSON pointer.

use std::time::Duration;

use bytes::Bytes;
use punctual::error::Field;
use punctual::job::{self, Start};
use punctual::limits::PROGRESS_BYTES;
use punctual::time::parse_length;
use punctual::{Error, Timestamp};
use serde_json::value::RawValue;

use super::json;
use super::new_job::{Backoff, Shape};
use super::unique::{Unique, UniqueKey};
use crate::limits::FAULTS;

/// Everything that was wrong so far, as far as anybody wants to know it.
#[derive(Default)]
pub(super) struct Faults(Vec<Field>);

impl Faults {
    /// Notes a fault, unless there are [`FAULTS`] already.
    pub(super) fn add(&mut self, pointer: &str, message: impl Into<String>) {
        if self.0.len() < FAULTS {
            self.0.push(Field {
                pointer: pointer.to_owned(),
                message: message.into(),
            });
        }
    }

    /// Whether something was wrong there.
    pub(super) fn has(&self, pointer: &str) -> bool {
        self.0.iter().any(|field| field.pointer == pointer)
    }

    pub(super) fn or<T>(self, value: T) -> Result<T, Error> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(Error::invalid_fields(self.0))
        }
    }

    pub(super) fn keep<T>(&mut self, pointer: &str, read: Result<T, Error>) -> Option<T> {
        read.map_err(|error| self.add(pointer, error.to_string())).ok()
    }

    /// Keeps what could be read of a part that stands at `place`, and notes what was wrong with it there.
    pub(super) fn within<T>(&mut self, place: &str, read: Result<T, Error>) -> Option<T> {
        let error = match read {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if error.fields().is_empty() {
            self.add(place, error.to_string());
        }
        for field in error.fields() {
            self.add(&format!("{place}{}", field.pointer), field.message.clone());
        }
        None
    }

    pub(super) fn parse<T: std::str::FromStr<Err = Error>>(
        &mut self,
        pointer: &str,
        text: Option<String>,
    ) -> Option<T> {
        self.keep(pointer, text?.parse())
    }

    pub(super) fn length(&mut self, pointer: &str, text: Option<String>) -> Option<Duration> {
        self.keep(pointer, parse_length(&text?))
    }

    pub(super) fn whole<T: TryFrom<i64>>(
        &mut self,
        pointer: &str,
        number: Option<i64>,
        accepted: &str,
    ) -> Option<T> {
        let number = number?;
        let read = T::try_from(number);
        read.map_err(|_| self.add(pointer, format!("{number} is out of range; write {accepted}")))
            .ok()
    }

    pub(super) fn start(&mut self, run_at: Option<String>, delay: Option<String>) -> Option<Start> {
        if run_at.is_some() && delay.is_some() {
            self.add("/delay", "a job has run_at or delay, never both");
        }
        let at: Option<Timestamp> = self.parse("/run_at", run_at);
        let after = self.length("/delay", delay);
        at.map(Start::At).or(after.map(Start::In))
    }

    pub(super) fn unique(&mut self, unique: Unique) -> job::Unique {
        let UniqueKey {
            key,
            window,
            on_conflict,
        } = match unique {
            Unique::ByPayload => return job::Unique::default(),
            Unique::ByKey(unique) => unique,
        };
        if key.is_none() {
            let accepted = "it is missing; for a key made of kind and payload, write \"unique\": true";
            self.add("/unique/key", accepted);
        }
        job::Unique {
            key,
            window: self.length("/unique/window", window),
            on_conflict: on_conflict.map(Into::into).unwrap_or_default(),
        }
    }

    pub(super) fn payload(&mut self, json: Option<&RawValue>, base64: Option<&str>) -> Option<Bytes> {
        let (pointer, read) = match (json, base64) {
            (Some(_), Some(_)) => (
                "/payload_base64",
                Err("a job has payload or payload_base64, never both".to_owned()),
            ),
            (None, Some(text)) => ("/payload_base64", json::from_base64(text)),
            (Some(json), None) => ("/payload", json::from_json(json)),
            (None, None) => return None,
        };
        read.map_err(|message| self.add(pointer, message)).ok()
    }

    pub(super) fn progress(&mut self, pointer: &str, json: Option<Box<RawValue>>) -> Option<Bytes> {
        let progress = self.keep(pointer, json::from_json(&json?).map_err(Error::invalid))?;
        if progress.len() > PROGRESS_BYTES {
            self.add(pointer, format!("it has at most {PROGRESS_BYTES} bytes"));
        }
        Some(progress)
    }

    pub(super) fn backoff(&mut self, backoff: Backoff) -> Option<job::Backoff> {
        self.foreign_to_shape(&backoff);
        let found = self.0.len();
        let unset = job::Backoff::default();
        let job::Backoff::Exponential { base, factor, max } = unset else {
            return None;
        };
        let read = match backoff.shape {
            Shape::Exponential => job::Backoff::Exponential {
                base: self.length("/backoff/base", backoff.base).unwrap_or(base),
                factor: backoff.factor.unwrap_or(factor),
                max: self.length("/backoff/max", backoff.max).unwrap_or(max),
            },
            Shape::Fixed => {
                let delay = self.required("/backoff/delay", backoff.delay);
                job::Backoff::Fixed(self.length("/backoff/delay", delay).unwrap_or_default())
            }
            Shape::List => {
                let delays = self
                    .required("/backoff/delays", backoff.delays)
                    .unwrap_or_default();
                let each = delays.into_iter().enumerate();
                job::Backoff::List(
                    each.filter_map(|(n, text)| self.length(&format!("/backoff/delays/{n}"), Some(text)))
                        .collect(),
                )
            }
        };
        (self.0.len() == found).then_some(read)
    }

    pub(super) fn required<T>(&mut self, pointer: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.add(pointer, "it is missing");
        }
        value
    }

    /// Tells of each field that the backoff's type does not take: it would be a slip that nobody notices.
    fn foreign_to_shape(&mut self, backoff: &Backoff) {
        let fields = [
            ("/backoff/base", Shape::Exponential, backoff.base.is_some()),
            ("/backoff/factor", Shape::Exponential, backoff.factor.is_some()),
            ("/backoff/max", Shape::Exponential, backoff.max.is_some()),
            ("/backoff/delay", Shape::Fixed, backoff.delay.is_some()),
            ("/backoff/delays", Shape::List, backoff.delays.is_some()),
        ];
        for (pointer, shape, given) in fields {
            if given && shape != backoff.shape {
                self.add(
                    pointer,
                    "exponential takes base, factor and max; fixed takes delay; list takes delays",
                );
            }
        }
    }
}
