//! Stopping: softly at the first SIGTERM or SIGINT, hard at one that comes later.

use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use punctual::clock::{Clock, SystemClock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::failure::code;

/// A signal that comes sooner after the first one is no wish of its own: `timeout` sends one to the process and one to its group
/// at the same time, and so does a terminal together with whoever passes Ctrl-C on. No person presses twice in this time and
/// means to.
const APART: Duration = Duration::from_secs(1);

/// Whether, and how, this process is to stop.
#[derive(Clone)]
pub(super) struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
    /// The signal that asked for a hard stop.
    second: Arc<OnceLock<SignalKind>>,
}

impl Stop {
    /// Hears the signals from now on.
    pub(super) fn listen() -> io::Result<Stop> {
        let stop = Stop {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            second: Arc::default(),
        };
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        tokio::spawn(stop.clone().hear(terminate, interrupt));
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

    /// What the process exits with: 0, or after a hard stop 130 for SIGINT and 143 for SIGTERM.
    pub(super) fn code(&self) -> ExitCode {
        let number = self.second.get().map(SignalKind::as_raw_value);
        let number = number.and_then(|number| u8::try_from(number).ok());
        number.map_or(ExitCode::SUCCESS, |number| {
            ExitCode::from(code::SIGNAL.saturating_add(number))
        })
    }

    async fn hear(self, mut terminate: Signal, mut interrupt: Signal) {
        next(&mut terminate, &mut interrupt).await;
        tracing::info!(
            "stopping: what runs may come to its end; a second signal, a second later or more, stops at once"
        );
        self.soft.cancel();
        let clock = SystemClock::new();
        let earliest = clock.uptime() + APART;
        let second = loop {
            let again = next(&mut terminate, &mut interrupt).await;
            if clock.uptime() >= earliest {
                break again;
            }
        };
        tracing::warn!("stopping at once: what runs is put back");
        self.second.get_or_init(|| second);
        self.hard.cancel();
    }
}

/// The signal that asks for nothing but to read the settings anew. Unheard, it would kill.
pub(super) fn hangups() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) -> SignalKind {
    tokio::select! {
        biased;
        _ = terminate.recv() => SignalKind::terminate(),
        _ = interrupt.recv() => SignalKind::interrupt(),
    }
}
