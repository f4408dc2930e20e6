//! Ledgers: what became of the instants of a schedule.

use super::schedule::{made, make, one};
use super::subject::{Subject, done, refused};
use super::{Case, case};
use crate::change::{Forget, ScheduleApplied, ScheduleChange};
use crate::limits;
use crate::schedule::{Cause, Occurrence, OccurrenceKey, Outcome, Reason, Schedule};
use crate::testing::sample::{NOW, id, schedule, shuffled};
use crate::time::{Timestamp, seconds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("all of an entry of a ledger is kept", whole),
        case("an entry takes the place of the one with its key", in_place),
        case("entries are dropped by their keys", drops),
        case("a ledger is read from the latest entry on, page by page", pages),
        case("each schedule has a ledger of its own", of_its_own),
        case("a ledger goes with its schedule", goes),
        case("a change that is stale writes no ledger", stale),
        case(
            "old entries are forgotten, and so are those that are too many",
            forgets,
        ),
        case(
            "a long run of skips is as old as its last instant",
            forgets_ranges,
        ),
        case(
            "no more entries are forgotten at once than is bounded",
            forgets_in_bounds,
        ),
        case("entries of another ledger, or too many, are refused", bounds),
    ]
}

/// An entry at so many seconds after the cases' now.
fn entry(of: &Schedule, second: u64) -> Occurrence {
    Occurrence {
        schedule: of.id,
        nominal_at: at(second),
        until: at(second),
        count: 1,
        at: NOW,
        cause: Cause::Planned,
        outcome: Outcome::Fired {
            job: id(second),
            missed: 0,
        },
    }
}

fn at(second: u64) -> Timestamp {
    NOW + seconds(second)
}

fn skipped(of: &Schedule, second: u64, reason: Reason, count: u64) -> Occurrence {
    Occurrence {
        until: at(second + count - 1),
        count,
        outcome: Outcome::Skipped(reason),
        ..entry(of, second)
    }
}

async fn ledger(store: &Subject, of: &Schedule) -> Vec<Occurrence> {
    done(store.occurrences(of.id, None, limits::PAGE_ITEMS).await)
}

/// Writes these entries; answers the row as it is then.
async fn write(store: &Subject, row: &Schedule, ledger: Vec<Occurrence>) -> Schedule {
    change(store, row, |change| change.ledger = ledger).await
}

async fn change(store: &Subject, row: &Schedule, edit: impl FnOnce(&mut ScheduleChange)) -> Schedule {
    let mut change = ScheduleChange::to(row, row.standing.clone());
    edit(&mut change);
    let becomes = change.becomes.clone().expect("it is no deletion");
    assert_eq!(one(store, change).await, ScheduleApplied::Applied);
    becomes
}

async fn whole(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let mut entries: Vec<Occurrence> = Reason::ALL
        .into_iter()
        .zip(0..)
        .map(|(reason, n)| skipped(&row, 10 * n, reason, n + 1))
        .collect();
    let causes = Cause::ALL.into_iter().zip(100..);
    entries.extend(causes.map(|(cause, n)| Occurrence {
        cause,
        at: NOW + seconds(500),
        outcome: Outcome::Fired {
            job: id(n),
            missed: u64::from(u32::MAX) + n,
        },
        ..entry(&row, n)
    }));
    // The same instant by plan and out of turn.
    entries.push(Occurrence {
        cause: Cause::Triggered,
        ..entry(&row, 100)
    });
    write(&store, &row, shuffled(entries.clone())).await;
    entries.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.key()));
    assert_eq!(ledger(&store, &row).await, entries);
}

async fn in_place(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let row = write(
        &store,
        &row,
        vec![skipped(&row, 1, Reason::Overlap, 1), entry(&row, 0)],
    )
    .await;
    let grown = skipped(&row, 1, Reason::Overlap, 7);
    let row = write(&store, &row, vec![grown.clone()]).await;
    assert_eq!(ledger(&store, &row).await, [grown, entry(&row, 0)]);
    let fired = entry(&row, 1);
    let row = write(&store, &row, vec![fired.clone()]).await;
    assert_eq!(ledger(&store, &row).await, [fired, entry(&row, 0)]);
}

async fn drops(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let row = write(&store, &row, (0..5).map(|n| entry(&row, n)).collect()).await;
    let split = skipped(&row, 9, Reason::Misfire, 1);
    let keys = [1, 3, 70].map(|n| entry(&row, n).key());
    let row = change(&store, &row, |change| {
        change.drops = keys.to_vec();
        change.ledger = vec![split.clone()];
    })
    .await;
    let left = [split, entry(&row, 4), entry(&row, 2), entry(&row, 0)];
    assert_eq!(ledger(&store, &row).await, left);
}

async fn pages(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let entries: Vec<_> = (0..50).map(|n| entry(&row, n)).collect();
    write(&store, &row, shuffled(entries.clone())).await;
    for limit in [1, 7, limits::PAGE_ITEMS] {
        let mut listed: Vec<Occurrence> = Vec::new();
        for _ in 0..=entries.len() {
            let before = listed.last().map(Occurrence::key);
            let page = done(store.occurrences(row.id, before, limit).await);
            assert!(page.len() <= limit);
            listed.extend(page);
        }
        assert!(listed.iter().rev().eq(&entries));
    }
    let behind_what_never_was = OccurrenceKey {
        nominal_at: at(7),
        triggered: true,
    };
    let page = done(store.occurrences(row.id, Some(behind_what_never_was), 1).await);
    assert_eq!(page, [entry(&row, 7)]);
    assert_eq!(done(store.occurrences(schedule(2).id, None, 9).await), []);
}

