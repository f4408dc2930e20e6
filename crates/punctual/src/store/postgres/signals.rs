//! Signals between processes: NOTIFY and LISTEN, on a connection of their own.
//!
//! Hints are sent after the commit that they tell of: a NOTIFY within it would make all commits of the server wait for each
//! other. Whatever gathers while one message is on its way goes with the next.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client};

use super::connect::{Connector, Driven};
use super::fault::{self, Fault};
use super::floors::Floors;
use super::session::{Link, Param};
use crate::clock::Clock;
use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits;
use crate::queue::QueueName;
use crate::signals::{LocalSignals, Signal, Signals};
use crate::time::Timestamp;

/// Hints within this process, and to and from others on the same namespace.
pub(super) struct PostgresSignals {
    near: Arc<LocalSignals>,
    /// Nothing, where others are told nothing.
    far: Option<mpsc::Sender<Vec<Hint>>>,
    /// Whether hints found no room on their way to others.
    lost: Arc<AtomicBool>,
    #[cfg(feature = "redis")]
    unlined: Arc<OnceLock<Hear>>,
}

/// A hint, and whether the jobs that it tells of stand in lines of a dispatch already.
#[derive(Clone, Debug, PartialEq)]
struct Hint {
    signal: Signal,
    is_lined: bool,
}

/// Whoever hears of jobs that may stand in no line, before anybody else does.
type Hear = Box<dyn Fn(&Signal) + Send + Sync>;

impl PostgresSignals {
    /// Hints within this process only.
    pub(super) fn silent() -> PostgresSignals {
        PostgresSignals {
            near: Arc::new(LocalSignals::new()),
            far: None,
            lost: Arc::default(),
            #[cfg(feature = "redis")]
            unlined: Arc::default(),
        }
    }

    /// Starts what sends and hears, on the runtime that this is called on.
    pub(super) fn start(
        connector: &Arc<Connector>,
        clock: Arc<dyn Clock>,
        floors: Arc<Floors>,
    ) -> PostgresSignals {
        let (near, lost) = (Arc::new(LocalSignals::new()), Arc::new(AtomicBool::new(false)));
        let unlined = Arc::new(OnceLock::new());
        let far = connector.place.notify.then(|| {
            let (sender, waiting) = mpsc::channel(limits::SIGNALS);
            let far = Far {
                connector: Arc::clone(connector),
                clock,
                floors,
                near: Arc::clone(&near),
                lost: Arc::clone(&lost),
                unlined: Arc::clone(&unlined),
                waiting,
            };
            tokio::spawn(far.run());
            sender
        });
        PostgresSignals {
            near,
            far,
            lost,
            #[cfg(feature = "redis")]
            unlined,
        }
    }

    /// Sends hints of jobs that stand in lines already.
    #[cfg(feature = "redis")]
    pub(super) fn send_lined(&self, signals: &[Signal]) {
        self.tell(signals, true);
    }

    /// Lets somebody hear, before anybody else does, of what others did to jobs that may stand in no line.
    #[cfg(feature = "redis")]
    pub(super) fn hear_of_unlined(&self, hear: Hear) {
        // There is one who hears, so whoever comes second is not heard of.
        self.unlined.set(hear).ok();
    }

    fn tell(&self, signals: &[Signal], is_lined: bool) {
        self.near.send(signals);
        let hint = |signal: &Signal| Hint {
            signal: signal.clone(),
            is_lined,
        };
        if let Some(far) = &self.far
            && far.try_send(signals.iter().map(hint).collect()).is_err()
        {
            self.lost.store(true, Ordering::Relaxed);
        }
    }
}

impl Signals for PostgresSignals {
    fn send(&self, signals: &[Signal]) {
        self.tell(signals, false);
    }

    fn listen(&self) -> BoxStream<'static, Signal> {
        self.near.listen()
    }
}

/// The task that talks to other processes, until the store is gone.
struct Far {
    connector: Arc<Connector>,
    clock: Arc<dyn Clock>,
    floors: Arc<Floors>,
    near: Arc<LocalSignals>,
    lost: Arc<AtomicBool>,
    unlined: Arc<OnceLock<Hear>>,
    waiting: mpsc::Receiver<Vec<Hint>>,
}

/// Why a connection is not used any longer.
enum End {
    Closed,
    Lost,
}

impl Far {
    async fn run(mut self) {
        let mut pause = limits::CONNECT_PAUSE;
        loop {
            match self.talk().await {
                Ok(End::Closed) => return,
                Ok(End::Lost) => pause = limits::CONNECT_PAUSE,
                Err(error) => {
                    tracing::warn!(%error, "other processes are heard of late; they are tried again");
                    pause = (pause * 2).min(limits::CONNECT_PAUSE_MAX);
                }
            }
            self.clock.sleep(pause).await;
        }
    }

