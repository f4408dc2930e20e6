//! Where the server listens, and what it bears from its clients.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

use punctual::Engine;
use punctual::limits::LENGTH_MAX;
use punctual_http::Server;
use punctual_http::limits::{BODY_DEADLINE, CONNECTIONS, HEADER_DEADLINE, WRITE_DEADLINE};
use punctual_http::server::{Listener, ServerSettings};

use super::files;
use crate::config::Settings;
use crate::config::given::Given;
use crate::config::key::{Key, Room, always};
use crate::failure::{Failure, story};

pub(crate) static ROOM: Room = Room {
    heading: None,
    keys: &[
        &BIND,
        &CONNECTIONS_KEY,
        &HEADER_DEADLINE_KEY,
        &BODY_DEADLINE_KEY,
        &WRITE_DEADLINE_KEY,
    ],
    agree: always,
};

pub(super) static BIND: Key<SocketAddr> = Key::with_default("bind", || Given::new("127.0.0.1:7373"), bind)
    .flag("bind", "ADDRESS")
    .about("Where to listen; loopback only, since there are no keys yet");
static CONNECTIONS_KEY: Key<usize> = Key::new("api.connections", "1000", |given| {
    given.as_whole(1..=CONNECTIONS as i64)
})
.about(
    "How many connections are served at once; further ones wait for one of them to end. Unset, half as many as files \
     may be open, and at most 12000",
);
static HEADER_DEADLINE_KEY: Key<Duration> =
    Key::with_default("api.header_deadline", || Given::length(HEADER_DEADLINE), deadline)
        .about("How long the headers of a request may take. A connection that nobody uses ends so, too");
static BODY_DEADLINE_KEY: Key<Duration> =
    Key::with_default("api.body_deadline", || Given::length(BODY_DEADLINE), deadline)
        .about("How long the body of a request may take after its headers");
static WRITE_DEADLINE_KEY: Key<Duration> =
    Key::with_default("api.write_deadline", || Given::length(WRITE_DEADLINE), deadline)
        .about("How long a client may take nothing of its answers");

/// Below it, an ordinary pause of a network cuts a client off.
const DEADLINE_MIN: Duration = Duration::from_secs(1);

/// Listens where the settings say: before a store is opened, so that none is made where the address is taken.
pub(super) async fn listen(settings: &Settings) -> Result<Listener, Failure> {
    let address = settings.get(&BIND);
    Listener::bind(address).await.map_err(|error| {
        let cause = error.source().and_then(|cause| cause.downcast_ref());
        let why = cause.map_or_else(|| error.to_string(), story);
        let told = format!("cannot listen on {address}: {why}; --bind names another address");
        Failure::of(error.kind(), told)
    })
}

/// A server that listens there.
pub(super) fn server(settings: &Settings, listener: Listener, engine: &Engine) -> Server {
    let most = files::connections();
    let asked = settings.given(&CONNECTIONS_KEY).unwrap_or(most);
    if asked > most {
        tracing::warn!("api.connections is {asked}, and the limit of open files leaves room for {most}");
    }
    listener.serve(engine.clone()).settings(ServerSettings {
        connections: asked.min(most),
        header_deadline: settings.get(&HEADER_DEADLINE_KEY),
        body_deadline: settings.get(&BODY_DEADLINE_KEY),
        write_deadline: settings.get(&WRITE_DEADLINE_KEY),
        ..ServerSettings::default()
    })
}

fn deadline(given: &Given) -> Result<Duration, String> {
    given.as_length(DEADLINE_MIN..=LENGTH_MAX)
}

/// An address and a port; `localhost` is the IPv4 one.
fn bind(given: &Given) -> Result<SocketAddr, String> {
    let accepted = "write an address and a port, such as \"127.0.0.1:7373\"";
    let text = given.as_text(accepted)?;
    let address = text.replacen("localhost:", "127.0.0.1:", 1);
    let address = address
        .parse()
        .map_err(|_| format!("{given} is no address with a port; {accepted}"))?;
    Listener::check(address).map_err(|error| error.to_string())?;
    Ok(address)
}
