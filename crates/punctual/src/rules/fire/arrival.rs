//! What becomes of an instant that is to be fired: the overlap policy, and what is owed under it.

use std::mem;

use crate::limits::SCHEDULE_OWED;
use crate::schedule::{Overlap, Owed, Reason};
use crate::time::Timestamp;

use super::firing::Firing;

impl Firing<'_> {
    /// Fires what is owed, as far as no live run stands in its way.
    pub(super) fn pay(&mut self) {
        while !self.is_busy() && !self.has_made_all() && !self.is_full() {
            match self.standing.owed.pop_front() {
                Some(owed) => self.fire(owed),
                None => break,
            }
        }
    }

    /// An instant whose time has come. Its job stands for those that were let go before it. Answers whether it has its place.
    pub(super) fn arrive(&mut self, nominal_at: Timestamp) -> bool {
        match self.plan.overlap {
            _ if self.has_made_all() => self.skip(nominal_at, Reason::Ended),
            _ if self.is_free() => self.fire_now(nominal_at),
            Overlap::BufferOne if self.standing.owed.is_empty() => self.owe(nominal_at),
            Overlap::CancelOther => return self.owe_alone(nominal_at),
            Overlap::Skip | Overlap::BufferOne | Overlap::Allow => self.skip(nominal_at, Reason::Overlap),
        }
        true
    }

    /// A missed instant that is to be fired though it is late: it waits for its turn rather than be skipped for an overlap.
    pub(super) fn arrive_late(&mut self, nominal_at: Timestamp) {
        match self.standing.owed.len() {
            _ if self.has_made_all() => self.skip(nominal_at, Reason::Ended),
            _ if self.is_free() => self.fire_now(nominal_at),
            SCHEDULE_OWED.. => self.skip(nominal_at, Reason::Misfire),
            _ => self.owe(nominal_at),
        }
    }

    fn fire_now(&mut self, nominal_at: Timestamp) {
        let owed = self.owed(nominal_at);
        self.fire(owed);
    }

    /// An instant, and those that were let go before it and for which no job stands yet.
    fn owed(&mut self, nominal_at: Timestamp) -> Owed {
        let missed = mem::take(&mut self.standing.missed);
        Owed { nominal_at, missed }
    }

    fn owe(&mut self, nominal_at: Timestamp) {
        let owed = self.owed(nominal_at);
        self.standing.owed.push_back(owed);
    }

    /// The live runs are to make way for this instant, and so is what is owed. Answers whether there was room to tell of that.
    fn owe_alone(&mut self, nominal_at: Timestamp) -> bool {
        self.cancel_live();
        self.drop_owed(Reason::Overlap);
        let is_alone = self.standing.owed.is_empty();
        if is_alone {
            self.owe(nominal_at);
            self.standing.makes_way = true;
        }
        is_alone
    }

    /// What was to make way for the next run, and is live still, may never have been asked to: whoever was about to was lost.
    pub(super) fn ask_again_to_make_way(&mut self) {
        if self.standing.makes_way && self.is_busy() && !self.standing.owed.is_empty() {
            self.cancel_live();
        }
    }

    /// What is owed by a schedule that has made all its runs is never paid.
    pub(super) fn drop_what_is_never_paid(&mut self) {
        if self.has_made_all() {
            self.drop_owed(Reason::Ended);
        }
    }

    fn is_free(&self) -> bool {
        !self.is_busy() && self.standing.owed.is_empty()
    }

    /// Skips what is owed, as far as there is room to tell of it. What it was to stand for is left to the next job.
    fn drop_owed(&mut self, reason: Reason) {
        while !self.is_full()
            && let Some(owed) = self.standing.owed.pop_front()
        {
            self.standing.missed += owed.missed;
            self.skip(owed.nominal_at, reason);
        }
        self.more |= !self.standing.owed.is_empty();
    }
}
