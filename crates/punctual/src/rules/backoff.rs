//! Rules of backoff.
