//! What is measured.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use punctual::NewJob;
use tokio_postgres::{Client, NoTls};

use crate::fleet::{Fleet, Nothing, engine};
use crate::{Error, Plan};

type Figure = (&'static str, f64);

/// Workers with nothing to do, or nearly so.
const IDLE: usize = 50;
/// Jobs a second that come to them, one at a time.
const TRICKLE: u32 = 20;
/// How long workers have to come to rest.
const SETTLES: Duration = Duration::from_secs(6);
/// Workers at work.
const BUSY: usize = 4;
const SLOTS: usize = 25;

pub async fn all(plan: &Plan, dispatched: bool) -> Result<Vec<Figure>, Error> {
    let mut figures = idle(plan, dispatched).await?;
    figures.push((
        "jobs a second, enqueued in batches and run by 4 workers with 25 slots",
        throughput(plan, dispatched, false).await?,
    ));
    figures.push((
        "the same beside a transaction that stays open from before the first job",
        throughput(plan, dispatched, true).await?,
    ));
    Ok(figures)
}

/// A namespace that nobody used before.
fn namespace(plan: &Plan) -> String {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}?namespace=bench_{number}", plan.postgres)
}

async fn connect(plan: &Plan) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(&plan.postgres, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Statements so far, but for those that begin and end transactions, and claims among them.
async fn statements(client: &Client) -> Result<[f64; 2], Error> {
    let sql =
        "select coalesce(sum(calls) filter (where query !~* '^ *(begin|commit|rollback|set) '), 0)::float8,
        coalesce(sum(calls) filter (where query ~ 'become running ones'), 0)::float8
        from pg_stat_statements";
    let row = client.query_one(sql, &[]).await?;
    Ok([row.get(0), row.get(1)])
}

async fn idle(plan: &Plan, dispatched: bool) -> Result<Vec<Figure>, Error> {
    let (store, client) = (namespace(plan), connect(plan).await?);
    client
        .batch_execute("create extension if not exists pg_stat_statements")
        .await?;
    let caller = engine(plan, &store, dispatched).await?;
    let fleet = Fleet::start(plan, &store, dispatched, IDLE, 1).await?;
    tokio::time::sleep(SETTLES).await;
    let first = statements(&client).await?;
    tokio::time::sleep(plan.length).await;
    let second = statements(&client).await?;

    let (begun, mut jobs) = (Instant::now(), 0);
    while begun.elapsed() < plan.length {
        caller.enqueue(Nothing {}).await?;
        jobs += 1;
        tokio::time::sleep_until((begun + Duration::from_secs(1) / TRICKLE * jobs).into()).await;
    }
    fleet.has_run(jobs as usize).await?;
    let third = statements(&client).await?;
    let (idle, busy) = (plan.length.as_secs_f64(), begun.elapsed().as_secs_f64());
    fleet.stop().await?;
    caller.close().await?;
    Ok(vec![
        (
            "statements a second of 50 idle workers",
            (second[0] - first[0]) / idle,
        ),
        ("claims among them, a second", (second[1] - first[1]) / idle),
        (
            "statements a second when 20 jobs a second come to them",
            (third[0] - second[0]) / busy,
        ),
        (
            "claims among them for each job",
            (third[1] - second[1]) / f64::from(jobs),
        ),
    ])
}

async fn throughput(plan: &Plan, dispatched: bool, beside_open: bool) -> Result<f64, Error> {
    let (store, client) = (namespace(plan), connect(plan).await?);
    let caller = engine(plan, &store, dispatched).await?;
    if beside_open {
        client
            .batch_execute("begin isolation level repeatable read; select 1")
            .await?;
    }
    let fleet = Fleet::start(plan, &store, dispatched, BUSY, SLOTS).await?;
    let begun = Instant::now();
    for batch in 0..plan.jobs / 500 {
        // Not so fast that the whole backlog stands there at once.
        fleet.has_run((batch * 500).saturating_sub(5_000)).await?;
        let jobs: Result<Vec<_>, _> = (0..500).map(|_| NewJob::task(&Nothing {})).collect();
        for stored in caller.enqueue_all(jobs?).await {
            stored?;
        }
    }
    fleet.has_run(plan.jobs / 500 * 500).await?;
    let rate = (plan.jobs / 500 * 500) as f64 / begun.elapsed().as_secs_f64();
    if beside_open {
        client.batch_execute("rollback").await?;
    }
    fleet.stop().await?;
    caller.close().await?;
    Ok(rate)
}
