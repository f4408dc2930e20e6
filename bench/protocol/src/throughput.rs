//! Jobs a second: enqueue, work, and both at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::json;

use crate::{
    Error, Job, Request, System,
    ledger::{Ledger, TOMORROW},
    report, schedules,
};

/// Jobs in one call of a bulk caller.
const BATCH: u64 = 1_000;

/// How often the store is asked whether it is drained, once every job has started.
const DRAIN_POLL: Duration = Duration::from_millis(1);

/// What a worker is given to register itself before a partner or the runner goes on.
const WARM_UP: Duration = Duration::from_millis(500);

/// Puts jobs of now, then jobs and schedules of tomorrow, into the store.
pub(crate) async fn fill<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let begun = Instant::now();
    for first in (0..request.jobs).step_by(BATCH as usize) {
        let last = (first + BATCH).min(request.jobs);
        system.enqueue_all((first..last).map(Job::now).collect()).await?;
    }
    let day = SystemTime::now() + Duration::from_secs(24 * 3600);
    let tomorrow = |number: u64| Job {
        urgent: request.urgent_tomorrow,
        // Spread over a quarter of an hour, as real timetables are.
        ..Job::at(TOMORROW + number, day + Duration::from_millis(number % 900_000))
    };
    for first in (0..request.tomorrow).step_by(BATCH as usize) {
        let last = (first + BATCH).min(request.tomorrow);
        system.enqueue_all((first..last).map(tomorrow).collect()).await?;
    }
    schedules::store(system, schedules::of_tomorrow(request.schedules)).await?;
    let rate = (request.jobs + request.tomorrow + request.schedules) as f64 / begun.elapsed().as_secs_f64();
    report::figure("fill", rate, "jobs/s", json!({}));
    Ok(())
}

/// Many callers, one job a call unless more are asked for, each waiting for its acknowledgement.
pub(crate) async fn enqueue_single<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let next = Arc::new(AtomicU64::new(0));
    let acknowledged = Arc::new(AtomicU64::new(0));
    let ended = Arc::new(AtomicBool::new(false));
    let together = request.together;
    let callers: Vec<_> = (0..request.callers)
        .map(|_| {
            let (system, next) = (system.clone(), next.clone());
            let (acknowledged, ended) = (acknowledged.clone(), ended.clone());
            tokio::spawn(async move {
                while !ended.load(Ordering::Relaxed) {
                    let number = next.fetch_add(together, Ordering::Relaxed);
                    if together == 1 {
                        system.enqueue(Job::now(number)).await?;
                    } else {
                        let jobs = (number..number + together).map(Job::now);
                        system.enqueue_all(jobs.collect()).await?;
                    }
                    acknowledged.fetch_add(together, Ordering::Relaxed);
                }
                Ok::<(), Error>(())
            })
        })
        .collect();

    // The first fifth warms caches and pools up and is not counted.
    tokio::time::sleep(Duration::from_secs_f64(request.seconds / 5.0)).await;
    let (begun, before) = (Instant::now(), acknowledged.load(Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs_f64(request.seconds)).await;
    let counted = acknowledged.load(Ordering::Relaxed) - before;
    let elapsed = begun.elapsed();
    ended.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    let total = acknowledged.load(Ordering::Relaxed);
    let detail = json!({"callers": request.callers, "acknowledged": total});
    report::figure(
        "enqueue-single",
        counted as f64 / elapsed.as_secs_f64(),
        "jobs/s",
        detail,
    );
    Ok(())
}

/// One caller, batches of a thousand.
pub(crate) async fn enqueue_bulk<S: System>(system: &S, request: &Request) -> Result<(), Error> {
    let batch = |first: u64| (first..first + BATCH).map(Job::now).collect::<Vec<_>>();
    system.enqueue_all(batch(0)).await?;
    let begun = Instant::now();
    let mut stored = 0;
    while begun.elapsed().as_secs_f64() < request.seconds {
        stored += BATCH;
        system.enqueue_all(batch(stored)).await?;
    }
    let rate = stored as f64 / begun.elapsed().as_secs_f64();
    report::figure("enqueue-bulk", rate, "jobs/s", json!({"batch": BATCH}));
    Ok(())
}

/// One worker, on a store that was filled before, until the store says that all is settled.
pub(crate) async fn work<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let begun = Instant::now();
    let repeated = drain(system, request, || ()).await?;
    let rate = request.jobs as f64 / begun.elapsed().as_secs_f64();
    let detail = json!({
        "jobs": request.jobs, "repeated": repeated, "memory_mib": report::peak_memory_mib(),
    });
    report::figure("work", rate, "jobs/s", detail);
    Ok(())
}

/// The working half of a full cycle.
pub(crate) async fn cycle_work<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let repeated = drain(system, request, report::ready).await?;
    report::figure("cycle-work", epoch_seconds(), "s", json!({"repeated": repeated}));
    Ok(())
}

/// The enqueuing half of a full cycle: many callers share out a fixed number of jobs.
pub(crate) async fn cycle_enqueue<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let begun = epoch_seconds();
    let next = Arc::new(AtomicU64::new(0));
    let jobs = request.jobs;
    let callers: Vec<_> = (0..request.callers)
        .map(|_| {
            let (system, next) = (system.clone(), next.clone());
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= jobs {
                        return Ok::<(), Error>(());
                    }
                    system.enqueue(Job::now(number)).await?;
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    report::figure("cycle-enqueue", begun, "s", json!({"ended": epoch_seconds()}));
    Ok(())
}

/// A worker with nothing to do, until the runner has seen enough and kills it.
pub(crate) async fn idle<S: System>(system: &Arc<S>) -> Result<(), Error> {
    let worker = system.clone();
    let working = tokio::spawn(async move { worker.work(Arc::new(|_| ())).await });
    tokio::time::sleep(WARM_UP).await;
    report::ready();
    working.await?
}

/// Works until every job of the request has started and the store is drained; how many started twice.
async fn drain<S: System>(system: &Arc<S>, request: &Request, begun: fn()) -> Result<u64, Error> {
    let ledger = Arc::new(Ledger::new(request.jobs));
    let (worker, noted) = (system.clone(), ledger.clone());
    let mut working =
        tokio::spawn(async move { worker.work(Arc::new(move |number| noted.start(number))).await });
    begun();
    let drained = async {
        ledger.complete().await;
        while !system.is_drained().await? {
            tokio::time::sleep(DRAIN_POLL).await;
        }
        Ok::<(), Error>(())
    };
    tokio::select! {
        ended = &mut working => ended??,
        drained = tokio::time::timeout(request.deadline, drained) => match drained {
            Ok(drained) => drained?,
            Err(_) => return Err(format!("{} of {} jobs had started at the deadline", ledger.count(), request.jobs).into()),
        },
    }
    ledger.repeated()
}

fn epoch_seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64()
}
