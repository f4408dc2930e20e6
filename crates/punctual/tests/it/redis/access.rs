//! TLS, passwords, and users who may do only so much.

use punctual::Kind;
use punctual::store::{Depth, Store};

use super::server::{Server, namespace, shared};
use super::{claim, insert, job, open, refusal, schedules, success, tell};

/// What `docs/stores.md` says a user needs.
const RIGHTS: &str =
    "~{NAMESPACE}:* &{NAMESPACE}:* +@read +@write +@scripting +@connection +@pubsub +info +time +config|get";

#[tokio::test]
async fn jobs_travel_over_tls_under_a_certificate_that_somebody_vouches_for() {
    let Some(server) = Server::start_with_tls() else {
        return;
    };
    assert!(server.url().starts_with("rediss://"), "{}", server.url());
    let authority = server.folder().join("ca.pem");
    let url = format!("{}?ca={}", server.url(), authority.display());
    let store = open(&url).await;
    insert(&store, &[job("a")]).await;
    let claimed = claim(&store, 1).await.expect("it claims").jobs;
    store.apply(&[success(&claimed[0])]).await.expect("it settles");

    // Nobody whom the machine knows vouches for it.
    let error = refusal(server.url()).await;
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("certificate"), "{error}");
    let plain = server.url().replace("rediss://", "redis://");
    assert_eq!(refusal(&plain).await.kind(), Kind::Unavailable);
    let missing = format!("{}?ca=/nowhere/ca.pem", server.url());
    assert!(refusal(&missing).await.to_string().contains("/nowhere/ca.pem"));
}

#[tokio::test]
async fn a_password_is_asked_for_and_taken() {
    let Some(server) = Server::start(&["requirepass open:sesame@home"]) else {
        return;
    };
    let with = |password: &str| server.url().replace("redis://", &format!("redis://:{password}@"));
    let store = open(&with("open%3Asesame%40home")).await;
    insert(&store, &[job("a")]).await;
    for url in [server.url().to_owned(), with("hunter2")] {
        let error = refusal(&url).await;
        assert_eq!(error.kind(), Kind::Unavailable);
        let said = error.to_string();
        assert!(said.contains("password") && !said.contains("hunter2"), "{said}");
    }
}

#[tokio::test]
async fn a_user_needs_no_more_rights_than_the_docs_say() {
    let Some(url) = shared() else { return };
    let url = namespace(&url);
    let name = url.split("namespace=").nth(1).expect("it has one").to_owned();
    let rights = RIGHTS.replace("NAMESPACE", &name);
    let mut command = vec!["ACL", "SETUSER", &name, "reset", "on", ">secret"];
    command.extend(rights.split(' '));
    tell(&url, &command).await;

    let of_user = url.replacen("redis://", &format!("redis://{name}:secret@"), 1);
    let store = open(&of_user).await;
    insert(&store, &[job("a")]).await;
    let claimed = claim(&store, 1).await.expect("it claims").jobs;
    store.apply(&[success(&claimed[0])]).await.expect("it settles");
    schedules::live_through_all(&store).await;
    store.check(Depth::Quick).await.expect("it checks");

    let elsewhere = of_user.replace("namespace=", "namespace=not-");
    let error = refusal(&elsewhere).await;
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("user"), "{error}");

    // A right that is missing is told when the store opens, and not in the middle of a write.
    tell(&url, &["ACL", "SETUSER", &name, "-zadd"]).await;
    let error = refusal(&of_user).await;
    assert!(error.to_string().contains("ZADD"), "{error}");
    tell(&url, &["ACL", "DELUSER", &name]).await;
}
