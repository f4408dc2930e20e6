//! One connection to the server, which everybody shares and which heals itself.
//!
//! Questions are sent one behind the other without waiting for answers, and answered in that order. What was lost is
//! connected anew by whoever asks next; after a failure nobody tries for a moment, which doubles, and whoever asks
//! meanwhile is told what the failure was.
//!
//! In a cluster all keys of a namespace are in one slot, so that one node serves it. A node that does not says which one
//! does, and has done nothing: then that one is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, PushInfo, PushKind, RedisError, ServerErrorKind, Value};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::address::{Address, Node};
use super::driver::Spawner;
use super::fault::{self, Sent};
use super::reply;
use super::script::{Arguments, PREPARE, SCHEMA, Script};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Kind};
use crate::limits;

/// Asks the server. Clones share their connection.
#[derive(Clone)]
pub(super) struct Link {
    spawner: Spawner,
    inner: Arc<Inner>,
    /// Writes that the server has refused.
    refusals: Arc<AtomicU64>,
}

struct Inner {
    address: Address,
    /// What stands before each key, `{namespace}:`, so that all keys fall into one slot of a cluster.
    prefix: String,
    /// Hears what the server sends unasked, and that a connection was lost.
    hears: Hears,
    /// How long an answer may take.
    patience: Duration,
    state: Mutex<State>,
    /// How long connections rest is a matter of this process, whatever time a test steps.
    clock: SystemClock,
}

/// Whoever hears what comes unasked.
pub(super) type Hears = Arc<dyn Fn(PushInfo) + Send + Sync>;

#[derive(Default)]
struct State {
    line: Option<Line>,
    /// The node that serves the namespace, once another one said so.
    home: Option<Node>,
    /// Failures to connect, one after the other.
    failures: u32,
    /// The uptime before which nobody tries again, and why.
    resting: Option<(Duration, Error)>,
}

/// A connection, for as long as it is alive.
#[derive(Clone)]
pub(super) struct Line {
    connection: MultiplexedConnection,
    alive: Arc<AtomicBool>,
    at: Node,
}

impl Link {
    pub(super) fn new(address: Address, spawner: Spawner, hears: Hears) -> Link {
        Link::with_patience(limits::ANSWER_TIME, address, spawner, hears)
    }

    /// As [`new`](Self::new), for who can do without an answer that takes longer than this, or a connection that does.
    pub(super) fn with_patience(
        patience: Duration,
        address: Address,
        spawner: Spawner,
        hears: Hears,
    ) -> Link {
        let inner = Inner {
            prefix: format!("{{{}}}:", address.namespace),
            address,
            hears,
            patience,
            state: Mutex::default(),
            clock: SystemClock::new(),
        };
        Link {
            spawner,
            inner: Arc::new(inner),
            refusals: Arc::default(),
        }
    }

    /// Counts here the writes that the server refuses.
    pub(super) fn counting_refusals(mut self, refusals: &Arc<AtomicU64>) -> Link {
        self.refusals = Arc::clone(refusals);
        self
    }

    /// The name of a key.
    pub(super) fn key(&self, name: &str) -> Vec<u8> {
        self.key_of(name, b"")
    }

    /// The name of a key that ends with an id or another text.
    pub(super) fn key_of(&self, name: &str, of: &[u8]) -> Vec<u8> {
        [self.inner.prefix.as_bytes(), name.as_bytes(), of].concat()
    }

    /// Runs a script that writes.
    pub(super) async fn write(&self, script: &'static Script, arguments: Arguments) -> Result<Value, Error> {
        let written = self.run(script, arguments, Sent::Write).await;
        if written
            .as_ref()
            .is_err_and(|error| error.kind() == Kind::Unavailable)
        {
            self.refusals.fetch_add(1, Ordering::Relaxed);
        }
        written
    }

    /// Runs a script that only reads, or that may be run twice.
    pub(super) async fn read(&self, script: &'static Script, arguments: Arguments) -> Result<Value, Error> {
        self.run(script, arguments, Sent::Read).await
    }

    async fn run(&self, script: &'static Script, arguments: Arguments, sent: Sent) -> Result<Value, Error> {
        let inner = Arc::clone(&self.inner);
        self.spawner
            .run(async move { inner.run(script, &arguments, sent).await })
            .await
    }

    /// Asks by a plain command.
    pub(super) async fn ask(&self, command: Cmd) -> Result<Value, Error> {
        let inner = Arc::clone(&self.inner);
        let asked = async move {
            inner
                .ask(&command, Sent::Read)
                .await
                .map_err(|fault| fault.told(&inner))
        };
        self.spawner.run(asked).await
    }

