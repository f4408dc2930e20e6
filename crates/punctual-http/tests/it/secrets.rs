//! Secrets that stand in jobs.

use serde_json::json;

use crate::house::House;

#[tokio::test]
async fn a_credential_that_stands_in_a_job_is_never_told() {
    let house = House::in_memory().await;
    let job = json!({
        "kind": "http",
        "payload": {
            "method": "GET",
            "url": "http://127.0.0.1:9/",
            "auth": {"basic": {"user": "ann", "password": "s3cret"}},
            "sign": "whsec_s3cret"
        }
    });
    let posted = house.post("/v1/jobs", job.to_string()).await;
    assert_eq!(posted.status, 201, "{posted:?}");
    let shown = house
        .get(&format!(
            "/v1/jobs/{}",
            posted.body["id"].as_str().expect("an id")
        ))
        .await;
    for answer in [posted, shown] {
        assert_eq!(
            answer.body["payload"]["auth"],
            json!({"basic": {"user": "ann", "password": "***"}})
        );
        assert_eq!(answer.body["payload"]["sign"], "***");
    }
    let wrong =
        json!({"kind": "http", "payload": {"method": "GET", "url": "http://a/", "auth": {"bearer": "***"}}});
    let answer = house.post("/v1/jobs", wrong.to_string()).await;
    assert_eq!(
        answer.body["errors"][0]["pointer"], "/payload/auth/bearer",
        "{answer:?}"
    );
}
