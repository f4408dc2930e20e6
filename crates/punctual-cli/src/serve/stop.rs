//! Stopping: softly at the first SIGTERM or SIGINT, hard at the second.

use std::future::Future;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whether, and how, this process is to stop.
pub(super) struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    /// Hears the signals from now on.
    pub(super) fn listen() -> io::Result<Stop> {
        let stop = Stop {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
        };
        let (soft, hard) = (stop.soft.clone(), stop.hard.clone());
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(hear(terminate, interrupt, soft, hard));
        Ok(stop)
    }

    /// Is done when it is to stop.
    pub(super) fn soft(&self) -> impl Future<Output = ()> + use<> {
        self.soft.clone().cancelled_owned()
    }

    /// Is done when it is to stop at once.
    pub(super) fn hard(&self) -> impl Future<Output = ()> + use<> {
        self.hard.clone().cancelled_owned()
    }

    /// Stops softly, without a signal.
    pub(super) fn now(&self) {
        self.soft.cancel();
    }
}

async fn hear(
    mut terminate: Signal,
    mut interrupt: Signal,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("stopping: what runs may come to its end; a second signal stops at once");
    soft.cancel();
    next(&mut terminate, &mut interrupt).await;
    tracing::warn!("stopping at once: what runs is put back");
    hard.cancel();
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
