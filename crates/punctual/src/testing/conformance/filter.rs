//! Filters of lists.

use super::subject::{NOTHING, Subject, view};
use super::{Case, case};
use crate::job::{Job, Phase, State};
use crate::limits;
use crate::queue::QueueName;
use crate::run::WorkerId;
use crate::store::{Filter, View};
use crate::testing::sample::{Draft, LEASE, NOW, job, shuffled};
use crate::time::{hours, minutes, seconds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("each filter lets through what it says", filters),
        case("filters are compared byte by byte", filters_are_bytes),
        case("several filters hold together", several_filters),
        case("a list shows the phase at its own time", phases),
        case(
            "a match behind more rows than one page passes is found by going on",
            rare_match,
        ),
    ]
}

/// All of a view that passes a filter.
fn of(of: View, set: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = view(of);
    set(&mut filter);
    filter
}

/// One job for each filter to find.
fn finds() -> Vec<Job> {
    vec![
        job(1).queue("other"),
        job(2).kind("other"),
        job(3).tag("first").tag("other"),
        job(4).running("other", NOW + LEASE),
        job(5).key("other"),
        job(6).due(NOW - hours(1)),
        job(7).ended(State::Failed, NOW - hours(1)),
        job(8).ended(State::Failed, NOW).key("k").tag("first"),
    ]
}

async fn filters(store: Subject) {
    const ENDED: View = View::Ended(None);
    store.has(&finds()).await;
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        (
            of(View::All, |f| f.queue = Some(QueueName::from("other"))),
            vec![1],
        ),
        (of(View::All, |f| f.kind = text("other")), vec![2]),
        (of(View::All, |f| f.tag = text("other")), vec![3]),
        (of(View::All, |f| f.tag = text("first")), vec![3, 8]),
        (
            of(View::All, |f| f.worker = Some(WorkerId::from("other"))),
            vec![4],
        ),
        (of(View::All, |f| f.unique_key = text("other")), vec![5]),
        (of(View::All, |f| f.unique_key = text("nobody's")), vec![]),
        (of(ENDED, |f| f.unique_key = text("k")), vec![8]),
        (of(View::Waiting, |f| f.unique_key = text("k")), vec![]),
        (of(View::Waiting, |f| f.due_before = Some(NOW)), vec![6]),
        (of(View::Waiting, |f| f.due_before = Some(NOW - hours(1))), vec![]),
        (
            of(View::Waiting, |f| {
                (f.due_after, f.due_before) = (Some(NOW - hours(1)), Some(NOW));
            }),
            vec![6],
        ),
        (
            of(View::All, |f| {
                (f.due_after, f.due_before) = (Some(NOW - minutes(59)), Some(NOW));
            }),
            vec![],
        ),
        (of(View::Waiting, |f| f.due_after = Some(NOW + hours(9))), vec![]),
        (of(View::All, |f| f.ended_before = Some(NOW)), vec![7]),
        (of(ENDED, |f| f.ended_before = Some(NOW)), vec![7]),
        (of(ENDED, |f| f.ended_before = Some(NOW - hours(1))), vec![]),
        (of(View::Waiting, |f| f.ended_before = Some(NOW)), vec![]),
        (of(View::All, |f| f.phase = Some(Phase::Failed)), vec![7, 8]),
        (of(View::Running, |f| f.phase = Some(Phase::Failed)), vec![]),
    ];
    for (filter, expected) in filters {
        assert_eq!(store.lists(filter.clone()).await, expected, "{filter:?}");
    }
}

async fn filters_are_bytes(store: Subject) {
    let found = job(1).kind("Größe").tag("a,b").key("100%");
    let other = job(2).kind("größe").tag("a").key("100_");
    store.has(&[found, other]).await;
    let text = |text: &str| Some(text.to_owned());
    let filters = [
        (of(View::All, |f| f.kind = text("Größe")), vec![1]),
        (of(View::All, |f| f.tag = text("a,b")), vec![1]),
        (of(View::All, |f| f.unique_key = text("100%")), vec![1]),
        (of(View::All, |f| f.tag = text("b")), vec![]),
        (of(View::All, |f| f.tag = text("' or 1=1 --")), vec![]),
    ];
    for (filter, expected) in filters {
        assert_eq!(store.lists(filter.clone()).await, expected, "{filter:?}");
    }
}

async fn several_filters(store: Subject) {
    let rows = (0..32).map(|n| {
        let job = job(n).queue(if n & 1 == 0 { "a" } else { "b" });
        let job = if n & 2 == 0 { job.kind("k") } else { job };
        let job = if n & 4 == 0 { job.tag("t") } else { job };
        job.due(if n & 8 == 0 {
            NOW - seconds(1)
        } else {
            NOW + seconds(1)
        })
    });
    store.has(&shuffled(rows.collect())).await;
    let filter = Filter {
        queue: Some(QueueName::from("a")),
        kind: Some("k".to_owned()),
        tag: Some("t".to_owned()),
        phase: Some(Phase::Ready),
        ..view(View::All)
    };
    assert_eq!(store.lists(filter.clone()).await, [0, 16]);
    let filter = Filter {
        phase: Some(Phase::Scheduled),
        view: View::Waiting,
        ..filter
    };
    assert_eq!(store.lists(filter).await, [8, 24]);
}

async fn phases(store: Subject) {
    let later = NOW + minutes(1);
    let tried = |job: Job| job.status(|status| status.attempt = 1);
    let asked_to_stop = job(5)
        .running("worker", later)
        .status(|status| status.cancel = Some(String::new()));
    let rows = [
        job(1).due(later),
        job(2),
        tried(job(3).due(later)),
        job(4).running("worker", later),
        asked_to_stop,
        job(6).ended(State::Succeeded, NOW),
        job(7).ended(State::Failed, NOW),
        job(8).ended(State::Cancelled, NOW),
        tried(job(9)),
    ];
    store.has(&rows).await;
    let at = |phase, now| Filter {
        phase: Some(phase),
        now: Some(now),
        ..Filter::default()
    };
    for (phase, n) in Phase::ALL.into_iter().zip(1..) {
        let expected = if phase == Phase::Ready {
            vec![2, 9]
        } else {
            vec![n]
        };
        assert_eq!(store.lists(at(phase, NOW)).await, expected, "{phase}");
    }
    assert_eq!(store.lists(at(Phase::Ready, later)).await, [1, 2, 3, 9]);
    assert_eq!(store.lists(at(Phase::Scheduled, later)).await, NOTHING);
    let filter = Filter {
        now: Some(later),
        ..Filter::default()
    };
    let heads = store.walk(&filter, 100).await;
    assert_eq!(heads[0].phase, Phase::Ready);
}

async fn rare_match(store: Subject) {
    let rows: Vec<_> = (0..limits::PAGE_ROWS as u64 + 50)
        .map(|n| {
            if n % 10_040 == 10_030 {
                job(n).tag("rare").kind("rare")
            } else {
                job(n)
            }
        })
        .collect();
    for batch in rows.chunks(limits::FLUSH_ITEMS) {
        store.has(batch).await;
    }
    for of in [View::All, View::Waiting] {
        let by_tag = Filter {
            tag: Some("rare".to_owned()),
            ..view(of)
        };
        assert_eq!(store.lists(by_tag).await, [10_030]);
        let by_kind = Filter {
            kind: Some("rare".to_owned()),
            ..view(of)
        };
        assert_eq!(store.lists(by_kind).await, [10_030]);
        assert_eq!(store.walk(&view(of), 1_000).await.len(), rows.len());
    }
}
