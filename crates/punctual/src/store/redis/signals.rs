//! Hints between processes, by the server's publish and subscribe. What one's own tasks send one hears without it.
//!
//! Whoever sends hands its hints to a task, which puts into one message whatever has gathered. Whoever listens has a
//! connection of its own for that, which is made when somebody first listens.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::BoxStream;
use redis::{PushInfo, PushKind, Value};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::link::{Hears, Link};
use crate::clock::{Clock, SystemClock};
use crate::job::JobId;
use crate::limits;
use crate::queue::QueueName;
use crate::signals::{LocalSignals, Signal, Signals};
use crate::time::Timestamp;

pub(super) struct RedisSignals {
    near: Arc<LocalSignals>,
    /// On their way to other processes.
    sent: mpsc::Sender<Vec<Signal>>,
    /// Nobody hears the others before somebody listens.
    far: Mutex<Option<Far>>,
}

/// What is needed to hear others.
struct Far {
    listening: Link,
    lost: Arc<Notify>,
}

impl RedisSignals {
    /// Signals that are sent by `link`, and heard on a connection of their own to the same server.
    pub(super) fn start(link: &Link) -> RedisSignals {
        let near = Arc::new(LocalSignals::new());
        let origin = SystemClock::new().fresh_id();
        let (sent, sending) = mpsc::channel(limits::SIGNALS);
        link.spawner().spawn(send_all(link.clone(), origin, sending));
        let lost = Arc::new(Notify::new());
        let hears = hears(Arc::clone(&near), Arc::clone(&lost), origin);
        let listening = Link::new(link.address().clone(), link.spawner().clone(), hears);
        RedisSignals {
            near,
            sent,
            far: Mutex::new(Some(Far { listening, lost })),
        }
    }
}

impl Signals for RedisSignals {
    fn send(&self, signals: &[Signal]) {
        self.near.send(signals);
        // When more is sent than goes out, the hint is lost, and others find out at their next rescan.
        self.sent.try_send(signals.to_vec()).ok();
    }

    fn listen(&self) -> BoxStream<'static, Signal> {
        let heard = self.near.listen();
        let far = self.far.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Far { listening, lost }) = far {
            let spawner = listening.spawner().clone();
            spawner.spawn_endless(listen_on(listening, lost, Arc::clone(&self.near)));
        }
        heard
    }
}

/// Sends whatever gathers, one message at a time, until the store is gone and everything is sent.
async fn send_all(link: Link, origin: Uuid, mut sending: mpsc::Receiver<Vec<Signal>>) {
    let mut gathered = Vec::new();
    while sending.recv_many(&mut gathered, limits::SIGNALS).await > 0 {
        let signals: Vec<Signal> = gathered.drain(..).flatten().collect();
        for signals in signals.chunks(limits::SIGNALS) {
            let mut publish = redis::cmd("PUBLISH");
            publish.arg(link.key("signals")).arg(write(origin, signals));
            // Nothing depends on a hint, and the next write tells of a server that is away.
            link.ask_here(publish).await.ok();
        }
    }
}

/// Subscribes, and again whenever the connection was lost.
async fn listen_on(link: Link, lost: Arc<Notify>, near: Arc<LocalSignals>) {
    let clock = SystemClock::new();
    loop {
        let mut subscribe = redis::cmd("SUBSCRIBE");
        subscribe.arg(link.key("signals"));
        if link.ask_here(subscribe).await.is_err() {
            clock.sleep(limits::CONNECT_PAUSE).await;
            continue;
        }
        // What was sent meanwhile was not heard.
        near.send(&[Signal::Lost]);
        watch(&link, &lost, &clock).await;
    }
}

/// Ends when the connection is lost. One that breaks without a word is found out by asking now and then.
async fn watch(link: &Link, lost: &Notify, clock: &SystemClock) {
    loop {
        let pause: Duration = limits::LISTENER_PING;
        tokio::select! {
            biased;
            () = lost.notified() => return,
            () = clock.sleep(pause) => {}
        }
        if link.ask_here(redis::cmd("PING")).await.is_err() {
            return;
        }
    }
}

/// Passes on what others sent.
fn hears(near: Arc<LocalSignals>, lost: Arc<Notify>, origin: Uuid) -> Hears {
    Arc::new(move |push: PushInfo| match push.kind {
        PushKind::Message => {
            if let Some(Value::BulkString(message)) = push.data.last() {
                near.send(&read(origin, message));
            }
        }
        PushKind::Disconnection => lost.notify_one(),
        _ => {}
    })
}

/// A message: who sent it, and a line for each hint. Whatever a version does not know means that something happened.
fn write(origin: Uuid, signals: &[Signal]) -> String {
    let mut lines = vec![origin.to_string()];
    lines.extend(signals.iter().map(|signal| match signal {
        Signal::Due(queue, at) if !queue.as_str().contains('\n') => {
            format!("due {} {queue}", at.as_micros())
        }
        Signal::Ended(id) => format!("ended {id}"),
        Signal::Cancel(id) => format!("cancel {id}"),
        Signal::Output(id) => format!("output {id}"),
        Signal::Schedule(at) => format!("schedule {}", at.as_micros()),
        Signal::Lost => "lost".to_owned(),
        Signal::Due(..) | Signal::Anything => "anything".to_owned(),
    }));
    lines.join("\n")
}

fn read(origin: Uuid, message: &[u8]) -> Vec<Signal> {
    let message = String::from_utf8_lossy(message);
    let mut lines = message.lines();
    if lines.next() == Some(origin.to_string().as_str()) {
        return Vec::new();
    }
    lines
        .map(|line| read_line(line).unwrap_or(Signal::Anything))
        .collect()
}

fn read_line(line: &str) -> Option<Signal> {
    let (what, of) = line.split_once(' ').unwrap_or((line, ""));
    let id = || of.parse::<JobId>().ok();
    match what {
        "due" => {
            let (at, queue) = of.split_once(' ')?;
            let at = Timestamp::from_micros(at.parse().ok()?);
            Some(Signal::Due(QueueName::from(queue), at))
        }
        "ended" => id().map(Signal::Ended),
        "cancel" => id().map(Signal::Cancel),
        "output" => id().map(Signal::Output),
        "schedule" => of
            .parse()
            .ok()
            .map(|at| Signal::Schedule(Timestamp::from_micros(at))),
        "lost" => Some(Signal::Lost),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_survive_being_sent_and_those_of_a_newer_version_mean_that_something_happened() {
        let (here, there) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let signals = [
            Signal::Due(QueueName::from("a b:c"), Timestamp::from_micros(-7)),
            Signal::Ended(JobId(Uuid::from_u128(3))),
            Signal::Cancel(JobId(Uuid::from_u128(4))),
            Signal::Output(JobId(Uuid::from_u128(5))),
            Signal::Schedule(Timestamp::from_micros(-7)),
            Signal::Anything,
            Signal::Lost,
        ];
        let message = write(there, &signals);
        assert_eq!(read(here, message.as_bytes()), signals);
        assert_eq!(read(there, message.as_bytes()), []);
        let newer = format!("{there}\nfired 7\n");
        assert_eq!(read(here, newer.as_bytes()), [Signal::Anything]);
    }
}