    /// Sends and hears for as long as one connection lasts.
    async fn talk(&mut self) -> Result<End, Error> {
        let (client, driven) = self.connector.connect().await?;
        let ended = Ended::default();
        let hearing = tokio::spawn(hear(
            driven,
            Arc::clone(&self.floors),
            Arc::clone(&self.near),
            Arc::clone(&self.unlined),
            ended.clone(),
        ));
        let end = self.send_all(&client, &ended).await;
        hearing.abort();
        end
    }

    async fn send_all(&mut self, client: &Client, ended: &Ended) -> Result<End, Error> {
        let place = &self.connector.place;
        let channel = place.namespace.channel();
        let lost = |error: tokio_postgres::Error| Error::unavailable(fault::story(&error));
        if !place.pooled {
            let row = client
                .query_typed("select pg_backend_pid()", &[])
                .await
                .map_err(lost)?;
            ended
                .own
                .store(row.first().map_or(0, |row| row.get(0)), Ordering::Relaxed);
            client
                .batch_execute(&format!("listen \"{channel}\""))
                .await
                .map_err(lost)?;
            // Whatever was said while nobody listened is gone.
            pass_on(vec![Hint::lost()], &self.floors, &self.near, &self.unlined);
        }
        loop {
            let first = tokio::select! {
                biased;
                () = ended.wait() => return Ok(End::Lost),
                first = self.waiting.recv() => first,
            };
            let Some(mut signals) = first else {
                return Ok(End::Closed);
            };
            while let Ok(more) = self.waiting.try_recv() {
                signals.extend(more);
            }
            if self.lost.swap(false, Ordering::Relaxed) {
                signals = vec![Hint::lost()];
            }
            for message in write(&signals) {
                let params: [Param<'_>; 2] = [(&channel, Type::TEXT), (&message, Type::TEXT)];
                if let Err(error) = client.query_typed(NOTIFY, &params).await {
                    // Others may have missed it.
                    self.lost.store(true, Ordering::Relaxed);
                    tracing::debug!(error = fault::story(&error), "hints were lost on their way");
                    return Ok(End::Lost);
                }
            }
        }
    }
}

/// Says that the connection is over, and which one it was.
#[derive(Clone, Default)]
struct Ended {
    over: tokio_util::sync::CancellationToken,
    /// The server's name for this connection, by which one's own hints are known.
    own: Arc<std::sync::atomic::AtomicI32>,
}

impl Ended {
    async fn wait(&self) {
        self.over.cancelled().await;
    }
}

/// Drives a connection, and passes on what others say, until it ends.
async fn hear(
    mut driven: Driven,
    floors: Arc<Floors>,
    near: Arc<LocalSignals>,
    unlined: Arc<OnceLock<Hear>>,
    ended: Ended,
) {
    let mut messages = stream::poll_fn(move |context| driven.poll_message(context));
    while let Some(message) = messages.next().await {
        match message {
            Ok(AsyncMessage::Notification(told))
                if told.process_id() != ended.own.load(Ordering::Relaxed) =>
            {
                pass_on(read(told.payload()), &floors, &near, &unlined);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(error = fault::story(&error), "a connection to PostgreSQL ended");
                break;
            }
        }
    }
    ended.over.cancel();
}

/// Passes hints of others on.
fn pass_on(hints: Vec<Hint>, floors: &Floors, near: &LocalSignals, unlined: &OnceLock<Hear>) {
    if let Some(hear) = unlined.get() {
        let unlined = hints.iter().filter(|hint| !hint.is_lined);
        unlined.for_each(|hint| hear(&hint.signal));
    }
    let signals: Vec<Signal> = hints.into_iter().map(|hint| hint.signal).collect();
    floors.heed(&signals);
    near.send(&signals);
}

/// What others are told of new jobs.
pub(super) fn due<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<Signal> {
    let mut earliest: BTreeMap<&QueueName, Timestamp> = BTreeMap::new();
    for job in jobs {
        let at = earliest.entry(&job.body.queue).or_insert(job.status.due);
        *at = (*at).min(job.status.due);
    }
    let due = earliest
        .into_iter()
        .map(|(queue, at)| Signal::Due(queue.clone(), at));
    due.collect()
}

/// What others are told of changes: to look at everything, since a change does not say in whose queue there is work, or room,
/// again.
pub(super) fn made(changes: usize) -> Vec<Signal> {
    match changes {
        0 => Vec::new(),
        _ => vec![Signal::Anything],
    }
}

/// Sends hints with the commit of a caller's transaction.
pub(super) async fn notify_in(link: Link<'_>, signals: Vec<Signal>) -> Result<(), Fault> {
    let channel = link.namespace().channel();
    let hints: Vec<Hint> = signals.into_iter().map(Hint::unlined).collect();
    for message in write(&hints) {
        let params: [Param<'_>; 2] = [(&channel, Type::TEXT), (&message, Type::TEXT)];
        link.query(NOTIFY, &params).await?;
    }
    Ok(())
}

const NOTIFY: &str = "select pg_notify($1, $2)";

/// Longest text of one message, in bytes: PostgreSQL takes less than 8,000.
const MESSAGE_BYTES: usize = 7_900;
/// Messages for what gathered; more are told in one word.
const MESSAGES: usize = 8;
const LOST: &str = "l";

impl Hint {
    fn unlined(signal: Signal) -> Hint {
        Hint {
            signal,
            is_lined: false,
        }
    }

    fn lost() -> Hint {
        Hint::unlined(Signal::Lost)
    }
}

/// Hints as messages, a line each. This text passes between processes of different versions: letters never change their
/// meaning.
fn write(hints: &[Hint]) -> Vec<String> {
    let mut messages = vec![String::new()];
    for hint in hints {
        let line = match &hint.signal {
            Signal::Due(queue, at) if hint.is_lined => format!("q {} {queue}", at.as_micros()),
            Signal::Due(queue, at) => format!("d {} {queue}", at.as_micros()),
            Signal::Ended(id) => format!("e {}", id.0.simple()),
            Signal::Cancel(id) => format!("c {}", id.0.simple()),
            Signal::Output(id) => format!("o {}", id.0.simple()),
            Signal::Schedule(at) => format!("s {}", at.as_micros()),
            Signal::Anything => "a".to_owned(),
            Signal::Lost => return vec![LOST.to_owned()],
        };
        if messages
            .last()
            .is_some_and(|message| message.len() + line.len() > MESSAGE_BYTES)
        {
            messages.push(String::new());
        }
        if messages.len() > MESSAGES || line.len() > MESSAGE_BYTES {
            return vec![LOST.to_owned()];
        }
        if let Some(message) = messages.last_mut() {
            message.push_str(&line);
            message.push('\n');
        }
    }
    messages.retain(|message| !message.is_empty());
    messages
}

/// Reads a message. What only a newer version can say means to look at everything.
fn read(message: &str) -> Vec<Hint> {
    let read = |line| read_line(line).unwrap_or(Hint::unlined(Signal::Anything));
    message.lines().map(read).collect()
}

fn read_line(line: &str) -> Option<Hint> {
    let (letter, rest) = line.split_once(' ').unwrap_or((line, ""));
    let id = || rest.parse::<JobId>().ok();
    let signal = match letter {
        "d" | "q" => {
            let (at, queue) = rest.split_once(' ')?;
            Signal::Due(QueueName::from(queue), Timestamp::from_micros(at.parse().ok()?))
        }
        "e" => Signal::Ended(id()?),
        "c" => Signal::Cancel(id()?),
        "o" => Signal::Output(id()?),
        "s" => Signal::Schedule(Timestamp::from_micros(rest.parse().ok()?)),
        "l" => Signal::Lost,
        _ => return None,
    };
    Some(Hint {
        signal,
        is_lined: letter == "q",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> JobId {
        JobId::named(name)
    }

    #[test]
    fn hints_are_read_as_they_were_written() {
        let due = || Signal::Due(QueueName::from("a/b:c"), Timestamp::from_micros(-7));
        let mut hints = [
            due(),
            Signal::Ended(id("a")),
            Signal::Cancel(id("b")),
            Signal::Output(id("c")),
            Signal::Schedule(Timestamp::from_micros(-7)),
            Signal::Anything,
        ]
        .map(Hint::unlined)
        .to_vec();
        hints.push(Hint {
            signal: due(),
            is_lined: true,
        });
        let messages = write(&hints);
        assert_eq!(messages.len(), 1);
        assert_eq!(read(&messages[0]), hints);
        let anything = [Hint::unlined(Signal::Anything)];
        assert_eq!(read("a"), anything);
        assert_eq!(
            write(&[Hint::unlined(Signal::Ended(id("a"))), Hint::lost()]),
            ["l"]
        );
        assert_eq!(read("l"), [Hint::lost()]);
        assert_eq!(read("z 7\n"), anything);
    }

    #[test]
    fn many_hints_are_several_messages_and_too_many_are_one_word() {
        let ended = Hint::unlined(Signal::Ended(id("a")));
        let messages = write(&vec![ended.clone(); 1_000]);
        assert!(messages.len() > 1 && messages.iter().all(|message| message.len() < 8_000));
        assert_eq!(messages.iter().flat_map(|message| read(message)).count(), 1_000);
        assert_eq!(write(&vec![ended; 10_000]), ["l"]);
    }
}
