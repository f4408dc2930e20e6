//! Batches that no script takes long for: a server does nothing else while one runs.

use redis::Value;

use super::link::Link;
use super::reply;
use super::script::{Arguments, Script};
use crate::error::Error;
use crate::limits;

/// Items for one script, in as many runs of it as they need.
#[derive(Default)]
pub(super) struct Batches(Vec<Batch>);

/// What one run of a script is given.
#[derive(Default)]
struct Batch {
    items: usize,
    rows: usize,
    arguments: Arguments,
}

impl Batches {
    /// Adds an item that writes so many rows, whose arguments `push` gives. An item is never split.
    pub(super) fn add(&mut self, rows: usize, push: impl FnOnce(&mut Arguments)) {
        let has_room = |batch: &Batch| {
            batch.rows + rows <= limits::SCRIPT_ITEMS && batch.arguments.size() < limits::SCRIPT_BYTES
        };
        if !self.0.last().is_some_and(has_room) {
            self.0.push(Batch::default());
        }
        if let Some(batch) = self.0.last_mut() {
            batch.items += 1;
            batch.rows += rows;
            push(&mut batch.arguments);
        }
    }

    /// Runs the script for all of them, one batch after the other, and answers what it said of each item.
    ///
    /// A batch that fails after another was written leaves the whole unknown: whoever sends it again finds what stands.
    pub(super) async fn write(self, link: &Link, script: &'static Script) -> Result<Vec<Value>, Error> {
        let mut answers = Vec::new();
        for Batch { items, arguments, .. } in self.0 {
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
