//! Claims that wait for work: who is woken by a hint, and who may sleep on.
//!
//! A hint wakes one claim, the one that waits longest. If that one comes back full, there may be more, and it wakes the
//! next; so a hundred idle workers cost one look at the store, not a hundred. In the same way one of them sleeps until
//! the next job is due, and the others sleep on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::queue::QueueName;
use crate::time::Timestamp;

/// All claims of one engine that wait.
#[derive(Clone, Default)]
pub(super) struct Claimants(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    next: u64,
    /// In the order in which they came.
    waiting: BTreeMap<u64, Claimant>,
}

struct Claimant {
    queues: Vec<QueueName>,
    mood: Mood,
    /// When it looks again, of itself.
    wake_at: Option<Timestamp>,
    call: Arc<Notify>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    /// It sleeps.
    Asleep,
    /// It is looking at the store.
    Looking,
    /// It was told of work since it last began to look.
    Called,
}

impl Claimants {
    /// A claim for these queues that hears every hint from now on.
    pub(super) fn join(&self, queues: Vec<QueueName>) -> Place {
        let call = Arc::new(Notify::new());
        let mut board = self.board();
        let token = board.next;
        board.next += 1;
        let claimant = Claimant {
            queues,
            mood: Mood::Looking,
            wake_at: None,
            call: Arc::clone(&call),
        };
        board.waiting.insert(token, claimant);
        Place {
            claimants: self.clone(),
            token,
            call,
        }
    }

    /// `queue` has work that is due now: one claim is to look.
    pub(super) fn due_now(&self, queue: &QueueName) {
        self.board().call(queue);
    }

    /// `queue` has work that is due at an instant to come: one claim is to look then.
    pub(super) fn due_at(&self, queue: &QueueName, at: Timestamp) {
        self.board().arm(queue, at);
    }

    /// Something happened: one claim for each queue is to look.
    pub(super) fn anything(&self) {
        let mut board = self.board();
        let mut queues: Vec<QueueName> = board.waiting.values().flat_map(|c| c.queues.clone()).collect();
        queues.sort_unstable();
        queues.dedup();
        queues.iter().for_each(|queue| board.call(queue));
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn serving(&mut self, queue: &QueueName) -> impl Iterator<Item = &mut Claimant> {
        self.waiting
            .values_mut()
            .filter(move |c| c.queues.contains(queue))
    }

    fn call(&mut self, queue: &QueueName) {
        if self.serving(queue).any(|c| c.mood == Mood::Called) {
            return;
        }
        let asleep = self
            .serving(queue)
            .find(|c| c.mood == Mood::Asleep)
            .map(Claimant::call);
        if asleep.is_none() {
            // Whoever is looking now may have looked too early.
            self.serving(queue).for_each(Claimant::call);
        }
    }

    fn arm(&mut self, queue: &QueueName, at: Timestamp) {
        if self
            .serving(queue)
            .any(|c| c.wake_at.is_some_and(|wakes| wakes <= at))
        {
            return;
        }
        let mut asleep = None;
        let mut any = None;
        for claimant in self.serving(queue) {
            match claimant.mood {
                Mood::Asleep if asleep.is_none() => asleep = Some(claimant),
                _ if any.is_none() => any = Some(claimant),
                _ => {}
            }
        }
        if let Some(claimant) = asleep.or(any) {
            claimant.wake_at = Some(at);
            claimant.call.notify_one();
        }
    }
}

impl Claimant {
    fn call(&mut self) {
        self.mood = Mood::Called;
        self.call.notify_one();
    }
}

/// How long a claim that found nothing may lie.
pub(super) enum Rest {
    /// It was called meanwhile.
    Over,
    /// Until a job is due, or a call.
    Until(Timestamp),
    /// Until a call: somebody else wakes for each of its queues in time.
    Undisturbed,
}

/// One claim's place among those that wait. When it leaves, whatever it was told goes to the next.
pub(super) struct Place {
    claimants: Claimants,
    token: u64,
    call: Arc<Notify>,
}

impl Place {
    /// It begins to look at the store: what it was told until now is settled by that.
    pub(super) fn looks(&self) {
        self.with(|claimant| {
            claimant.mood = Mood::Looking;
            claimant.wake_at = None;
        });
    }

    /// It has all that was due and leaves; one that leaves without saying so leaves its call to the next.
    pub(super) fn leaves_nothing(self) {
        self.with(|claimant| {
            if claimant.mood == Mood::Looking {
                claimant.mood = Mood::Asleep;
            }
        });
    }

    /// It has seen that the next job is due then.
    pub(super) fn sees(&self, next_due: Timestamp) {
        self.with(|claimant| {
            claimant.wake_at = Some(claimant.wake_at.map_or(next_due, |at| at.min(next_due)))
        });
    }

    /// It found nothing and lies down. Answers how long it may lie.
    pub(super) fn lies_down(&self) -> Rest {
        let mut board = self.claimants.board();
        let Some(own) = board.waiting.get_mut(&self.token) else {
            return Rest::Undisturbed;
        };
        if own.mood == Mood::Called {
            return Rest::Over;
        }
        own.mood = Mood::Asleep;
        let Some(wake_at) = own.wake_at.take() else {
            return Rest::Undisturbed;
        };
        let queues = own.queues.clone();
        let covered = |queue: &QueueName| {
            let mut others = board.waiting.values().filter(|c| c.queues.contains(queue));
            others.any(|c| c.wake_at.is_some_and(|at| at <= wake_at))
        };
        // A claim that names its jobs has no queue that others could wake for.
        if !queues.is_empty() && queues.iter().all(covered) {
            return Rest::Undisturbed;
        }
        if let Some(own) = board.waiting.get_mut(&self.token) {
            own.wake_at = Some(wake_at);
        }
        Rest::Until(wake_at)
    }

    /// Completes at the next call, or at once if there was one.
    pub(super) async fn called(&self) {
        self.call.notified().await;
    }

    fn with(&self, work: impl FnOnce(&mut Claimant)) {
        if let Some(claimant) = self.claimants.board().waiting.get_mut(&self.token) {
            work(claimant);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut board = self.claimants.board();
        let Some(own) = board.waiting.remove(&self.token) else {
            return;
        };
        for queue in &own.queues {
            if own.mood != Mood::Asleep {
                board.call(queue);
            }
            if let Some(at) = own.wake_at {
                board.arm(queue, at);
            }
        }
    }
}
