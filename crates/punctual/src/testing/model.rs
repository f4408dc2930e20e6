//! Random histories on a store, compared with the memory store answer by answer.
//!
//! A history is a list of [`Step`]s, plain data: draw it with whatever library draws lists, such as `proptest`. Its
//! numbers are small, so that jobs, keys and queues meet again and again. Playing the same steps gives the same calls
//! each time. [`compare`] plays a history, and [`shrink`] finds the few steps of one that are to blame for a
//! difference, which a library that knows nothing of histories would take much longer for.
//!
//! ```
//! use std::sync::Arc;
//!
//! use punctual::store::memory::MemoryStore;
//! use punctual::testing::model::{Decision, Does, Row, Seen, Step, compare};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let steps = [
//!     Step::Insert(vec![Row { key: Some(0), ..Row::plain(1) }]),
//!     Step::Claim { queues: vec![0], max: 1, lease: 500 },
//!     Step::Change(vec![Decision { job: 1, seen: Seen::Stored, does: Does::Succeed, then: vec![] }]),
//!     Step::Look,
//! ];
//! let store = Arc::new(MemoryStore::default());
//! compare(store, &steps).await.expect("the memory store is like itself");
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```

mod decide;
mod look;
mod play;
mod rule;
mod schedules;
mod shrink;
mod step;

use std::fmt;
use std::sync::Arc;

use self::play::Twins;
pub use self::shrink::shrink;
pub use self::step::{
    Asked, Decision, Does, Entry, Event, Import, Plans, Row, Scheduling, Seen, Setting, Settings, Step,
};
use crate::store::Store;

/// After so many steps the whole content is compared, whether or not the history says so.
const LOOK_EVERY: usize = 100;

/// Plays the history on `store`, which must be empty, and on a memory store, and compares every answer, and now
/// and then everything that they hold. What a store may choose freely is left out of account: where a page ends, the
/// words of an error, the age of its counts.
///
/// # Errors
///
/// The first difference. Later steps were not played.
pub async fn compare(store: Arc<dyn Store>, steps: &[Step]) -> Result<(), Difference> {
    let mut twins = Twins::new(store);
    for (place, step) in steps.iter().enumerate() {
        let mut played = twins.play(step).await;
        if played.is_ok() && (place + 1) % LOOK_EVERY == 0 {
            played = twins.look().await;
        }
        played.map_err(|told| Difference {
            place,
            step: step.clone(),
            told,
        })?;
    }
    let nothing_more = Difference::at_the_end(steps.len());
    twins
        .look()
        .await
        .map_err(|told| Difference { told, ..nothing_more })
}

/// Where a store parted from the memory store.
#[derive(Clone, Debug)]
pub struct Difference {
    place: usize,
    step: Step,
    told: Told,
}

impl Difference {
    fn at_the_end(place: usize) -> Difference {
        Difference {
            place,
            step: Step::Look,
            told: Told::default(),
        }
    }

    /// The place of the step in the history.
    pub fn place(&self) -> usize {
        self.place
    }
}

/// What was asked, and what the two stores said.
#[derive(Clone, Debug, Default)]
struct Told {
    asked: String,
    memory: String,
    store: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { asked, memory, store } = &self.told;
        write!(
            f,
            "at step {}, {:?}\nasked: {asked}\nthe memory store says: {memory}\nthe store says:        {store}",
            self.place, self.step
        )
    }
}

impl std::error::Error for Difference {}
