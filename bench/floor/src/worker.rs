//! Claim a batch, run it, complete it; sleep when nothing is due.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use protocol::{Error, OnStart, Payload, Request};

use crate::store::Store;

/// How often an idle worker looks for what another process wrote.
const LOOK: Duration = Duration::from_millis(1);

/// Rung by the writer of this process after each commit.
#[derive(Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ringing.notify_one();
    }

    fn wait(&self, most: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rung, _) = self
            .ringing
            .wait_timeout_while(rung, most, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// Works until something fails.
pub(crate) fn work(
    mut store: Store,
    request: &Request,
    committed: &Bell,
    on_start: &OnStart,
) -> Result<(), Error> {
    loop {
        match store.until_due()? {
            Some(Duration::ZERO) => {
                let jobs = store.claim(request.batch)?;
                for job in &jobs {
                    on_start(serde_json::from_str::<Payload>(&job.payload)?.number);
                }
                store.complete(&jobs, request.delete)?;
            }
            Some(length) => committed.wait(length.min(LOOK)),
            None => committed.wait(LOOK),
        }
    }
}
