//! Connecting: where the server is, as a URL says it, and how a connection to it is made.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault;
use super::namespace::Namespace;
use super::session::{self, Session};
use super::tls::{self, Trust};
use crate::clock::Clock;
use crate::error::Error;
use crate::limits;
use crate::store::checks;

/// What a URL says of a store.
pub(super) struct Place {
    pub(super) config: Config,
    pub(super) namespace: Arc<Namespace>,
    /// Whether a pooler hands out connections for a transaction each.
    pub(super) pooled: bool,
    /// Whether hints are sent and heard.
    pub(super) notify: bool,
    trust: Trust,
}

/// Parameters of a URL that the driver reads as libpq does.
const DRIVERS: [&str; 8] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "password",
    "port",
    "user",
];

impl Place {
    /// Reads a URL that begins with `postgres://` or `postgresql://`. No error repeats it, since it may hold a password.
    pub(super) fn parse(url: &str) -> Result<Place, Error> {
        let authority = checks::authority("PostgreSQL", url)?;
        if authority.matches('@').count() > 1 {
            return Err(Error::invalid(
                "the URL of PostgreSQL has an @ within its user or password; write %40 for it",
            ));
        }
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut ours = Parameters::default();
        let mut drivers = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            match name {
                _ if DRIVERS.contains(&name) => drivers.push(parameter),
                _ => ours.take(name, value)?,
            }
        }
        let mut config: Config = format!("{base}?{}", drivers.join("&"))
            .parse()
            .map_err(not_a_url)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(Error::invalid(
                "the URL of PostgreSQL names no host; write postgres://user@host/database",
            ));
        }
        if config.get_user().is_none() {
            return Err(Error::invalid(
                "the URL of PostgreSQL names no user; write postgres://user@host/database",
            ));
        }
        let trust = Trust::read(ours.sslmode.as_deref(), ours.sslrootcert.as_deref())?;
        config.ssl_mode(trust.mode());
        if config.get_application_name().is_none() {
            config.application_name("punctual");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(limits::CONNECT_TIME);
        }
        // A server that is cut off is noticed while something is on its way to it, and while an answer is waited for.
        config
            .tcp_user_timeout(limits::CONNECTION_SILENCE)
            .keepalives_idle(limits::CONNECTION_SILENCE / 2)
            .keepalives_interval(limits::CONNECTION_SILENCE / 8)
            .keepalives_retries(4);
        Ok(Place {
            config,
            namespace: Arc::new(ours.namespace()?),
            pooled: ours.pooled,
            notify: ours.notify.unwrap_or(true),
            trust,
        })
    }

    /// Where the server is, for people: neither user nor password.
    pub(super) fn server(&self) -> String {
        let port = |place: usize| {
            let ports = self.config.get_ports();
            ports.get(place).or(ports.first()).copied().unwrap_or(5432)
        };
        let hosts = self.config.get_hosts().iter().enumerate();
        let hosts = hosts.map(|(place, host)| match host {
            Host::Tcp(host) => format!("{host}:{}", port(place)),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let hosts: Vec<String> = hosts.collect();
        match hosts.is_empty() {
            false => hosts.join(", "),
            true => format!("{:?}", self.config.get_hostaddrs()),
        }
    }
}

/// Parameters of our own.
#[derive(Default)]
struct Parameters {
    namespace: Option<String>,
    pooled: bool,
    notify: Option<bool>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
}

impl Parameters {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Error> {
        match name {
            "namespace" => self.namespace = Some(value.to_owned()),
            "pooled" => self.pooled = switch(name, value)?,
            "notify" => self.notify = Some(switch(name, value)?),
            "sslmode" => self.sslmode = Some(value.to_owned()),
            "sslrootcert" => self.sslrootcert = Some(decoded(value)?),
            name => {
                return Err(Error::invalid(format!(
                    "the URL of PostgreSQL has the parameter {name:?}, which is not known; known are namespace, pooled, \
                     notify, sslmode, sslrootcert, {}",
                    DRIVERS.join(", ")
                )));
            }
        }
        Ok(())
    }

    fn namespace(&self) -> Result<Namespace, Error> {
        Namespace::new(self.namespace.as_deref().unwrap_or(super::namespace::DEFAULT))
    }
}

fn switch(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        "true" | "on" => Ok(true),
        "false" | "off" => Ok(false),
        value => Err(Error::invalid(format!(
            "the parameter {name} of PostgreSQL's URL is true or false, and not {value:?}"
        ))),
    }
}

fn decoded(value: &str) -> Result<String, Error> {
    let text = percent_encoding::percent_decode_str(value).decode_utf8();
    let text = text.map_err(|_| Error::invalid("a parameter of PostgreSQL's URL is no UTF-8"))?;
    Ok(text.into_owned())
}

