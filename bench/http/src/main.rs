//! Calls a running server as clients do: `POST /v1/jobs` and `POST /v1/jobs/batch`, over connections that are kept.
//!
//! The store that this adapter is given is the server's URL. It only enqueues.

use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request as Call, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use protocol::{Error, Job, OnStart, Request, System};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::Mutex};

fn main() -> Result<(), Error> {
    protocol::run::<Server>()
}

/// What an answer to a batch says of a job that was refused.
const PROBLEM: &[u8] = b"\"problem\"";

type Connection = http1::SendRequest<Full<Bytes>>;

struct Server {
    host: String,
    /// A caller takes one after the other, and there are as many as callers.
    connections: Vec<Mutex<Connection>>,
    next: AtomicU64,
}

impl System for Server {
    fn unsupported(request: &Request) -> Option<String> {
        (!request.command.starts_with("enqueue-")).then(|| "only enqueues".to_owned())
    }

    async fn open(request: &Request) -> Result<Self, Error> {
        let host = request
            .store
            .strip_prefix("http://")
            .ok_or("the store is a server's URL")?;
        let mut connections = Vec::new();
        for _ in 0..request.callers {
            connections.push(Mutex::new(connect(host).await?));
        }
        Ok(Self {
            host: host.to_owned(),
            connections,
            next: AtomicU64::new(0),
        })
    }

    /// That is the server's matter.
    async fn is_durable(&self) -> Result<bool, Error> {
        Ok(true)
    }

    async fn enqueue(&self, job: Job) -> Result<(), Error> {
        self.post("/v1/jobs", &body(&job)?).await
    }

    async fn enqueue_all(&self, jobs: Vec<Job>) -> Result<(), Error> {
        let jobs = jobs.iter().map(body).collect::<Result<Vec<_>, _>>()?;
        self.post("/v1/jobs/batch", &Value::Array(jobs)).await
    }

    async fn work(&self, _: OnStart) -> Result<(), Error> {
        Err("it only enqueues".into())
    }

    async fn is_drained(&self) -> Result<bool, Error> {
        Err("it only enqueues".into())
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }
}

impl Server {
    async fn post(&self, path: &str, body: &Value) -> Result<(), Error> {
        let call = Call::post(path)
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(serde_json::to_vec(body)?))?;
        let turn = self.next.fetch_add(1, Ordering::Relaxed) as usize % self.connections.len();
        let mut connection = self.connections[turn].lock().await;
        connection.ready().await?;
        let answer = connection.send_request(call).await?;
        let status = answer.status();
        let text = answer.into_body().collect().await?.to_bytes();
        // A batch is answered job by job.
        let refused = text.windows(PROBLEM.len()).any(|part| part == PROBLEM);
        if !status.is_success() || refused {
            return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&text)).into());
        }
        Ok(())
    }
}

async fn connect(host: &str) -> Result<Connection, Error> {
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

fn body(job: &Job) -> Result<Value, Error> {
    Ok(json!({ "kind": "bench", "payload": serde_json::to_value(&job.payload)? }))
}
