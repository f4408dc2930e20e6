//! Which way PostgreSQL takes, also where it knows nothing about the tables yet.

use punctual::change::Change;
use punctual::job::{Job, State};
use punctual::store::{Filter, Page, Store, View};

use super::server::{House, open, schema_of};
use super::{claim, insert, job, success, until, with_key};
use crate::rows::beat_of;

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

#[tokio::test]
async fn no_verb_reads_the_table_of_jobs_whole_though_nothing_is_known_about_it() {
    let Some(house) = House::shared() else { return };
    for parameters in ["", "&pooled=true"] {
        let url = house.next();
        let store = open(&format!("{url}{parameters}")).await;
        work(&store).await;
        // A session tells what it did when it ends.
        drop(store);
        let client = house.client().await;
        let counted = |column: &str| {
            let schema = schema_of(&url);
            format!(
                "select {column} from pg_stat_user_tables where schemaname = '{schema}' and relname = 'jobs'"
            )
        };
        until("the server knows what was done", async || {
            let written: i64 = client
                .query_one(&counted("n_tup_ins"), &[])
                .await
                .expect("it counts")
                .get(0);
            written > 300
        })
        .await;
        // Each index was built by one scan of the table.
        let scans = client
            .query_one(&counted("seq_scan"), &[])
            .await
            .expect("it counts");
        let scans: i64 = scans.get(0);
        assert!(
            scans <= 5,
            "the table was read whole {scans} times ({parameters:?})"
        );
    }
}
