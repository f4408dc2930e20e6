//! Connections to PostgreSQL that end just when ids were popped and are not claimed yet.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use punctual::time::{milliseconds, seconds};
use punctual::worker::{Run, Worker};
use punctual::{Engine, JobId, NewJob};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;

use super::lies::Liar;
use super::trouble::Ran;
use super::{schema_of, servers, until};
use crate::polling::PATIENCE;

/// Workers of each queue.
const WORKERS: usize = 2;
/// How often connections have to end between a pop and its claim.
const TIMES: usize = 3;
/// Jobs that are popped in one of these times.
const HELD: usize = 30;

/// Stores these jobs, however often it takes.
async fn enqueue(
    engine: &Engine,
    names: impl Iterator<Item = String>,
    queue: &str,
    delay: Duration,
) -> Vec<JobId> {
    let ids: Vec<JobId> = names.map(|name| JobId::named(&name)).collect();
    let job = |id: &JobId| NewJob::bytes("work", "{}").id(*id).queue(queue).delay(delay);
    until("the jobs are stored", async || {
        let stored = engine.enqueue_all(ids.iter().map(job).collect::<Vec<_>>()).await;
        stored.iter().all(Result::is_ok)
    })
    .await;
    ids
}

/// Adds jobs that are due at once, one after the other, until it is enough.
async fn keep_busy(engine: &Engine, enough: &AtomicBool) -> Vec<JobId> {
    let mut ids = Vec::new();
    while !enough.load(Ordering::Relaxed) {
        let name = format!("busy {}", ids.len());
        ids.extend(enqueue(engine, [name].into_iter(), "busy", seconds(0)).await);
    }
    ids
}

/// Ends every connection of this name while nobody can claim and jobs come to be due. Answers whether some of them were popped
/// just then.
async fn end_between(client: &Client, liar: &mut Liar, table: &str, name: &str) -> bool {
    let lock = format!("begin; lock table {table} in access exclusive mode");
    client.batch_execute(&lock).await.expect("the table is locked");
    let (mut popped, by) = (false, Instant::now() + seconds(1));
    let standing = liar.length("5:held").await.expect("Redis is there");
    while !popped && Instant::now() < by {
        popped = liar.length("5:held").await.expect("Redis is there") < standing;
    }
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1";
    client.query(end, &[&name]).await.expect("it ends them");
    client
        .batch_execute("rollback")
        .await
        .expect("the lock is given up");
    popped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_job_runs_once_though_all_connections_end_between_pop_and_claim() {
    let Some((house, redis)) = servers() else { return };
    let (url, name) = (house.next(), format!("ended_{}", std::process::id()));
    let named = format!("{url}&application_name={name}");
    let (ran, stop) = (Ran::default(), CancellationToken::new());
    let mut workers = JoinSet::new();
    let open = async || {
        Engine::builder()
            .dispatch(&redis)
            .open(&named)
            .await
            .expect("it opens")
    };
    // A claim of busy ones that fails would keep the others from being popped.
    for queue in ["held", "busy"].repeat(WORKERS) {
        let (ran, stop, engine) = (ran.clone(), stop.clone(), open().await);
        let worker = Worker::new(&engine).queues([queue]).concurrency(20);
        let worker = worker.handle_kind("work", move |_, run: Run| {
            ran.note(run.id().job);
            async { Ok(Bytes::from_static(b"{}")) }
        });
        workers.spawn(async move { worker.run_until(stop.cancelled_owned()).await });
    }
    let (engine, enough) = (open().await, AtomicBool::new(false));
    let client = house.client().await;
    let table = format!("{}.jobs", schema_of(&url));

    let ending = async {
        let (mut ids, mut times) = (Vec::new(), 0);
        let by = Instant::now() + 2 * PATIENCE;
        for round in 0.. {
            let names = (0..HELD).map(|number| format!("held {round} {number}"));
            ids.extend(enqueue(&engine, names, "held", milliseconds(500)).await);
            let mut liar = Liar::new(&redis).await.expect("there are lines");
            times += usize::from(end_between(&client, &mut liar, &table, &name).await);
            until("all of them have run", async || ran.has_all(&ids)).await;
            if times == TIMES {
                break;
            }
            assert!(Instant::now() < by, "popped {times} times of {round} only");
        }
        enough.store(true, Ordering::Relaxed);
        ids
    };
    let (mut ids, busy) = tokio::join!(ending, keep_busy(&engine, &enough));
    ids.extend(busy);
    until("all have run", async || ran.has_all(&ids)).await;
    stop.cancel();
    for stopped in workers.join_all().await {
        stopped.expect("it stops softly");
    }
    assert_eq!(ran.more_than_once(), [], "each job runs once");
    assert_eq!(ran.count(), ids.len());
}
