//! Many schedules: how late their jobs start.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    Error, Request, Schedule, System,
    latency::{Chance, HEAD_START, PATIENCE, signed_milliseconds},
    report,
};

/// Callers that store schedules at once.
const CALLERS: usize = 256;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A job that starts so much before its instant was made for the one before.
const EARLIER: Duration = Duration::from_secs(1);

/// Starts of jobs: the schedule's number and when.
type Starts = mpsc::UnboundedReceiver<(u64, SystemTime)>;

/// Schedules that make one job each in a day, and none before.
pub(crate) fn of_tomorrow(count: u64) -> Vec<Schedule> {
    let hence = SystemTime::now() + DAY - Duration::from_secs(1);
    // Spread over a quarter of an hour, as real timetables are.
    let due = |number: u64| hence - Duration::from_millis(number % 900_000);
    (0..count)
        .map(|number| Schedule::through(due(number), number, DAY))
        .collect()
}

/// Stores schedules, in many calls at once.
pub(crate) async fn store<S: System>(system: &Arc<S>, schedules: Vec<Schedule>) -> Result<(), Error> {
    let schedules: Arc<[Schedule]> = schedules.into();
    let next = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS.min(schedules.len()))
        .map(|_| {
            let (system, schedules, next) = (system.clone(), schedules.clone(), next.clone());
            tokio::spawn(async move {
                while let Some(schedule) = schedules.get(next.fetch_add(1, Ordering::Relaxed)) {
                    system.schedule(schedule.clone()).await?;
                }
                Ok::<(), Error>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

/// So many schedules are stored that `rate` of them are due each second, at random instants of it, and all are in turn. They
/// are at work while they are stored; what is measured begins when the last one is: start − due.
pub(crate) async fn lateness<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let (sender, mut starts) = mpsc::unbounded_channel();
    let worker = system.clone();
    let on_start = Arc::new(move |number| {
        let _ = sender.send((number, SystemTime::now()));
    });
    let mut working = tokio::spawn(async move { worker.work(on_start).await });

    let every = Duration::from_secs(request.schedules / request.rate.max(1)).max(Duration::from_secs(1));
    let mut chance = Chance(3);
    let some = SystemTime::now();
    let schedules: Vec<_> = (0..request.schedules)
        .map(|number| {
            let due = some + Duration::from_micros(chance.below(every.as_micros() as u64));
            Schedule::through(due, number, every)
        })
        .collect();
    let storing = Instant::now();
    store(system, schedules.clone()).await?;
    let stored = storing.elapsed();

    let first = SystemTime::now() + HEAD_START;
    let length = Duration::from_secs_f64(request.seconds).min(every);
    let dues: Vec<SystemTime> = schedules
        .iter()
        .map(|schedule| next_due(schedule, first))
        .collect();
    let measured = dues.iter().filter(|due| **due < first + length).count();
    let lengths = tokio::select! {
        ended = &mut working => return Err(format!("the worker ended: {:?}", ended?).into()),
        lengths = collect(&mut starts, &dues, first + length, measured) => lengths?,
    };
    let rate = request.schedules as f64 / stored.as_secs_f64();
    let detail = json!({"jobs": measured, "schedules": request.schedules, "stored_per_second": rate});
    for (name, share) in [
        ("schedules-lateness-p50", 0.50),
        ("schedules-lateness-p99", 0.99),
        ("schedules-lateness-earliest", 0.0),
    ] {
        report::figure(name, report::percentile(&lengths, share), "ms", detail.clone());
    }
    // All of them, over the time from the first instant to the last start.
    let late = lengths.last().copied().unwrap_or_default().max(0.0) / 1e3;
    let rate = measured as f64 / (length.as_secs_f64() + late);
    report::figure("schedules-jobs", rate, "jobs/s", detail);
    Ok(())
}

/// The first instant of a schedule that does not come before this one.
fn next_due(schedule: &Schedule, first: SystemTime) -> SystemTime {
    let since = first.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (since, every) = (since.as_micros(), schedule.every.as_micros());
    let wait = (schedule.phase.as_micros() + every - since % every) % every;
    first + Duration::from_micros(wait as u64)
}

/// Waits until each job that is due before `until` has started; by how much later than due, in milliseconds, ascending.
async fn collect(
    starts: &mut Starts,
    dues: &[SystemTime],
    until: SystemTime,
    measured: usize,
) -> Result<Vec<f64>, Error> {
    let mut seen = vec![false; dues.len()];
    let mut lengths = Vec::with_capacity(measured);
    let deadline = until.duration_since(SystemTime::now()).unwrap_or_default() + PATIENCE;
    let deadline = tokio::time::Instant::now() + deadline;
    while lengths.len() < measured {
        let Ok(started) = tokio::time::timeout_at(deadline, starts.recv()).await else {
            let begun = lengths.len();
            return Err(format!(
                "{begun} of {measured} jobs had started {PATIENCE:?} after the last was due"
            )
            .into());
        };
        let (number, at) = started.ok_or("the worker is gone")?;
        let due = dues
            .get(number as usize)
            .copied()
            .ok_or("a job of no schedule started")?;
        if due >= until || at + EARLIER < due {
            continue;
        }
        if std::mem::replace(&mut seen[number as usize], true) {
            return Err(format!("schedule {number} made two jobs of one instant").into());
        }
        lengths.push(signed_milliseconds(at, due));
    }
    lengths.sort_by(f64::total_cmp);
    Ok(lengths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_due_next_at_the_instant_that_it_was_made_for() {
        let every = Duration::from_secs(100);
        let due = SystemTime::UNIX_EPOCH + Duration::from_millis(1_234_567);
        let schedule = Schedule::through(due, 1, every);
        assert_eq!(next_due(&schedule, due), due);
        assert_eq!(next_due(&schedule, due - Duration::from_millis(1)), due);
        assert_eq!(next_due(&schedule, due + Duration::from_millis(1)), due + every);
    }
}
