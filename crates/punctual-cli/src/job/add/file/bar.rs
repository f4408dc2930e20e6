//! How far an import has come, for whoever sits at a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A line at the bottom of the terminal; nothing where there is none.
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Of so many bytes, if that is known.
    pub(super) fn new(bytes: Option<u64>) -> Bar {
        let (bar, template) = match bytes {
            Some(bytes) => (
                ProgressBar::new(bytes),
                "{wide_bar} {percent:>3}%  {msg}  {eta} left",
            ),
            None => (ProgressBar::no_length(), "{msg}  {elapsed}"),
        };
        let style = ProgressStyle::with_template(template).expect("the template is ours");
        Bar(bar.with_style(style))
    }

    /// It has come to this byte, and so many jobs are in.
    pub(super) fn at(&self, byte: u64, jobs: usize) {
        self.0.set_message(format!("{jobs} jobs"));
        self.0.set_position(byte);
    }

    /// Writes something above it.
    pub(super) fn aside(&self, write: impl FnOnce()) {
        self.0.suspend(write);
    }

    /// Takes it away.
    pub(super) fn finish(&self) {
        self.0.finish_and_clear();
    }
}
