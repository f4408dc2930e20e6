//! The steps of a history: their debug form is the story that a failing test tells.

use crate::job::State;
use crate::store::View;

/// One step. Jobs, queues and keys are small numbers, instants are milliseconds from the history's own now.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Time passes, in milliseconds.
    Pass(u32),
    /// Inserts these rows in one batch.
    Insert(Vec<Row>),
    /// A worker claims from queues.
    Claim {
        /// Which; a queue named again is left out.
        queues: Vec<u8>,
        /// At most so many.
        max: usize,
        /// Leased for so many milliseconds more than the shortest lease.
        lease: u32,
    },
    /// A worker claims certain jobs.
    ClaimIds {
        /// Which.
        jobs: Vec<u8>,
        /// At most so many.
        max: usize,
    },
    /// A worker beats.
    Beat {
        /// For the last run of each of these jobs, or for the run before it.
        runs: Vec<(u8, Seen)>,
        /// Whether the runs tell of their progress.
        news: bool,
    },
    /// Makes these changes in one batch.
    Change(Vec<Decision>),
    /// Changes the settings of queues in one batch.
    Set(Vec<Setting>),
    /// Makes, changes and deletes schedules in one batch.
    Schedule(Vec<Scheduling>),
    /// A run puts something out.
    Print {
        /// The job.
        job: u8,
        /// Its last run, or the run before it.
        seen: Seen,
        /// How many bytes.
        bytes: u32,
    },
    /// Reads certain jobs.
    Fetch(Vec<u8>),
    /// Lists jobs, page by page.
    List {
        /// In which order.
        view: View,
        /// What is asked for.
        asked: Asked,
        /// Items on a page.
        limit: usize,
    },
    /// Looks at what is overdue.
    Overdue(usize),
    /// Compares everything.
    Look,
}

/// A row to insert.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its number.
    pub job: u8,
    /// Whether it is another job under the same id.
    pub other: bool,
    /// Its queue.
    pub queue: u8,
    /// Its priority.
    pub priority: u8,
    /// When it is due.
    pub due: i32,
    /// Its start deadline, after it is due.
    pub deadline: Option<u32>,
    /// Its unique key.
    pub key: Option<u8>,
    /// Whether it comes from elsewhere, further in its life.
    pub import: Option<Import>,
}

impl Row {
    /// A job that is due at once, and nothing else.
    pub fn plain(job: u8) -> Row {
        Row {
            job,
            other: false,
            queue: 0,
            priority: 5,
            due: 0,
            deadline: None,
            key: None,
            import: None,
        }
    }
}

/// How far a row has come that is inserted in the middle of its life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Import {
    /// It runs.
    Running,
    /// It has ended.
    Ended(State),
}

/// Which version of a row somebody knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Seen {
    /// The one that is stored.
    Stored,
    /// The one that earlier changes of the same batch make, if all goes well.
    Expected,
    /// An older one.
    Earlier,
}

/// What somebody decides for a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The job.
    pub job: u8,
    /// What was known of it.
    pub seen: Seen,
    /// What is to become of it.
    pub does: Does,
    /// Jobs that follow.
    pub then: Vec<Row>,
}

/// What is to become of a job.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Does {
    /// It ends well and gives its key back.
    Succeed,
    /// It ends badly and keeps its key.
    Fail,
    /// It ends as cancelled; while it runs, that is noted.
    Cancel,
    /// It waits again, for so many milliseconds.
    Wait(u32),
    /// Its body is edited.
    Edit {
        /// The new queue.
        queue: u8,
        /// The new priority.
        priority: u8,
    },
    /// It takes another key, or gives its own back.
    Key(Option<u8>),
    /// It is deleted.
    Delete,
    /// What no rule makes: its rev stays.
    Nonsense,
    /// What the rules make of an event.
    Rule {
        /// What happened.
        event: Event,
        /// Whether its queue keeps no ended jobs.
        gone: bool,
    },
}

/// What may happen to a job. An event that does not concern it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// Its run is done.
    Done,
    /// Its run did not work this time.
    Error,
    /// Its run will never work.
    GivenUp,
    /// Its run asks for so many milliseconds of rest.
    Snoozed(u32),
    /// Its run goes on elsewhere for so many milliseconds.
    Deferred(u32),
    /// Its worker puts it back.
    Released,
    /// Its alarm may have passed.
    Overdue,
    /// Somebody cancels it.
    Cancelled,
    /// Somebody wants it tried again.
    Retried,
    /// Somebody wants it to run now.
    Hurried,
}

/// One change of one queue's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The queue.
    pub queue: u8,
    /// How far the rev that is expected lies from the one that is stored.
    pub off_by: u8,
    /// What is to hold; nothing deletes the record.
    pub becomes: Option<Settings>,
}

/// One change of one schedule.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduling {
    /// The schedule. Some of them share a name.
    pub schedule: u8,
    /// How far the rev that is expected lies behind the one that is stored.
    pub off_by: u8,
    /// What is to become of it.
    pub does: Plans,
    /// Jobs that are made with it. They hold no key.
    pub jobs: Vec<Row>,
    /// Entries of its ledger that are written.
    pub ledger: Vec<Entry>,
    /// Entries that are dropped.
    pub drops: Vec<Entry>,
    /// Entries that are forgotten: those earlier than so many milliseconds from the history's own now, and all but so many.
    pub forget: Option<(i32, u8)>,
}

/// What is to become of a schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plans {
    /// It is made, with a plan of this kind.
    Make(u8),
    /// It comes to this standing, and is to be looked at in so many milliseconds.
    Stand(u8, Option<i32>),
    /// It goes on by a plan of this kind.
    Replan(u8),
    /// It is deleted.
    Delete,
}

/// An entry of a ledger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Its instant, in milliseconds from the history's own now.
    pub at: i32,
    /// For how many instants it stands; of every third number it is one that somebody triggered.
    pub count: u8,
    /// Which of the reasons it was skipped for; beyond these, it was fired.
    pub skipped: u8,
}

/// What is to hold for a queue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Settings {
    /// Nothing.
    Open,
    /// No claim begins.
    Paused,
    /// So many may run.
    Running(u8),
    /// So many may start in a second, and so many at once.
    Rate(u8, u8),
    /// Both.
    RunningAndRate(u8, u8),
}

/// What a list asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    /// Everything.
    All,
    /// One queue.
    Queue(u8),
    /// The holder of a key.
    Key(u8),
    /// What is ready.
    Ready,
    /// What is to be tried again.
    Retrying,
    /// What was due so many milliseconds ago.
    DueBefore(u32),
    /// What ended so many milliseconds ago.
    EndedBefore(u32),
    /// A tag of every second job, and a kind of every third.
    TagAndKind,
}
