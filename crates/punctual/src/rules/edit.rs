//! Rules of edit.
