//! What is the Redis store's own: its server, its connections, its promises. What every store does, `conformance` tells.

mod access;
mod cluster;
pub(crate) mod layout;
mod promise;
mod schedules;
pub(crate) mod server;
mod signals;
mod trouble;

use std::sync::Arc;

use punctual::Error;
use punctual::store::Store;
use punctual::store::redis::{RedisOptions, RedisStore};

use crate::polling::{PATIENCE, until};
use crate::rows::{insert, is_there, job, success, try_claim as claim};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_redis_store_conforms() {
    let Some(url) = server::shared() else { return };
    punctual::testing::conformance::run(async || {
        Arc::new(open(&server::namespace(&url)).await) as Arc<dyn Store>
    })
    .await;
}

async fn open(url: &str) -> RedisStore {
    RedisStore::open(url, RedisOptions::default())
        .await
        .expect("the store opens")
}

/// Why the store does not open.
async fn refusal(url: &str) -> Error {
    match RedisStore::open(url, RedisOptions::default()).await {
        Ok(_) => panic!("the store opens"),
        Err(error) => error,
    }
}

/// A command of the test's own.
async fn tell(url: &str, command: &[&str]) -> redis::Value {
    let url = url.split('?').next().unwrap_or(url);
    let client = redis::Client::open(url).expect("it is a URL");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("the server takes a connection");
    let mut asked = redis::cmd(command[0]);
    asked.arg(&command[1..]);
    asked
        .query_async(&mut connection)
        .await
        .expect("the server obeys")
}

/// Asks until it is answered; what is told meanwhile must be that the store is away, or that nobody knows.
async fn until_answered<T>(ask: impl AsyncFn() -> Result<T, Error>) -> T {
    let mut answered = None;
    until("the server answers", async || match ask().await {
        Ok(answer) => {
            answered = Some(answer);
            true
        }
        Err(error) => {
            let away = error.kind() == punctual::Kind::Unavailable || error.is_unknown();
            assert!(away, "{error:?}");
            false
        }
    })
    .await;
    answered.expect("it was answered")
}

async fn within_patience<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it happens within the test's patience")
}
