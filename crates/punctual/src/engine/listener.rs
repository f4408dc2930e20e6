//! The one listener that an engine has on its store: it passes hints on to those who wait.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::limits::{CLAIM_GAP, FIRE_GAP, FOLLOW_GAP, RESCAN, RESULT_GAP, RESULT_ROWS};
use crate::schedule::AT_ONCE;
use crate::signals::Signal;

use super::Core;

/// Passes hints on until the engine stops. `signals` are heard from before anybody could miss one.
pub(super) async fn run(core: Arc<Core>, mut signals: BoxStream<'static, Signal>) {
    let mut claims = Gate::default();
    let mut results = Gate::default();
    let mut output = Gate::default();
    let mut schedules = Gate::default();
    results.ask(core.clock.uptime() + RESCAN);
    output.ask(core.clock.uptime() + RESCAN);
    loop {
        let now = core.clock.uptime();
        if claims.opens(now) {
            core.claimants.anything();
            claims.shut(now + CLAIM_GAP);
        }
        if results.opens(now) {
            let waited_for = core.results.look_at_all();
            results.shut(now + times(RESULT_GAP, waited_for.div_ceil(RESULT_ROWS)));
            results.ask(now + RESCAN);
        }
        if output.opens(now) {
            let followers = core.followers.ring_all();
            output.shut(now + times(FOLLOW_GAP, followers));
            output.ask(now + RESCAN);
        }
        if schedules.opens(now) {
            core.looks.ask(AT_ONCE);
            schedules.shut(now + FIRE_GAP);
        }
        let next = [claims.next(), results.next(), output.next(), schedules.next()]
            .into_iter()
            .flatten()
            .min();
        let mut pause = core.clock.sleep(next.unwrap_or(now + RESCAN).saturating_sub(now));
        // Hints that need no gate are passed on without a new timer for each.
        let anything = loop {
            tokio::select! {
                biased;
                () = core.stopping.cancelled() => return,
                signal = signals.next() => match signal {
                    Some(Signal::Due(queue, due)) if due <= core.clock.now() => core.claimants.due_now(&queue),
                    Some(Signal::Due(queue, due)) => core.claimants.due_at(&queue, due),
                    Some(Signal::Ended(id)) => {
                        core.results.look_at(id);
                        core.followers.ring(id);
                    }
                    Some(Signal::Output(id)) => core.followers.ring(id),
                    Some(Signal::Schedule(at)) => core.looks.ask(at),
                    Some(Signal::Cancel(_)) => {}
                    Some(Signal::Anything | Signal::Lost) => break true,
                    None => return,
                },
                () = &mut pause => break false,
            }
        };
        if anything {
            claims.ask(now);
            results.ask(now);
            output.ask(now);
            schedules.ask(now);
        }
    }
}

/// The length once for each of so many, and for none as for one.
fn times(length: Duration, many: usize) -> Duration {
    length.saturating_mul(u32::try_from(many.max(1)).unwrap_or(u32::MAX))
}

/// Lets a look through at once, and the next ones after a pause, all in one.
#[derive(Default)]
struct Gate {
    /// When a look is wanted.
    asked: Option<Duration>,
    /// Until when none passes.
    shut_until: Duration,
}

impl Gate {
    fn ask(&mut self, at: Duration) {
        self.asked = Some(self.asked.map_or(at, |asked| asked.min(at)));
    }

    fn next(&self) -> Option<Duration> {
        self.asked.map(|at| at.max(self.shut_until))
    }

    fn opens(&self, now: Duration) -> bool {
        self.next().is_some_and(|at| at <= now)
    }

    fn shut(&mut self, until: Duration) {
        self.asked = None;
        self.shut_until = until;
    }
}
