//! Workers that claim, beat and settle over HTTP, by hand.

use macro_rules_attribute::apply;
use punctual::JobId;
use punctual::engine::{Filter, Page, View};
use punctual::run::{Outcome, Release, RunId};
use punctual_http::server::ServerSettings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{Answer, House, within};
use crate::stores::{Place, on_each_store};

/// Asks as a worker in any language does.
async fn ask(house: &House, verb: &str, body: &Value) -> Answer {
    house.post(&format!("/v1/workers/{verb}"), body.to_string()).await
}

/// Claims one job, which has to be there.
async fn take(house: &House, wish: Value) -> Value {
    let mut wish = wish;
    wish["worker"] = json!("by hand");
    let claimed = ask(house, "claim", &wish).await;
    assert_eq!(claimed.status, 200, "{claimed:?}");
    claimed.body["runs"][0].clone()
}

/// Settles a run, and gives the verdict.
async fn settle(house: &House, run: &Value, outcome: Value) -> Value {
    let runs = json!([{"id": run["job"]["id"], "run": run["run"], "outcome": outcome}]);
    let settled = ask(house, "settle", &json!({"worker": "by hand", "runs": runs})).await;
    assert_eq!(settled.status, 200, "{settled:?}");
    settled.body["runs"][0]["verdict"].clone()
}

async fn beat(house: &House, run: &Value) -> Value {
    let runs = json!([{"id": run["job"]["id"], "run": run["run"], "progress": {"done": 0.5}}]);
    let beaten = ask(house, "beat", &json!({"worker": "by hand", "runs": runs})).await;
    assert_eq!(beaten.status, 200, "{beaten:?}");
    beaten.body["runs"][0]["verdict"].clone()
}

#[apply(on_each_store)]
async fn a_claimed_job_is_held_by_beats_until_it_is_settled_once(place: Place) {
    let house = House::open(&place).await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "work", "payload": {"n": 1.00}}"#)
        .await
        .id();
    let run = take(&house, json!({"lease": "1m"})).await;
    assert_eq!(
        (&run["attempt"], &run["lease"], &run["job"]["payload"]),
        (&json!(1), &json!("1m"), &json!({"n": 1.00}))
    );
    assert_eq!(beat(&house, &run).await, "held");
    let job = house.get(&format!("/v1/jobs/{id}")).await.body;
    assert_eq!(
        (&job["worker"], &job["progress"]),
        (&json!("by hand"), &json!({"done": 0.5}))
    );

    assert_eq!(
        settle(&house, &run, json!({"done": {"sent": true}})).await,
        "settled"
    );
    assert_eq!(settle(&house, &run, json!({"done": 2})).await, "stale");
    assert_eq!(beat(&house, &run).await, "lost");
    let result = house.get(&format!("/v1/jobs/{id}/result")).await;
    assert_eq!(result.body["result"], json!({"sent": true}));
}

#[apply(on_each_store)]
async fn every_outcome_leads_where_the_library_says(place: Place) {
    let house = House::open(&place).await;
    for (outcome, phase) in [
        (json!({"done": null}), "succeeded"),
        (json!({"done_base64": "/w=="}), "succeeded"),
        (json!({"retry": {"error": "busy", "after": "5m"}}), "retrying"),
        (
            json!({"retry": {"error": "slow", "after": "5m", "cause": "timeout"}}),
            "retrying",
        ),
        (json!({"fail": {"error": "no such user"}}), "failed"),
        (json!({"snooze": {"until": "2300-01-01T00:00:00Z"}}), "scheduled"),
        (json!({"snooze": {"for": "1h"}}), "scheduled"),
        (json!({"cancelled": {}}), "cancelled"),
        (json!({"defer": {"for": "1h"}}), "running"),
        (json!({"release": {}}), "ready"),
    ] {
        let queue = outcome
            .to_string()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let job = json!({"kind": "work", "queue": queue}).to_string();
        let id = house.post("/v1/jobs", job).await.id();
        let run = take(&house, json!({"queues": [queue]})).await;
        assert_eq!(
            settle(&house, &run, outcome.clone()).await,
            "settled",
            "{outcome}"
        );
        let job = house.get(&format!("/v1/jobs/{id}")).await.body;
        assert_eq!(job["phase"], phase, "{outcome}");
    }
}

