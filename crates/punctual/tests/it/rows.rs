//! Rows for the tests of single stores, and what is done with them.

use std::sync::Arc;

use bytes::Bytes;
use punctual::change::{Applied, Change, Inserted, ScheduleApplied, ScheduleChange};
use punctual::job::{Body, Job, Options, Origin, State, Status};
use punctual::limits::UNREADABLE_ROUNDS;
use punctual::queue::QueueName;
use punctual::run::{Beat, BeatRun, Claim, ClaimFrom, Claimed, RunId, WorkerId, WorkerInfo};
use punctual::schedule::{AT_ONCE, Plan, Schedule, ScheduleId, ScheduleName, Spec, Standing};
use punctual::store::{Depth, ScheduleRows, Schedules, Store};
use punctual::time::{Timestamp, seconds};
use punctual::{Error, JobId, Kind, NewJob};

/// A job that has been due since the epoch, with a payload of so many bytes.
pub(crate) fn job_of(name: &str, payload_bytes: usize) -> Job {
    let id = JobId::named(name);
    let body = Body {
        id,
        kind: "test".to_owned(),
        queue: QueueName::default(),
        priority: 5,
        created_at: Timestamp::EPOCH,
        payload: Bytes::from(vec![b'x'; payload_bytes]),
        tags: Vec::new(),
        options: Options::default(),
        unique_key: None,
        fingerprint: id.0.as_u128(),
        origin: None,
    };
    Job {
        body: Arc::new(body),
        status: Status::waiting(1, Timestamp::EPOCH),
    }
}

pub(crate) fn job(name: &str) -> Job {
    job_of(name, 16)
}

pub(crate) async fn insert(store: &dyn Store, jobs: &[Job]) {
    let inserted = store.insert(jobs).await.expect("the store takes jobs");
    assert!(
        inserted.iter().all(|job| *job == Inserted::Inserted),
        "{inserted:?}"
    );
}

pub(crate) async fn try_claim(store: &dyn Store, max: usize) -> Result<Claimed, Error> {
    let claim = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Queues(vec![QueueName::default()]),
        max,
        lease: seconds(60),
        now: None,
    };
    store.claim(claim).await
}

pub(crate) async fn claim(store: &dyn Store, max: usize) -> Claimed {
    try_claim(store, max).await.expect("the store gives jobs")
}

/// A heartbeat of the worker that claimed these jobs.
pub(crate) fn beat_of(claimed: &[Job]) -> Beat {
    Beat {
        worker: WorkerInfo {
            id: WorkerId::from("w"),
            host: String::new(),
            pid: 1,
            queues: Vec::new(),
            concurrency: 2,
            running: 2,
            started_at: Timestamp::EPOCH,
            stopping: false,
        },
        runs: claimed
            .iter()
            .map(|job| BeatRun {
                id: RunId {
                    job: job.id(),
                    run: job.status.run,
                },
                progress: None,
            })
            .collect(),
        lease: seconds(60),
        stopped: false,
        now: None,
    }
}

/// The job has succeeded.
pub(crate) fn success(job: &Job) -> Change {
    let mut status = job.status.clone();
    status.state = State::Succeeded;
    status.alarm = None;
    status.ended_at = Some(Timestamp::EPOCH);
    Change::to(job, status)
}

pub(crate) async fn is_there(store: &dyn Store, name: &str) -> bool {
    let found = store.fetch(&[JobId::named(name)]).await.expect("the store reads");
    found[0].is_some()
}

/// Rows that cannot be read stand at the head of a line, more of them than a claim passes at once; `spoil` makes one so.
pub(crate) async fn bad_rows_at_the_head_are_got_through(store: &dyn Store, spoil: impl AsyncFn(&str)) {
    let names: Vec<String> = (0..3 * UNREADABLE_ROUNDS).map(|n| n.to_string()).collect();
    let jobs: Vec<Job> = names.iter().map(|name| job(name)).collect();
    insert(store, &jobs).await;
    for name in &names {
        spoil(name).await;
    }
    let mut last = job("last");
    last.status.due = Timestamp::EPOCH + seconds(1);
    insert(store, &[last]).await;
    let mut claimed = Vec::new();
    for _ in 0..=names.len() {
        claimed.extend(claim(store, 1).await.jobs);
    }
    assert_eq!((claimed.len(), claimed[0].id()), (1, JobId::named("last")));
}

/// Claims these jobs by their names.
pub(crate) async fn claim_by_name(store: &dyn Store, names: &[&str]) -> Vec<Job> {
    let wish = Claim {
        worker: WorkerId::from("w"),
        from: ClaimFrom::Ids(names.iter().map(|name| JobId::named(name)).collect()),
        max: names.len(),
        lease: seconds(60),
        now: None,
    };
    store.claim(wish).await.expect("the store gives jobs").jobs
}

