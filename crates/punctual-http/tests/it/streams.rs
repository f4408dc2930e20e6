//! Answers that go on: output that is followed, and events.

use std::fmt::Display;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use macro_rules_attribute::apply;
use punctual::job::Job;
use punctual::run::{Outcome, RetryCause, RunId};
use punctual_http::client::Output;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::house::{DEADLINE, House, done, within};
use crate::stores::{Place, on_each_store};

fn run_of(job: &Job) -> RunId {
    RunId {
        job: job.id(),
        run: job.status.run,
    }
}

async fn put_out(house: &House, job: &Job, text: &'static str) -> bool {
    let bytes = Bytes::from_static(text.as_bytes());
    house
        .client()
        .append_output(run_of(job), bytes)
        .await
        .expect("it answers")
}

async fn cancel(house: &House, id: impl Display) {
    let cancelled = house.post(&format!("/v1/jobs/{id}/cancel"), "{}").await;
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
}

/// An answer that goes on, read piece by piece.
struct Stream {
    connection: TcpStream,
    heard: String,
}

impl Stream {
    async fn open(house: &House, path: &str, headers: &str) -> Stream {
        let mut connection = TcpStream::connect(house.address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n{headers}\r\n", house.address);
        connection.write_all(request.as_bytes()).await.expect("it reads");
        let heard = String::new();
        Stream { connection, heard }
    }

    /// Reads until the answer holds this text; gives all of it up to there.
    async fn until(&mut self, text: &str) -> &str {
        let heard = async {
            while !self.heard.contains(text) {
                assert!(self.more().await, "it ended without {text:?}: {}", self.heard);
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, heard).await.is_ok();
        assert!(in_time, "{text:?} did not come: {}", self.heard);
        &self.heard
    }

    /// Reads to the end of the answer.
    async fn end(mut self) -> String {
        while !self.heard.ends_with("\r\n0\r\n\r\n") && self.more().await {}
        self.heard
    }

    async fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        let read = within(self.connection.read(&mut piece))
            .await
            .expect("it goes on");
        self.heard.push_str(&String::from_utf8_lossy(&piece[..read]));
        read > 0
    }

    /// Reads until an event of this name has come; gives its id and what it says.
    async fn event(&mut self, name: &str) -> (String, Value) {
        let mark = format!("event: {name}\ndata: ");
        self.until(&mark).await;
        let at = self.heard.find(&mark).expect("it was just heard");
        while !self.heard[at..].contains("\n\n") {
            assert!(self.more().await, "it ended within an event: {}", self.heard);
        }
        let id = self.heard[..at]
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("id: "));
        let id = id.expect("an event has an id").to_owned();
        let data = self.heard[at + mark.len()..].lines().next().unwrap_or_default();
        let data = serde_json::from_str(data).expect("it is JSON");
        self.heard.drain(..at + mark.len());
        (id, data)
    }
}

#[apply(on_each_store)]
async fn output_says_where_it_ends_and_is_read_on_from_there(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let nothing = house.client().output(&id.to_string(), None, 0).await;
    let nothing = nothing.expect("it answers");
    assert_eq!((nothing.run, nothing.bytes.len(), nothing.next), (None, 0, 0));

    let job = house.claim("default").await;
    assert!(put_out(&house, &job, "one\n<b>two</b>\n").await);
    let first = house
        .client()
        .output(&id.to_string(), None, 0)
        .await
        .expect("it answers");
    assert_eq!(
        (first.run, first.bytes.as_ref(), first.next),
        (Some(job.status.run), &b"one\n<b>two</b>\n"[..], 15)
    );
    assert!(put_out(&house, &job, "three\n").await);
    let path = format!("/v1/jobs/{id}/output?run={}&from=15", job.status.run);
    let answer = house.get(&path).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("punctual-output-next"), Some("21"));
    let rest = house.client().output(&id.to_string(), None, 15).await;
    assert_eq!(rest.expect("it answers").bytes, "three\n");
}

