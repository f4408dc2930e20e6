//! How an engine is made.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::job::Defaults;
use crate::store::{self, Store};

use super::claimants::Claimants;
use super::counters::Counters;
use super::events::Events;
use super::followers::Followers;
use super::lane::Lane;
use super::looks::Looks;
use super::members::Members;
use super::results::Results;
use super::schedules::ScheduleWrites;
use super::settings::Settings;
use super::writes::{Changes, Inserts};
use super::{Core, Engine, caretaker, listener, tokens};

/// How an engine is to be.
#[derive(Clone, Debug)]
pub struct EngineBuilder {
    clock: Option<Arc<dyn Clock>>,
    defaults: Defaults,
    caretaker: bool,
    dispatch: Option<Through>,
}

/// The URL of what jobs are dispatched through. It shows no password.
#[derive(Clone)]
struct Through(String);

impl fmt::Debug for Through {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&store::url::masked(&self.0), f)
    }
}

impl EngineBuilder {
    /// One that sets nothing.
    pub(super) fn new() -> EngineBuilder {
        EngineBuilder {
            clock: None,
            defaults: Defaults::default(),
            caretaker: true,
            dispatch: None,
        }
    }

    /// The clock to go by; unset, the machine's. A store that [`open`](Self::open) opens goes by the same one, so give it
    /// none that a store's answers correct.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What is in force where a job's user set nothing.
    pub fn defaults(mut self, defaults: Defaults) -> Self {
        self.defaults = defaults;
        self
    }

    /// Whether this engine fires schedules, takes back what is overdue and prunes history. It does, unless told otherwise; at least one
    /// engine on a store should.
    pub fn caretaker(mut self, caretaker: bool) -> Self {
        self.caretaker = caretaker;
        self
    }

    /// Dispatches jobs through what `through` names, `redis://…`, for a store `postgres://…` that is
    /// [opened](Self::open): idle workers ask there, and not the store. `docs/stores.md` tells when that is worth it.
    pub fn dispatch(mut self, through: &str) -> Self {
        self.dispatch = Some(Through(through.to_owned()));
        self
    }

    /// Opens the store that `url` names, and an engine on it. Errors are those of [`store::url::open`], or of
    /// [`store::url::open_dispatched`].
    pub async fn open(self, url: &str) -> Result<Engine, Error> {
        let clock = self.clock_of_store();
        let store = match &self.dispatch {
            Some(Through(through)) => store::url::open_dispatched(url, through, clock, true).await?,
            None => store::url::open(url, clock).await?,
        };
        Ok(self.on(store))
    }

    /// As [`open`](Self::open), for a store that others have made. Errors are those of [`store::url::open_existing`], or of
    /// [`store::url::open_dispatched`].
    pub async fn open_existing(self, url: &str) -> Result<Engine, Error> {
        let clock = self.clock_of_store();
        let store = match &self.dispatch {
            Some(Through(through)) => store::url::open_dispatched(url, through, clock, false).await?,
            None => store::url::open_existing(url, clock).await?,
        };
        Ok(self.on(store))
    }

    /// The store's clock is what the engine's is corrected by. Were they one, a step of the machine while the store
    /// answers would be taken for the store's, and be confirmed by every later answer.
    fn clock_of_store(&self) -> Arc<dyn Clock> {
        self.clock.clone().unwrap_or_else(machine)
    }

    /// An engine on this store. It starts its tasks on the Tokio runtime of the caller.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn on(self, store: Arc<dyn Store>) -> Engine {
        let clock = self.clock.unwrap_or_else(machine);
        let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
        let signals = store.signals().listen();
        let core = Arc::new(Core {
            inserts: Lane::new(Inserts(Arc::clone(&store)), Arc::clone(&clock)),
            changes: Lane::new(Changes(Arc::clone(&store)), Arc::clone(&clock)),
            schedules: Lane::new(ScheduleWrites(Arc::clone(&store)), Arc::clone(&clock)),
            settings: Settings::new(Arc::clone(&store), Arc::clone(&clock)),
            claimants: Claimants::default(),
            results: Results::new(Arc::clone(&store), Arc::clone(&clock), tasks.clone()),
            followers: Followers::default(),
            events: Events::default(),
            looks: Looks::default(),
            members: Members::default(),
            holders: Default::default(),
            token_key: tokens::Key::new(),
            counters: Counters::default(),
            defaults: self.defaults,
            stopping: stopping.clone(),
            tasks,
            store,
            clock,
        });
        core.tasks.spawn(listener::run(Arc::clone(&core), signals));
        if self.caretaker {
            caretaker::start(&core);
        }
        Engine {
            core,
            _alive: Arc::new(stopping.drop_guard()),
        }
    }
}

fn machine() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}
