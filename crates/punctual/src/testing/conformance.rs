//! The conformance suite: what every [`Store`] must do, one named case after the other.
//!
//! A store is done when every case passes; what a case expects, the documentation of [`Store`] says. Cases step time
//! through the `now` of each verb that takes it. They run on whatever Tokio runtime they are called on; the cases
//! that race find more on one with several threads.
//!
//! In the tests of a store:
//!
//! ```
//! use std::sync::Arc;
//!
//! use punctual::store::{Store, memory::MemoryStore};
//! use punctual::testing::conformance;
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! conformance::run(async || Arc::new(MemoryStore::default()) as Arc<dyn Store>).await;
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! A harness that reports each case by itself takes [`cases`] and runs each of them on an empty store.

mod apply;
mod beat;
mod claim;
mod claim_ids;
mod filter;
mod insert;
mod ledger;
mod limits;
mod list;
mod output;
mod race;
mod read;
mod record;
mod schedule;
mod subject;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use self::subject::Subject;
use crate::store::Store;

/// One thing that a store must do.
pub struct Case {
    name: &'static str,
    run: Box<dyn Fn(Subject) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Case {
    /// What the store must do: a sentence.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Tries it on a store that must be empty and stay alone with the case.
    ///
    /// # Panics
    ///
    /// When the store does not do it.
    pub async fn run(&self, store: Arc<dyn Store>) {
        (self.run)(Subject::new(store)).await;
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// Every case.
pub fn cases() -> Vec<Case> {
    let topics = [
        insert::cases(),
        claim::cases(),
        claim_ids::cases(),
        limits::cases(),
        beat::cases(),
        apply::cases(),
        list::cases(),
        filter::cases(),
        read::cases(),
        record::cases(),
        schedule::cases(),
        ledger::cases(),
        output::cases(),
        race::cases(),
    ];
    topics.into_iter().flatten().collect()
}

/// Runs every case, each on an empty store that `make` gives, to the last one even when some fail.
///
/// # Panics
///
/// When a case failed; the message names all that did.
pub async fn run(make: impl AsyncFn() -> Arc<dyn Store>) {
    let cases = cases();
    let mut failed = Vec::new();
    for case in &cases {
        let store = make().await;
        if AssertUnwindSafe(case.run(store)).catch_unwind().await.is_err() {
            failed.push(format!("\n  {}", case.name()));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases failed:{}",
        failed.len(),
        cases.len(),
        failed.concat()
    );
}

fn case<F, W>(name: &'static str, run: F) -> Case
where
    F: Fn(Subject) -> W + Send + Sync + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    Case {
        name,
        run: Box::new(move |subject| run(subject).boxed()),
    }
}
