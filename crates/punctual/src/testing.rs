//! What tests need: a suite that any store can be held against, random histories that compare a store with the
//! memory store, a store that fails as a test wants, and an engine whose time a test steps. Behind the feature
//! `testing`.
//!
//! What they hold and do not find makes them panic, as tests do.

pub mod conformance;
mod engine;
mod faulty;
pub mod model;
mod sample;

pub use self::engine::TestEngine;
pub use self::faulty::{Call, Fate, FaultyStore};