    /// Asks by a plain command, from a task that already runs where connections live.
    pub(super) async fn ask_here(&self, command: Cmd) -> Result<Value, Error> {
        let asked = self.inner.ask(&command, Sent::Read).await;
        asked.map_err(|fault| fault.told(&self.inner))
    }

    /// Makes the namespace if there is none, and holds that this version can use it.
    pub(super) async fn prepare(&self) -> Result<(), Error> {
        let inner = Arc::clone(&self.inner);
        self.spawner.run(async move { inner.prepare().await }).await
    }

    /// The version of the layout of the namespace, if there is one. One that is no number is left for the scripts to refuse.
    pub(super) async fn schema(&self) -> Result<Option<u32>, Error> {
        let mut get = redis::cmd("GET");
        get.arg(self.key("schema"));
        let schema = reply::bytes_if_any(self.ask(get).await?)?;
        Ok(schema.map(|schema| String::from_utf8_lossy(&schema).parse().unwrap_or(0)))
    }

    pub(super) fn namespace(&self) -> &str {
        &self.inner.address.namespace
    }

    pub(super) fn address(&self) -> &Address {
        &self.inner.address
    }

    pub(super) fn spawner(&self) -> &Spawner {
        &self.spawner
    }
}

/// Why a command has no answer.
enum Fault {
    Told(Error),
    /// The server says so, which is for the caller to understand.
    Server(Node, RedisError),
}

impl Fault {
    fn told(self, inner: &Inner) -> Error {
        match self {
            Fault::Told(error) => error,
            Fault::Server(_, error) if fault::is(&error, SCHEMA_ERROR) => {
                fault::newer_meanwhile(&inner.address.namespace, error.detail().unwrap_or_default())
            }
            Fault::Server(at, error) => fault::refused(&at.to_string(), &error),
        }
    }

    fn is_server(&self, is: impl Fn(&RedisError) -> bool) -> bool {
        match self {
            Fault::Told(_) => false,
            Fault::Server(_, error) => is(error),
        }
    }
}

/// What a script says of a namespace with another layout than it knows.
const SCHEMA_ERROR: &str = "PUNCTUALSCHEMA";

impl Inner {
    async fn run(&self, script: &Script, arguments: &Arguments, sent: Sent) -> Result<Value, Error> {
        match self.run_once(script, arguments, sent).await {
            Err(fault) if fault.is_server(is_to_be_prepared) => {
                if fault.is_server(is_missing) {
                    tracing::error!(
                        namespace = self.address.namespace,
                        at = %self.address,
                        "Redis has lost this namespace: it was flushed, or restarted without its data; it begins anew"
                    );
                }
                self.prepare().await?;
                let again = self.run_once(script, arguments, sent).await;
                again.map_err(|fault| fault.told(self))
            }
            answer => answer.map_err(|fault| fault.told(self)),
        }
    }

    async fn run_once(&self, script: &Script, arguments: &Arguments, sent: Sent) -> Result<Value, Fault> {
        let is_unknown = |error: &RedisError| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        match self.ask(&script.by_hash(&self.prefix, arguments), sent).await {
            Err(fault) if fault.is_server(is_unknown) => {
                self.ask(&script.whole(&self.prefix, arguments), sent).await
            }
            answer => answer,
        }
    }

    async fn prepare(&self) -> Result<(), Error> {
        let mut arguments = Arguments::default();
        arguments.number(SCHEMA);
        let schema = self.run_once(&PREPARE, &arguments, Sent::Read).await;
        let schema = reply::bytes(schema.map_err(|fault| fault.told(self))?)?;
        if schema == SCHEMA.to_string().as_bytes() {
            return Ok(());
        }
        Err(fault::newer(
            &self.address.namespace,
            &String::from_utf8_lossy(&schema),
        ))
    }

