//! Many jobs in one request.

use std::sync::Arc;
use std::time::Duration;

use macro_rules_attribute::apply;
use punctual::testing::{Call, Fate, FaultyStore};
use punctual::{Engine, Error, JobId};
use punctual_http::server::ServerSettings;
use punctual_http::wire::NewJob;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::house::{Answer, House, within};
use crate::stores::{Place, on_each_store};

const PATH: &str = "/v1/jobs/batch";

fn statuses(answer: &Answer) -> Vec<u64> {
    let items = answer.body["items"]
        .as_array()
        .unwrap_or_else(|| panic!("no items: {answer:?}"));
    items
        .iter()
        .map(|item| item["status"].as_u64().expect("a status"))
        .collect()
}

#[apply(on_each_store)]
async fn each_job_is_answered_in_order_and_a_bad_one_fails_alone(place: Place) {
    let house = House::open(&place).await;
    let batch = json!([
        {"kind": "mail", "payload": 0},
        {"kind": "mail", "priority": 99, "run_at": "soon"},
        {"kind": "http", "payload": {"method": "GET", "url": 7}},
        "mail",
        {"kind": "mail", "colour": "red"},
        {"kind": "mail", "unique": {"key": "k"}},
        {"kind": "mail", "unique": {"key": "k"}},
        {"kind": "mail", "unique": {"key": "k", "on_conflict": "reject"}},
        {},
        {"kind": "mail", "priority": 11},
    ]);
    let answer = house.post(PATH, batch.to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        statuses(&answer),
        [201, 422, 422, 422, 422, 201, 200, 409, 422, 422]
    );
    let items = &answer.body["items"];
    let pointer = |n: usize| &items[n]["problem"]["errors"][0]["pointer"];
    for (n, expected) in [
        (1, "/1/run_at"),
        (2, "/2/payload/url"),
        (3, "/3"),
        (4, "/4/colour"),
        (8, "/8/kind"),
        (9, "/9/priority"),
    ] {
        assert_eq!(pointer(n), expected);
        let detail = items[n]["problem"]["detail"].as_str().expect("a text");
        assert!(detail.starts_with(expected), "{detail}");
    }
    assert_eq!(items[5]["id"], items[6]["id"]);
    assert_eq!(
        (&items[5]["deduplicated"], &items[6]["deduplicated"]),
        (&json!(false), &json!(true))
    );
    let read = house
        .get(&format!("/v1/jobs/{}", items[0]["id"].as_str().expect("an id")))
        .await;
    assert_eq!(
        (&read.body["payload"], &read.body["rev"]),
        (&json!(0), &items[0]["rev"])
    );
    assert_eq!(house.jobs().await, 2);
}

#[apply(on_each_store)]
async fn a_thousand_jobs_are_stored_and_sent_again_they_are_the_same_jobs(place: Place) {
    let house = House::open(&place).await;
    let id = |n: usize| JobId::named(&n.to_string()).to_string();
    let batch: Vec<Value> = (0..1_000)
        .map(|n| json!({"id": id(n), "kind": "mail", "payload": n}))
        .collect();
    let batch = Value::from(batch).to_string();
    let first = house.post(PATH, &batch).await;
    assert_eq!(statuses(&first), [201; 1_000]);
    let again = house.post(PATH, &batch).await;
    assert_eq!(statuses(&again), [200; 1_000]);
    for (n, item) in first.body["items"].as_array().expect("items").iter().enumerate() {
        assert_eq!(item["id"], id(n));
    }
    assert_eq!(house.jobs().await, 1_000);
}