fn not_a_url(error: tokio_postgres::Error) -> Error {
    Error::invalid(format!(
        "the URL of PostgreSQL cannot be read ({}); write postgres://user:password@host:5432/database, with other \
         characters than letters and digits in user and password as %40 for @",
        fault::story(&error)
    ))
}

/// Makes connections. After one could not be made, the next try waits a little, and longer each time.
pub(super) struct Connector {
    pub(super) place: Place,
    tls: MakeRustlsConnect,
    clock: Arc<dyn Clock>,
    failing: Mutex<Option<Failing>>,
}

struct Failing {
    error: Error,
    pause: Duration,
    /// By the machine's uptime.
    until: Duration,
}

/// A connection that something has to drive.
pub(super) type Driven = Connection<Socket, <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream>;

impl Connector {
    pub(super) fn new(place: Place, clock: Arc<dyn Clock>) -> Result<Connector, Error> {
        Ok(Connector {
            tls: MakeRustlsConnect::new(tls::client(&place.trust)?),
            place,
            clock,
            failing: Mutex::new(None),
        })
    }

    /// A new session, driven by a task of its own.
    pub(super) async fn session(&self) -> Result<Session, Error> {
        let (client, driven) = self.connect().await?;
        tokio::spawn(async move {
            if let Err(error) = driven.await {
                tracing::debug!(error = fault::story(&error), "a connection to PostgreSQL ended");
            }
        });
        let session = Session::new(client, Arc::clone(&self.place.namespace), self.place.pooled);
        if !self.place.pooled {
            session.run(&session::settings()).await?;
        }
        Ok(session)
    }

    /// A new connection, and what drives it.
    pub(super) async fn connect(&self) -> Result<(Client, Driven), Error> {
        self.rest()?;
        let connecting = self.place.config.connect(self.tls.clone());
        // The driver bounds each address by itself, and not what follows: the handshakes.
        let connected = tokio::time::timeout(limits::CONNECT_TIME * 2, connecting).await;
        let connected = match connected {
            Ok(connected) => connected.map_err(|error| self.explain(error)),
            Err(_) => Err(self.unreachable("it did not answer in time")),
        };
        let mut failing = self.failing();
        match &connected {
            Ok(_) => *failing = None,
            Err(error) => {
                let pause = failing
                    .as_ref()
                    .map_or(limits::CONNECT_PAUSE, |failing| failing.pause * 2);
                let pause = pause.min(limits::CONNECT_PAUSE_MAX);
                *failing = Some(Failing {
                    error: error.clone(),
                    pause,
                    until: self.clock.uptime() + pause,
                });
            }
        }
        connected
    }

    /// Fails as the last try did, if that was a moment ago.
    fn rest(&self) -> Result<(), Error> {
        match &*self.failing() {
            Some(failing) if self.clock.uptime() < failing.until => Err(failing.error.clone()),
            _ => Ok(()),
        }
    }

    fn failing(&self) -> std::sync::MutexGuard<'_, Option<Failing>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unreachable(&self, why: &str) -> Error {
        Error::unavailable(format!(
            "PostgreSQL at {} cannot be reached: {why}",
            self.place.server()
        ))
    }

    /// What stands against a connection, and what to do about it.
    fn explain(&self, error: tokio_postgres::Error) -> Error {
        let (config, server) = (&self.place.config, self.place.server());
        let user = config.get_user().unwrap_or_default();
        let database = config.get_dbname().unwrap_or(user);
        let story = fault::story(&error);
        let code = error.code().cloned();
        let told = match code {
            Some(code) if code == SqlState::INVALID_CATALOG_NAME => Error::unavailable(format!(
                "PostgreSQL at {server} has no database {database:?}; create it, or name another one"
            )),
            Some(code) if code == SqlState::INVALID_PASSWORD => Error::unavailable(format!(
                "PostgreSQL at {server} refused the password of the user {user:?}, or has no such user"
            )),
            Some(code) if code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Error::unavailable(
                format!("PostgreSQL at {server} does not let the user {user:?} in: {story}"),
            ),
            Some(code) if code == SqlState::TOO_MANY_CONNECTIONS => {
                Error::unavailable(format!("PostgreSQL at {server} has no connection left: {story}"))
            }
            Some(_) => Error::unavailable(format!("PostgreSQL at {server} let nobody in: {story}")),
            None if self.place.config.get_ssl_mode() == SslMode::Require && story.contains("TLS") => {
                self.unreachable(&format!("{story}; sslmode=disable does without TLS"))
            }
            None if config.get_password().is_none() && story.contains("password missing") => {
                Error::unavailable(format!(
                    "PostgreSQL at {server} asks for the password of the user {user:?}, and the URL has none"
                ))
            }
            None => self.unreachable(&story),
        };
        told.caused_by(error)
    }
}
