//! What tests need: a suite that any store can be held against, random histories that compare a store with the
//! memory store, and a store that fails as a test wants. Behind the feature `testing`.
//!
//! The first two fail by panicking, as tests do.

pub mod conformance;
mod faulty;
pub mod model;
mod sample;

pub use self::faulty::{Call, Fate, FaultyStore};