#[apply(on_each_store)]
async fn a_batch_larger_than_any_other_body_is_read_as_it_comes(place: Place) {
    let house = House::open(&place).await;
    let payload = "x".repeat(200_000);
    let mut stream = TcpStream::connect(house.address).await.expect("it listens");
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        house.address
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    for n in 0..50 {
        let before = if n == 0 { "[" } else { "," };
        let piece = format!(r#"{before}{{"kind": "mail", "payload": "{payload}"}}"#);
        let chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
        within(stream.write_all(chunk.as_bytes()))
            .await
            .expect("it reads");
    }
    // What came so far is stored while the rest is still to come.
    within(async {
        while house.jobs().await < 30 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    stream.write_all(b"1\r\n]\r\n0\r\n\r\n").await.expect("it reads");
    let answer = within(Answer::read(&mut stream)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(statuses(&answer), [201; 50]);
}

#[apply(on_each_store)]
async fn a_body_that_is_no_list_of_jobs_is_refused_as_a_whole(place: Place) {
    let house = House::open(&place).await;
    for (body, status) in [
        ("", 400),
        ("{}", 422),
        ("7", 422),
        ("[", 400),
        (r#"[{"kind": "mail"}"#, 400),
        (r#"[{"kind": "mail"}] 1"#, 400),
        (r#"[{"kind": "mail"},]"#, 400),
        (r#"[{"kind": "mail"}, {"kind": mail}]"#, 400),
        (r#"[{"kind": "mail"} {"kind": "mail"}]"#, 400),
        (r#"[{"colour": 1, "kind": mail}, {"kind": "b"}]"#, 400),
    ] {
        house.post(PATH, body).await.problem(status);
    }
    let answer = house.post(PATH, b"[{\"kind\": \"\xff\"}]").await;
    answer.problem(400);
    house
        .ask("POST", PATH, &[("Content-Type", "text/plain")], b"[]")
        .await
        .problem(415);
    house.post(&format!("{PATH}?wait=1s"), "[]").await.problem(400);
    assert_eq!(house.post(PATH, "[]").await.body, json!({"items": []}));
    assert_eq!(house.jobs().await, 0);
}

#[apply(on_each_store)]
async fn too_many_jobs_and_too_long_a_job_are_refused(place: Place) {
    let house = House::open(&place).await;
    let many = Value::from(vec![json!({"kind": "mail"}); 1_001]).to_string();
    house.post(PATH, many).await.problem(413);
    assert_eq!(house.jobs().await, 0, "a small body is stored once it is read");
    let long = format!(r#"[{{"kind": "mail", "payload": "{}"}}]"#, "x".repeat(1_100_000));
    house.post(PATH, long).await.problem(413);
    let claimed = 65 * 1024 * 1024;
    let headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", &*claimed.to_string()),
    ];
    house
        .ask_without_length("POST", PATH, &headers, b"[")
        .await
        .problem(413);
    assert_eq!(house.jobs().await, 0);
}

#[apply(on_each_store)]
async fn a_body_that_breaks_off_answers_for_what_was_stored_before(place: Place) {
    let house = House::open(&place).await;
    let payload = "x".repeat(250_000);
    let jobs = vec![format!(r#"{{"kind": "mail", "payload": "{payload}"}}"#); 6].join(",");
    let answer = house.post(PATH, format!("[{jobs}, oops]")).await;
    answer.problem(400);
    assert_eq!(answer.body["request_id"].as_str(), answer.header("x-request-id"));
    let stored = statuses(&answer);
    assert!(
        !stored.is_empty() && stored.iter().all(|status| *status == 201),
        "{stored:?}"
    );
    assert_eq!(house.jobs().await, stored.len());
}

#[apply(on_each_store)]
async fn a_batch_that_comes_too_slowly_is_given_up(place: Place) {
    let settings = ServerSettings {
        body_deadline: Duration::from_millis(100),
        ..ServerSettings::default()
    };
    let engine = place.engine().await;
    let house = House::with(engine, settings).await;
    let headers = [("Content-Type", "application/json"), ("Content-Length", "1000")];
    house
        .ask_without_length("POST", PATH, &headers, b"[")
        .await
        .problem(408);
}

#[apply(on_each_store)]
async fn a_store_that_is_down_is_told_for_each_job(place: Place) {
    let store = Arc::new(FaultyStore::new(place.open().await));
    let house = House::on(Engine::builder().caretaker(false).on(store.clone())).await;
    store.rule(|call| match call {
        Call::Insert(_) => Fate::Refuse(Error::unavailable("the disk is full")),
        _ => Fate::Pass,
    });
    let answer = house.post(PATH, r#"[{"kind": "mail"}, {}]"#).await;
    assert_eq!(statuses(&answer), [503, 422]);
    assert_eq!(
        answer.body["items"][0]["problem"]["detail"],
        "the disk is full; nothing was stored"
    );
}

#[apply(on_each_store)]
async fn the_client_sends_batches(place: Place) {
    let house = House::open(&place).await;
    let job = |body: Value| serde_json::from_value::<NewJob>(body).expect("a job");
    let jobs = [
        job(json!({"kind": "mail"})),
        job(json!({"kind": "mail", "delay": "soon"})),
    ];
    let items = house.client().enqueue_all(&jobs).await.expect("it is read");
    assert_eq!(
        items.iter().map(|item| item.status).collect::<Vec<_>>(),
        [201, 422]
    );
    let problem = items[1].problem.as_ref().expect("why");
    assert_eq!(problem.errors[0].pointer.as_deref(), Some("/1/delay"));
}
