//! What tests need: a suite that any store can be held against, and random histories that compare a store with the
//! memory store. Behind the feature `testing`.
//!
//! Both fail by panicking, as tests do.

pub mod conformance;
pub mod model;
mod sample;
