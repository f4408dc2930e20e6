//! Credentials: how they travel, where they come from, and that they are never told.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use punctual::engine::Ending;
use punctual::target::http::{Credential, HttpCall, HttpSettings, HttpTarget};
use punctual::target::{Secret, Secrets};
use serde_json::json;
use sha2::Sha256;

use super::server::{Reply, Server};
use super::{get, house, refused, refused_with};
use crate::target_house::{House, once};

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_KEY: &str = "whsec_b2xkIGtleSBvbGQga2V5IG9sZCBrZXkh";

fn named(secrets: [(&str, Secret); 1]) -> BTreeMap<String, Secret> {
    secrets.map(|(name, secret)| (name.to_owned(), secret)).into()
}

async fn house_that_knows(secrets: &Secrets) -> House {
    let target = HttpTarget::new(HttpSettings::dev()).expect("settings");
    let target = target.secrets(secrets.clone());
    House::with(|worker| worker.handle(target)).await
}

#[tokio::test]
async fn a_call_shows_who_sends_it_by_a_credential_of_its_own_or_by_a_named_one() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let secrets = Secrets::new(named([("billing", Secret::new("tok-1").previous("tok-0"))]));
    let house = house_that_knows(&secrets).await;
    let url = server.url("/");
    let bearer = |token| get(&url).bearer(token).expect("a token");
    house.result(&bearer(Credential::inline("inline-1"))).await;
    house.result(&bearer(Credential::named("billing"))).await;
    secrets.replace(named([("billing", Secret::new("tok-2"))]));
    house.result(&bearer(Credential::named("billing"))).await;
    house
        .result(
            &get(&url)
                .basic("ann", Credential::named("billing"))
                .expect("a user"),
        )
        .await;
    let sent: Vec<_> = server.requests();
    let sent: Vec<_> = sent
        .iter()
        .filter_map(|request| request.header("authorization"))
        .collect();
    let basic = format!("Basic {}", BASE64.encode("ann:tok-2"));
    assert_eq!(sent, ["Bearer inline-1", "Bearer tok-1", "Bearer tok-2", &basic]);
}

#[tokio::test]
async fn a_job_that_names_no_secret_that_there_is_fails_without_trying() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let secrets = Secrets::new(named([("lines", Secret::new("two\nlines"))]));
    let house = house_that_knows(&secrets).await;
    let call = get(server.url("/"));
    for (call, why) in [
        (
            call.clone().bearer(Credential::named("billing")).expect("a name"),
            "no secret \"billing\"",
        ),
        (
            call.clone().bearer(Credential::named("lines")).expect("a name"),
            "a header cannot carry",
        ),
        (
            call.clone().sign(Credential::named("hooks")),
            "no secret \"hooks\"",
        ),
        (call.sign(Credential::inline("no key")), "not whsec_"),
    ] {
        let (said, again) = house.failure(&call).await;
        assert!(said.contains(why) && !again, "{said}");
        assert!(!said.contains("two"), "{said}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn what_a_server_repeats_of_a_credential_is_masked() {
    let server = Server::that(|request| {
        let told = request.header("authorization").unwrap_or_default();
        let headers = format!("x-told: {told}\r\n");
        match request.path() {
            "/fails" => Reply::says("403 Forbidden", &headers, format!("who is {told}?")),
            "/leads" => Reply::says("302 Found", &format!("location: /?{told}\r\n"), ""),
            _ => Reply::says("200 OK", &headers, format!("hello {told}!")),
        }
    });
    let server = server.await;
    let house = house().await;
    let call = |path: &str| {
        let call = get(server.url(path)).keep_header("x-told").expect("a header");
        call.bearer(Credential::inline("s3cret-token")).expect("a token")
    };
    let answer = house.result(&call("/")).await;
    assert_eq!(answer.text(), Some("hello Bearer ***!"));
    assert_eq!(answer.headers["x-told"], "Bearer ***");
    let (said, _) = house.failure(&call("/fails")).await;
    assert!(said.ends_with("403 Forbidden: who is Bearer ***?"), "{said}");
    let (said, _) = house.failure(&call("/leads")).await;
    assert!(
        said.contains("/?Bearer ***") && !said.contains("s3cret"),
        "{said}"
    );

    let basic = get(server.url("/")).basic("ann", Credential::inline("s3cret-word"));
    let answer = house.result(&basic.expect("a user")).await;
    assert_eq!(answer.text(), Some("hello Basic ***!"));
    let header = get(server.url("/")).header("Authorization", "Token s3cret-key");
    let answer = house.result(&header.expect("a header")).await;
    assert_eq!(answer.text(), Some("hello ***!"));
    assert!(!format!("{:?}", call("/")).contains("s3cret"));
}

#[tokio::test]
async fn what_leads_on_or_defers_is_masked_before_it_is_cut_and_in_every_path() {
    let server = Server::that(|request| {
        let told = request.header("authorization").unwrap_or_default();
        let token = told.rsplit(' ').next().unwrap_or_default();
        // An error tells 512 bytes of a header.
        let long = "x".repeat(505);
        let leads = |to: String| Reply::says("302 Found", &format!("location: {to}\r\n"), "");
        match request.path() {
            "/defers" => Reply::says("202 Accepted", &format!("punctual-defer: {long}{token}\r\n"), ""),
            "/leads" => leads(format!("/{long}{token}")),
            "/leads-nowhere" => leads(format!("x:{long}{token}")),
            "/leads-on" => leads(format!("/in/{}", token.replace('+', "%2B"))),
            "/leads-to-a-wait" => leads(format!("/wait/{token}")),
            path if path.starts_with("/wait") => Reply::says("202 Accepted", "punctual-defer: soon\r\n", ""),
            _ => Reply::says("403 Forbidden", "", "no"),
        }
    });
    let server = server.await;
    let house = house().await;
    let call = |path: &str, hops| {
        let call = get(server.url(path)).follow(hops).expect("hops");
        call.bearer(Credential::inline("s3cret+token")).expect("a token")
    };
    for (path, hops, tells) in [
        ("/defers", 0, "xxx***"),
        ("/leads", 0, "xxx***"),
        ("/leads-nowhere", 1, "xxx***"),
        ("/leads-on", 1, "/in/*** answered 403"),
        ("/leads-to-a-wait", 1, "/wait/*** answered 202"),
    ] {
        let (said, _) = house.failure(&call(path, hops)).await;
        assert!(said.contains(tells) && !said.contains("s3c"), "{path}: {said}");
    }
}

/// The signature that a receiver computes with this secret.
fn signature(secret: &str, id: &str, time: &str, body: &str) -> String {
    let key = BASE64.decode(&secret["whsec_".len()..]).expect("base64");
    let mac: Hmac<Sha256> = KeyInit::new_from_slice(&key).expect("a key");
    let mac = mac.chain_update(format!("{id}.{time}.{body}"));
    format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
}

#[tokio::test]
async fn a_signed_call_is_known_by_both_live_secrets() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let secrets = Secrets::new(named([("hooks", Secret::new(KEY).previous(OLD_KEY))]));
    let house = house_that_knows(&secrets).await;
    let post = || HttpCall::post(&server.url("/")).expect("a call").text("hello");
    let ending = house.ending(once(&post().sign(Credential::named("hooks")))).await;
    assert!(matches!(ending, Ending::Succeeded(..)), "{ending:?}");
    let request = server.requests().remove(0);
    let header = |name| request.header(name).unwrap_or_default();
    let (id, time) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(id, ending.job().id().to_string());
    let started = ending.job().status.started_at.expect("it ran").as_micros() / 1_000_000;
    let time_sent: i64 = time.parse().expect("seconds");
    assert!((started - 1..=started + 30).contains(&time_sent), "{time}");
    let by_both = [KEY, OLD_KEY].map(|secret| signature(secret, &id, &time, "hello"));
    assert_eq!(header("webhook-signature"), by_both.join(" "));

    house.result(&post()).await;
    assert_eq!(server.requests()[1].header("webhook-signature"), None);
}