async fn of_its_own(store: Subject) {
    let rows = [1, 2, 3].map(schedule);
    let changes = rows.clone().map(|row| ScheduleChange {
        ledger: vec![entry(&row, 1), entry(&row, 2)],
        ..make(row)
    });
    done(store.change_schedules(&changes).await);
    for row in &rows {
        assert_eq!(ledger(&store, row).await, [entry(row, 2), entry(row, 1)]);
    }
}

async fn goes(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let row = write(&store, &row, vec![entry(&row, 1)]).await;
    let other = made(&store, schedule(2)).await;
    let other = write(&store, &other, vec![entry(&other, 1)]).await;
    one(&store, ScheduleChange::delete(&row)).await;
    assert_eq!(ledger(&store, &row).await, []);
    assert_eq!(ledger(&store, &other).await, [entry(&other, 1)]);
    // The same one, imported again, begins with an empty ledger.
    made(&store, schedule(1)).await;
    assert_eq!(ledger(&store, &row).await, []);
}

async fn stale(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let late = ScheduleChange {
        ledger: vec![entry(&row, 1)],
        ..make(row.clone())
    };
    assert_eq!(
        one(&store, late).await,
        ScheduleApplied::Stale(Some(Box::new(row.clone())))
    );
    assert_eq!(ledger(&store, &row).await, []);
}

async fn forgets(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let row = write(&store, &row, (0..20).map(|n| entry(&row, n)).collect()).await;
    let forget = |before: u64, keep: usize| {
        Some(Forget {
            before: at(before),
            keep,
        })
    };
    let row = change(&store, &row, |change| change.forget = forget(5, 100)).await;
    let seconds = |entries: Vec<Occurrence>| -> Vec<u64> {
        let seconds = entries.iter().map(|entry| entry.nominal_at.since(NOW).as_secs());
        seconds.collect()
    };
    let left = seconds(ledger(&store, &row).await);
    assert!(left.iter().copied().eq((5..20).rev()), "{left:?}");
    // What is written with it counts among the latest.
    let row = change(&store, &row, |change| {
        change.ledger = vec![entry(&row, 30)];
        change.forget = forget(0, 4);
    })
    .await;
    assert_eq!(seconds(ledger(&store, &row).await), [30, 19, 18, 17]);
    let row = change(&store, &row, |change| change.forget = forget(18, 1)).await;
    assert_eq!(seconds(ledger(&store, &row).await), [30]);
    let row = change(&store, &row, |change| change.forget = forget(31, 0)).await;
    assert_eq!(ledger(&store, &row).await, []);
}

async fn forgets_ranges(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let entries = vec![
        entry(&row, 0),
        skipped(&row, 1, Reason::Overlap, 3),
        skipped(&row, 10, Reason::Paused, 90),
        entry(&row, 100),
    ];
    let row = write(&store, &row, entries.clone()).await;
    let row = change(&store, &row, |change| {
        let (before, keep) = (at(99), 100);
        change.forget = Some(Forget { before, keep });
    })
    .await;
    assert_eq!(
        ledger(&store, &row).await,
        [entries[3].clone(), entries[2].clone()]
    );
    // What is younger than one that is kept is kept.
    let short = entry(&row, 50);
    let row = write(&store, &row, vec![short.clone()]).await;
    let row = change(&store, &row, |change| {
        let (before, keep) = (at(90), 100);
        change.forget = Some(Forget { before, keep });
    })
    .await;
    let left = [entries[3].clone(), short, entries[2].clone()];
    assert_eq!(ledger(&store, &row).await, left);
}

async fn forgets_in_bounds(store: Subject) {
    let mut row = made(&store, schedule(1)).await;
    let per_change = limits::LEDGER_PER_LOOK as u64;
    let total = limits::LEDGER_FORGOTTEN as u64 + 2 * per_change;
    for first in (0..total).step_by(limits::LEDGER_PER_LOOK) {
        row = write(
            &store,
            &row,
            (first..first + per_change).map(|n| entry(&row, n)).collect(),
        )
        .await;
    }
    let forget = Forget {
        before: at(2 * total),
        keep: 0,
    };
    row = change(&store, &row, |change| change.forget = Some(forget)).await;
    let left = ledger(&store, &row).await;
    assert_eq!(left.len() as u64, 2 * per_change);
    assert_eq!(left.last(), Some(&entry(&row, limits::LEDGER_FORGOTTEN as u64)));
}

async fn bounds(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let with = |ledger: Vec<Occurrence>| ScheduleChange {
        ledger,
        ..ScheduleChange::to(&row, row.standing.clone())
    };
    let foreign = with(vec![entry(&schedule(2), 1)]);
    refused(
        store
            .change_schedules(&[with(vec![entry(&row, 1)]), foreign])
            .await,
    );
    let most = limits::LEDGER_PER_LOOK as u64;
    let many = |count: u64| with((0..count).map(|n| entry(&row, n)).collect());
    refused(store.change_schedules(&[many(most + 1)]).await);
    for limit in [0, limits::PAGE_ITEMS + 1] {
        refused(store.occurrences(row.id, None, limit).await);
    }
    assert_eq!(ledger(&store, &row).await, []);
    assert_eq!(one(&store, many(most)).await, ScheduleApplied::Applied);
    assert_eq!(ledger(&store, &row).await.len() as u64, most);
}
