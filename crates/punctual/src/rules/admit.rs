//! Rules of admit.
