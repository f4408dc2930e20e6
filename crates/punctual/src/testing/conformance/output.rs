//! The live output of runs.

use super::subject::{Subject, done, run_of};
use super::{Case, case};
use crate::change::{Applied, Change};
use crate::job::{Job, State, Status};
use crate::limits;
use crate::run::{RunId, WorkerId};
use crate::testing::sample::{Draft, NOW, REV, full, id, job};
use crate::time::Timestamp;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("output is read from any offset on, as it comes", as_it_comes),
        case("output of any bytes is kept up to its bound", up_to_the_bound),
        case(
            "of more output than its bound the first and the last half stay",
            head_and_tail,
        ),
        case("output that comes at once keeps its ends as well", at_once),
        case(
            "only a run that is held puts out, and what it put out stays",
            held,
        ),
        case(
            "each run of a job has its own output, which goes with the job",
            own_output,
        ),
        case(
            "a row that is inserted running puts out run by run, as an import lets it",
            run_by_run,
        ),
    ]
}

const HALF: usize = limits::OUTPUT_BYTES / 2;

/// Bytes that tell their place.
fn pattern(from: usize, count: usize) -> Vec<u8> {
    (from..from + count).map(|place| (place % 251) as u8).collect()
}

/// The whole output, page by page, with where each page began.
async fn read(store: &Subject, run: RunId) -> Vec<(u64, Vec<u8>)> {
    let mut pages = Vec::new();
    let mut from = 0;
    for _ in 0..100 {
        let page = done(store.output(run, from).await);
        assert!(page.bytes.len() <= limits::OUTPUT_PAGE_BYTES);
        if page.bytes.is_empty() {
            assert_eq!(page.next, from);
            return pages;
        }
        pages.push((page.next - page.bytes.len() as u64, page.bytes.to_vec()));
        from = page.next;
    }
    panic!("the output has no end");
}

/// Holds that the pages show these pieces of the pattern and nothing else.
fn shows(pages: Vec<(u64, Vec<u8>)>, pieces: &[(usize, usize)]) {
    let mut shown: Vec<(usize, Vec<u8>)> = Vec::new();
    for (from, bytes) in pages {
        match shown.last_mut() {
            Some((begin, piece)) if *begin + piece.len() == from as usize => piece.extend(bytes),
            _ => shown.push((from as usize, bytes)),
        }
    }
    let places: Vec<_> = shown.iter().map(|(from, piece)| (*from, piece.len())).collect();
    assert_eq!(places, pieces);
    for (from, piece) in shown {
        assert!(
            piece == pattern(from, piece.len()),
            "the bytes from {from} on are others"
        );
    }
}

async fn adds(store: &Subject, running: &Job, bytes: &[u8]) {
    assert!(done(store.append_output(run_of(running), bytes).await));
}

async fn as_it_comes(store: Subject) {
    let running = store.runs(job(1)).await;
    let run = run_of(&running);
    let nothing = done(store.output(run, 0).await);
    assert_eq!((nothing.bytes.len(), nothing.next), (0, 0));
    adds(&store, &running, b"one ").await;
    adds(&store, &running, b"").await;
    adds(&store, &running, b"\xff\x00two").await;
    for (from, rest, next) in [
        (0, &b"one \xff\x00two"[..], 9),
        (4, b"\xff\x00two", 9),
        (8, b"o", 9),
        (9, b"", 9),
        (99, b"", 9),
    ] {
        let page = done(store.output(run, from).await);
        assert_eq!((&page.bytes[..], page.next), (rest, next), "from {from}");
    }
    assert_eq!(store.there(1).await, running);
}

async fn up_to_the_bound(store: Subject) {
    let running = store.runs(job(1)).await;
    let bytes = pattern(0, limits::OUTPUT_BYTES);
    for piece in bytes.chunks(10_007) {
        adds(&store, &running, piece).await;
    }
    shows(read(&store, run_of(&running)).await, &[(0, limits::OUTPUT_BYTES)]);
}

