//! Rules of settle.
