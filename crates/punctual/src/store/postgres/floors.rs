//! Floors: where in a line the first job may stand, so that dead rows before it are not passed on each claim.
//!
//! A claimed job leaves a dead row in the index of its line. It stays there for as long as a transaction is open, anywhere on the
//! server, that began before it died; beside one that is open for minutes, each claim would pass all of them.
//!
//! ```text
//!   a line by due:   dead dead dead dead dead dead │ job job job      now
//!                                                floor
//! ```
//!
//! A claim that passed many of them tells how far it came, and the next ones begin there, for a span of two seconds from the
//! last claim that looked at all. What could be missed is a job that comes to stand before the floor meanwhile. One that this
//! process puts there, or hears of, lowers the floor at once. One that nobody told of is found when the span is over: a claim that
//! comes back short beside a floor names that instant as the next due one, so that somebody looks. Where few dead rows are passed
//! there is no floor, and the order of claims is exact.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::change::Change;
use crate::clock::Clock;
use crate::job::{Job, State, Status};
use crate::limits;
use crate::queue::QueueName;
use crate::signals::Signal;
use crate::time::Timestamp;

/// Lines of a queue: one for each priority.
const LINES: usize = limits::PRIORITY_MAX as usize + 1;

/// The floors of this process.
pub(super) struct Floors {
    clock: Arc<dyn Clock>,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    spans: u64,
    queues: BTreeMap<QueueName, Span>,
}

/// How far the lines of a queue were passed since a claim last looked at all of them.
struct Span {
    /// Which one it is: what a claim found that began in an earlier one counts no more.
    number: u64,
    until: Duration,
    /// The earliest due instant that was told of meanwhile.
    told: Timestamp,
    passed: [Timestamp; LINES],
}

impl Span {
    fn is_without_floors(&self) -> bool {
        self.passed == [Timestamp::MIN; LINES]
    }
}

/// What a claim begins with.
pub(super) struct Begun {
    /// For each queue the number of its span, and when the span ends if it has floors.
    spans: Vec<(u64, Option<Duration>)>,
    /// The floors of all lines of all queues, one queue after the other.
    pub(super) floors: Vec<i64>,
}

impl Begun {
    /// Without any floor, for so many queues.
    pub(super) fn without(queues: usize) -> Begun {
        Begun {
            spans: Vec::new(),
            floors: vec![i64::MIN; queues * LINES],
        }
    }
}

/// What a claim came to.
pub(super) struct Came<'a> {
    pub(super) queues: &'a [QueueName],
    /// How many it might take of each queue, and of all.
    pub(super) rooms: &'a [usize],
    pub(super) max: usize,
    pub(super) now: Timestamp,
    /// By their lines, and by their due instants in each.
    pub(super) jobs: &'a [Job],
    /// Entries of the index that it passed, those of its jobs included.
    pub(super) passed: u64,
}

impl Floors {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Floors {
        Floors {
            clock,
            board: Mutex::default(),
        }
    }

    /// Begins a claim. Where the span of a queue is over, this claim looks at all of its lines.
    pub(super) fn begin(&self, queues: &[QueueName]) -> Begun {
        let uptime = self.clock.uptime();
        let mut board = self.board();
        let mut begun = Begun::without(0);
        for queue in queues {
            let known = board.queues.get(queue);
            if known.is_none_or(|known| known.until <= uptime) {
                board.look(queue, uptime + limits::FLOOR_AGE);
            }
            let known = &board.queues[queue];
            let until = (!known.is_without_floors()).then_some(known.until);
            begun.spans.push((known.number, until));
            let floors = known.passed.map(|passed| passed.min(known.told).as_micros());
            begun.floors.extend(floors);
        }
        begun
    }