    async fn ask(&self, command: &Cmd, sent: Sent) -> Result<Value, Fault> {
        for _ in 0..limits::CLUSTER_REDIRECTS {
            let mut line = self.line().await.map_err(Fault::Told)?;
            let answer = timeout(self.patience, command.query_async::<Value>(&mut line.connection)).await;
            let error = match answer {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => error,
                Err(_) => {
                    line.alive.store(false, Ordering::Relaxed);
                    let why = "it gave no answer in time";
                    return Err(Fault::Told(fault::lost(&line.at.to_string(), why, sent)));
                }
            };
            if fault::is_of_the_connection(&error) {
                line.alive.store(false, Ordering::Relaxed);
                let why = fault::told(&error);
                return Err(Fault::Told(fault::lost(&line.at.to_string(), &why, sent)));
            }
            if error.kind() != ErrorKind::Server(ServerErrorKind::Moved) {
                return Err(Fault::Server(line.at, error));
            }
            self.move_to(&line, &error).await;
        }
        Err(Fault::Told(Error::unavailable(format!(
            "the cluster of Redis at {} keeps pointing elsewhere",
            self.address
        ))))
    }

    /// The connection that there is, or a new one.
    async fn line(&self) -> Result<Line, Error> {
        let mut state = self.state.lock().await;
        if let Some(line) = &state.line
            && line.alive.load(Ordering::Relaxed)
        {
            return Ok(line.clone());
        }
        if let Some((until, error)) = &state.resting
            && self.clock.uptime() < *until
        {
            return Err(error.clone());
        }
        state.line = None;
        match self.connect(state.home.clone()).await {
            Ok(line) => {
                if state.failures > 0 {
                    tracing::info!(at = %line.at, "Redis is back");
                }
                *state = State {
                    home: state.home.take(),
                    line: Some(line.clone()),
                    ..State::default()
                };
                Ok(line)
            }
            Err(error) => {
                if state.failures == 0 {
                    tracing::warn!(%error, "Redis is away; it is tried again for as long as anybody asks");
                }
                state.home = None;
                state.resting = Some((self.clock.uptime() + self.rest(state.failures), error.clone()));
                state.failures = state.failures.saturating_add(1);
                Err(error)
            }
        }
    }

    /// How long nobody tries after so many failures: at random, so that those who lost a server together do not all come
    /// back at once.
    fn rest(&self, failures: u32) -> Duration {
        let longest = limits::CONNECT_PAUSE.saturating_mul(2_u32.saturating_pow(failures));
        longest
            .min(limits::CONNECT_PAUSE_MAX)
            .mul_f64(0.5 + self.clock.chance() / 2.0)
    }

    /// Connects to the node that is known to serve the namespace, or to the first of those named that answers.
    async fn connect(&self, home: Option<Node>) -> Result<Line, Error> {
        let mut failed = None;
        for node in home.into_iter().chain(self.address.nodes.iter().cloned()) {
            match self.connect_to(node).await {
                Ok(line) => return Ok(line),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| Error::invalid("the URL of Redis names no host")))
    }

    async fn connect_to(&self, node: Node) -> Result<Line, Error> {
        let at = node.to_string();
        let unreachable = |error: RedisError| fault::unreachable(&at, &error);
        let alive = Arc::new(AtomicBool::new(true));
        let (hears, alive_still) = (Arc::clone(&self.hears), Arc::clone(&alive));
        let push = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                alive_still.store(false, Ordering::Relaxed);
            }
            hears(push);
            Ok::<(), redis::aio::SendError>(())
        };
        // Both are bounded here.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_push_sender(push);
        let client = self.address.client(&node).map_err(unreachable)?;
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let patience = self.patience.min(limits::CONNECT_TIME);
        let connected = timeout(patience, connecting).await;
        let connection = connected.map_err(|_| fault::too_slow_to_connect(&at, patience))?;
        Ok(Line {
            connection: connection.map_err(unreachable)?,
            alive,
            at: node,
        })
    }

    /// Remembers which node serves the namespace.
    async fn move_to(&self, from: &Line, moved: &RedisError) {
        let node = moved.redirect_node().and_then(|(node, _)| Node::read(node));
        let Some(mut node) = node else { return };
        if node.host.is_empty() {
            // A node that does not know its own address means the one under which it was reached.
            node.host.clone_from(&from.at.host);
        }
        let mut state = self.state.lock().await;
        if state.line.as_ref().is_some_and(|line| line.at == from.at) {
            state.line = None;
            state.home = Some(node);
        }
    }
}

/// Whether there is no namespace, or the copy of an older one was put back.
fn is_to_be_prepared(error: &RedisError) -> bool {
    let version = || error.detail()?.parse::<u32>().ok();
    let is_older = || version().is_some_and(|version| version < SCHEMA);
    is_missing(error) || (fault::is(error, SCHEMA_ERROR) && is_older())
}

fn is_missing(error: &RedisError) -> bool {
    fault::is(error, SCHEMA_ERROR) && error.detail() == Some("missing")
}
