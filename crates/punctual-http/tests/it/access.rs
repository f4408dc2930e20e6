//! Request ids.

use crate::house::House;

#[tokio::test]
async fn an_answer_carries_the_id_of_its_request() {
    let house = House::in_memory().await;
    let given = [("X-Request-Id", "build-17/step:3")];
    let answer = house.ask("GET", "/healthz", &given, b"").await;
    assert_eq!(answer.header("x-request-id"), Some("build-17/step:3"));
    let refused = house.ask("GET", "/nowhere", &given, b"").await;
    refused.problem(404);
    assert_eq!(refused.body["request_id"], "build-17/step:3");
}

#[tokio::test]
async fn an_id_that_is_none_is_replaced_by_a_fresh_one() {
    let house = House::in_memory().await;
    let long = "x".repeat(129);
    let mut ids = Vec::new();
    for given in ["", "two words", "\"quoted\"", "caf\u{e9}", &long] {
        let refused = house
            .ask("GET", "/nowhere", &[("X-Request-Id", given)], b"")
            .await;
        let id = refused.header("x-request-id").expect("it has one").to_owned();
        if refused.status == 404 {
            assert_eq!(refused.body["request_id"], id.as_str());
        }
        assert!(
            id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{given:?}: {id}"
        );
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each request has its own");
}

#[tokio::test]
async fn a_request_that_the_guard_refuses_has_an_id_too() {
    let house = House::in_memory().await;
    let refused = house
        .ask("GET", "/v1/jobs", &[("Host", "evil.example")], b"")
        .await;
    refused.problem(403);
    assert_eq!(
        refused.body["request_id"].as_str(),
        refused.header("x-request-id")
    );
}
