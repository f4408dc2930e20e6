//! Schedules: rows with a version, what is written with them, and the orders in which they are found.

use std::sync::Arc;

use super::subject::{Subject, done, only, refused};
use super::{Case, case};
use crate::change::{Applied, Change, ScheduleApplied, ScheduleChange};
use crate::job::{Job, Origin, State};
use crate::limits;
use crate::schedule::{AT_ONCE, Schedule, ScheduleName, Standing};
use crate::store::{ScheduleRows, Schedules};
use crate::testing::sample::{Draft, NOW, id, job, jobs, plan, schedule, shuffled, standing};
use crate::time::{Timestamp, hours, minutes};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("a schedule is made, changed and deleted by its rev", life),
        case("all of a plan and of a standing is kept", whole),
        case("a schedule of another rev is left alone and told", stale),
        case("a name that is taken is told with who has it", name_taken),
        case("a schedule made anew under its name is another one", anew),
        case("changes of schedules in one batch follow each other", batch),
        case("jobs come with a change, and one that is there stays", with_jobs),
        case("a change that is stale makes no jobs", stale_makes_nothing),
        case("a deleted schedule leaves its jobs", leaves_jobs),
        case("schedules are listed by name, page by page", by_name),
        case("schedules are found by their names", named),
        case("schedules are listed by their next look, page by page", by_next),
        case("the end of a job pokes the schedule that waits for it", pokes),
        case("a poke follows the firing that comes before it", pokes_in_order),
        case("a poke of a schedule that is gone is nothing", pokes_nobody),
        case(
            "a change of a job that did not stand pokes nobody",
            stale_pokes_nobody,
        ),
        case(
            "changes of schedules that no rule makes are refused",
            what_no_rule_makes,
        ),
        case("changes of schedules beyond their bounds are refused", bounds),
    ]
}

/// The making of this schedule.
pub(super) fn make(row: Schedule) -> ScheduleChange {
    let nothing = Schedule {
        rev: 0,
        ..row.clone()
    };
    ScheduleChange {
        becomes: Some(Schedule { rev: 1, ..row }),
        replans: true,
        ..ScheduleChange::to(&nothing, Standing::new(NOW))
    }
}

pub(super) async fn one(store: &Subject, change: ScheduleChange) -> ScheduleApplied {
    only(done(store.change_schedules(&[change]).await))
}

/// Makes this schedule; answers its row.
pub(super) async fn made(store: &Subject, row: Schedule) -> Schedule {
    let change = make(row);
    assert_eq!(one(store, change.clone()).await, ScheduleApplied::Applied);
    change.becomes.expect("it is no deletion")
}

async fn all(store: &Subject) -> Vec<Schedule> {
    let limit = limits::PAGE_ITEMS;
    read(done(store.schedules(Schedules::All { after: None, limit }).await))
}

fn read(rows: ScheduleRows) -> Vec<Schedule> {
    assert_eq!(rows.unreadable, [], "a store reads what it wrote");
    rows.items
}

async fn there(store: &Subject, name: &str) -> Option<Schedule> {
    let names = Schedules::Named(vec![ScheduleName::from(name)]);
    read(done(store.schedules(names).await)).pop()
}

async fn life(store: Subject) {
    assert_eq!(all(&store).await, []);
    let mut row = made(&store, schedule(1)).await;
    assert_eq!(all(&store).await, [row.clone()]);
    for next in [Some(NOW + hours(1)), None, Some(AT_ONCE)] {
        let mut becomes = row.standing.clone();
        becomes.next = next;
        becomes.fired += 1;
        let change = ScheduleChange::to(&row, becomes);
        assert_eq!(one(&store, change.clone()).await, ScheduleApplied::Applied);
        row = change.becomes.expect("it is no deletion");
        assert_eq!(all(&store).await, [row.clone()]);
    }
    assert_eq!(
        one(&store, ScheduleChange::delete(&row)).await,
        ScheduleApplied::Applied
    );
    assert_eq!(all(&store).await, []);
}

async fn whole(store: Subject) {
    for n in 0..plan::KINDS {
        let mut row = made(&store, schedule(n)).await;
        row.plan = Arc::new(plan::of(n + 1));
        row.standing = standing(n);
        row.rev = 2;
        let change = ScheduleChange {
            expect: 1,
            ..make(row.clone())
        };
        let change = ScheduleChange {
            becomes: Some(row.clone()),
            ..change
        };
        assert_eq!(one(&store, change).await, ScheduleApplied::Applied);
        assert_eq!(there(&store, row.name.as_str()).await, Some(row));
    }
}

