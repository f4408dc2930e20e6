//! The writer: one thread with one connection, on which everything is written.
//!
//! SQLite lets one transaction write at a time, and the sync at a transaction's end costs more than a hundred
//! inserts. So whatever verbs wait when the thread becomes free share one transaction, one commit and one sync. Each
//! runs in a savepoint of it: one that fails takes back its own part only. All are answered after the commit.
//!
//! The thread belongs to no runtime. A verb is handed over by a channel and answered by another, so that it does not
//! matter who polls, and a caller that goes away loses the answer, not the work.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::{self, Fault};
use super::log::Log;
use super::place::Place;
use super::writing::Writing;
use crate::error::Error;
use crate::limits;
use crate::store::Answer;

/// The thread, and the way to it. Dropped, it does what was handed over and ends.
pub(super) struct Writer {
    handle: Option<Handle>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It tends the log as well, since only between two transactions may a log begin anew.
    pub(super) fn start(connection: Connection, log: Log, place: Arc<Place>) -> Result<Writer, Error> {
        let (sender, receiver) = mpsc::channel(limits::FILE_VERBS);
        let thread = thread::Builder::new()
            .name("punctual-write".to_owned())
            .spawn(move || {
                let desk = Desk {
                    connection,
                    log,
                    place,
                };
                desk.serve(receiver);
            })
            .map_err(no_thread)?;
        Ok(Writer {
            handle: Some(Handle(sender)),
            thread: Some(thread),
        })
    }