#[apply(on_each_store)]
async fn output_is_followed_from_before_the_run_to_its_end_and_a_gap_is_told(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let mut stream = Stream::open(&house, &format!("/v1/jobs/{id}/output?follow=true"), "").await;
    let mut pieces = house
        .client()
        .follow_output(&id.to_string(), None, 0)
        .await
        .expect("it answers");
    let job = house.claim("default").await;
    assert!(put_out(&house, &job, "first\n").await);
    stream.until("first\n").await;
    assert_eq!(
        within(pieces.next())
            .await
            .expect("a piece")
            .expect("it goes on")
            .bytes,
        "first\n"
    );
    assert!(put_out(&house, &job, "last\n").await);
    house.settle(&job, done("1")).await;
    assert!(!put_out(&house, &job, "too late\n").await);
    let heard = stream.end().await;
    assert!(heard.contains("last\n") && !heard.contains("late"), "{heard}");
    assert_eq!(
        within(pieces.next())
            .await
            .expect("a piece")
            .expect("it goes on")
            .bytes,
        "last\n"
    );
    assert!(within(pieces.next()).await.is_none());

    let long = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let job = house.claim("default").await;
    let flood = Bytes::from(vec![b'x'; 300 * 1024]);
    assert!(
        house
            .client()
            .append_output(run_of(&job), flood)
            .await
            .expect("it answers")
    );
    house.settle(&job, done("1")).await;
    let gap = format!("x\n… {} bytes left out …\nx", 44 * 1024);
    let read = house
        .client()
        .output(&long.to_string(), None, 0)
        .await
        .expect("it answers");
    assert_eq!(read.next, 300 * 1024);
    assert!(String::from_utf8_lossy(&read.bytes).contains(&gap));
    let followed = house.client().follow_output(&long.to_string(), None, 0).await;
    let pieces: Vec<Output> = within(followed.expect("it answers").try_collect())
        .await
        .expect("it is whole");
    let last = pieces.last().expect("there are pieces");
    assert_eq!((last.run, last.next), (Some(job.status.run), read.next));
}

#[apply(on_each_store)]
async fn a_run_that_is_to_be_tried_again_ends_the_stream_of_its_output(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let job = house.claim("default").await;
    let stream = Stream::open(&house, &format!("/v1/jobs/{id}/output?follow=true"), "").await;
    assert!(put_out(&house, &job, "no luck\n").await);
    let outcome = Outcome::Retry {
        error: "no luck".to_owned(),
        after: Some(punctual::hours(1)),
        cause: RetryCause::Error,
    };
    house.settle(&job, outcome).await;
    assert!(stream.end().await.contains("no luck\n"));
}

#[apply(on_each_store)]
async fn slips_about_output_are_told_where_they_are(place: Place) {
    let house = House::open(&place).await;
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let path = format!("/v1/jobs/{id}/output");
    for (query, place) in [
        ("?run=x", "run"),
        ("?from=-1", "from"),
        ("?follow=yes", "follow"),
        ("?from=1&from=2", "from"),
        ("?lines=3", "lines"),
    ] {
        assert_eq!(
            house.get(&format!("{path}{query}")).await.problem(400),
            [place],
            "{query}"
        );
    }
    house.get(&format!("{path}?run=7")).await.problem(404);
    house
        .get("/v1/jobs/0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11/output")
        .await
        .problem(404);
    let octets = [("Content-Type", "application/octet-stream")];
    assert_eq!(
        house.ask("POST", &path, &octets, b"x").await.problem(400),
        ["run"]
    );
    house
        .ask("POST", &format!("{path}?run=7"), &octets, b"x")
        .await
        .problem(409);
    assert_eq!(
        house
            .ask("POST", &format!("{path}?run=7&from=0"), &octets, b"x")
            .await
            .problem(400),
        ["from"]
    );
    let text = [("Content-Type", "text/plain")];
    house
        .ask("POST", &format!("{path}?run=7"), &text, b"x")
        .await
        .problem(415);
}

#[apply(on_each_store)]
async fn events_tell_what_happens_and_are_resumed_where_they_broke_off(place: Place) {
    let house = House::open(&place).await;
    let mut stream = Stream::open(&house, "/v1/events", "").await;
    stream.until(": watching\n\n").await;
    assert!(
        stream.heard.contains("content-type: text/event-stream"),
        "{}",
        stream.heard
    );
    let id = house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id();
    let (_, due) = stream.event("due").await;
    assert_eq!(due["queue"], "default");
    house.run_next("default", done("1")).await;
    let (seen, ended) = stream.event("ended").await;
    assert_eq!(
        (&ended["id"], &ended["kind"], &ended["state"]),
        (&json!(id.to_string()), &json!("mail"), &json!("succeeded"))
    );
    drop(stream);

    let missed = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    cancel(&house, missed).await;
    let again = format!("Last-Event-ID: {seen}\r\n");
    let mut stream = Stream::open(&house, "/v1/events?kind=mail", &again).await;
    let (_, ended) = stream.event("ended").await;
    assert_eq!(
        (&ended["id"], &ended["state"]),
        (&json!(missed.to_string()), &json!("cancelled"))
    );
    assert!(!stream.heard.contains("event: reset"), "{}", stream.heard);
}

