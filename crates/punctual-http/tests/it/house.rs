//! A server on an engine, and ways to talk to it.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use punctual::engine::Engine;
use punctual::job::{Job, JobId};
use punctual::run::{Claim, ClaimFrom, Outcome, RunId, SettleVerdict, Settlement};
use punctual::seconds;
use punctual::source::Source;
use punctual_http::server::ServerSettings;
use punctual_http::{Client, Server};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::stores::Place;

/// No test waits longer for anything.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A server that runs, and its engine.
pub(crate) struct House {
    pub(crate) engine: Engine,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl House {
    /// On a store with nothing in it.
    pub(crate) async fn open(place: &Place) -> House {
        House::on(place.engine().await).await
    }

    /// On a store in memory: for what ends before a store is asked, or is the same whatever it answers.
    pub(crate) async fn in_memory() -> House {
        House::open(&Place::memory()).await
    }

    pub(crate) async fn on(engine: Engine) -> House {
        House::with(engine, ServerSettings::default()).await
    }

    pub(crate) async fn with(engine: Engine, settings: ServerSettings) -> House {
        let free = "127.0.0.1:0".parse().expect("an address");
        let server = Server::bind(engine.clone(), free).await.expect("a free port");
        let server = server.settings(settings);
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let served = tokio::spawn(server.run_until(async {
            // A dropped sender stops it, too.
            let _ = stopped.await;
        }));
        House {
            engine,
            address,
            stop: Some(stop),
            served,
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address)).expect("its own address")
    }

    /// Asks the server to stop; it goes on until what is under way has ended.
    pub(crate) fn stop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(self) {
        within(self.served).await.expect("the server does not panic");
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Answer {
        self.ask(
            "POST",
            path,
            &[("Content-Type", "application/json")],
            body.as_ref(),
        )
        .await
    }

    /// One request on a connection of its own. `Host` is the server's unless `headers` name another.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let length = body.len().to_string();
        let mut headers = headers.to_vec();
        headers.push(("Content-Length", &length));
        self.ask_without_length(method, path, &headers, body).await
    }

    /// As [`ask`](House::ask), for a body that tells its own end.
    pub(crate) async fn ask_without_length(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            request.push_str(&format!("Host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        // A server that refuses early does not read the rest.
        let _ = stream.write_all(body).await;
        within(Answer::read(&mut stream)).await
    }

    /// Runs the next due job of this queue, and says that it came to `outcome`.
    pub(crate) async fn run_next(&self, queue: &str, outcome: Outcome) -> Job {
        let job = self.claim(queue).await;
        self.settle(&job, outcome).await;
        job
    }

    /// Takes the next due job of this queue.
    pub(crate) async fn claim(&self, queue: &str) -> Job {
        let claim = Claim {
            worker: "a test".into(),
            from: ClaimFrom::Queues(vec![queue.into()]),
            max: 1,
            lease: seconds(60),
            now: None,
        };
        let claimed = within(Source::claim(&self.engine, claim, DEADLINE))
            .await
            .expect("the store answers");
        claimed.jobs.into_iter().next().expect("a job is due")
    }

    /// Says what became of a run.
    pub(crate) async fn settle(&self, job: &Job, outcome: Outcome) {
        let id = RunId {
            job: job.id(),
            run: job.status.run,
        };
        let settlement = Settlement {
            id,
            outcome,
            claimed: None,
        };
        let verdicts = self
            .engine
            .settle(vec![settlement])
            .await
            .expect("the store answers");
        assert_eq!(verdicts, [SettleVerdict::Settled]);
    }

    /// How many jobs the store holds.
    pub(crate) async fn jobs(&self) -> usize {
        self.get("/v1/jobs?limit=1000").await.body["items"]
            .as_array()
            .map_or(0, Vec::len)
    }
}

impl Answer {
    /// Reads until the server closes the connection.
    pub(crate) async fn read(stream: &mut TcpStream) -> Answer {
        let mut bytes = Vec::new();
        // A connection that is reset after the answer has brought it all the same.
        let _ = stream.read_to_end(&mut bytes).await;
        let text = String::from_utf8(bytes).expect("answers are text");
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no whole answer came: {text:?}"));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let body = serde_json::from_str(body).unwrap_or(Value::Null);
        Answer {
            status,
            head: head.to_lowercase(),
            body,
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Checks that this is a problem document with this status; gives the places that it points at.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Vec<String> {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert_eq!(self.body["status"], status, "{self:?}");
        assert!(
            self.body["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{self:?}"
        );
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let place = |error: &Value| {
            error["pointer"]
                .as_str()
                .or(error["parameter"].as_str())
                .map(str::to_owned)
        };
        errors.iter().filter_map(place).collect()
    }

    pub(crate) fn id(&self) -> JobId {
        self.body["id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .unwrap_or_else(|| panic!("no id: {self:?}"))
    }
}

/// What the future gives, or a failed test.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .expect("it should not take that long")
}

/// An outcome: done, with this JSON.
pub(crate) fn done(json: &str) -> Outcome {
    Outcome::Done(Bytes::copy_from_slice(json.as_bytes()))
}
