//! A server behind the store that goes away and comes back: whoever asks meanwhile is told so, nobody has to do anything,
//! and nothing that was acknowledged is lost.

use std::sync::Arc;

use bytes::Bytes;
use punctual::engine::Engine;
use punctual::source::Source;
use punctual::worker::{Run, Worker};
use serde_json::json;
use tokio::sync::{Notify, mpsc};

use crate::house::{Answer, DEADLINE, House, within};
use crate::{postgres, redis};

/// What can be taken away.
trait Behind {
    fn url(&self) -> &str;
    /// As a crash would.
    fn stop(&self);
    fn start(&self);
}

impl Behind for postgres::server::Server {
    fn url(&self) -> &str {
        self.url()
    }

    fn stop(&self) {
        self.stop();
    }

    fn start(&self) {
        self.restart();
    }
}

impl Behind for redis::server::Server {
    fn url(&self) -> &str {
        self.url()
    }

    fn stop(&self) {
        self.kill();
    }

    fn start(&self) {
        self.restart();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_goes_away_is_outlasted() {
    if let Some(server) = postgres::server::Server::start(&[]) {
        is_outlasted(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_goes_away_is_outlasted() {
    // With `everysec`, one that is killed may lack what came while its disk was slow.
    if let Some(server) = redis::server::Server::start(&["appendfsync always"]) {
        is_outlasted(server).await;
    }
}

async fn is_outlasted(server: impl Behind) {
    let engine = Engine::open(server.url()).await.expect("the server is there");
    let house = House::on(engine).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let gate = Arc::new(Notify::new());
    let sources: [(&str, Arc<dyn Source>); 2] =
        [("near", (&house.engine).into()), ("far", house.client().into())];
    for (queue, source) in sources {
        let (tell, gate) = (tell.clone(), gate.clone());
        let worker = Worker::new(source).queues([queue]);
        let worker = worker.handle_kind("work", move |payload: Bytes, _: Run| {
            tell.send(()).expect("the test listens");
            let gate = gate.clone();
            async move {
                gate.notified().await;
                Ok(payload)
            }
        });
        tokio::spawn(worker.run_until(std::future::pending()));
    }
    let mut ids = Vec::new();
    for queue in ["near", "far", "nobody"] {
        let job = json!({"kind": "work", "queue": queue, "payload": queue});
        ids.push(house.post("/v1/jobs", job.to_string()).await.id());
    }
    for _ in 0..2 {
        within(told.recv()).await.expect("a run begins");
    }

    tokio::task::block_in_place(|| server.stop());
    let first = ids[0];
    for path in [
        "/readyz".to_owned(),
        "/v1/jobs".to_owned(),
        format!("/v1/jobs/{first}"),
        format!("/v1/jobs/{first}/result?wait=1s"),
    ] {
        is_told_to_come_again(&house.get(&path).await);
    }
    is_told_to_come_again(&house.post("/v1/jobs", r#"{"kind": "refused"}"#).await);
    is_told_to_come_again(&house.post(&format!("/v1/jobs/{first}/cancel"), "{}").await);
    assert_eq!(house.get("/healthz").await.status, 200, "the process lives");
    // Their work ends while there is nobody to tell it to.
    gate.notify_one();
    gate.notify_one();

    tokio::task::block_in_place(|| server.start());
    let ready = async { while house.get("/readyz").await.status != 200 {} };
    within(ready).await;
    for (id, queue) in ids.iter().zip(["near", "far"]) {
        let ending = within(house.engine.result(*id, DEADLINE)).await;
        let ending = ending.expect("the store is back");
        let status = &ending.job().status;
        assert_eq!(
            status.result.as_deref(),
            Some(json!(queue).to_string().as_bytes()),
            "{status:?}"
        );
        assert_eq!((status.attempt, status.history.len()), (1, 1), "it ran once");
    }
    assert_eq!(
        house.jobs().await,
        3,
        "nothing is lost, and nothing refused is there"
    );
    assert!(told.try_recv().is_err(), "no run began again");
}

#[track_caller]
fn is_told_to_come_again(answer: &Answer) {
    answer.problem(503);
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}
