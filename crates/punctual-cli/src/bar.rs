//! How far long work has come, for whoever sits at a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use crate::print;

/// A line at the bottom of the terminal; nothing where there is none.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// Of work that is so long, if that is known.
    pub(crate) fn new(length: Option<u64>) -> Bar {
        let (bar, template) = match length {
            Some(length) => (
                ProgressBar::new(length),
                "{wide_bar} {percent:>3}%  {msg}  {eta} left",
            ),
            None => (ProgressBar::no_length(), "{msg}  {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is ours");
        Bar(bar.with_style(style))
    }

    /// It has come so far, and so many jobs are done.
    pub(crate) fn at(&self, place: u64, jobs: u64) {
        self.0.set_message(print::count(jobs, "job"));
        self.0.set_position(place);
    }

    /// Writes something above it.
    pub(crate) fn aside(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }
}

impl Drop for Bar {
    /// Takes it away.
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
