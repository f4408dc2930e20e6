//! Heartbeats and workers.

use bytes::Bytes;

use super::subject::{Subject, done, heartbeat, only, refused, run_of, worker_info};
use super::{Case, case};
use crate::change::{Applied, Change};
use crate::job::State;
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Beat, BeatRun, BeatVerdict, RunId, WorkerInfo, WorkerSeen};
use crate::testing::sample::{Draft, LEASE, NOW, id, job, jobs, shuffled};
use crate::time::{hours, milliseconds, seconds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a beat prolongs a run that is held, under the same run", held),
        case(
            "a beat keeps progress, and leaves it where there is no news",
            progress,
        ),
        case("a beat prolongs a run that is to stop, and says so", cancel),
        case(
            "a run whose lease has passed is held until somebody reclaims it",
            passed_lease,
        ),
        case("a beat never shortens a lease", longer_lease),
        case(
            "a worker's beat leaves the lease of a deferred run alone",
            deferred,
        ),
        case("a run that another one followed is lost", followed),
        case("a run whose job waits, has ended or is gone is lost", lost),
        case("beats answer in the order of their runs", order_of_answers),
        case("a worker that has beaten is listed as it last said", workers),
        case("a worker that has not beaten for long is forgotten", forgotten),
        case("a worker that has stopped is forgotten at once", stopped),
        case("a beat beyond its bounds is refused", bounds),
    ]
}

async fn held(store: Subject) {
    let running = store.runs(job(1)).await;
    let later = NOW + seconds(10);
    assert_eq!(
        store.beat_at(&[run_of(&running)], later).await,
        [BeatVerdict::Held]
    );
    let prolonged = running.status(|status| {
        status.rev += 1;
        status.alarm = Some(later + LEASE);
    });
    assert_eq!(store.there(1).await, prolonged);
}

async fn progress(store: Subject) {
    let running = store.runs(job(1)).await;
    for (news, kept) in [
        (Some("\u{ff}\0half"), "\u{ff}\0half"),
        (None, "\u{ff}\0half"),
        (Some(""), ""),
    ] {
        let run = BeatRun {
            id: run_of(&running),
            progress: news.map(Bytes::from),
        };
        let beaten = done(store.beat(heartbeat(vec![run], Some(NOW))).await);
        assert_eq!(beaten.now, NOW);
        assert_eq!(only(beaten.verdicts), BeatVerdict::Held);
        let progress = store.there(1).await.status.progress;
        assert_eq!(progress, Some(Bytes::from(kept)));
    }
}

async fn cancel(store: Subject) {
    let running = store.runs(job(1)).await;
    let noted = running
        .clone()
        .status(|status| status.cancel = Some(String::new()));
    let change = Change::to(&running, noted.status);
    assert_eq!(store.apply_one(change).await, Applied::Applied);
    let later = NOW + seconds(10);
    assert_eq!(
        store.beat_at(&[run_of(&running)], later).await,
        [BeatVerdict::Cancel]
    );
    let row = store.there(1).await;
    assert_eq!(row.status.alarm, Some(later + LEASE));
    assert_eq!(row.status.rev, running.status.rev + 2);
    assert_eq!(row.status.cancel, Some(String::new()));
}

async fn passed_lease(store: Subject) {
    let running = store.runs(job(1)).await;
    let late = NOW + LEASE + hours(1);
    assert_eq!(
        store.beat_at(&[run_of(&running)], late).await,
        [BeatVerdict::Held]
    );
    assert_eq!(store.there(1).await.status.alarm, Some(late + LEASE));
}

async fn longer_lease(store: Subject) {
    let running = store.runs(job(1)).await;
    let long = NOW + hours(1);
    let leased = running.clone().status(|status| status.alarm = Some(long));
    let change = Change::to(&running, leased.status);
    assert_eq!(store.apply_one(change).await, Applied::Applied);
    let run = [run_of(&running)];
    let beats = [
        (NOW + seconds(10), long),
        (long - LEASE, long),
        (long, long + LEASE),
    ];
    for (place, (beat_at, alarm)) in (2..).zip(beats) {
        assert_eq!(store.beat_at(&run, beat_at).await, [BeatVerdict::Held]);
        let status = store.there(1).await.status;
        assert_eq!(status.alarm, Some(alarm));
        assert_eq!(status.rev, running.status.rev + place, "it beat all the same");
    }
}

/// It was on its way when the run was deferred; from then on the holder of the token says how long.
async fn deferred(store: Subject) {
    let running = store.runs(job(1)).await;
    let deferred = running.clone().status(|status| {
        status.deferred = true;
        status.alarm = Some(NOW + seconds(1));
    });
    let change = Change::to(&running, deferred.status);
    assert_eq!(store.apply_one(change).await, Applied::Applied);
    let run = [run_of(&running)];
    assert_eq!(store.beat_at(&run, NOW).await, [BeatVerdict::Held]);
    assert_eq!(store.there(1).await.status.alarm, Some(NOW + seconds(1)));
}

async fn followed(store: Subject) {
    let first = store.runs(job(1)).await;
    let waiting = first.clone().status(|status| {
        status.state = State::Waiting;
        status.alarm = None;
    });
    store.apply_one(Change::to(&first, waiting.status)).await;
    assert_eq!(store.beat_at(&[run_of(&first)], NOW).await, [BeatVerdict::Lost]);
    let second = store.claim_at(1, NOW).await.jobs.remove(0);
    let verdicts = store
        .beat_at(&[run_of(&first), run_of(&second)], NOW + seconds(1))
        .await;
    assert_eq!(verdicts, [BeatVerdict::Lost, BeatVerdict::Held]);
    assert_eq!(store.there(1).await.status.rev, second.status.rev + 1);
}