async fn stale(store: Subject) {
    let ghost = Schedule {
        rev: 1,
        ..schedule(1)
    };
    let change = ScheduleChange::to(&ghost, ghost.standing.clone());
    assert_eq!(one(&store, change).await, ScheduleApplied::Stale(None));
    assert_eq!(
        one(&store, ScheduleChange::delete(&ghost)).await,
        ScheduleApplied::Stale(None)
    );
    let row = made(&store, schedule(1)).await;
    let told = ScheduleApplied::Stale(Some(Box::new(row.clone())));
    let newer = Schedule {
        rev: 2,
        ..row.clone()
    };
    assert_eq!(one(&store, ScheduleChange::to(&newer, standing(3))).await, told);
    assert_eq!(one(&store, ScheduleChange::delete(&newer)).await, told);
    assert_eq!(all(&store).await, [row]);
}

async fn name_taken(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let other = Schedule {
        name: row.name.clone(),
        ..schedule(2)
    };
    let told = ScheduleApplied::Stale(Some(Box::new(row.clone())));
    assert_eq!(one(&store, make(other)).await, told);
    assert_eq!(one(&store, make(row.clone())).await, told);
    assert_eq!(all(&store).await, [row]);
}

async fn anew(store: Subject) {
    let old = made(&store, schedule(1)).await;
    one(&store, ScheduleChange::delete(&old)).await;
    let new = Schedule {
        name: old.name.clone(),
        ..schedule(2)
    };
    let new = made(&store, new).await;
    let late = ScheduleChange::to(&old, standing(3));
    assert_eq!(one(&store, late).await, ScheduleApplied::Stale(None));
    assert_eq!(all(&store).await, [new]);
}

async fn batch(store: Subject) {
    let first = make(schedule(1));
    let row = first.becomes.clone().expect("it is no deletion");
    let second = ScheduleChange::to(&row, standing(2));
    let row = second.becomes.clone().expect("it is no deletion");
    let changes = [
        first.clone(),
        first,
        second.clone(),
        second,
        make(schedule(2)),
        ScheduleChange::delete(&Schedule {
            rev: 1,
            ..schedule(2)
        }),
        make(schedule(2)),
    ];
    let answers = done(store.change_schedules(&changes).await);
    let is_stale = answers.iter().map(|answer| *answer != ScheduleApplied::Applied);
    assert_eq!(
        is_stale.collect::<Vec<_>>(),
        [false, true, false, true, false, false, false]
    );
    let other = Schedule {
        rev: 1,
        ..schedule(2)
    };
    assert_eq!(all(&store).await, [row, other]);
    assert_eq!(done(store.change_schedules(&[]).await), []);
}

async fn with_jobs(store: Subject) {
    let old = job(2).other().queue("elsewhere");
    store.has(std::slice::from_ref(&old)).await;
    let change = ScheduleChange {
        jobs: jobs(1..=3),
        ..make(schedule(1))
    };
    assert_eq!(one(&store, change).await, ScheduleApplied::Applied);
    assert_eq!(store.content().await, [job(1), old, job(3)]);
    // They are jobs as any others.
    assert_eq!(store.claims(&["line"], 9, NOW).await, [1, 3]);
    let counts = done(store.counts().await);
    let counted = counts.queues.iter().map(|queue| queue.jobs.iter().sum::<u64>());
    assert_eq!(counted.collect::<Vec<_>>(), [1, 2]);
}

async fn stale_makes_nothing(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let late = ScheduleChange {
        jobs: jobs(1..=3),
        ..make(row.clone())
    };
    let good = ScheduleChange {
        jobs: jobs(4..=4),
        ..ScheduleChange::to(&row, standing(1))
    };
    let answers = done(store.change_schedules(&[late, good]).await);
    assert_eq!(
        answers,
        [
            ScheduleApplied::Stale(Some(Box::new(row))),
            ScheduleApplied::Applied
        ]
    );
    assert_eq!(store.content().await, [job(4)]);
}

async fn leaves_jobs(store: Subject) {
    let row = make(schedule(1)).becomes.expect("it is no deletion");
    let change = ScheduleChange {
        jobs: jobs(1..=2),
        ..make(schedule(1))
    };
    one(&store, change).await;
    one(&store, ScheduleChange::delete(&row)).await;
    assert_eq!(store.content().await, jobs(1..=2));
}

