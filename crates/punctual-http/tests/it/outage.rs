//! A store that goes away and comes back.

use std::sync::Arc;

use macro_rules_attribute::apply;
use punctual::engine::Engine;
use punctual::testing::{Fate, FaultyStore};
use punctual::{Error, Kind};

use crate::house::{Answer, House, done};
use crate::stores::{Place, on_each_store};

const JOB: &str = r#"{"kind": "mail"}"#;

/// A server whose store can be taken away.
async fn house(place: &Place) -> (House, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(place.open().await));
    (House::on(Engine::builder().on(store.clone())).await, store)
}

#[track_caller]
fn try_again_later(answer: &Answer) {
    answer.problem(503);
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
}

#[apply(on_each_store)]
async fn while_the_store_is_away_every_door_says_to_try_again(place: Place) {
    let (house, store) = house(&place).await;
    let id = house.post("/v1/jobs", JOB).await.id();
    store.rule(|_| Fate::Refuse(Error::unavailable("the store is away")));

    let added = house.post("/v1/jobs", JOB).await;
    try_again_later(&added);
    assert_eq!(added.body["detail"], "the store is away; nothing was stored");
    let batch = house.post("/v1/jobs/batch", format!("[{JOB}]")).await;
    assert_eq!(
        batch.body["items"][0]["problem"]["detail"], added.body["detail"],
        "{batch:?}"
    );
    try_again_later(&house.post(&format!("/v1/jobs/{id}/cancel"), "{}").await);
    let look = house.get("/v1/jobs").await;
    assert_eq!(
        look.body["detail"], "the store is away",
        "it was to store nothing"
    );
    for path in [
        "/readyz".to_owned(),
        "/v1/jobs".to_owned(),
        format!("/v1/jobs/{id}"),
        format!("/v1/jobs/{id}/attempts"),
        format!("/v1/jobs/{id}/result?wait=10s"),
    ] {
        try_again_later(&house.get(&path).await);
    }
    try_again_later(&house.ask("DELETE", &format!("/v1/jobs/{id}"), &[], b"").await);
    assert_eq!(house.get("/healthz").await.status, 200, "the process lives");
    let told = house.client().job(&id.to_string()).await.expect_err("it is away");
    assert_eq!(told.kind(), Kind::Unavailable);
}

#[apply(on_each_store)]
async fn a_store_that_comes_back_is_used_again_by_itself(place: Place) {
    let (house, store) = house(&place).await;
    store.rule(|_| Fate::Refuse(Error::unavailable("the store is away")));
    try_again_later(&house.post("/v1/jobs", JOB).await);
    store.rule(|_| Fate::Pass);

    assert_eq!(house.get("/readyz").await.status, 200);
    assert_eq!(house.jobs().await, 0, "what was refused was not stored");
    let id = house.post("/v1/jobs", JOB).await.id();
    house.run_next("default", done("7")).await;
    let result = house.get(&format!("/v1/jobs/{id}/result?wait=10s")).await;
    assert_eq!((result.status, &result.body["state"]), (200, &"succeeded".into()));
}

#[apply(on_each_store)]
async fn a_store_that_does_not_answer_is_not_ready(place: Place) {
    let (house, store) = house(&place).await;
    let door = store.shut().await;
    try_again_later(&house.get("/readyz").await);
    drop(door);
    assert_eq!(house.get("/readyz").await.status, 200);
}