async fn lost(store: Subject) {
    let rows = [
        job(1),
        job(2).running("worker", NOW).ended(State::Failed, NOW),
        job(3).running("worker", NOW),
    ];
    store.has(&rows).await;
    let runs = [
        RunId { job: id(1), run: 0 },
        run_of(&rows[1]),
        RunId {
            job: id(3),
            run: rows[2].status.run - 1,
        },
        RunId { job: id(4), run: 1 },
    ];
    assert_eq!(store.beat_at(&runs, NOW).await, [BeatVerdict::Lost; 4]);
    assert_eq!(store.content().await, rows);
}

async fn order_of_answers(store: Subject) {
    store.has(&jobs(0..90)).await;
    let claimed = store.claim_at(90, NOW).await.jobs;
    let cancelled = claimed[30..60].iter().map(|running| {
        let noted = running
            .clone()
            .status(|status| status.cancel = Some("stop".to_owned()));
        Change::to(running, noted.status)
    });
    let gone = claimed[60..].iter().map(Change::delete);
    let changes: Vec<_> = cancelled.chain(gone).collect();
    assert_eq!(done(store.apply(&changes).await), vec![Applied::Applied; 60]);
    let places = shuffled((0..90).collect());
    let runs: Vec<_> = places.iter().map(|place| run_of(&claimed[*place])).collect();
    let expected: Vec<_> = places
        .iter()
        .map(|place| match place {
            0..30 => BeatVerdict::Held,
            30..60 => BeatVerdict::Cancel,
            _ => BeatVerdict::Lost,
        })
        .collect();
    assert_eq!(store.beat_at(&runs, NOW).await, expected);
}

async fn workers(store: Subject) {
    assert_eq!(done(store.workers().await), []);
    let mut told = Vec::new();
    for (name, running, stopping) in [("b", 1, false), ("a", 2, false), ("b", 0, true)] {
        let worker = WorkerInfo {
            running,
            stopping,
            ..worker_info(name)
        };
        let mut beat = heartbeat(Vec::new(), None);
        beat.worker = worker.clone();
        beat.lease = LEASE + seconds(u64::from(running));
        let lease = beat.lease;
        let beat_at = done(store.beat(beat).await).now;
        told.push(WorkerSeen {
            worker,
            beat_at,
            lease,
        });
    }
    assert_eq!(done(store.workers().await), [told.remove(1), told.remove(1)]);
}

async fn forgotten(store: Subject) {
    let now = done(store.beat(heartbeat(Vec::new(), None)).await).now;
    let mut beat = heartbeat(Vec::new(), Some(now - limits::WORKER_FORGOTTEN - seconds(1)));
    beat.worker = worker_info("older");
    done(store.beat(beat).await);
    let names: Vec<_> = done(store.workers().await)
        .into_iter()
        .map(|seen| seen.worker.id)
        .collect();
    assert_eq!(names, [worker_info("worker").id]);
}

async fn stopped(store: Subject) {
    for (name, stopped) in [
        ("stays", false),
        ("leaves", false),
        ("leaves", true),
        ("was never there", true),
    ] {
        let mut beat = heartbeat(Vec::new(), None);
        beat.worker = worker_info(name);
        beat.stopped = stopped;
        done(store.beat(beat).await);
    }
    let there = done(store.workers().await);
    assert_eq!(there.len(), 1, "{there:?}");
    assert_eq!(there[0].worker, worker_info("stays"));
}

async fn bounds(store: Subject) {
    let running = store.runs(job(1)).await;
    let run = |bytes: usize| BeatRun {
        id: run_of(&running),
        progress: Some(Bytes::from(vec![b'.'; bytes])),
    };
    refused(
        store
            .beat(heartbeat(vec![run(limits::PROGRESS_BYTES + 1)], Some(NOW)))
            .await,
    );
    refused(
        store
            .beat(heartbeat(vec![run(0); limits::CONCURRENCY_MAX + 1], Some(NOW)))
            .await,
    );
    for lease in [
        limits::LEASE_MIN - milliseconds(1),
        limits::LEASE_MAX + milliseconds(1),
    ] {
        let beat = heartbeat(vec![run(0)], Some(NOW));
        refused(store.beat(Beat { lease, ..beat }).await);
    }
    for worker in too_large() {
        let beat = heartbeat(vec![run(0)], Some(NOW));
        refused(store.beat(Beat { worker, ..beat }).await);
    }
    assert_eq!(
        done(store.workers().await).len(),
        0,
        "what is refused is not noted"
    );
    assert_eq!(store.there(1).await, running);
    done(
        store
            .beat(heartbeat(vec![run(limits::PROGRESS_BYTES)], Some(NOW)))
            .await,
    );
    let strangers = (0..limits::CONCURRENCY_MAX as u64).map(|n| BeatRun {
        id: RunId { job: id(n), run: 1 },
        progress: None,
    });
    let beaten = done(store.beat(heartbeat(strangers.collect(), Some(NOW))).await);
    assert_eq!(beaten.verdicts.len(), limits::CONCURRENCY_MAX);
}

/// Workers that say too much of themselves.
fn too_large() -> [WorkerInfo; 4] {
    let longest = "n".repeat(limits::NAME_BYTES);
    let queues = |count: usize| {
        (0..count)
            .map(|n| QueueName::from(format!("queue-{n}")))
            .collect()
    };
    [
        worker_info(&format!("{longest}n")),
        WorkerInfo {
            host: "h".repeat(limits::HOST_BYTES + 1),
            ..worker_info("w")
        },
        WorkerInfo {
            queues: queues(limits::CLAIM_QUEUES + 1),
            ..worker_info("w")
        },
        WorkerInfo {
            queues: vec![QueueName::from(format!("{longest}n"))],
            ..worker_info("w")
        },
    ]
}
