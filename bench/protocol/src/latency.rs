//! How long things take: to claim, to be picked up, to start after the due instant.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use serde_json::json;
use tokio::sync::mpsc;

use crate::{Error, Job, Request, System, ledger::Ledger, report};

/// Jobs that one claim asks for.
const CLAIM: u64 = 100;

/// Between the enqueueing of timed jobs and the first due instant, so that no job is stored too late.
pub(crate) const HEAD_START: Duration = Duration::from_secs(2);

/// What a picked-up job is waited for before the system is called stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Claims of a hundred due jobs, one after another, until the due jobs are used up.
pub(crate) async fn claim<S: System>(system: &S, request: &Request) -> Result<(), Error> {
    let mut lengths = Vec::new();
    for _ in 0..request.jobs / CLAIM {
        let begun = Instant::now();
        match system.claim(CLAIM as usize).await? {
            None => {
                report::unsupported("its library has no call that claims");
                return Ok(());
            }
            Some(claimed) if claimed as u64 == CLAIM => lengths.push(report::milliseconds(begun.elapsed())),
            Some(claimed) => return Err(format!("a claim of {CLAIM} brought {claimed}").into()),
        }
    }
    lengths.sort_by(f64::total_cmp);
    let detail = json!({"claims": lengths.len(), "p99": report::percentile(&lengths, 0.99)});
    report::figure("claim", report::percentile(&lengths, 0.50), "ms", detail);
    Ok(())
}

/// An idle system and one job at a time: from the acknowledgement to the first line of the handler.
/// A handler that starts before its caller has the acknowledgement counts as 0.
pub(crate) async fn pickup<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let (sender, mut starts) = mpsc::unbounded_channel();
    let worker = system.clone();
    let on_start = Arc::new(move |number| {
        // The receiver outlives every measured job; what starts later is of no interest.
        let _ = sender.send((number, Instant::now()));
    });
    let mut working = tokio::spawn(async move { worker.work(on_start).await });
    tokio::time::sleep(Duration::from_millis(500)).await;

    let mut chance = Chance(1);
    let (mut after_acknowledgement, mut after_call) = (Vec::new(), Vec::new());
    for number in 0..request.jobs {
        let called = Instant::now();
        system.enqueue(Job::now(number)).await?;
        let acknowledged = Instant::now();
        let started = tokio::select! {
            start = tokio::time::timeout(PATIENCE, starts.recv()) => match start {
                Ok(Some((started_number, started))) if started_number == number => started,
                Ok(_) => return Err("a job started that was not the one just enqueued".into()),
                Err(_) => return Err(format!("job {number} did not start within {PATIENCE:?}").into()),
            },
            ended = &mut working => return Err(format!("the worker ended: {:?}", ended?).into()),
        };
        after_acknowledgement.push(report::milliseconds(
            started.saturating_duration_since(acknowledged),
        ));
        after_call.push(report::milliseconds(started - called));
        // Time to settle, and by a random length, so that no poll of the system falls into step with us.
        tokio::time::sleep(Duration::from_micros(15_000 + chance.below(20_000))).await;
    }
    after_acknowledgement.sort_by(f64::total_cmp);
    after_call.sort_by(f64::total_cmp);
    for (name, share) in [("pickup-p50", 0.50), ("pickup-p99", 0.99)] {
        let detail = json!({"jobs": request.jobs, "from_call": report::percentile(&after_call, share)});
        report::figure(
            name,
            report::percentile(&after_acknowledgement, share),
            "ms",
            detail,
        );
    }
    Ok(())
}

/// Jobs due at random instants over some seconds, all stored before: start − due.
pub(crate) async fn lateness<S: System>(system: &Arc<S>, request: &Request) -> Result<(), Error> {
    let jobs = (request.rate as f64 * request.seconds) as u64;
    let storing = Instant::now();
    let first = SystemTime::now() + HEAD_START + store_time(jobs);
    let mut chance = Chance(2);
    let span = (request.seconds * 1e6) as u64;
    let dues: Vec<_> = (0..jobs)
        .map(|_| first + Duration::from_micros(chance.below(span)))
        .collect();
    for (batch, part) in dues.chunks(1_000).enumerate() {
        let number = |index: usize| (batch * 1_000 + index) as u64;
        let batch = part
            .iter()
            .enumerate()
            .map(|(index, due)| Job::at(number(index), *due));
        system.enqueue_all(batch.collect()).await?;
    }
    if SystemTime::now() + Duration::from_millis(500) > first {
        return Err(format!(
            "{jobs} jobs took {:?} to store, longer than their head start",
            storing.elapsed()
        )
        .into());
    }

    let ledger = Arc::new(Ledger::new(jobs));
    let (sender, mut starts) = mpsc::unbounded_channel();
    let (worker, noted) = (system.clone(), ledger.clone());
    let on_start = Arc::new(move |number| {
        let _ = sender.send((number, SystemTime::now()));
        noted.start(number);
    });
    let mut working = tokio::spawn(async move { worker.work(on_start).await });
    let patience = Duration::from_secs_f64(request.seconds) + HEAD_START + store_time(jobs) + PATIENCE;
    tokio::select! {
        ended = &mut working => return Err(format!("the worker ended: {:?}", ended?).into()),
        complete = tokio::time::timeout(patience, ledger.complete()) => {
            if complete.is_err() {
                return Err(format!("{} of {jobs} jobs had started {PATIENCE:?} after the last was due", ledger.count()).into());
            }
        }
    }
    let mut lengths = Vec::with_capacity(dues.len());
    while let Ok((number, started)) = starts.try_recv() {
        if let Some(due) = dues.get(number as usize) {
            lengths.push(signed_milliseconds(started, *due));
        }
    }
    lengths.sort_by(f64::total_cmp);
    let detail = json!({"jobs": jobs, "rate": request.rate, "repeated": ledger.repeated()?});
    for (name, share) in [
        ("lateness-p50", 0.50),
        ("lateness-p99", 0.99),
        ("lateness-earliest", 0.0),
    ] {
        report::figure(name, report::percentile(&lengths, share), "ms", detail.clone());
    }
    Ok(())
}

/// Time to store that many jobs, at the pace of the slowest bulk enqueue that was ever seen.
fn store_time(jobs: u64) -> Duration {
    Duration::from_micros(jobs * 100)
}

pub(crate) fn signed_milliseconds(started: SystemTime, due: SystemTime) -> f64 {
    match started.duration_since(due) {
        Ok(late) => report::milliseconds(late),
        Err(early) => -report::milliseconds(early.duration()),
    }
}

/// Chance that a seed gives (SplitMix64), so that every system is asked for the same instants.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}