#[tokio::test]
async fn a_target_may_sign_every_call() {
    let server = Server::that(|_| Reply::says("200 OK", "", "")).await;
    let target = HttpTarget::new(HttpSettings::dev()).expect("settings");
    let target = target
        .secrets(Secrets::new(named([("hooks", Secret::new(KEY))])))
        .signed_with("hooks");
    let house = House::with(|worker| worker.handle(target)).await;
    house.result(&get(server.url("/"))).await;
    house
        .result(&get(server.url("/")).sign(Credential::inline(OLD_KEY)))
        .await;
    for (request, key) in server.requests().iter().zip([KEY, OLD_KEY]) {
        let header = |name| request.header(name).unwrap_or_default();
        let expected = signature(key, &header("webhook-id"), &header("webhook-timestamp"), "");
        assert_eq!(header("webhook-signature"), expected);
    }
}

#[test]
fn a_bad_credential_is_refused_where_it_is_wrong() {
    for (auth, pointer) in [
        (json!("some"), ""),
        (json!({}), ""),
        (
            json!({"bearer": "a", "basic": {"user": "u", "password": "p"}}),
            "",
        ),
        (json!({"digest": "a"}), ""),
        (json!({"bearer": ""}), "/bearer"),
        (json!({"bearer": "two words"}), "/bearer"),
        (json!({"bearer": "***"}), "/bearer"),
        (json!({"bearer": {"secret": ""}}), "/bearer/secret"),
        (json!({"bearer": {"name": "x"}}), "/bearer/name"),
        (json!({"basic": {"user": "a:b", "password": "p"}}), "/basic"),
        (json!({"basic": {"password": "p"}}), "/basic/user"),
        (json!({"basic": {"user": "u"}}), "/basic/password"),
        (
            json!({"basic": {"user": "u", "password": "p", "realm": "r"}}),
            "/basic/realm",
        ),
    ] {
        assert_eq!(
            refused_with("auth", auth.clone()),
            [format!("/payload/auth{pointer}")],
            "{auth}"
        );
    }
    assert!(HttpCall::parse(br#"{"method": "GET", "url": "http://a/", "auth": "none"}"#).is_ok());
    let twice = json!({"method": "GET", "url": "http://a/", "auth": {"bearer": "a"}, "headers": {"Authorization": "b"}});
    assert_eq!(refused(&twice), ["/payload/auth"]);
    let masked = json!({"method": "GET", "url": "http://a/", "headers": {"Cookie": "***"}});
    assert_eq!(refused(&masked), ["/payload/headers/Cookie"]);
    assert_eq!(refused_with("sign", json!({"key": "x"})), ["/payload/sign/key"]);
    assert_eq!(refused_with("sign", json!(7)), ["/payload/sign"]);
}