#[apply(on_each_store)]
async fn a_claim_waits_for_a_job_and_comes_back_empty_when_its_wait_is_over(place: Place) {
    let house = House::open(&place).await;
    let wish = json!({"worker": "by hand", "wait": "20ms"});
    let none = ask(&house, "claim", &wish).await;
    assert_eq!(
        (&none.body["runs"], &none.body["next_due"]),
        (&json!([]), &Value::Null)
    );
    let (run, _) = tokio::join!(
        take(&house, json!({"wait": "15s"})),
        house.post("/v1/jobs", r#"{"kind": "work", "delay": "50ms"}"#),
    );
    assert_eq!(run["job"]["kind"], "work");
}

/// Sends a claim, and reads nothing of its answer.
async fn send_claim(house: &House, wish: &Value) -> TcpStream {
    let body = wish.to_string();
    let head = format!(
        "POST /v1/workers/claim HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        house.address,
        body.len()
    );
    let mut stream = TcpStream::connect(house.address).await.expect("it listens");
    stream
        .write_all((head + &body).as_bytes())
        .await
        .expect("it reads");
    stream
}

#[apply(on_each_store)]
async fn a_worker_that_leaves_while_it_waits_takes_no_job_along(place: Place) {
    let house = House::open(&place).await;
    for _ in 0..5 {
        let stream = send_claim(&house, &json!({"worker": "gone", "wait": "1m", "lease": "1h"})).await;
        // Whether the server has read it, and whether it notices the end first, does not matter.
        let (posted, ()) = tokio::join!(house.post("/v1/jobs", r#"{"kind": "work"}"#), async {
            drop(stream);
        });
        let run = within(take(&house, json!({"wait": "20s"}))).await;
        assert_eq!(run["job"]["id"], posted.body["id"], "nobody else holds it");
        assert_eq!(run["attempt"], 1, "and nothing was spent on who left");
        settle(&house, &run, json!({"done": 1})).await;
    }
}

#[apply(on_each_store)]
async fn jobs_in_an_answer_that_nobody_reads_are_put_back_before_the_server_stops(place: Place) {
    let mut house = House::open(&place).await;
    // More than the system keeps for a reader.
    let job = json!({"kind": "work", "payload": "x".repeat(250_000)}).to_string();
    for _ in 0..60 {
        house.post("/v1/jobs", &job).await;
    }
    let mut stream = send_claim(&house, &json!({"worker": "gone", "max": 60, "lease": "1h"})).await;
    // Once a byte has come, the server is writing.
    within(stream.read_exact(&mut [0])).await.expect("it answers");
    drop(stream);
    let engine = house.engine.clone();
    house.stop();
    house.stopped().await;
    let waiting = Filter {
        view: View::Waiting,
        ..Filter::default()
    };
    let page = Page {
        limit: 100,
        after: None,
    };
    let waiting = engine.list(waiting, page).await.expect("it is read").items;
    assert_eq!(waiting.len(), 60);
    assert!(waiting.iter().all(|job| job.attempt == 0 && job.run > 0));
}

#[apply(on_each_store)]
async fn only_so_many_workers_wait_at_once_and_others_are_told_to_come_again(place: Place) {
    let settings = ServerSettings {
        workers: 1,
        ..ServerSettings::default()
    };
    let engine = place.engine().await;
    let house = House::with(engine, settings).await;
    let wish = json!({"worker": "patient", "wait": "1m"});
    let first = send_claim(&house, &wish).await;
    // The first one may not have been read yet, and a claim that does not wait needs no place.
    let brief = json!({"worker": "brief", "wait": "1ms"});
    let refused = async {
        loop {
            let answer = ask(&house, "claim", &brief).await;
            if answer.status != 200 {
                return answer;
            }
        }
    };
    let refused = within(refused).await;
    assert!(refused.problem(503).is_empty());
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(
        ask(&house, "claim", &json!({"worker": "hasty"})).await.status,
        200
    );

    drop(first);
    let free = async { while ask(&house, "claim", &brief).await.status != 200 {} };
    within(free).await;
}

#[apply(on_each_store)]
async fn what_no_worker_may_ask_is_pointed_at(place: Place) {
    let house = House::open(&place).await;
    for (verb, body, places) in [
        ("claim", json!({}), vec!["/worker"]),
        ("claim", json!({"worker": "w", "colour": 1}), vec!["/colour"]),
        (
            "claim",
            json!({"worker": "", "queues": ["a", "a", "b c"], "max": 101, "wait": "61s", "lease": "2h"}),
            vec!["/worker", "/queues/1", "/queues/2", "/max", "/wait", "/lease"],
        ),
        (
            "claim",
            json!({"worker": "w", "max": 0, "queues": [], "lease": "10ms"}),
            vec!["/queues", "/max", "/lease"],
        ),
        (
            "beat",
            json!({"worker": "w", "runs": [{"id": "x"}]}),
            vec!["/runs/0/id", "/runs/0/run"],
        ),
        (
            "beat",
            json!({"worker": "w", "runs": [{"id": JobId::named("a").to_string(), "run": 1, "progress": "x".repeat(5000)}]}),
            vec!["/runs/0/progress"],
        ),
        (
            "beat",
            json!({"worker": "w", "runs": [{"id": "x", "run": -1}]}),
            vec!["/runs/0/run"],
        ),
        (
            "settle",
            json!({"worker": "w", "runs": [{"run": 1}]}),
            vec!["/runs/0/id", "/runs/0/outcome"],
        ),
        // a list is no object, even with its fields in their order
        (
            "settle",
            json!({"runs": [[JobId::named("a").to_string(), 1, {"done": 1}]]}),
            vec!["/runs/0"],
        ),
        (
            "beat",
            json!({"worker": "w", "runs": [[JobId::named("a").to_string(), 1]]}),
            vec!["/runs/0"],
        ),
    ] {
        let answer = ask(&house, verb, &body).await;
        assert_eq!(answer.problem(422), places, "{verb} {body}");
    }
}

#[apply(on_each_store)]
async fn of_a_body_that_is_wrong_all_over_a_hundred_places_are_named_and_of_a_long_list_its_length(
    place: Place,
) {
    let house = House::open(&place).await;
    for verb in ["beat", "settle"] {
        let many = ask(
            &house,
            verb,
            &json!({"worker": "w", "runs": vec![json!({}); 1_000]}),
        )
        .await;
        assert_eq!(many.problem(422).len(), 100, "{verb}");
        let long = ask(
            &house,
            verb,
            &json!({"worker": "w", "runs": vec![json!({}); 100_000]}),
        )
        .await;
        assert_eq!(long.problem(422), ["/runs"], "{verb}");
    }
}

#[apply(on_each_store)]
async fn what_is_not_exactly_one_outcome_is_pointed_at(place: Place) {
    let house = House::open(&place).await;
    let settle = async |outcome: Value| {
        let run = json!({"id": JobId::named("a").to_string(), "run": 1, "outcome": outcome});
        ask(&house, "settle", &json!({"runs": [run]})).await.problem(422)
    };
    for (outcome, place) in [
        (json!({}), ""),
        (json!({"done": 1, "fail": {"error": "x"}}), ""),
        (json!({"won": {}}), "/won"),
        (json!({"retry": null}), "/retry"),
        (json!({"retry": {"error": "x", "after": "soon"}}), "/retry/after"),
        (json!({"snooze": {}}), "/snooze"),
        (json!({"done_base64": "?"}), "/done_base64"),
    ] {
        assert_eq!(settle(outcome).await, [format!("/runs/0/outcome{place}")]);
    }
    for (name, list) in [
        ("retry", json!(["it broke", null, null])),
        ("fail", json!(["it broke"])),
        ("snooze", json!([null, "5m"])),
        ("cancelled", json!([null])),
        ("defer", json!(["5m"])),
        ("release", json!([null, null])),
    ] {
        assert_eq!(
            settle(json!({name: list})).await,
            [format!("/runs/0/outcome/{name}")]
        );
    }
}

#[apply(on_each_store)]
async fn a_worker_is_listed_with_what_it_told_of_itself(place: Place) {
    let house = House::open(&place).await;
    ask(&house, "beat", &json!({"worker": "by hand"})).await;
    let workers = house.client().workers().await.expect("it answers").items;
    assert_eq!(workers.len(), 1);
    let told = &workers[0];
    assert_eq!(
        (told.worker.as_str(), &told.host, told.pid, told.started_at),
        ("by hand", &None, None, None)
    );
}

#[apply(on_each_store)]
async fn a_worker_is_told_as_it_is_and_forgotten_once_it_has_stopped(place: Place) {
    let house = House::open(&place).await;
    house.post("/v1/jobs", r#"{"kind": "mail"}"#).await;
    let run = take(&house, json!({})).await;
    let listed = async || house.client().workers().await.expect("it answers").items;
    for (told, state) in [(false, "working"), (true, "stopping")] {
        let beat = json!({"worker": "by hand", "lease": "1m", "stopping": told, "running": 7});
        ask(&house, "beat", &beat).await;
        let workers = listed().await;
        assert_eq!((workers.len(), workers[0].state.as_str()), (1, state));
        assert_eq!(workers[0].running, 1, "what it holds is counted");
    }
    assert_eq!(settle(&house, &run, json!({"done": null})).await, "settled");
    assert_eq!(listed().await[0].running, 0);
    let last = ask(&house, "beat", &json!({"worker": "by hand", "stopped": true})).await;
    assert_eq!(last.status, 200, "{last:?}");
    assert_eq!(listed().await.len(), 0);
}

#[apply(on_each_store)]
async fn a_worker_is_given_a_payload_as_it_was_sent_secrets_and_all(place: Place) {
    let house = House::open(&place).await;
    let call = json!({"method": "GET", "url": "http://localhost/", "headers": {"authorization": "Bearer x"}});
    house
        .post("/v1/jobs", json!({"kind": "http", "payload": call}).to_string())
        .await;
    let run = take(&house, json!({"queues": ["http"]})).await;
    assert_eq!(run["job"]["payload"], call);
}

#[apply(on_each_store)]
async fn a_released_run_is_no_longer_its_workers(place: Place) {
    let house = House::open(&place).await;
    house.post("/v1/jobs", r#"{"kind": "work"}"#).await;
    let near = house.claim("default").await;
    house.settle(&near, Outcome::Release(Release::Unstarted)).await;
    let run = take(&house, json!({})).await;
    let stale = json!({"job": run["job"], "run": RunId { job: near.id(), run: near.status.run }.run});
    assert_eq!(settle(&house, &stale, json!({"done": 1})).await, "stale");
    assert_eq!(beat(&house, &run).await, "held");
}
