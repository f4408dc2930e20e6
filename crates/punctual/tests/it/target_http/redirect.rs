//! Redirects that a job follows.

use punctual::target::http::{Credential, HttpCall, HttpSettings};

use super::server::{Reply, Server};
use super::{get, house, house_with};

/// A server that leads on from paths such as `/302/x`, to `x` on this server or, from `/302/http://…`, on another.
async fn leading() -> Server {
    Server::that(|request| {
        let mut parts = request.path().splitn(3, '/').skip(1);
        match (parts.next(), parts.next()) {
            (Some("loop"), _) => Reply::says("302 Found", "location: /loop\r\n", ""),
            (Some(status), Some(to)) if status.parse::<u16>().is_ok() => {
                let to = match to.starts_with("http") {
                    true => to.to_owned(),
                    false => format!("/{to}"),
                };
                Reply::says(&format!("{status} Elsewhere"), &format!("location: {to}\r\n"), "")
            }
            _ => Reply::says("200 OK", "", request.path()),
        }
    })
    .await
}

#[tokio::test]
async fn a_call_follows_where_it_is_led_as_far_as_it_wants() {
    let server = leading().await;
    let house = house().await;
    let follow = |path: &str, hops| get(server.url(path)).follow(hops).expect("hops");
    let answer = house.result(&follow("/302/301/307/end", 3)).await;
    assert_eq!((answer.status, answer.text()), (200, Some("/end")));
    let (said, again) = house.failure(&follow("/302/301/307/end", 2)).await;
    assert!(
        said.ends_with("leads to /end; at most 2 redirects are followed") && !again,
        "{said}"
    );
    let (said, _) = house.failure(&follow("/loop", 10)).await;
    assert!(said.contains("at most 10 redirects"), "{said}");
    let (said, again) = house.failure(&follow("/302/httpx://host/", 1)).await;
    assert!(said.contains("answered 302 and leads to") && !again, "{said}");
}

#[tokio::test]
async fn a_post_turns_into_a_get_where_browsers_do_so_and_is_repeated_where_it_must() {
    let server = leading().await;
    let house = house().await;
    for (status, method, body) in [
        (301, "GET", ""),
        (302, "GET", ""),
        (303, "GET", ""),
        (307, "POST", "hello"),
        (308, "POST", "hello"),
    ] {
        let call = HttpCall::post(&server.url(&format!("/{status}/end"))).expect("a call");
        house.result(&call.text("hello").follow(1).expect("a hop")).await;
        let request = server.requests().pop().expect("it was called");
        assert!(
            request.head.starts_with(&format!("{method} /end ")),
            "{status}: {}",
            request.head
        );
        assert_eq!(request.body, body, "{status}");
        assert_eq!(
            request.header("content-type").is_some(),
            !body.is_empty(),
            "{status}"
        );
    }
}

#[tokio::test]
async fn no_credential_goes_along_to_another_origin() {
    let (server, other) = (leading().await, leading().await);
    let house = house().await;
    let call = |path: String| {
        let call = HttpCall::post(&server.url(&path)).expect("a call").text("hello");
        call.bearer(Credential::inline("s3cret-token"))
            .and_then(|call| call.header("x-api-key", "s3cret-key"))
            .and_then(|call| call.header("accept", "text/plain"))
            .and_then(|call| call.follow(2))
            .expect("a call")
            .sign(Credential::inline("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    };
    house.result(&call("/307/end".to_owned())).await;
    let request = server.requests().pop().expect("it was called");
    for name in [
        "authorization",
        "x-api-key",
        "punctual-token",
        "webhook-signature",
    ] {
        assert!(request.header(name).is_some(), "{name}: {}", request.head);
    }

    house.result(&call(format!("/307/{}", other.url("/end")))).await;
    let request = other.requests().pop().expect("it was called");
    assert_eq!(request.body, "hello");
    for name in [
        "authorization",
        "x-api-key",
        "punctual-token",
        "webhook-signature",
        "webhook-id",
    ] {
        assert_eq!(request.header(name), None, "{name}");
    }
    for name in [
        "accept",
        "content-type",
        "user-agent",
        "punctual-job-id",
        "punctual-run",
    ] {
        assert!(request.header(name).is_some(), "{name}: {}", request.head);
    }
    assert_eq!(request.header("host"), Some(other.address.to_string()));
}

#[tokio::test]
async fn each_address_on_the_way_is_judged() {
    let server = leading().await;
    let allow = vec!["127.0.0.1".to_owned()];
    let house = house_with(HttpSettings { allow }).await;
    for host in ["[::1]:1", "10.0.0.1", "169.254.169.254"] {
        let path = format!("/302/http://{host}/");
        let (said, again) = house
            .failure(&get(server.url(&path)).follow(5).expect("hops"))
            .await;
        assert!(
            said.contains("called") && said.contains("--allow-net") && !again,
            "{host}: {said}"
        );
        assert!(!said.contains("may not be called"), "it is told once: {said}");
    }
}
