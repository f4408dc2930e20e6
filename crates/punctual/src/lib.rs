//! Punctual.
