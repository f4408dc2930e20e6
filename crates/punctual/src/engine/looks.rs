//! When schedules are to be looked at, as far as hints tell: whoever fires them sleeps until then.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::time::Timestamp;

/// The earliest look that was asked for, and a bell.
#[derive(Default)]
pub(super) struct Looks {
    at: Mutex<Option<Timestamp>>,
    bell: Notify,
}

impl Looks {
    /// A schedule is to be looked at then.
    pub(super) fn ask(&self, at: Timestamp) {
        let mut asked = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.is_none_or(|asked| at < asked) {
            *asked = Some(at);
            self.bell.notify_one();
        }
    }

    /// Waits until one is asked for, and answers the earliest that was since the last time.
    pub(super) async fn asked(&self) -> Timestamp {
        loop {
            if let Some(at) = self.at.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return at;
            }
            self.bell.notified().await;
        }
    }
}