#[apply(on_each_store)]
async fn a_watcher_from_another_life_is_told_to_look_again(place: Place) {
    let house = House::open(&place).await;
    let foreign = "Last-Event-ID: 0199c1f05b7e7c3e9a0e3f6d2f1c8a11-7\r\n";
    let mut stream = Stream::open(&house, "/v1/events", foreign).await;
    let (_, reset) = stream.event("reset").await;
    assert_eq!(reset, json!({}));
    house
        .ask("GET", "/v1/events", &[("Last-Event-ID", "yesterday")], b"")
        .await
        .problem(400);
    assert_eq!(house.get("/v1/events?tag=x").await.problem(400), ["tag"]);
}

#[apply(on_each_store)]
async fn events_of_other_queues_and_kinds_are_left_out(place: Place) {
    let house = House::open(&place).await;
    let mut stream = Stream::open(&house, "/v1/events?queue=b&kind=mail", "").await;
    stream.until(": watching\n\n").await;
    for body in [
        r#"{"kind": "mail", "queue": "a"}"#,
        r#"{"kind": "call", "queue": "b"}"#,
        r#"{"kind": "mail", "queue": "b"}"#,
    ] {
        let id = house.post("/v1/jobs", body).await.id();
        cancel(&house, id).await;
    }
    let (_, ended) = stream.event("ended").await;
    assert_eq!((&ended["queue"], &ended["kind"]), (&json!("b"), &json!("mail")));
    assert!(!stream.heard.contains("event: "), "{}", stream.heard);
}

#[apply(on_each_store)]
async fn a_job_that_is_asked_to_stop_or_deleted_is_told_of(place: Place) {
    let house = House::open(&place).await;
    let mut stream = Stream::open(&house, "/v1/events", "").await;
    stream.until(": watching\n\n").await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "mail"}"#)
        .await
        .id()
        .to_string();
    house.claim("default").await;
    cancel(&house, &id).await;
    let (_, cancelling) = stream.event("cancelling").await;
    assert_eq!(
        (&cancelling["id"], &cancelling["phase"]),
        (&json!(id), &json!("cancelling"))
    );
    let other = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    let deleted = house.ask("DELETE", &format!("/v1/jobs/{other}"), &[], b"").await;
    assert_eq!(deleted.status, 204);
    let (_, gone) = stream.event("gone").await;
    assert_eq!(gone, json!({"id": other.to_string()}));
}

#[apply(on_each_store)]
async fn workers_hear_which_runs_are_to_stop_those_of_before_first(place: Place) {
    let house = House::open(&place).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        ids.push(house.post("/v1/jobs", r#"{"kind": "mail"}"#).await.id());
        house.claim("default").await;
    }
    cancel(&house, ids[0]).await;
    let mut stream = Stream::open(&house, "/v1/workers/cancels", "").await;
    stream.until(&format!("data: {}\n\n", ids[0])).await;
    cancel(&house, ids[1]).await;
    stream.until(&format!("data: {}\n\n", ids[1])).await;
}

#[apply(on_each_store)]
async fn a_server_that_stops_ends_its_streams(place: Place) {
    let mut house = House::open(&place).await;
    let id = house
        .post("/v1/jobs", r#"{"kind": "mail", "delay": "1h"}"#)
        .await
        .id();
    let mut events = Stream::open(&house, "/v1/events", "").await;
    events.until(": watching\n\n").await;
    let mut output = Stream::open(&house, &format!("/v1/jobs/{id}/output?follow=true"), "").await;
    output.until("\r\n\r\n").await;
    house.stop();
    let heard = events.end().await;
    assert!(heard.ends_with("\r\n0\r\n\r\n"), "{heard}");
    output.end().await;
    house.stopped().await;
}
