//! The four stores, for the tests that hold on each. The tests of the server include this file, too.
//!
//! ```ignore
//! #[apply(on_each_store)]
//! async fn a_job_is_there(place: Place) { … }
//! ```
//!
//! makes the tests `a_job_is_there::on_memory`, `…::on_sqlite`, `…::on_postgres` and `…::on_redis`. A server that the run
//! was asked to leave out takes its tests along.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::StreamExt;
use punctual::Engine;
use punctual::clock::SystemClock;
use punctual::signals::Signal;
use punctual::store::{Store, url};
use punctual::time::seconds;
use tempfile::TempDir;

use crate::postgres::server::House;
use crate::redis::server::{namespace, shared as shared_redis};

/// Makes of one test one on each store.
macro_rules! on_each_store {
    ($(#[$note:meta])* $seen:vis async fn $name:ident($place:ident: Place $(,)?) $body:block) => {
        $(#[$note])*
        $seen async fn $name($place: Place) $body

        mod $name {
            use crate::stores::Place;

            #[tokio::test]
            async fn on_memory() {
                super::$name(Place::memory()).await;
            }

            #[tokio::test]
            async fn on_sqlite() {
                super::$name(Place::sqlite()).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                if let Some(place) = Place::postgres() {
                    super::$name(place).await;
                }
            }

            #[tokio::test]
            async fn on_redis() {
                if let Some(place) = Place::redis() {
                    super::$name(place).await;
                }
            }
        }
    };
}
pub(crate) use on_each_store;

/// Where the stores of one test are kept. They go with it.
pub(crate) enum Place {
    Memory,
    Folder(TempDir, AtomicU32),
    Postgres(House),
    Redis(String),
    /// Rows in PostgreSQL that are dispatched through this Redis.
    Dispatched(House, String),
}

impl Place {
    pub(crate) fn memory() -> Place {
        Place::Memory
    }

    pub(crate) fn sqlite() -> Place {
        let folder = tempfile::tempdir().expect("a folder for the test");
        Place::Folder(folder, AtomicU32::new(0))
    }

    /// Nothing if the run was asked to leave it out.
    pub(crate) fn postgres() -> Option<Place> {
        House::shared().map(Place::Postgres)
    }

    /// Nothing if the run was asked to leave it out.
    pub(crate) fn redis() -> Option<Place> {
        shared_redis().map(Place::Redis)
    }

    /// Nothing if the run was asked to leave one of the two out.
    #[allow(dead_code, reason = "the tests of the library use it")]
    pub(crate) fn dispatched() -> Option<Place> {
        Some(Place::Dispatched(House::shared()?, namespace(&shared_redis()?)))
    }

    /// The URL of a store with nothing in it, and of another one each time.
    pub(crate) fn url(&self) -> String {
        match self {
            Place::Memory => "memory:".to_owned(),
            Place::Folder(folder, made) => {
                let file = format!("{}.db", made.fetch_add(1, Ordering::Relaxed));
                format!("sqlite:{}", folder.path().join(file).display())
            }
            Place::Postgres(house) | Place::Dispatched(house, _) => house.next(),
            Place::Redis(server) => namespace(server),
        }
    }

    /// An engine on a store with nothing in it.
    #[allow(dead_code, reason = "the tests of the server use it")]
    pub(crate) async fn engine(&self) -> Engine {
        Engine::builder().on(self.open_heard().await)
    }

    /// A store with nothing in it.
    pub(crate) async fn open(&self) -> Arc<dyn Store> {
        self.open_at(&self.url()).await
    }

    async fn open_at(&self, url: &str) -> Arc<dyn Store> {
        let Place::Dispatched(_, redis) = self else {
            return open(url).await;
        };
        let store = url::open_dispatched(url, redis, Arc::new(SystemClock::new()), true).await;
        store.expect("the store opens")
    }

    /// A store with nothing in it, as two processes have it. Memory has but one, and of a dispatch the first one knows nothing.
    #[allow(dead_code, reason = "the tests of the library use it")]
    pub(crate) async fn open_twice(&self) -> [Arc<dyn Store>; 2] {
        let url = self.url();
        let store = self.open_at(&url).await;
        match self {
            Place::Memory => [store.clone(), store],
            Place::Dispatched(..) => [open(&url).await, store],
            _ => [self.open_at(&url).await, store],
        }
    }

    /// The same, once it hears the other processes: a server's store says so, and no test wants to hear of it later.
    pub(crate) async fn open_heard(&self) -> Arc<dyn Store> {
        let store = self.open().await;
        if !matches!(self, Place::Memory | Place::Folder(..)) {
            let mut heard = store.signals().listen();
            let begun = async { while heard.next().await.expect("the store is there") != Signal::Lost {} };
            // If it has not said so by then, it had said so before.
            let _ = tokio::time::timeout(seconds(10), begun).await;
        }
        store
    }
}

async fn open(url: &str) -> Arc<dyn Store> {
    let store = url::open(url, Arc::new(SystemClock::new())).await;
    store.expect("the store opens")
}
