//! Queues: what they are set to, paused and emptied of.

use macro_rules_attribute::apply;
use punctual::run::Outcome;
use punctual_http::wire::{NewRate, Purge, QueueLimits};
use serde_json::{Value, json};

use crate::house::{Answer, House, done};
use crate::stores::{Place, on_each_store};

const JSON: (&str, &str) = ("Content-Type", "application/json");

async fn put(house: &House, name: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(JSON);
    let path = format!("/v1/queues/{name}");
    house
        .ask("PUT", &path, &headers, body.to_string().as_bytes())
        .await
}

async fn enqueue(house: &House, queue: &str, count: usize) {
    for _ in 0..count {
        let job = json!({"kind": "work", "queue": queue}).to_string();
        assert_eq!(house.post("/v1/jobs", job).await.status, 201);
    }
}

#[apply(on_each_store)]
async fn a_queue_that_nobody_made_is_open_and_unlimited(place: Place) {
    let house = House::open(&place).await;
    let queue = house.get("/v1/queues/mail").await;
    assert_eq!((queue.status, queue.header("etag")), (200, Some("\"0\"")));
    let counts = json!({"waiting": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0});
    assert_eq!(
        queue.body,
        json!({"name": "mail", "rev": 0, "paused": null, "max_running": null, "rate": null, "retention": null,
               "counts": counts, "oldest_ready": null})
    );
    assert_eq!(
        house.get("/v1/queues").await.body,
        json!({"items": [], "next": null})
    );
}