async fn head_and_tail(store: Subject) {
    let running = store.runs(job(1)).await;
    let total = limits::OUTPUT_BYTES * 2 + 12_345;
    for piece in pattern(0, total).chunks(30_011) {
        adds(&store, &running, piece).await;
    }
    let run = run_of(&running);
    shows(read(&store, run).await, &[(0, HALF), (total - HALF, HALF)]);
    // Asked for from within the gap, it goes on behind it.
    let page = done(store.output(run, HALF as u64 + 1).await);
    assert_eq!(page.next - page.bytes.len() as u64, (total - HALF) as u64);
    // A page that meets the gap ends before it.
    let page = done(store.output(run, HALF as u64 - 3).await);
    assert_eq!((page.bytes.len(), page.next), (3, HALF as u64));
}

async fn at_once(store: Subject) {
    let running = store.runs(job(1)).await;
    let total = limits::OUTPUT_BYTES * 3 + 1;
    adds(&store, &running, &pattern(0, total)).await;
    shows(
        read(&store, run_of(&running)).await,
        &[(0, HALF), (total - HALF, HALF)],
    );
    adds(&store, &running, &pattern(total, 1)).await;
    shows(
        read(&store, run_of(&running)).await,
        &[(0, HALF), (total + 1 - HALF, HALF)],
    );
}

async fn held(store: Subject) {
    let running = store.runs(job(1)).await;
    let run = run_of(&running);
    adds(&store, &running, b"kept").await;
    let strangers = [
        RunId {
            job: id(1),
            run: run.run - 1,
        },
        RunId {
            job: id(1),
            run: run.run + 1,
        },
        RunId { job: id(2), ..run },
    ];
    for stranger in strangers {
        assert!(!done(store.append_output(stranger, b"lost").await));
        assert_eq!(done(store.output(stranger, 0).await).next, 0);
    }
    let ended = running.clone().ended(State::Failed, NOW).status;
    assert_eq!(
        store.apply_one(Change::to(&running, ended)).await,
        Applied::Applied
    );
    assert!(!done(store.append_output(run, b"lost").await));
    assert_eq!(done(store.output(run, 0).await).bytes, "kept");
}

async fn own_output(store: Subject) {
    let first = store.runs(job(1)).await;
    adds(&store, &first, b"first").await;
    let again = first
        .clone()
        .status(|status| status.state = State::Waiting)
        .status;
    store.apply_one(Change::to(&first, again)).await;
    let second = store.claim_at(1, NOW).await.jobs.remove(0);
    adds(&store, &second, b"second").await;
    assert_eq!(done(store.output(run_of(&first), 0).await).bytes, "first");
    assert_eq!(done(store.output(run_of(&second), 0).await).bytes, "second");
    assert_eq!(store.apply_one(Change::delete(&second)).await, Applied::Applied);
    for run in [run_of(&first), run_of(&second)] {
        assert_eq!(done(store.output(run, 0).await).next, 0);
    }
}

/// The runs of a row that was inserted are older than its versions, and its lease never ends.
async fn run_by_run(store: Subject) {
    let parked = |rev: u64, run: u64| {
        full(1, State::Running).status(|status| {
            *status = Status::waiting(rev, NOW);
            status.state = State::Running;
            status.run = run;
            status.alarm = Some(Timestamp::MAX);
            status.worker = Some(WorkerId::from("(being imported)"));
            status.unique_key = Some("key".to_owned());
        })
    };
    let first = parked(REV - 2, REV - 20);
    store.has(std::slice::from_ref(&first)).await;
    adds(&store, &first, b"one").await;
    let second = parked(REV - 1, REV - 10);
    let change = Change::to(&first, second.status.clone());
    assert_eq!(store.apply_one(change).await, Applied::Applied);
    assert!(!done(store.append_output(run_of(&first), b"late").await));
    adds(&store, &second, b"two").await;
    let last = full(1, State::Failed);
    let change = Change::to(&second, last.status.clone());
    assert_eq!(store.apply_one(change).await, Applied::Applied);
    assert_eq!(store.there(1).await, last);
    for (of, text) in [(&first, b"one"), (&second, b"two")] {
        assert_eq!(read(&store, run_of(of)).await, [(0, text.to_vec())]);
    }
}
