//! What is the PostgreSQL store's own: its server, its connections, its schema. What every store does, `conformance`
//! tells.

mod clients;
mod floors;
mod namespace;
mod pipeline;
mod place;
mod plan;
mod schedules;
pub(crate) mod server;
mod sql;
mod transaction;
mod trouble;
mod unreadable;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use punctual::job::Job;
use punctual::signals::Signal;
use punctual::store::Store;

use crate::polling::{PATIENCE, until};
use crate::rows::{claim, insert, is_there, job, success};

use self::server::{House, Pooler, open};

async fn conforms(house: &House, parameters: &str) {
    punctual::testing::conformance::run(async || {
        let url = format!("{}{parameters}", house.next());
        Arc::new(open(&url).await) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_store_conforms() {
    let Some(house) = House::shared() else { return };
    conforms(&house, "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_postgres_store_conforms_behind_a_pooler() {
    let Some(pooler) = Pooler::start() else { return };
    conforms(&House::on(pooler.url()), "&pooled=true&notify=off").await;
}

fn with_key(name: &str, key: &str) -> Job {
    let mut job = job(name);
    job.status.unique_key = Some(key.to_owned());
    job
}

/// Waits until one process hears another one say this, which it says again and again: a hint may be lost.
async fn hears(heard: &mut BoxStream<'static, Signal>, other: &dyn Store, hint: &Signal) {
    until("the other process is heard", async || {
        other.signals().send(std::slice::from_ref(hint));
        let next = tokio::time::timeout(Duration::from_millis(100), heard.next()).await;
        next.is_ok_and(|next| next.as_ref() == Some(hint))
    })
    .await;
}
