//! Patience with a server that has answered before and does not now: it may be starting anew.

use std::time::Duration;

use punctual::Kind;
use punctual::clock::{Clock, SystemClock};
use punctual_http::client::ClientError;

/// Pauses between tries, before it is given up: with those below, about a minute in all, in which most servers are back.
const PAUSES: u32 = 16;
/// The first pause; they double.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// What is left of it.
pub(crate) struct Patience {
    clock: SystemClock,
    pauses: u32,
    pause: Duration,
    /// The uptime at which it is over in any case.
    until: Option<Duration>,
}

impl Patience {
    /// With a server that has not answered yet: there may be none, and whoever asks is told at once.
    pub(crate) fn none_yet() -> Patience {
        Patience {
            clock: SystemClock::new(),
            pauses: 0,
            pause: FIRST,
            until: None,
        }
    }

    /// With one that has just answered; over in any case at this uptime of the machine.
    pub(crate) fn until(until: Option<Duration>) -> Patience {
        let mut patience = Patience {
            until,
            ..Patience::none_yet()
        };
        patience.renew();
        patience
    }

    /// It has answered.
    pub(crate) fn renew(&mut self) {
        (self.pauses, self.pause) = (PAUSES, FIRST);
    }

    /// Asks until there is an answer or a refusal, or it is given up. `tell` is told of the first try that failed.
    pub(crate) async fn ask<T>(
        &mut self,
        mut ask: impl AsyncFnMut() -> Result<T, ClientError>,
        tell: impl Fn(&str),
    ) -> Result<T, ClientError> {
        loop {
            match ask().await {
                Ok(answer) => {
                    self.renew();
                    return Ok(answer);
                }
                Err(error) => self.wait(error, &tell).await?,
            }
        }
    }

    /// Waits for the time of another try; gives the error back if there is to be none.
    pub(crate) async fn wait(&mut self, error: ClientError, tell: impl Fn(&str)) -> Result<(), ClientError> {
        let left = self.until.map(|until| until.saturating_sub(self.clock.uptime()));
        let is_over = self.pauses == 0 || left.is_some_and(|left| left.is_zero());
        if is_over || error.kind() != Kind::Unavailable {
            return Err(error);
        }
        if self.pause == FIRST {
            tell(&format!("{error}; trying again"));
        }
        self.clock.sleep(left.unwrap_or(self.pause).min(self.pause)).await;
        self.pauses -= 1;
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}