    /// Learns how far a claim came. Answers when somebody has to look again, if a queue came back short for its floors.
    pub(super) fn learn(&self, begun: &Begun, came: &Came<'_>) -> Option<Timestamp> {
        let many = came.passed > came.jobs.len() as u64 + limits::FLOOR_ROWS;
        if !many && begun.spans.iter().all(|(_, until)| until.is_none()) {
            return None;
        }
        let uptime = self.clock.uptime();
        let mut again = None;
        let mut board = self.board();
        for ((queue, (number, until)), end) in came.queues.iter().zip(&begun.spans).zip(came.ends()) {
            if let (End::Reached, Some(until)) = (end, until) {
                again = [again, Some(*until)].into_iter().flatten().min();
            }
            let known = board.queues.get_mut(queue);
            if let Some(known) = known.filter(|known| known.number == *number)
                && (many || !known.is_without_floors())
            {
                let edge = came.now - limits::FLOOR_MARGIN;
                let lines = known.passed.iter_mut().zip(0..);
                lines.for_each(|(line, priority)| *line = end.passed(priority, edge).max(*line));
            }
        }
        again.map(|until: Duration| came.now + until.saturating_sub(uptime))
    }

    /// Takes note of hints: what is due before a floor lowers it.
    pub(super) fn heed(&self, hints: &[Signal]) {
        let mut board = self.board();
        for hint in hints {
            if let Signal::Due(queue, due) = hint
                && let Some(known) = board.queues.get_mut(queue)
            {
                known.told = known.told.min(*due);
            }
        }
    }

    /// Takes note of changes: a job that waits again may stand before a floor. A change does not say in which queue.
    pub(super) fn heed_changes(&self, changes: &[Change]) {
        let waiting = |status: &&Status| status.state == State::Waiting;
        let becomes = changes.iter().filter_map(|change| change.becomes.as_ref());
        let then = changes.iter().flat_map(|change| &change.then);
        let waits = becomes.chain(then.map(|job| &job.status)).filter(waiting);
        let Some(earliest) = waits.map(|status| status.due).min() else {
            return;
        };
        for known in self.board().queues.values_mut() {
            known.told = known.told.min(earliest);
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    /// Begins a new span of a queue.
    fn look(&mut self, queue: &QueueName, until: Duration) {
        if self.queues.len() >= limits::QUEUES_KNOWN {
            self.queues.clear();
        }
        self.spans += 1;
        let new = Span {
            number: self.spans,
            until,
            told: Timestamp::MAX,
            passed: [Timestamp::MIN; LINES],
        };
        self.queues.insert(queue.clone(), new);
    }
}

impl Came<'_> {
    /// How far it came in each queue. Queues and their lines are asked one after the other, until there are enough jobs.
    fn ends(&self) -> Vec<End> {
        let mut taken: Vec<(usize, Option<&Job>)> = vec![(0, None); self.queues.len()];
        let mut last = 0;
        for job in self.jobs {
            let place = self.queues.iter().position(|queue| *queue == job.body.queue);
            last = place.unwrap_or(last);
            taken[last] = (taken[last].0 + 1, Some(job));
        }
        let is_full = self.jobs.len() >= self.max;
        let places = taken.into_iter().zip(self.rooms).enumerate();
        places
            .map(|(place, ((count, job), room))| match job {
                _ if count < *room && (!is_full || place < last) => End::Reached,
                Some(job) => End::At(job.body.priority, job.status.due),
                None => End::Unknown,
            })
            .collect()
    }
}

/// How far a claim came in a queue.
#[derive(Clone, Copy)]
enum End {
    /// To its end: nothing that is due is left.
    Reached,
    /// To a job of this priority that was due then.
    At(u8, Timestamp),
    /// It may not have been asked.
    Unknown,
}

impl End {
    /// The instant before which a line holds nothing that is due; at most `edge`.
    fn passed(self, priority: u8, edge: Timestamp) -> Timestamp {
        match self {
            End::Reached => edge,
            End::At(last, _) if priority < last => edge,
            End::At(last, due) if priority == last => edge.min(due),
            End::At(..) | End::Unknown => Timestamp::MIN,
        }
    }
}
