//! Where jobs are kept.

use punctual::Engine;
use punctual::engine::EngineBuilder;

use super::{defaults, tell};
use crate::config::Settings;
use crate::config::given::Given;
use crate::config::key::{Key, Room};
use crate::failure::Failure;
use crate::place;

pub(crate) static ROOM: Room = Room {
    heading: None,
    keys: &[&STORE, &DISPATCH],
    agree: |settings| match settings.given(&DISPATCH) {
        Some(through) => Engine::check_dispatch(&settings.get(&STORE), &through)
            .map_err(|error| format!("dispatch: {error}")),
        None => Ok(()),
    },
};

pub(crate) static STORE: Key<String> = Key::with_default(
    "store",
    || Given::new("sqlite:punctual.db"),
    |given| {
        let url = given.as_text("write a URL such as \"sqlite:punctual.db\"")?;
        Engine::check_url(url).map_err(|error| error.to_string())?;
        Ok(url.to_owned())
    },
)
.flag("store", "URL")
.about(
    "Where jobs are kept: sqlite:FILE, postgres://USER@HOST/DATABASE, redis://HOST, or memory: to forget them at \
     the end",
);

pub(crate) static DISPATCH: Key<String> = Key::new("dispatch", "\"redis://HOST\"", |given| {
    let through = given.as_text("write a URL such as \"redis://localhost\"")?;
    Engine::check_url(through).map_err(|error| error.to_string())?;
    Ok(through.to_owned())
})
.flag("dispatch", "URL")
.about(
    "Where idle workers look for work if jobs are kept in PostgreSQL: redis://HOST. Nothing is lost with it. Unset, they \
     look in the store",
);

/// Where jobs are kept, as it may be told.
pub(super) fn shown(settings: &Settings) -> String {
    let store = Engine::masked(&settings.get(&STORE));
    match settings.given(&DISPATCH) {
        Some(through) => format!("{store}, dispatched through {}", Engine::masked(&through)),
        None => store,
    }
}

fn builder(settings: &Settings) -> EngineBuilder {
    let builder = Engine::builder().defaults(defaults::read(settings));
    match settings.given(&DISPATCH) {
        Some(through) => builder.dispatch(&through),
        None => builder,
    }
}

/// The engine on the store, which is made if there is none. What there is to know of its durability is told.
pub(super) async fn open(settings: &Settings) -> Result<Engine, Failure> {
    durable(builder(settings).open(&settings.get(&STORE)).await?).await
}

/// The same on a store that is there already: whoever only runs jobs would wait for ever on one of a misspelt name.
pub(super) async fn open_existing(settings: &Settings) -> Result<Engine, Failure> {
    let store = settings.get(&STORE);
    let engine = builder(settings).open_existing(&store).await.map_err(|error| {
        let hint = match place::is_missing(&error) {
            true => format!(
                "; begin with `punctual api --store {store}`, which makes it, or name another with --store"
            ),
            false => String::new(),
        };
        Failure::of(error.kind(), format!("{error}{hint}"))
    })?;
    durable(engine).await
}

async fn durable(engine: Engine) -> Result<Engine, Failure> {
    let store = engine.check().await?;
    if !store.durable {
        tell(&format!(
            "what is acknowledged may be lost: {}",
            store.notes.join(" ")
        ))?;
    }
    Ok(engine)
}

/// Refuses a store that no other process can see, for a process that does only its part of the work.
pub(super) fn is_shared(settings: &Settings) -> Result<(), Failure> {
    match settings.get(&STORE).starts_with("memory:") {
        true => Err(Failure::usage(
            "memory: is seen by one process alone; take sqlite:FILE, postgres://… or redis://…, or punctual serve, which does all in one",
        )),
        false => Ok(()),
    }
}
