//! Cancel, retry and delete for all that a filter matches.

use macro_rules_attribute::apply;
use punctual::run::Outcome;
use punctual::{NewJob, hours};
use punctual_http::wire::{Bulk, Bulked, ListQuery, Verb};
use serde_json::json;

use crate::house::{House, done};
use crate::stores::{Place, on_each_store};

/// Puts this many jobs into a queue, every third of them with the tag `third`.
async fn fill(house: &House, queue: &str, count: usize) {
    let job = |n: usize| {
        let job = NewJob::bytes("mail", "1").queue(queue).delay(hours(1));
        if n.is_multiple_of(3) {
            job.tag("third")
        } else {
            job
        }
    };
    for stored in house.engine.enqueue_all((0..count).map(job).collect()).await {
        stored.expect("it is stored");
    }
}

/// Calls until there is no next; the sums, and the number of calls.
async fn to_the_end(house: &House, verb: Verb, mut bulk: Bulk) -> (Bulked, usize) {
    let client = house.client();
    let mut sum = Bulked::default();
    for calls in 1..100 {
        let some = client.bulk(verb, &bulk).await.expect("it is in order");
        assert_eq!(some.dry_run, bulk.dry_run);
        sum.matched += some.matched;
        sum.changed += some.changed;
        sum.refused += some.refused;
        match some.next {
            Some(next) => bulk.cursor = Some(next),
            None => return (sum, calls),
        }
    }
    panic!("it never ends");
}

#[apply(on_each_store)]
async fn thousands_are_counted_cancelled_retried_and_deleted_page_by_page(place: Place) {
    let house = House::open(&place).await;
    fill(&house, "a", 4_500).await;
    fill(&house, "b", 300).await;
    let filter = |query| Some(ListQuery::from_query(Some(query)).expect("they are known"));
    let mut bulk = Bulk {
        filter: filter("queue=a&tag=third"),
        dry_run: true,
        limit: Some(400),
        ..Bulk::default()
    };
    let (counted, calls) = to_the_end(&house, Verb::Cancel, bulk.clone()).await;
    assert_eq!((counted.matched, counted.changed), (1_500, 0));
    assert!(calls >= 4, "{calls}");
    bulk.dry_run = false;
    bulk.reason = Some("moved".to_owned());
    let (cancelled, _) = to_the_end(&house, Verb::Cancel, bulk.clone()).await;
    assert_eq!(
        (cancelled.matched, cancelled.changed, cancelled.refused),
        (1_500, 1_500, 0)
    );
    let one = house.get("/v1/jobs?state=cancelled&limit=1").await.body["items"][0]["id"].clone();
    let path = format!("/v1/jobs/{}", one.as_str().expect("an id"));
    assert_eq!(house.get(&path).await.body["cancel"], "moved");

    bulk.reason = None;
    bulk.filter = filter("state=cancelled");
    let (retried, _) = to_the_end(&house, Verb::Retry, bulk.clone()).await;
    assert_eq!((retried.matched, retried.changed), (1_500, 1_500));
    assert_eq!(house.get(&path).await.body["life"], 2);

    bulk.filter = filter("queue=a");
    bulk.limit = None;
    let (deleted, calls) = to_the_end(&house, Verb::Delete, bulk).await;
    assert_eq!((deleted.matched, deleted.changed, calls), (4_500, 4_500, 1));
    assert_eq!(house.jobs().await, 300, "those of the other queue");
}

#[apply(on_each_store)]
async fn what_cannot_be_changed_is_told_by_name(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let job = house.claim("default").await;
    let refused = house
        .post("/v1/jobs/delete", r#"{"filter": {"kind": "mail"}}"#)
        .await;
    assert_eq!(refused.status, 200, "{refused:?}");
    assert_eq!(
        (
            &refused.body["matched"],
            &refused.body["changed"],
            &refused.body["refused"]
        ),
        (&json!(1), &json!(0), &json!(1))
    );
    assert_eq!(refused.body["refusals"][0]["id"], id.to_string());
    let asked = house.post("/v1/jobs/cancel", r#"{"filter": {}}"#).await;
    assert_eq!(asked.body["changed"], 1, "it is to stop");
    house
        .settle(
            &job,
            Outcome::Cancelled {
                reason: String::new(),
            },
        )
        .await;
    let gone = house
        .post("/v1/jobs/delete", r#"{"filter": {"state": "cancelled"}}"#)
        .await;
    assert_eq!(
        (&gone.body["changed"], &gone.body["next"]),
        (&json!(1), &json!(null))
    );
}

#[apply(on_each_store)]
async fn a_slip_in_a_bulk_verb_is_pointed_at_and_changes_nothing(place: Place) {
    let house = House::open(&place).await;
    house.post("/v1/jobs", r#"{"kind": "mail"}"#).await;
    house.run_next("default", done("1")).await;
    for (verb, body, pointers) in [
        ("delete", json!({}), &["/filter"][..]),
        ("delete", json!({"filter": null}), &["/filter"]),
        (
            "delete",
            json!({"filter": {"colour": "red"}}),
            &["/filter/colour"],
        ),
        (
            "delete",
            json!({"filter": {"state": "asleep"}}),
            &["/filter/state"],
        ),
        (
            "delete",
            json!({"filter": {"due_before": "soon"}}),
            &["/filter/due_before"],
        ),
        ("delete", json!({"filter": {"limit": "7"}}), &["/filter/limit"]),
        (
            "cancel",
            json!({"filter": {"schedule": "nightly"}}),
            &["/filter/schedule"],
        ),
        ("delete", json!({"filter": {}, "limit": 0}), &["/limit"]),
        ("delete", json!({"filter": {}, "limit": 10_001}), &["/limit"]),
        ("delete", json!({"filter": {}, "cursor": "x"}), &["/cursor"]),
        ("delete", json!({"filter": {}, "reason": "x"}), &["/reason"]),
        ("delete", json!({"filters": {}}), &["/filters"]),
        ("retry", json!({"filter": {"kind": "mail"}}), &["/filter/state"]),
        (
            "retry",
            json!({"filter": {"state": "waiting"}}),
            &["/filter/state"],
        ),
        (
            "cancel",
            json!({"filter": {}, "reason": "x".repeat(2_000)}),
            &["/reason"],
        ),
    ] {
        let answer = house.post(&format!("/v1/jobs/{verb}"), body.to_string()).await;
        assert_eq!(answer.problem(422), pointers, "{verb} {body}");
    }
    house
        .post("/v1/jobs/delete?state=failed", r#"{"filter": {}}"#)
        .await
        .problem(400);
    house.get("/v1/jobs/delete").await.problem(405);
    assert_eq!(house.jobs().await, 1);
}