async fn by_name(store: Subject) {
    let mut names: Vec<String> = ["A", "a", "a/b", "a:b", "Z", "z"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    names.extend((0..40).map(|n| format!("schedule-{n}")));
    let rows = shuffled(names.clone())
        .into_iter()
        .zip(1..)
        .map(|(name, n)| Schedule {
            name: ScheduleName::from(name),
            ..schedule(n)
        });
    let changes: Vec<_> = rows.map(make).collect();
    done(store.change_schedules(&changes).await);
    names.sort_unstable();
    for limit in [1, 7, limits::PAGE_ITEMS] {
        let mut listed: Vec<ScheduleName> = Vec::new();
        for _ in 0..=names.len() {
            let after = listed.last().cloned();
            let page = read(done(store.schedules(Schedules::All { after, limit }).await));
            assert!(page.len() <= limit);
            listed.extend(page.into_iter().map(|row| row.name));
        }
        assert!(listed.iter().map(ScheduleName::as_str).eq(&names), "{listed:?}");
    }
    let after = Some(ScheduleName::from("schedule-39x"));
    let behind_what_never_was = read(done(store.schedules(Schedules::All { after, limit: 2 }).await));
    assert_eq!(behind_what_never_was[0].name.as_str(), "schedule-4");
}

async fn named(store: Subject) {
    let (first, second) = (made(&store, schedule(1)).await, made(&store, schedule(2)).await);
    let names = [&second.name, &ScheduleName::from("nobody"), &first.name];
    let names = names.into_iter().cloned().collect();
    let found = read(done(store.schedules(Schedules::Named(names)).await));
    assert_eq!(found, [second, first]);
    assert_eq!(
        read(done(store.schedules(Schedules::Named(Vec::new())).await)),
        []
    );
}

async fn by_next(store: Subject) {
    let looks = (1..=40).map(|n| {
        // Some at the same instant, some never.
        let next = (n % 7 != 0).then(|| NOW + minutes(n % 5));
        let mut row = schedule(n);
        row.standing.next = next;
        row
    });
    let rows: Vec<Schedule> = looks.collect();
    let changes: Vec<_> = shuffled(rows.clone()).into_iter().map(make).collect();
    done(store.change_schedules(&changes).await);
    let mut expected: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((row.standing.next?, row.id)))
        .collect();
    expected.sort_unstable();
    for limit in [1, 7, limits::PAGE_ITEMS] {
        let mut listed: Vec<(Timestamp, _)> = Vec::new();
        for _ in 0..=rows.len() {
            let after = listed.last().copied();
            let page = read(done(store.schedules(Schedules::Next { after, limit }).await));
            assert!(page.len() <= limit);
            listed.extend(
                page.iter()
                    .map(|row| (row.standing.next.unwrap_or(AT_ONCE), row.id)),
            );
        }
        assert_eq!(listed, expected);
    }
}

/// A job that the schedule waits for.
fn waited_for(n: u64, schedule: &Schedule) -> Job {
    job(n).body(|body| {
        body.origin = Some(Origin {
            schedule: schedule.id,
            name: schedule.name.clone(),
            nominal_at: NOW,
            missed: 0,
            pokes: true,
        });
    })
}

/// The row after so many pokes.
fn poked(row: &Schedule, times: u64) -> Schedule {
    let mut row = row.clone();
    row.rev += times;
    row.standing.next = Some(AT_ONCE);
    row
}

async fn pokes(store: Subject) {
    let (row, other) = (made(&store, schedule(1)).await, made(&store, schedule(2)).await);
    let samples: Vec<Job> = (1..=4).map(|n| waited_for(n, &row)).collect();
    store.has(&samples).await;
    let cancelled = Change::to(
        &samples[0],
        samples[0].clone().ended(State::Cancelled, NOW).status,
    );
    let deleted = Change::delete(&samples[1]);
    let goes_on = Change::to(&samples[2], samples[2].status.clone());
    assert_eq!(store.apply_one(goes_on).await, Applied::Applied);
    assert_eq!(there(&store, row.name.as_str()).await, Some(row.clone()));
    let answers = done(store.apply(&[cancelled, deleted]).await);
    assert_eq!(answers, [Applied::Applied, Applied::Applied]);
    assert_eq!(there(&store, row.name.as_str()).await, Some(poked(&row, 2)));
    assert_eq!(there(&store, other.name.as_str()).await, Some(other));
    // A run that ends, and after it the row that was pruned: it had told of its end before.
    let claimed = only(store.claim_at(1, NOW).await.jobs);
    let ended = claimed.clone().ended(State::Succeeded, NOW);
    let change = Change::to(&claimed, ended.status);
    let row = poked(&row, 2);
    assert_eq!(store.apply_one(change).await, Applied::Applied);
    assert_eq!(there(&store, row.name.as_str()).await, Some(poked(&row, 1)));
    let gone = done(store.fetch(&[claimed.id()]).await)
        .pop()
        .flatten()
        .expect("it is kept");
    assert_eq!(store.apply_one(Change::delete(&gone)).await, Applied::Applied);
    assert_eq!(there(&store, row.name.as_str()).await, Some(poked(&row, 1)));
    assert_eq!(first_to_look_at(&store).await, Some(row.name.clone()));
}

