//! What a job's fields must be like. All bad ones are told at once, each under its JSON pointer on the wire.

use std::time::Duration;

use crate::error::{Error, Field};
use crate::job::{Backoff, Defaults, JobId, Options, Unique};
use crate::limits;
use crate::queue::name_fault;
use crate::rules::admit::canonical::PAYLOAD_KEY_PREFIX;
use crate::time::{INSTANTS, Timestamp, format_length};

/// Collects what is wrong with an input.
#[derive(Default)]
pub(in crate::rules) struct Check {
    fields: Vec<Field>,
}

impl Check {
    /// Nothing was wrong, or here is all of it.
    pub(in crate::rules) fn finish(self) -> Result<(), Error> {
        if self.fields.is_empty() {
            Ok(())
        } else {
            Err(Error::invalid_fields(self.fields))
        }
    }

    /// Notes `message` under `pointer` unless the field is right.
    pub(in crate::rules) fn hold(
        &mut self,
        right: bool,
        pointer: impl Into<String>,
        message: impl FnOnce() -> String,
    ) {
        if !right {
            self.fields.push(Field {
                pointer: pointer.into(),
                message: message(),
            });
        }
    }

    /// The name of a kind or a queue.
    pub(in crate::rules) fn name(&mut self, pointer: &str, name: &str) {
        if let Some(fault) = name_fault(name) {
            self.hold(false, pointer, || fault);
        }
    }

    /// The id that a job chose. The nil UUID stands for none, and is where stores begin the list of all jobs.
    pub(in crate::rules) fn id(&mut self, id: Option<JobId>) {
        let is_nil = id.is_some_and(|id| id.0.is_nil());
        self.hold(!is_nil, "/id", || {
            "must not be the nil UUID, which names nothing; leave it out to be given one".to_owned()
        });
    }

    pub(in crate::rules) fn priority(&mut self, priority: u8) {
        let right = priority <= limits::PRIORITY_MAX;
        self.hold(right, "/priority", || {
            format!(
                "must lie between 0 (first) and {}, and is {priority}",
                limits::PRIORITY_MAX
            )
        });
    }

    pub(in crate::rules) fn payload(&mut self, payload: &[u8], defaults: &Defaults) {
        let (has, may) = (payload.len(), defaults.payload_bytes);
        self.hold(has <= may, "/payload", || {
            format!("must have at most {may} bytes, and has {has}")
        });
    }

    pub(in crate::rules) fn tags(&mut self, tags: &[String]) {
        self.hold(tags.len() <= limits::TAGS, "/tags", || {
            format!("must have at most {} items, and has {}", limits::TAGS, tags.len())
        });
        for (index, tag) in tags.iter().take(limits::TAGS).enumerate() {
            self.text(format!("/tags/{index}"), tag, 1, limits::TAG_BYTES);
        }
    }

    /// Text that stores keep as text: none of them agrees with another about NUL.
    pub(in crate::rules) fn text(
        &mut self,
        pointer: impl Into<String>,
        text: &str,
        least: usize,
        most: usize,
    ) {
        let right = (least..=most).contains(&text.len()) && !text.contains('\0');
        self.hold(right, pointer, || {
            format!("must have {least} to {most} bytes, none of them NUL")
        });
    }

    /// An instant that a user wrote: not before 1970. [`Timestamp::MAX`] ends all of them.
    pub(in crate::rules) fn instant(&mut self, pointer: &str, instant: Timestamp) {
        let right = instant >= Timestamp::EPOCH;
        self.hold(right, pointer, || INSTANTS.to_owned());
    }

    /// A length of time that may be zero.
    pub(in crate::rules) fn length(&mut self, pointer: impl Into<String>, length: Duration) {
        self.hold(length <= limits::LENGTH_MAX, pointer, || {
            format!("must be at most {}", format_length(limits::LENGTH_MAX))
        });
    }

    /// A length of time that must not be zero; what is below a microsecond is zero to a store.
    fn lasting(&mut self, pointer: &str, length: Option<Duration>) {
        let Some(length) = length else { return };
        self.hold(length >= Duration::from_micros(1), pointer, || {
            "must be longer than 0".to_owned()
        });
        self.length(pointer, length);
    }

    pub(in crate::rules) fn options(&mut self, options: &Options) {
        self.lasting("/timeout", options.timeout);
        self.lasting("/max_elapsed", options.max_elapsed);
        if let Some(attempts) = options.max_attempts {
            let right = (1..=limits::ATTEMPTS_MAX).contains(&attempts);
            self.hold(right, "/max_attempts", || {
                format!("must lie between 1 and {}", limits::ATTEMPTS_MAX)
            });
        }
        if let Some(deadline) = options.start_deadline {
            self.instant("/start_deadline", deadline);
        }
        match &options.backoff {
            None => {}
            Some(Backoff::Fixed(delay)) => self.length("/backoff/delay", *delay),
            Some(Backoff::List(delays)) => self.delays(delays),
            Some(Backoff::Exponential { base, factor, max }) => {
                self.length("/backoff/base", *base);
                self.length("/backoff/max", *max);
                // No range contains what is not a number.
                let right = (1.0..=limits::BACKOFF_FACTOR_MAX).contains(factor);
                self.hold(right, "/backoff/factor", || {
                    format!("must lie between 1 and {}", limits::BACKOFF_FACTOR_MAX)
                });
            }
        }
    }

    fn delays(&mut self, delays: &[Duration]) {
        let right = (1..=limits::BACKOFF_DELAYS).contains(&delays.len());
        self.hold(right, "/backoff/delays", || {
            format!(
                "must have 1 to {} items, and has {}",
                limits::BACKOFF_DELAYS,
                delays.len()
            )
        });
        for (index, delay) in delays.iter().take(limits::BACKOFF_DELAYS).enumerate() {
            self.length(format!("/backoff/delays/{index}"), *delay);
        }
    }

    /// A job is not started once its deadline has come: one that is due only then could never start.
    pub(in crate::rules) fn start_deadline(&mut self, pointer: &str, options: &Options, due: Timestamp) {
        if let Some(deadline) = options.start_deadline {
            self.hold(deadline > due, pointer, || {
                format!("the job could never start: due at {due}, it must have started before {deadline}")
            });
        }
    }

    pub(in crate::rules) fn unique(&mut self, unique: &Unique) {
        if let Some(key) = &unique.key {
            self.text("/unique/key", key, 1, limits::UNIQUE_KEY_BYTES);
            self.hold(!key.starts_with(PAYLOAD_KEY_PREFIX), "/unique/key", || {
                format!("keys that begin with {PAYLOAD_KEY_PREFIX:?} are made from payloads; begin yours otherwise")
            });
        }
        self.lasting("/unique/window", unique.window);
    }
}
