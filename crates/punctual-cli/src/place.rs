//! Whom a command talks to: a server, or a store without one.

use clap::Args;
use punctual::{Engine, Kind};
use punctual_http::Client;

use crate::failure::Failure;

/// The server that is asked where none is named.
const SERVER: &str = "http://127.0.0.1:7373";
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
                client: Client::new(&self.server())?,
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

/// An engine on a store that is there already. It does no chores: those are for who stays.
pub(crate) async fn open(store: &str) -> Result<Engine, Failure> {
    let opened = Engine::builder().caretaker(false).open_existing(store).await;
    opened.map_err(|error| {
        let hint = match error.kind() {
            Kind::Unavailable => {
                format!("; `punctual serve --store {store}` makes one where there is none, or name another with --store")
            }
            _ => String::new(),
        };
        Failure::of(error.kind(), format!("{error}{hint}"))
    })
}
