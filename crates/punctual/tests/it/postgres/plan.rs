//! Which way PostgreSQL takes, also where it knows nothing about the tables yet.

use punctual::change::{Change, Forget, ScheduleApplied, ScheduleChange};
use punctual::job::{Job, State};
use punctual::schedule::{Cause, Occurrence, Outcome, Reason, Schedule};
use punctual::store::{Filter, Page, Schedules, Store, View};
use punctual::time::Timestamp;

use super::server::{House, open, schema_of};
use super::{claim, insert, job, success, until, with_key};
use crate::rows::{beat_of, job_for, make, schedule};

/// Every verb that touches jobs, on a store that has a few hundred of them.
async fn work(store: &dyn Store) {
    let jobs: Vec<Job> = (0..300).map(|number| job(&number.to_string())).collect();
    insert(store, &jobs).await;
    insert(store, &[with_key("keyed", "k")]).await;
    let claimed = claim(store, 100).await.jobs;
    store.beat(beat_of(&claimed)).await.expect("the store beats");
    let held = store.fetch(&[claimed[0].id()]).await.expect("the store reads");
    let changes: Vec<Change> = held
        .iter()
        .flatten()
        .map(success)
        .chain([Change::delete(&jobs[299])])
        .collect();
    store.apply(&changes).await.expect("the store applies");
    store
        .insert(&[with_key("other", "k")])
        .await
        .expect("the store takes jobs");
    store.overdue(10, None).await.expect("the store reads");
    store.counts().await.expect("the store counts");
    for view in [
        View::All,
        View::Waiting,
        View::Running,
        View::Ended(None),
        View::Ended(Some(State::Failed)),
    ] {
        let filter = Filter {
            view,
            ..Filter::default()
        };
        let page = Page {
            limit: 5,
            after: None,
        };
        store.list(filter, page).await.expect("the store lists");
    }
}

/// Every verb that touches schedules, on a store that has a few hundred of them.
async fn work_on_schedules(store: &dyn Store) {
    let rows: Vec<Schedule> = (0..300).map(|number| schedule(&number.to_string())).collect();
    make(store, &rows).await;
    let jobs: Vec<Job> = rows
        .iter()
        .map(|row| job_for(row, &format!("of {}", row.name)))
        .collect();
    let fired = rows.iter().zip(&jobs).map(|(row, job)| {
        let entry = Occurrence {
            schedule: row.id,
            nominal_at: Timestamp::EPOCH,
            until: Timestamp::EPOCH,
            count: 1,
            at: Timestamp::EPOCH,
            cause: Cause::Planned,
            outcome: Outcome::Skipped(Reason::Paused),
        };
        ScheduleChange {
            jobs: vec![job.clone()],
            drops: vec![entry.key()],
            ledger: vec![entry],
            forget: Some(Forget {
                before: Timestamp::EPOCH,
                keep: 0,
            }),
            ..ScheduleChange::to(row, row.standing.clone())
        }
    });
    let changes: Vec<ScheduleChange> = fired.chain([ScheduleChange::delete(&rows[7])]).collect();
    let applied = store.change_schedules(&changes).await.expect("the store changes");
    let stale = applied
        .iter()
        .filter(|applied| **applied != ScheduleApplied::Applied);
    assert_eq!(stale.count(), 1);
    let ends: Vec<Change> = jobs.iter().map(Change::delete).collect();
    store.apply(&ends).await.expect("the store applies");
    let (first, name) = (Some((Timestamp::EPOCH, rows[0].id)), rows[0].name.clone());
    for which in [
        Schedules::Named(rows.iter().map(|row| row.name.clone()).collect()),
        Schedules::All {
            after: Some(name),
            limit: 5,
        },
        Schedules::Next {
            after: first,
            limit: 5,
        },
    ] {
        let found = store.schedules(which).await.expect("the store reads");
        assert_ne!(found.items, []);
    }
    let ledger = store.occurrences(rows[0].id, None, 5).await;
    assert_eq!(ledger, Ok(Vec::new()));
}

#[tokio::test]
async fn no_verb_reads_a_table_whole_though_nothing_is_known_about_it() {
    let Some(house) = House::shared() else { return };
    for parameters in ["", "&pooled=true"] {
        let url = house.next();
        let store = open(&format!("{url}{parameters}")).await;
        work(&store).await;
        work_on_schedules(&store).await;
        // A session tells what it did when it ends.
        drop(store);
        let client = house.client().await;
        let counted = |table: &str, column: &str| {
            let schema = schema_of(&url);
            format!(
                "select {column} from pg_stat_user_tables where schemaname = '{schema}' and relname = '{table}'"
            )
        };
        for (table, rows) in [("jobs", 600), ("schedules", 300), ("occurrences", 300)] {
            until("the server knows what was done", async || {
                let written: i64 = client
                    .query_one(&counted(table, "n_tup_ins"), &[])
                    .await
                    .expect("it counts")
                    .get(0);
                written >= rows
            })
            .await;
            // Each index was built by one scan of the table.
            let scans = client
                .query_one(&counted(table, "seq_scan"), &[])
                .await
                .expect("it counts");
            let scans: i64 = scans.get(0);
            assert!(
                scans <= 5,
                "{table} was read whole {scans} times ({parameters:?})"
            );
        }
    }
}
