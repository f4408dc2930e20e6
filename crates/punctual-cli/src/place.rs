//! Whom a command talks to: a server, or a store without one.

use std::error::Error as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use punctual::{Engine, Error, Kind};
use punctual_http::Client;

use crate::failure::Failure;
use crate::print;

/// The server that is asked where none is named.
const SERVER: &str = "http://127.0.0.1:7373";
/// After so long without an answer, people begin to wonder.
const SLOW: Duration = Duration::from_secs(3);
/// Names another one.
const SERVER_VARIABLE: &str = "PUNCTUAL_SERVER";

/// Whom to talk to. The variable is read here and not by `clap`, for which it would contradict `--store`: what is said on the
/// command line goes before what the environment says.
#[derive(Args, Default)]
pub(crate) struct Place {
    /// The server to talk to [env: PUNCTUAL_SERVER] [default: http://127.0.0.1:7373]
    #[arg(long, value_name = "URL", global = true, help_heading = "Server or store")]
    server: Option<String>,
    /// The store to work on without a server, such as sqlite:punctual.db
    #[arg(long, value_name = "URL", global = true, help_heading = "Server or store")]
    store: Option<String>,
}

/// The way to a place. A store is to be [left](Access::leave), so that what it holds back is written.
pub(crate) struct Access {
    pub(crate) client: Client,
    engine: Option<Engine>,
}

impl Place {
    /// The way there. Only a store is looked for now; a server, once it is asked something.
    pub(crate) async fn enter(&self) -> Result<Access, Failure> {
        let Some(store) = &self.store else {
            return Ok(Access {
                client: told_when_slow(Client::new(&self.server())?),
                engine: None,
            });
        };
        if self.server.is_some() {
            return Err(Failure::usage(
                "name a server with --server or a store with --store, not both",
            ));
        }
        let engine = open(store).await?;
        Ok(Access {
            client: Client::near(engine.clone()),
            engine: Some(engine),
        })
    }

    /// This place, unless the other one names another.
    pub(crate) fn unless(self, other: Place) -> Place {
        Place {
            server: other.server.or(self.server),
            store: other.store.or(self.store),
        }
    }

    /// The place that the words of a command line name that `clap` has not read.
    pub(crate) fn of_words<E>(words: impl Iterator<Item = Result<String, E>>) -> Place {
        let mut place = Place::default();
        let mut words = words.filter_map(Result::ok);
        while let Some(word) = words.next() {
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let slot = match flag {
                "--server" => &mut place.server,
                "--store" => &mut place.store,
                _ => continue,
            };
            *slot = value.or_else(|| words.next());
        }
        place
    }

    fn server(&self) -> String {
        let named = || std::env::var(SERVER_VARIABLE).ok();
        let named = self.server.clone().or_else(named);
        named
            .filter(|server| !server.is_empty())
            .unwrap_or_else(|| SERVER.to_owned())
    }
}

impl Access {
    /// Ends what was begun there.
    pub(crate) async fn leave(self) -> Result<(), Failure> {
        if let Some(engine) = self.engine {
            engine.close().await?;
        }
        Ok(())
    }
}

/// A person at a terminal is told what there is to wait for; a log would be told of nothing but a busy server.
fn told_when_slow(client: Client) -> Client {
    match io::stderr().is_terminal() {
        true => client.when_slow(SLOW, |server| {
            print::note(&format!("waiting for {server} to answer"))
        }),
        false => client,
    }
}

/// Whether there is no such store, rather than one that cannot be read.
pub(crate) fn is_missing(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    error.kind() == Kind::Unavailable && cause.is_some_and(|cause| cause.kind() == io::ErrorKind::NotFound)
}

/// An engine on a store that is there already. It does no chores: those are for who stays.
pub(crate) async fn open(store: &str) -> Result<Engine, Failure> {
    open_dispatched(store, None).await
}

/// As [`open`], for a store whose jobs may be dispatched through another one.
pub(crate) async fn open_dispatched(store: &str, through: Option<&str>) -> Result<Engine, Failure> {
    let builder = Engine::builder().caretaker(false);
    let builder = match through {
        Some(through) => builder.dispatch(through),
        None => builder,
    };
    builder.open_existing(store).await.map_err(|error| {
        let hint = match is_missing(&error) {
            true => format!(
                "; `punctual serve --store {store}` makes one where there is none, or name another with --store"
            ),
            false => String::new(),
        };
        Failure::of(error.kind(), format!("{error}{hint}"))
    })
}

/// An engine on a store that is made if it is not there, and outlives the command. It does no chores.
pub(crate) async fn open_or_make(store: &str) -> Result<Engine, Failure> {
    match store.starts_with("memory:") {
        true => open(store).await,
        false => Ok(Engine::builder().caretaker(false).open(store).await?),
    }
}