async fn first_to_look_at(store: &Subject) -> Option<ScheduleName> {
    let first = Schedules::Next {
        after: None,
        limit: 1,
    };
    read(done(store.schedules(first).await)).pop().map(|row| row.name)
}

async fn pokes_in_order(store: Subject) {
    let row = made(&store, schedule(1)).await;
    store.has(&[waited_for(1, &row)]).await;
    let sample = store.there(1).await;
    // Somebody decided on the row before it was poked: that decision is stale now.
    let decided = ScheduleChange::to(&row, standing(1));
    store.apply_one(Change::delete(&sample)).await;
    let told = ScheduleApplied::Stale(Some(Box::new(poked(&row, 1))));
    assert_eq!(one(&store, decided).await, told);
    let mut rested = row.standing.clone();
    rested.next = None;
    let change = ScheduleChange::to(&poked(&row, 1), rested);
    assert_eq!(one(&store, change).await, ScheduleApplied::Applied);
    assert_eq!(first_to_look_at(&store).await, None);
}

async fn pokes_nobody(store: Subject) {
    let row = schedule(1);
    store.has(&[waited_for(1, &row), waited_for(2, &row)]).await;
    let changes = [1, 2].map(|n| Change::delete(&waited_for(n, &row)));
    assert_eq!(
        done(store.apply(&changes).await),
        [Applied::Applied, Applied::Applied]
    );
    assert_eq!(all(&store).await, []);
}

async fn stale_pokes_nobody(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let sample = waited_for(1, &row).key("mine");
    store.has(&[sample.clone(), job(2).key("held")]).await;
    let mut older = sample.clone();
    older.status.rev -= 1;
    let missing = Change::delete(&waited_for(3, &row));
    let mut takes = sample.clone().ended(State::Failed, NOW).status;
    takes.unique_key = Some("held".to_owned());
    let held = Change::to(&sample, takes);
    let answers = done(store.apply(&[Change::delete(&older), missing, held]).await);
    let told = answers.iter().filter(|answer| **answer == Applied::Applied);
    assert_eq!(told.count(), 0, "{answers:?}");
    assert_eq!(all(&store).await, [row]);
    assert_eq!(store.there(1).await.id(), id(1));
}

async fn what_no_rule_makes(store: Subject) {
    let row = made(&store, schedule(1)).await;
    let good = ScheduleChange::to(&row, standing(1));
    let becomes = good.becomes.clone().expect("it is no deletion");
    let with = |becomes: Schedule| ScheduleChange {
        becomes: Some(becomes),
        ..good.clone()
    };
    let bad = [
        with(row.clone()),
        with(Schedule {
            id: schedule(2).id,
            ..becomes.clone()
        }),
        with(Schedule {
            name: ScheduleName::from("other"),
            ..becomes
        }),
        ScheduleChange {
            jobs: jobs(1..=1),
            ..ScheduleChange::delete(&row)
        },
        ScheduleChange {
            jobs: vec![job(1).key("held")],
            ..good.clone()
        },
    ];
    for bad in bad {
        refused(store.change_schedules(&[good.clone(), bad]).await);
    }
    assert_eq!(all(&store).await, [row]);
    assert_eq!(store.content().await, []);
}

async fn bounds(store: Subject) {
    let too_many: Vec<_> = (0..=limits::FLUSH_ITEMS as u64)
        .map(|n| make(schedule(n)))
        .collect();
    refused(store.change_schedules(&too_many).await);
    let most = limits::FIRED_PER_LOOK as u64;
    let with = |jobs: Vec<Job>| ScheduleChange {
        jobs,
        ..make(schedule(1))
    };
    refused(store.change_schedules(&[with(jobs(0..=most))]).await);
    for limit in [0, limits::PAGE_ITEMS + 1] {
        refused(store.schedules(Schedules::All { after: None, limit }).await);
        refused(store.schedules(Schedules::Next { after: None, limit }).await);
    }
    assert_eq!(all(&store).await, []);
    assert_eq!(one(&store, with(jobs(0..most))).await, ScheduleApplied::Applied);
    assert_eq!(store.content().await.len() as u64, most);
}
