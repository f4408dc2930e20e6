//! Lists: views, filters and pages.

use super::subject::{Subject, done, number, refused, view};
use super::{Case, case};
use crate::change::{Applied, Change};
use crate::job::{Job, State};
use crate::limits;
use crate::queue::QueueName;
use crate::store::{Filter, Head, Page, View};
use crate::testing::sample::{Draft, NOW, VIEWS, full, id, job, jobs, shuffled};
use crate::time::{Timestamp, minutes};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("an empty store lists nothing", empty),
        case("a head says what its row says", heads),
        case("all jobs are listed by id", all),
        case("waiting jobs are listed by due instant, then id", waiting),
        case(
            "running jobs are listed by the end of their lease, then id",
            running,
        ),
        case("ended jobs are listed by their end, newest first, then id", ended),
        case("pages of any size show each job exactly once, in order", pages),
        case("a page goes on behind a row that was deleted", deleted_cursor),
        case("jobs that come and go elsewhere disturb no page", moving_rows),
        case("a page beyond its bounds is refused", bounds),
    ]
}

/// Jobs of all states with many equal instants, shuffled.
fn crowd() -> Vec<Job> {
    let rows = (0..60).map(|n| {
        let at = NOW + minutes(n / 2 % 5);
        let job = job(n)
            .priority((n % 10) as u8)
            .queue(if n % 3 == 0 { "a" } else { "b" });
        match n % 5 {
            0 => job.due(at),
            1 => job.running("worker", at),
            2 => job.ended(State::Succeeded, at),
            3 => job.ended(State::Failed, at),
            _ => job.ended(State::Cancelled, at),
        }
    });
    shuffled(rows.collect())
}

/// What the view must show of these rows.
fn shown(mut rows: Vec<Job>, view: View) -> Vec<u64> {
    rows.retain(|job| match view {
        View::All => true,
        View::Waiting => job.status.state == State::Waiting,
        View::Running => job.status.state == State::Running,
        View::Ended(state) => state.map_or(job.status.state.is_ended(), |state| state == job.status.state),
    });
    rows.sort_by_key(|job| {
        let at = match view {
            View::All => 0,
            View::Waiting => job.status.due.as_micros(),
            View::Running => job.status.alarm.map_or(0, Timestamp::as_micros),
            View::Ended(_) => -job.status.ended_at.map_or(0, Timestamp::as_micros),
        };
        (at, job.id())
    });
    rows.iter().map(|job| number(job.id())).collect()
}

async fn empty(store: Subject) {
    for of in VIEWS {
        let page = Page {
            limit: 10,
            after: None,
        };
        let listed = done(store.list(view(of), page).await);
        assert_eq!(listed.items, []);
        assert_eq!(listed.next, None);
    }
}

async fn heads(store: Subject) {
    let mut rows: Vec<_> = State::ALL
        .into_iter()
        .zip(1..)
        .map(|(state, n)| full(n, state))
        .collect();
    rows.push(job(9));
    store.has(&rows).await;
    let expected: Vec<_> = rows.iter().map(|job| Head::of(job, NOW)).collect();
    assert_eq!(store.walk(&view(View::All), 100).await, expected);
}

async fn all(store: Subject) {
    store.has(&crowd()).await;
    assert_eq!(store.lists(view(View::All)).await, (0..60).collect::<Vec<_>>());
}

async fn waiting(store: Subject) {
    store.has(&crowd()).await;
    let early = job(99).due(Timestamp::MIN).priority(9);
    store.has(&[early, job(98).due(Timestamp::MAX)]).await;
    let mut expected = shown(crowd(), View::Waiting);
    expected.insert(0, 99);
    expected.push(98);
    assert_eq!(store.lists(view(View::Waiting)).await, expected);
}

async fn running(store: Subject) {
    store.has(&crowd()).await;
    assert_eq!(
        store.lists(view(View::Running)).await,
        shown(crowd(), View::Running)
    );
}

async fn ended(store: Subject) {
    store.has(&crowd()).await;
    for of in VIEWS.into_iter().skip(3) {
        assert_eq!(store.lists(view(of)).await, shown(crowd(), of), "{of:?}");
    }
}

async fn pages(store: Subject) {
    store.has(&crowd()).await;
    let of_queue = |job: &Job| job.body.queue.as_str() == "a";
    for of in VIEWS {
        for limit in [1, 2, 7, 60, limits::PAGE_ITEMS] {
            let heads = store.walk(&view(of), limit).await;
            let listed: Vec<_> = heads.iter().map(|head| number(head.id)).collect();
            assert_eq!(listed, shown(crowd(), of), "{of:?} by {limit}");
        }
        let filter = Filter {
            queue: Some(QueueName::from("a")),
            ..view(of)
        };
        let heads = store.walk(&filter, 3).await;
        let listed: Vec<_> = heads.iter().map(|head| number(head.id)).collect();
        let matching = crowd().into_iter().filter(of_queue).collect();
        assert_eq!(listed, shown(matching, of), "{of:?}");
    }
}

async fn deleted_cursor(store: Subject) {
    store.has(&crowd()).await;
    for of in VIEWS {
        let expected = shown(store.content().await, of);
        let page = Page {
            limit: 2,
            after: None,
        };
        let listed = done(store.list(view(of), page).await);
        let last = listed.items.last().expect("there are more than two").id;
        let row = store.there(number(last)).await;
        assert_eq!(store.apply_one(Change::delete(&row)).await, Applied::Applied);
        let page = Page {
            limit: 2,
            after: listed.next,
        };
        let listed = done(store.list(view(of), page).await);
        let next: Vec<_> = listed.items.iter().map(|head| number(head.id)).collect();
        assert_eq!(next, expected[2..4], "{of:?}");
    }
}

async fn moving_rows(store: Subject) {
    store.has(&jobs((10..30).map(|n| n * 2))).await;
    let page = Page {
        limit: 5,
        after: None,
    };
    let first = done(store.list(view(View::All), page).await);
    store.has(&[job(1), job(29), job(59)]).await;
    store.apply_one(Change::delete(&job(22))).await;
    let page = Page {
        limit: 100,
        after: first.next,
    };
    let second = done(store.list(view(View::All), page).await);
    let listed: Vec<_> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|head| number(head.id))
        .collect();
    let mut expected: Vec<_> = (10..30).map(|n| n * 2).chain([29, 59]).collect();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

async fn bounds(store: Subject) {
    store.has(&[job(1)]).await;
    for limit in [0, limits::PAGE_ITEMS + 1] {
        refused(store.list(view(View::All), Page { limit, after: None }).await);
    }
    for state in [State::Waiting, State::Running] {
        let page = Page {
            limit: 1,
            after: None,
        };
        refused(store.list(view(View::Ended(Some(state))), page).await);
    }
    let page = Page {
        limit: limits::PAGE_ITEMS,
        after: None,
    };
    assert_eq!(done(store.list(view(View::All), page).await).items[0].id, id(1));
}
