//! What a newer version, or somebody's hand, left in the tables and this version cannot read: it harms only itself.

use punctual::change::{Applied, Change};
use punctual::job::{Job, State};
use punctual::store::{Filter, Page, Store, View};
use punctual::{JobId, Kind};
use tokio_postgres::Client;

use super::server::{House, open, schema_of};
use super::{claim, insert, job};
use crate::rows::{a_bad_schedule_harms_only_itself, bad_rows_at_the_head_are_got_through, claim_by_name};

/// Changes the row of this job so that it cannot be read.
async fn spoil(client: &Client, url: &str, name: &str, how: &str) {
    let sql = format!("update {}.jobs set {how} where id = $1", schema_of(url));
    let changed = client.execute(&sql, &[&JobId::named(name).0]).await;
    assert_eq!(changed.expect("it is changed"), 1);
}

#[tokio::test]
async fn a_due_row_that_cannot_be_read_is_put_off_and_keeps_no_other_from_its_turn() {
    let Some(house) = House::shared() else { return };
    let (url, client) = (house.next(), house.client().await);
    let store = open(&url).await;
    insert(&store, &["a", "b", "c"].map(job)).await;
    for bad in ["a", "b"] {
        spoil(
            &client,
            &url,
            bad,
            "options = '{\"on_lost\":\"telephone\"}', run = 7",
        )
        .await;
    }
    let claimed = claim(&store, 3).await;
    let ids: Vec<JobId> = claimed.jobs.iter().map(Job::id).collect();
    assert_eq!(ids, [JobId::named("c")]);
    assert!(
        claimed.next_due > Some(claimed.now),
        "a process that can read it may"
    );
    let sql = format!(
        "select state, run, attempt, worker from {}.jobs where id = $1",
        schema_of(&url)
    );
    let row = client
        .query_one(&sql, &[&JobId::named("a").0])
        .await
        .expect("it is there");
    let found: (i16, i64, i32, Option<&str>) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(found, (0, 7, 0, None), "it waits as it did");

    spoil(&client, &url, "a", "options = null, due = 0").await;
    let jobs = claim(&store, 3).await.jobs;
    assert_eq!((jobs.len(), jobs[0].id()), (1, JobId::named("a")));
    assert_eq!(jobs[0].status.attempt, 1, "it was never begun");
}

#[tokio::test]
async fn a_line_that_begins_with_many_rows_that_cannot_be_read_is_got_through() {
    let Some(house) = House::shared() else { return };
    let (url, client) = (house.next(), house.client().await);
    let store = open(&url).await;
    bad_rows_at_the_head_are_got_through(&store, async |name| {
        spoil(&client, &url, name, "tags = '{'").await
    })
    .await;
}

#[tokio::test]
async fn what_reads_or_names_a_row_that_cannot_be_read_gets_on_with_the_others() {
    let Some(house) = House::shared() else { return };
    let (url, client) = (house.next(), house.client().await);
    let store = open(&url).await;
    insert(&store, &["a", "b"].map(job)).await;
    spoil(&client, &url, "a", "tags = '{', alarm = 1").await;
    let jobs = claim_by_name(&store, &["a", "b"]).await;
    assert_eq!((jobs.len(), jobs[0].id()), (1, JobId::named("b")));
    let overdue = store.overdue(5, None).await.expect("the store reads");
    assert_eq!(overdue.jobs, []);
    let page = Page {
        limit: 5,
        after: None,
    };
    let filter = Filter {
        view: View::All,
        ..Filter::default()
    };
    let listed = store.list(filter, page).await.expect("the store lists");
    assert_eq!(listed.items.len(), 1);
    let error = store.fetch(&["a", "b"].map(JobId::named)).await;
    assert_eq!(error.expect_err("it cannot be read").kind(), Kind::Internal);
}

#[tokio::test]
async fn a_batch_with_a_stale_row_that_cannot_be_read_changes_nothing() {
    let Some(house) = House::shared() else { return };
    let (url, client) = (house.next(), house.client().await);
    let store = open(&url).await;
    insert(&store, &["a", "b"].map(job)).await;
    spoil(&client, &url, "a", "tags = '{', rev = rev + 1").await;
    let changes = ["a", "b"].map(|name| Change::delete(&job(name)));
    let error = store.apply(&changes).await.expect_err("it cannot be told");
    assert_eq!((error.kind(), error.is_unknown()), (Kind::Internal, false));
    let counted = store.counts().await.expect("the store counts").queues;
    assert_eq!(counted[0].jobs[State::Waiting as usize], 2);
    let applied = store.apply(&changes[1..]).await;
    assert_eq!(applied, Ok(vec![Applied::Applied]));
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_is_told_and_harms_only_itself() {
    let Some(house) = House::shared() else { return };
    let (url, client) = (house.next(), house.client().await);
    let store = open(&url).await;
    a_bad_schedule_harms_only_itself(&store, async |name| {
        let change = r#"set plan = replace(plan, '"spec"', '"weather":1,"spec"') where name = $1"#;
        let sql = format!("update {}.schedules {change}", schema_of(&url));
        let changed = client.execute(&sql, &[&name]).await;
        assert_eq!(changed.expect("it is changed"), 1);
    })
    .await;
}
