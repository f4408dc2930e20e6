//! Schedules as people keep them: in files of their own, and in crontabs that others wrote.
//!
//! ```text
//!  schedules.toml ─▶ File ─┐
//!                          ├─▶ Written ─▶ Difference ◀─ wire::Schedule ◀─ server
//!  crontab ─▶ Crontab ─────┘                 │
//!                                            ▼ created, changed field by field, deleted, left alone
//! ```
//!
//! All of it is text in and plain values out: whoever reads the files, asks the server and writes the schedules stands outside.

pub mod crontab;
mod difference;
mod file;
mod tree;

use punctual::schedule::Plan;

pub use difference::{Becomes, Changed, Difference, Step, Stored};
pub use file::{Fault, File};

use crate::wire::NewSchedule;

/// A schedule as it stands in a file.
#[derive(Clone, Debug)]
pub struct Written {
    /// What people call it.
    pub name: String,
    /// The line where it begins, from 1.
    pub line: usize,
    /// The schedule, as it is sent: defaults are left out.
    pub schedule: NewSchedule,
    /// The same in the library's words.
    pub plan: Plan,
}

impl Written {
    fn new(name: String, line: usize, plan: Plan) -> Written {
        Written {
            name,
            line,
            schedule: NewSchedule::of(&plan),
            plan,
        }
    }
}
