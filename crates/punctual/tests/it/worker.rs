//! What a worker does with its jobs, and with itself.

mod house;
mod log;
mod runs;
mod stopping;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use punctual::clock::Clock;
use punctual::worker::{Run, Stop, StopReason};
use punctual::{NewJob, Task};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// A task that names what is to happen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    text: String,
}

impl Task for Note {
    const KIND: &'static str = "note";
    type Output = String;
}

fn note(text: &str) -> NewJob<String> {
    NewJob::task(&Note {
        text: text.to_owned(),
    })
    .expect("a note has a JSON form")
}

/// What a handler that waits tells the test.
#[derive(Debug, PartialEq)]
enum Told {
    Began(String),
    AskedToStop(StopReason),
    Dropped(String),
}

/// Tells when it is dropped.
struct Alive(String, mpsc::UnboundedSender<Told>);

impl Drop for Alive {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.1.send(Told::Dropped(self.0.clone()));
    }
}

/// A handler that begins, tells so, and never ends by itself.
async fn endless(text: String, tell: mpsc::UnboundedSender<Told>) {
    let _alive = Alive(text.clone(), tell.clone());
    tell.send(Told::Began(text)).expect("the test listens");
    std::future::pending::<()>().await;
}

/// As [`endless`], but it heeds the signal to stop.
async fn heeding(run: Run, text: String, tell: mpsc::UnboundedSender<Told>) -> StopReason {
    tell.send(Told::Began(text)).expect("the test listens");
    let reason = run.stop().requested().await;
    tell.send(Told::AskedToStop(reason)).expect("the test listens");
    reason
}

/// A handler that waits for so long, and answers the note.
fn wait_then_answer(
    clock: &Arc<dyn Clock>,
    length: Duration,
) -> impl Fn(Note) -> BoxFuture<'static, Result<String, Stop>> + Clone + Send + Sync + 'static {
    let clock = clock.clone();
    move |note: Note| {
        let over = clock.sleep(length);
        Box::pin(async move {
            over.await;
            Ok(note.text)
        })
    }
}
