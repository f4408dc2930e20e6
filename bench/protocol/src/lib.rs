//! What every adapter of the benchmark speaks, and the one way in which all of them are measured.
//!
//! An adapter implements [`System`] for one job system and calls [`run`] from `main`. The measurements
//! are written once, here, against that trait, so that no system is measured differently from another.
//!
//! `<adapter> COMMAND --store URL …` runs one command on one store and prints JSON, one object a line:
//! `{"figure": "enqueue-single", "value": 2000.0, "unit": "jobs/s", "detail": {…}}` for a result,
//! `{"unsupported": "reason"}` where the system cannot do it, and `{"ready": true}` from a command that
//! runs until it is killed or until its partner is done. `bench/README.md` lists the commands.

pub use crate::{
    job::{Job, Payload, Schedule},
    request::Request,
    system::{OnStart, System},
};

mod job;
mod latency;
mod ledger;
mod report;
mod request;
mod schedules;
mod system;
mod throughput;

/// Whatever went wrong; an adapter ends with it, and the runner shows it beside the figure.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// Reads the command line, runs the command on system `S` and prints what came out.
pub fn run<S: System>() -> Result<(), Error> {
    let request = Request::from_arguments()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(command::<S>(&request));
    // A worker runs for the life of the process; it is not waited for.
    runtime.shutdown_background();
    result
}

async fn command<S: System>(request: &Request) -> Result<(), Error> {
    if let Some(reason) = S::unsupported(request) {
        report::unsupported(&reason);
        return Ok(());
    }
    let system = std::sync::Arc::new(S::open(request).await?);
    if !system.is_durable().await? {
        return Err("what it acknowledges is not on the disk".into());
    }
    match request.command.as_str() {
        "fill" => throughput::fill(&system, request).await?,
        "enqueue-single" => throughput::enqueue_single(&system, request).await?,
        "enqueue-bulk" => throughput::enqueue_bulk(&*system, request).await?,
        "work" => throughput::work(&system, request).await?,
        "cycle-work" => throughput::cycle_work(&system, request).await?,
        "cycle-enqueue" => throughput::cycle_enqueue(&system, request).await?,
        "claim" => latency::claim(&*system, request).await?,
        "pickup" => latency::pickup(&system, request).await?,
        "lateness" => latency::lateness(&system, request).await?,
        "schedules" => schedules::lateness(&system, request).await?,
        "idle" => throughput::idle(&system).await?,
        unknown => return Err(format!("unknown command {unknown:?}").into()),
    }
    system.close().await
}

/// `PRAGMA synchronous=FULL`: 0 is off, 1 normal, 3 extra.
pub const SQLITE_FULL: i64 = 2;