    /// The way to the thread. It has to be dropped before the writer is.
    pub(super) fn handle(&self) -> &Handle {
        self.handle
            .as_ref()
            .expect("it is there until the writer is dropped")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.handle = None;
        if let Some(thread) = self.thread.take() {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// A way to the writer's thread.
#[derive(Clone)]
pub(super) struct Handle(mpsc::Sender<Box<dyn Errand>>);

impl Handle {
    /// Has `work` done within a transaction.
    pub(super) fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<'static, T> {
        self.look_or_write(|_| Ok(None), work)
    }

    /// Has `look` done outside of any transaction, and `work` within one if that finds no answer. A group of verbs
    /// that all find their answer by looking takes no lock and syncs nothing.
    pub(super) fn look_or_write<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<Option<T>, Fault> + Send + 'static,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<'static, T> {
        let (verb, answer) = Verb::on_its_way(look, work);
        let sender = self.0.clone();
        Box::pin(async move {
            sender.send(verb).await.map_err(|_| ended())?;
            answer.await.map_err(|_| ended())?
        })
    }

    /// Whether the thread is gone, so that no further errand will be done.
    pub(super) fn has_ended(&self) -> bool {
        self.0.is_closed()
    }

    /// Has `look` done, and waits for it on this thread, which must not be a runtime's.
    pub(super) fn look_now<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Error> {
        let (verb, answer) =
            Verb::on_its_way(|connection| look(connection).map(Some), |_| Err(ended().into()));
        self.0.blocking_send(verb).map_err(|_| ended())?;
        answer.blocking_recv().map_err(|_| ended())?
    }
}

/// The writer's side of the channel.
struct Desk {
    connection: Connection,
    log: Log,
    place: Arc<Place>,
}

impl Desk {
    fn serve(mut self, mut errands: mpsc::Receiver<Box<dyn Errand>>) {
        let mut group = Vec::new();
        while errands.blocking_recv_many(&mut group, limits::FILE_GROUP) > 0 {
            self.flush(std::mem::take(&mut group));
        }
    }

    fn flush(&mut self, errands: Vec<Box<dyn Errand>>) {
        let mut writers = Vec::new();
        for mut errand in errands {
            if errand.look(&self.connection) {
                errand.answer();
            } else {
                writers.push(errand);
            }
        }
        if writers.is_empty() {
            return;
        }
        let written = self.write(&mut writers);
        self.place.note(&written);
        if let Err(error) = written {
            writers.iter_mut().for_each(|errand| errand.fail(&error));
        }
        writers.into_iter().for_each(Errand::answer);
        self.log.tend(&mut self.connection);
    }

    /// One transaction for all of them. Its error is everybody's.
    fn write(&mut self, errands: &mut [Box<dyn Errand>]) -> Result<(), Error> {
        self.place.is_there()?;
        self.log.has_room(&mut self.connection)?;
        self.run("begin immediate")?;
        if let Err(fault) = self.work(errands) {
            self.roll_back();
            return Err(fault.into());
        }
        let committed = self
            .connection
            .prepare_cached("commit")
            .and_then(|mut commit| commit.execute([]));
        committed.map(drop).map_err(|error| {
            self.roll_back();
            fault::of_commit(error)
        })
    }

    /// The work of each, in a savepoint. An errand's own error stays with the errand.
    fn work(&self, errands: &mut [Box<dyn Errand>]) -> Result<(), Fault> {
        let mut writing = Writing::new(&self.connection);
        for errand in errands {
            if let Err(fault) = writing.all_or_nothing(|writing| errand.work(writing), |()| true) {
                // What it wrote is still there, or what others wrote is not: then nobody's work may be committed.
                if writing.is_spoilt() || self.connection.is_autocommit() {
                    return Err(fault);
                }
                errand.fail(&fault.into());
            }
        }
        writing.write_counts()
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(fault) = self.run("rollback")
        {
            tracing::error!(error = %Error::from(fault), "a transaction could not be rolled back; the next one will be refused");
        }
    }

    fn run(&self, sql: &str) -> Result<(), Fault> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

/// A verb on its way, whatever it answers.
trait Errand: Send {
    /// Tries to find the answer by reading alone.
    fn look(&mut self, connection: &Connection) -> bool;
    /// Finds the answer by writing.
    fn work(&mut self, writing: &mut Writing<'_>) -> Result<(), Fault>;
    /// Replaces the answer, since it is not true.
    fn fail(&mut self, error: &Error);
    /// Tells whoever asked.
    fn answer(self: Box<Self>);
}

struct Verb<T, Look, Work> {
    look: Option<Look>,
    work: Option<Work>,
    outcome: Result<T, Error>,
    answer: oneshot::Sender<Result<T, Error>>,
}

type Answers<T> = oneshot::Receiver<Result<T, Error>>;

impl<T, Look, Work> Verb<T, Look, Work>
where
    T: Send + 'static,
    Look: FnOnce(&Connection) -> Result<Option<T>, Fault> + Send + 'static,
    Work: FnOnce(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
{
    fn on_its_way(look: Look, work: Work) -> (Box<dyn Errand>, Answers<T>) {
        let (answer, answers) = oneshot::channel();
        let verb = Verb {
            look: Some(look),
            work: Some(work),
            outcome: Err(ended()),
            answer,
        };
        (Box::new(verb), answers)
    }
}

impl<T, Look, Work> Errand for Verb<T, Look, Work>
where
    T: Send + 'static,
    Look: FnOnce(&Connection) -> Result<Option<T>, Fault> + Send + 'static,
    Work: FnOnce(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
{
    fn look(&mut self, connection: &Connection) -> bool {
        let found = self.look.take().map(|look| look(connection));
        match found {
            None | Some(Ok(None)) => return false,
            Some(Ok(Some(answer))) => self.outcome = Ok(answer),
            Some(Err(fault)) => self.outcome = Err(fault.into()),
        }
        true
    }

    fn work(&mut self, writing: &mut Writing<'_>) -> Result<(), Fault> {
        if let Some(work) = self.work.take() {
            self.outcome = Ok(work(writing)?);
        }
        Ok(())
    }

    fn fail(&mut self, error: &Error) {
        self.outcome = Err(error.clone());
    }

    fn answer(self: Box<Self>) {
        // It fails when whoever asked has gone away, and then nobody misses the answer.
        let _ = self.answer.send(self.outcome);
    }
}

/// The machine gives us no thread.
pub(super) fn no_thread(error: std::io::Error) -> Error {
    Error::unavailable("the machine gives no further thread").caused_by(error)
}

/// The thread is gone, which it never is while the store lives, unless it panicked.
pub(super) fn ended() -> Error {
    Error::unknown("the store's thread has ended")
}
