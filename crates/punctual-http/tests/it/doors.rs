//! Who may come in, and what there is.

use punctual::Kind;
use punctual::engine::Engine;
use punctual_http::client::ClientError;
use punctual_http::{Client, Server};

use crate::house::House;

#[tokio::test]
async fn an_address_beyond_loopback_is_refused() {
    let engine = Engine::open("memory:").await.expect("memory opens");
    for address in ["0.0.0.0:0", "[::]:0", "10.1.2.3:0"] {
        let refused = Server::bind(engine.clone(), address.parse().expect("an address")).await;
        let error = refused.err().expect(address);
        assert_eq!(error.kind(), Kind::Denied);
        assert!(error.to_string().contains("loopback"), "{error}");
    }
}

#[tokio::test]
async fn a_taken_address_says_so() {
    let house = House::in_memory().await;
    let error = Server::bind(house.engine.clone(), house.address)
        .await
        .err()
        .expect("it is taken");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains(&house.address.to_string()), "{error}");
}

#[tokio::test]
async fn web_pages_cannot_reach_the_server() {
    let house = House::in_memory().await;
    let port = house.address.port();
    for host in ["evil.example", "evil.example:7373", "169.254.169.254"] {
        house
            .ask("GET", "/v1/jobs", &[("Host", host)], b"")
            .await
            .problem(403);
    }
    for host in ["localhost", "localhost:1", "127.0.0.1", "[::1]:7373"] {
        assert_eq!(
            house.ask("GET", "/v1/jobs", &[("Host", host)], b"").await.status,
            200,
            "{host}"
        );
    }
    for origin in ["http://evil.example", "null", "http://localhost:1"] {
        house
            .ask("POST", "/v1/jobs", &[("Origin", origin)], b"{}")
            .await
            .problem(403);
    }
    let own = format!("http://localhost:{port}");
    assert_eq!(
        house
            .ask("GET", "/v1/jobs", &[("Origin", &own)], b"")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn what_is_not_there_is_told_in_problem_documents() {
    let house = House::in_memory().await;
    for path in [
        "/",
        "/v1",
        "/v2/jobs",
        "/v1/jobs/",
        "/v1/jobs/a/b",
        "/../etc/passwd",
    ] {
        house.get(path).await.problem(404);
    }
    let answer = house.ask("PUT", "/v1/jobs", &[], b"").await;
    answer.problem(405);
    let allowed = answer.header("allow").expect("it says what is allowed");
    assert!(allowed.contains("get") && allowed.contains("post"), "{allowed}");
    house.ask("DELETE", "/healthz", &[], b"").await.problem(405);
}

#[tokio::test]
async fn the_server_says_whether_it_lives_and_is_ready() {
    let house = House::in_memory().await;
    assert_eq!(house.get("/healthz").await.status, 200);
    let ready = house.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.body["store"].as_str()),
        (200, Some("memory"))
    );
}

#[tokio::test]
async fn the_client_tells_an_unreachable_server_from_one_that_refuses() {
    let house = House::in_memory().await;
    let refused = house.client().job("17").await.expect_err("a bad id");
    assert!(
        matches!(&refused, ClientError::Refused(problem) if problem.status == 400),
        "{refused:?}"
    );
    assert_eq!(refused.faults()[0].parameter.as_deref(), Some("id"));
    let unknown = house
        .client()
        .job("0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11")
        .await
        .expect_err("an unknown id");
    assert_eq!(unknown.kind(), Kind::NotFound);
    let nobody = Client::new("http://127.0.0.1:1").expect("an address");
    let unreachable = nobody.job("x").await.expect_err("nobody listens there");
    assert!(
        matches!(&unreachable, ClientError::Unreachable { .. }),
        "{unreachable:?}"
    );
    for address in [
        "localhost:7373",
        "https://127.0.0.1",
        "http://127.0.0.1/v1",
        "",
        "http://",
    ] {
        assert!(Client::new(address).is_err(), "{address:?} was accepted");
    }
}
