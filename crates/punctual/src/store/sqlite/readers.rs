//! The readers: a few threads with connections that cannot write. In a write-ahead log nobody who reads waits for
//! anybody who writes, nor the other way round.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::file;
use super::writer::{ended, no_thread};
use crate::error::Error;
use crate::limits;
use crate::store::Answer;

/// The threads, and the way to them. Dropped, they do what was handed over and end.
pub(super) struct Readers {
    sender: Option<mpsc::Sender<Read>>,
    threads: Vec<JoinHandle<()>>,
}

type Read = Box<dyn FnOnce(&mut Connection) + Send>;

impl Readers {
    /// Opens the connections and starts the threads.
    pub(super) fn start(path: &Path) -> Result<Readers, Error> {
        let (sender, receiver) = mpsc::channel(limits::FILE_VERBS);
        let receiver = Arc::new(Mutex::new(receiver));
        let mut readers = Readers {
            sender: Some(sender),
            threads: Vec::new(),
        };
        for number in 1..=limits::FILE_READERS {
            let connection = file::connect_to_read(path)?;
            let reads = Arc::clone(&receiver);
            let thread = thread::Builder::new()
                .name(format!("punctual-read-{number}"))
                .spawn(move || serve(connection, &reads))
                .map_err(no_thread)?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Has `work` done on one snapshot of the database.
    pub(super) fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Answer<'static, T> {
        let (answer, answers) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            // It fails when whoever asked has gone away, and then nobody misses the answer.
            let _ = answer.send(on_a_snapshot(connection, work).map_err(Error::from));
        });
        let sender = self.sender.clone();
        Box::pin(async move {
            let sender = sender.ok_or_else(ended)?;
            sender.send(read).await.map_err(|_| ended())?;
            answers.await.map_err(|_| ended())?
        })
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.sender = None;
        for thread in self.threads.drain(..) {
            // A panic in it was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Takes what waits, in turns with the other threads.
fn serve(mut connection: Connection, reads: &Mutex<mpsc::Receiver<Read>>) {
    let next = || {
        reads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .blocking_recv()
    };
    while let Some(read) = next() {
        read(&mut connection);
    }
}

fn on_a_snapshot<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let transaction = connection.transaction()?;
    work(&transaction)
}