/// A schedule that has waited for somebody's look since the epoch.
pub(crate) fn schedule(name: &str) -> Schedule {
    let mut standing = Standing::new(Timestamp::EPOCH);
    standing.next = Some(Timestamp::EPOCH + seconds(1));
    Schedule {
        id: ScheduleId(JobId::named(name).0),
        name: ScheduleName::from(name),
        rev: 1,
        created_at: Timestamp::EPOCH,
        plan: Arc::new(Plan::new(Spec::After(seconds(5)), NewJob::bytes("test", "{}"))),
        standing,
    }
}

/// The making of this schedule.
pub(crate) fn making(row: &Schedule) -> ScheduleChange {
    ScheduleChange {
        expect: 0,
        becomes: Some(row.clone()),
        replans: true,
        ..ScheduleChange::delete(row)
    }
}

pub(crate) async fn make(store: &dyn Store, rows: &[Schedule]) {
    let changes: Vec<ScheduleChange> = rows.iter().map(making).collect();
    let made = store.change_schedules(&changes).await;
    let made = made.expect("the store takes schedules");
    assert_eq!(made, vec![ScheduleApplied::Applied; rows.len()]);
}

/// All schedules that somebody has to look at.
pub(crate) async fn looks(store: &dyn Store) -> ScheduleRows {
    let first = Schedules::Next {
        after: None,
        limit: 100,
    };
    store.schedules(first).await.expect("the store reads")
}

/// This job as one of a schedule that waits for its end.
pub(crate) fn job_for(schedule: &Schedule, name: &str) -> Job {
    let job = job(name);
    let origin = Origin {
        schedule: schedule.id,
        name: schedule.name.clone(),
        nominal_at: Timestamp::EPOCH,
        missed: 0,
        pokes: true,
    };
    let body = Body {
        origin: Some(origin),
        ..(*job.body).clone()
    };
    Job {
        body: Arc::new(body),
        ..job
    }
}

/// Of two schedules that are due one cannot be read; `spoil` makes the named one so.
pub(crate) async fn a_bad_schedule_harms_only_itself(store: &dyn Store, spoil: impl AsyncFn(&str)) {
    let (bad, good) = (schedule("bad"), schedule("good"));
    make(store, &[bad.clone(), good.clone()]).await;
    spoil("bad").await;
    let found = looks(store).await;
    assert_eq!(found.items, std::slice::from_ref(&good));
    let [told] = &found.unreadable[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (told.id, &told.name, told.rev, told.next),
        (bad.id, &bad.name, Some(1), bad.standing.next)
    );
    assert!(told.why.contains("weather"), "{}", told.why);
    let report = store.check(Depth::Quick).await.expect("it answers");
    let notes = report.notes.join(" ");
    assert!(
        notes.contains("cannot be read: 1, bad among them") && notes.contains("weather"),
        "{notes}"
    );
    // Who has not seen it yet, and comes late, is told; and nobody else.
    let changes = [making(&bad), ScheduleChange::to(&good, good.standing.clone())];
    let answers = store.change_schedules(&changes).await.expect("the store answers");
    let [ScheduleApplied::Refused(late), ScheduleApplied::Applied] = &answers[..] else {
        panic!("{answers:?}");
    };
    assert_eq!(late.kind(), Kind::Internal);
    assert!(late.to_string().contains("weather"), "{late}");

    // The ends of its jobs are written all the same, and whoever can read it looks at once.
    let jobs = [job_for(&bad, "a"), job_for(&bad, "b"), job_for(&good, "c")];
    insert(store, &jobs).await;
    let ends: Vec<Change> = jobs.iter().map(Change::delete).collect();
    assert_eq!(store.apply(&ends).await, Ok(vec![Applied::Applied; 3]));
    let found = looks(store).await;
    let told = &found.unreadable[0];
    assert_eq!((told.rev, told.next), (Some(3), Some(AT_ONCE)));
    assert_eq!(
        (found.items[0].rev, found.items[0].standing.next),
        (3, Some(AT_ONCE))
    );

    // It can be deleted all the same, by whoever has seen it last.
    let delete = async |expect| {
        let deletion = ScheduleChange::deletion(bad.id, bad.name.clone(), expect);
        let answers = store.change_schedules(&[deletion]).await;
        answers.expect("the store answers").remove(0)
    };
    assert!(matches!(delete(2).await, ScheduleApplied::Refused(_)));
    assert_eq!(delete(3).await, ScheduleApplied::Applied);
    assert_eq!(looks(store).await.unreadable, []);
}
