//! What a process heard that lines do not know.

use std::collections::BTreeSet;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::limits;
use crate::queue::QueueName;
use crate::signals::Signal;

/// Queues whose lines may lack jobs.
#[derive(Default)]
pub(super) struct Doubts(Mutex<Heard>);

#[derive(Default)]
struct Heard {
    all: bool,
    queues: BTreeSet<QueueName>,
}

/// What is to be doubted.
#[derive(Debug, PartialEq)]
pub(super) enum Doubted {
    Nothing,
    Queues(Vec<QueueName>),
    All,
}

impl Doubts {
    /// Hears of jobs that were stored without lines.
    pub(super) fn hear(&self, signal: &Signal) {
        let mut heard = self.heard();
        match signal {
            Signal::Due(queue, _) if heard.queues.len() < limits::QUEUES_KNOWN => {
                heard.queues.insert(queue.clone());
            }
            Signal::Due(..) | Signal::Anything | Signal::Lost => heard.all = true,
            Signal::Ended(_) | Signal::Cancel(_) | Signal::Output(_) | Signal::Schedule(_) => {}
        }
    }

    /// What concerns these queues, which is settled by that.
    pub(super) fn take(&self, queues: &[QueueName]) -> Doubted {
        let mut heard = self.heard();
        if heard.all {
            mem::take(&mut *heard);
            return Doubted::All;
        }
        let doubted = queues.iter().filter(|queue| heard.queues.remove(*queue));
        let doubted: Vec<QueueName> = doubted.cloned().collect();
        match doubted.is_empty() {
            true => Doubted::Nothing,
            false => Doubted::Queues(doubted),
        }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn queue(name: &str) -> QueueName {
        QueueName::from(name)
    }

    #[test]
    fn a_doubt_is_settled_by_whom_it_concerns() {
        let doubts = Doubts::default();
        for name in ["a", "b"] {
            doubts.hear(&Signal::Due(queue(name), Timestamp::EPOCH));
        }
        assert_eq!(doubts.take(&[queue("c")]), Doubted::Nothing);
        assert_eq!(
            doubts.take(&[queue("c"), queue("b")]),
            Doubted::Queues(vec![queue("b")])
        );
        assert_eq!(doubts.take(&[queue("b")]), Doubted::Nothing);
        doubts.hear(&Signal::Lost);
        assert_eq!(doubts.take(&[queue("c")]), Doubted::All);
        assert_eq!(doubts.take(&[queue("a")]), Doubted::Nothing);
    }
}
