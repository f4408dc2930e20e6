//! Batches that no script takes long for: a server does nothing else while one runs.

use redis::Value;

use super::link::Link;
use super::reply;
use super::script::{Arguments, Script};
use crate::error::Error;
use crate::limits;

/// Items for one script, in as many runs of it as they need.
#[derive(Default)]
pub(super) struct Batches {
    batches: Vec<(usize, Arguments)>,
}

impl Batches {
    /// Adds an item, whose arguments `push` gives.
    pub(super) fn add(&mut self, push: impl FnOnce(&mut Arguments)) {
        let is_full = self.batches.last().is_none_or(|(items, arguments)| {
            *items >= limits::SCRIPT_ITEMS || arguments.size() >= limits::SCRIPT_BYTES
        });
        if is_full {
            self.batches.push((0, Arguments::default()));
        }
        if let Some((items, arguments)) = self.batches.last_mut() {
            *items += 1;
            push(arguments);
        }
    }

    /// Runs the script for all of them, one batch after the other, and answers what it said of each item.
    ///
    /// A batch that fails after another was written leaves the whole unknown: whoever sends it again finds what stands.
    pub(super) async fn write(self, link: &Link, script: &'static Script) -> Result<Vec<Value>, Error> {
        let mut answers = Vec::new();
        for (items, arguments) in self.batches {
            let answered = match link.write(script, arguments).await {
                Ok(value) => reply::as_many(reply::array(value)?, items)?,
                Err(error) if answers.is_empty() || error.is_unknown() => return Err(error),
                Err(error) => {
                    let why = format!("a part of this was stored, and then: {error}");
                    return Err(Error::unknown(why).caused_by(error));
                }
            };
            answers.extend(answered);
        }
        Ok(answers)
    }
}