#[apply(on_each_store)]
async fn queues_are_listed_by_name_with_their_settings_counts_and_oldest_ready_job(place: Place) {
    let house = House::open(&place).await;
    enqueue(&house, "b", 2).await;
    house.run_next("b", done("1")).await;
    put(&house, "a%2Fx", &[], &json!({"max_running": 3})).await;
    house.post("/v1/queues/c/pause", r#"{"reason": "tonight"}"#).await;

    let listed = house.get("/v1/queues").await.body;
    let items = listed["items"].as_array().expect("items");
    let names: Vec<&Value> = items.iter().map(|queue| &queue["name"]).collect();
    assert_eq!(names, ["a/x", "b", "c"]);
    assert_eq!(items[0]["max_running"], 3);
    assert_eq!(
        (&items[1]["counts"]["waiting"], &items[1]["counts"]["succeeded"]),
        (&json!(1), &json!(1))
    );
    assert!(items[1]["oldest_ready"].is_string(), "{listed}");
    assert_eq!(items[2]["paused"]["reason"], "tonight");
    assert!(items[2]["paused"]["since"].is_string(), "{listed}");

    let first = house.get("/v1/queues?limit=2").await.body;
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
    let next = first["next"].as_str().expect("there is another page");
    let second = house.get(&format!("/v1/queues?limit=2&cursor={next}")).await.body;
    assert_eq!(
        (&second["items"][0]["name"], &second["next"]),
        (&json!("c"), &Value::Null)
    );
}

#[apply(on_each_store)]
async fn a_queue_is_limited_as_it_was_seen_or_not_at_all(place: Place) {
    let house = House::open(&place).await;
    let limits = json!({"max_running": 3, "rate": {"n": 10, "per": "1s"}, "retention": {"succeeded": "0s"}});
    let set = put(&house, "mail", &[("If-Match", "\"0\"")], &limits).await;
    assert_eq!((set.status, set.header("etag")), (200, Some("\"1\"")), "{set:?}");
    assert_eq!(set.body["rate"], json!({"n": 10, "per": "1s", "burst": 10}));
    assert_eq!(
        set.body["retention"],
        json!({"succeeded": "0", "failed": "7d", "cancelled": "7d"})
    );
    put(&house, "mail", &[("If-Match", "\"0\"")], &limits)
        .await
        .problem(412);
    let lifted = put(&house, "mail", &[("If-Match", "\"1\"")], &json!({})).await;
    assert_eq!(
        (&lifted.body["rev"], &lifted.body["max_running"]),
        (&json!(2), &Value::Null)
    );
}

#[apply(on_each_store)]
async fn limits_that_cannot_be_are_pointed_at_all_at_once(place: Place) {
    let house = House::open(&place).await;
    let wrong = json!({"max_running": -1, "rate": {"n": 0, "per": "1us", "burst": "x"}});
    assert_eq!(
        put(&house, "mail", &[], &wrong).await.problem(422),
        ["/rate/burst"]
    );
    let wrong = json!({"max_running": -1, "rate": {"n": 0, "per": "1us"}, "retention": {"failed": "soon"}});
    assert_eq!(
        put(&house, "mail", &[], &wrong).await.problem(422),
        ["/max_running", "/rate/n", "/rate/per", "/retention/failed"]
    );
    assert_eq!(
        put(&house, "mail", &[], &json!({"paused": {}}))
            .await
            .problem(422),
        ["/paused"]
    );
    assert_eq!(
        put(&house, "no%20name", &[], &json!({})).await.problem(400),
        ["name"]
    );
    let long = json!({"reason": "x".repeat(1025)}).to_string();
    assert_eq!(
        house.post("/v1/queues/mail/pause", long).await.problem(422),
        ["/reason"]
    );
    assert_eq!(
        house.get("/v1/queues/mail").await.body["rev"],
        0,
        "nothing was set"
    );
}

#[apply(on_each_store)]
async fn a_pause_survives_new_limits_and_keeps_its_beginning_until_it_is_ended(place: Place) {
    let house = House::open(&place).await;
    let client = house.client();
    let paused = client
        .pause_queue("mail", "the printer burns")
        .await
        .expect("it is paused");
    let since = paused.paused.expect("it is paused").since;
    let limits = QueueLimits {
        rate: Some(NewRate {
            n: Some(1),
            per: Some("1m".to_owned()),
            burst: None,
        }),
        ..QueueLimits::default()
    };
    client
        .limit_queue("mail", &limits, None)
        .await
        .expect("it is limited");
    let again = client
        .pause_queue("mail", "it still does")
        .await
        .expect("it is paused");
    let pause = again.paused.expect("it is paused");
    assert_eq!((pause.reason.as_str(), pause.since), ("it still does", since));
    let open = client.resume_queue("mail").await.expect("it is open");
    assert_eq!((open.paused, open.rate.map(|rate| rate.burst)), (None, Some(1)));
}

#[apply(on_each_store)]
async fn a_purge_counts_first_and_deletes_the_waiting_jobs_of_its_queue_only(place: Place) {
    let house = House::open(&place).await;
    let client = house.client();
    enqueue(&house, "mail", 5).await;
    enqueue(&house, "other", 1).await;
    house.run_next("mail", done("1")).await;
    let running = house.claim("mail").await;

    let count = Purge {
        dry_run: true,
        ..Purge::default()
    };
    let counted = client.purge_queue("mail", &count).await.expect("it counts");
    assert_eq!((counted.matched, counted.changed, counted.next), (3, 0, None));
    assert_eq!(house.jobs().await, 6, "nothing is deleted yet");
    let purged = client
        .purge_queue("mail", &Purge::default())
        .await
        .expect("it purges");
    assert_eq!((purged.matched, purged.changed), (3, 3));
    assert_eq!(
        house.jobs().await,
        3,
        "one has ended, one runs, one is another queue's"
    );
    house
        .settle(
            &running,
            Outcome::Fail {
                error: "no".to_owned(),
            },
        )
        .await;
    let failed = Purge {
        state: Some("failed".to_owned()),
        ..Purge::default()
    };
    assert_eq!(
        client
            .purge_queue("mail", &failed)
            .await
            .expect("it purges")
            .changed,
        1
    );

    let path = "/v1/queues/mail/purge";
    for (body, place) in [
        (r#"{"state": "running"}"#, "/state"),
        (r#"{"state": "asleep"}"#, "/state"),
        (r#"{"cursor": "x"}"#, "/cursor"),
    ] {
        assert_eq!(house.post(path, body).await.problem(422), [place], "{body}");
    }
}

#[apply(on_each_store)]
async fn who_waits_for_a_job_that_is_purged_is_told_at_once(place: Place) {
    let house = House::open(&place).await;
    house.post("/v1/queues/mail/pause", "{}").await;
    let posted = house
        .post("/v1/jobs", r#"{"kind": "work", "queue": "mail"}"#)
        .await;
    let path = format!("/v1/jobs/{}/result?wait=10m", posted.id());
    let (waited, _) = tokio::join!(house.get(&path), async {
        house.post("/v1/queues/mail/purge", "{}").await
    });
    waited.problem(404);
}
