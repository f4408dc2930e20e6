//! The client: the server's answers as types, and its refusals as one error that tells an unreachable server apart.

use std::error::Error as StdError;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use punctual::time::format_length;
use punctual::{Engine, Error, Kind};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits;
use crate::problem::{Fault, Problem};
use crate::server;
use crate::wire::{Attempt, Ending, Head, Job, List, ListQuery, NewJob, Posted};

mod change;
mod output;
mod queues;
mod runs;
mod schedules;
mod slow;
mod source;
mod way;

pub use output::Output;

/// Talks to one server, or to an engine in this process as a server would. Cheap to clone: clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    way: way::Way,
    slow: slow::Slow,
}

/// Why the client has no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address of the server is not one.
    #[error("{0}")]
    Address(String),
    /// Nobody answers there. Whether the request arrived is not known.
    #[error("no server at {server} ({cause})")]
    Unreachable {
        /// The server's address.
        server: String,
        /// Why.
        cause: String,
    },
    /// A server takes what is sent and says nothing. Whether the request arrived is not known.
    #[error("{server} has not answered within {waited}")]
    Silent {
        /// The server's address.
        server: String,
        /// How long it was waited for, as text: `1m`.
        waited: String,
    },
    /// The server refused, and this is what it said.
    #[error("{}", .0.detail)]
    Refused(Problem),
    /// Somebody answers there, but not as a Punctual server does.
    #[error("{0}")]
    Garbled(String),
}

impl ClientError {
    /// What a program can do about it.
    pub fn kind(&self) -> Kind {
        match self {
            ClientError::Address(_) => Kind::Invalid,
            ClientError::Unreachable { .. } | ClientError::Silent { .. } => Kind::Unavailable,
            ClientError::Refused(problem) => problem.kind(),
            ClientError::Garbled(_) => Kind::Internal,
        }
    }

    /// What the server said, if it refused.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            ClientError::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// The places in the input that were wrong, if the server named any.
    pub fn faults(&self) -> &[Fault] {
        self.problem().map_or(&[], |problem| &problem.errors)
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Error {
        Error::new(error.kind(), error.to_string()).caused_by(error)
    }
}

impl Client {
    /// A client of the server at this address, such as `http://127.0.0.1:7373`. Connects only when it is asked something.
    pub fn new(server: &str) -> Result<Client, ClientError> {
        if server.contains('@') {
            // Not even told back: what stands before the @ is a secret as a rule.
            return Err(ClientError::Address(
                "the server's address holds a user or a password (there is an @), and there are none to log in with; \
                 write one such as http://127.0.0.1:7373"
                    .to_owned(),
            ));
        }
        let wrong = |why: &str| {
            ClientError::Address(format!(
                "{server:?} is not a server's address: {why}; write one such as http://127.0.0.1:7373"
            ))
        };
        let uri: Uri = server
            .trim_end_matches('/')
            .parse()
            .map_err(|_| wrong("it is not a URL"))?;
        if uri.scheme() != Some(&http::uri::Scheme::HTTP) {
            return Err(wrong("it must begin with http://"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(wrong("it has a path"));
        }
        Ok(Client {
            way: way::Way::far(uri),
            slow: slow::Slow::default(),
        })
    }

    /// The same client, which tells that a server is slow: `tell` is given its address whenever an answer has not come so long
    /// `after` it might have, which is at once or after the wait that was asked for.
    pub fn when_slow(self, after: Duration, tell: impl Fn(&str) + Send + Sync + 'static) -> Client {
        Client {
            slow: slow::Slow::told(after, tell),
            ..self
        }
    }

    /// A client of this engine: it is answered by the routes of a server, without a server and without a socket, so that what
    /// talks to a far store need not know of a near one.
    pub fn near(engine: Engine) -> Client {
        Client {
            way: way::Way::Near(server::near(engine)),
            slow: slow::Slow::default(),
        }
    }

    /// A client of the same server that shares no connection with this one: a connection lives on the runtime that made it.
    fn apart(&self) -> Client {
        Client {
            way: self.way.apart(),
            slow: self.slow.clone(),
        }
    }

    /// Adds a job. With `wait`, answers when it has ended, or as it is when the wait is over.
    pub async fn enqueue(&self, job: &NewJob, wait: Option<Duration>) -> Result<Posted, ClientError> {
        let path = format!("/v1/jobs{}", wait_query(wait));
        self.ask(Method::POST, &path, Some(job), wait).await
    }

    /// One page of jobs.
    pub async fn list(&self, query: &ListQuery) -> Result<List<Head>, ClientError> {
        let query = serde_urlencoded::to_string(query).map_err(|error| unwritable(&error))?;
        self.ask(Method::GET, &format!("/v1/jobs?{query}"), NOTHING, None)
            .await
    }

    /// One job.
    pub async fn job(&self, id: &str) -> Result<Job, ClientError> {
        self.ask(Method::GET, &job_path(id, ""), NOTHING, None).await
    }

    /// What a job came to: at once, or after a wait.
    pub async fn result(&self, id: &str, wait: Option<Duration>) -> Result<Ending, ClientError> {
        let path = job_path(id, &format!("/result{}", wait_query(wait)));
        self.ask(Method::GET, &path, NOTHING, wait).await
    }

    /// A job's attempts.
    pub async fn attempts(&self, id: &str) -> Result<List<Attempt>, ClientError> {
        self.ask(Method::GET, &job_path(id, "/attempts"), NOTHING, None)
            .await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        wait: Option<Duration>,
    ) -> Result<T, ClientError> {
        let deadline = limits::ANSWER_DEADLINE + wait.unwrap_or_default();
        let answer = self.send(method, path, body, None, deadline).await?;
        self.read(answer).await
    }

    /// Asks for what has to be answered, to its last byte, within this time.
    async fn ask_within<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        deadline: Duration,
    ) -> Result<T, ClientError> {
        let asked = async {
            let answer = self.send(Method::POST, path, Some(body), None, deadline).await?;
            self.read(answer).await
        };
        let answered = tokio::time::timeout(deadline, asked).await;
        answered.unwrap_or_else(|_| Err(self.too_late(deadline)))
    }

    /// An answer whose body goes on and on.
    async fn stream(&self, path: &str) -> Result<Response<Body>, ClientError> {
        let deadline = limits::ANSWER_DEADLINE;
        let answer = self.send(Method::GET, path, NOTHING, None, deadline).await?;
        match answer.status().is_success() {
            true => Ok(answer),
            false => Err(self.refusal(answer.status(), &self.bytes(answer).await?)),
        }
    }

    /// As [`ask`](Self::ask), for what changes something: with `expect`, only what is at this version.
    async fn change<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        expect: Option<u64>,
    ) -> Result<T, ClientError> {
        let answer = self
            .send(method, path, body, expect, limits::ANSWER_DEADLINE)
            .await?;
        self.read(answer).await
    }

    /// Deletes what stands at this path; with `expect`, only at this version.
    async fn remove(&self, path: &str, expect: Option<u64>) -> Result<(), ClientError> {
        let answer = self
            .send(Method::DELETE, path, NOTHING, expect, limits::ANSWER_DEADLINE)
            .await?;
        self.body(answer).await.map(drop)
    }

    async fn read<T: DeserializeOwned>(&self, answer: Response<Body>) -> Result<T, ClientError> {
        let body = self.body(answer).await?;
        serde_json::from_slice(&body).map_err(|error| self.garbled(&error.to_string()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        expect: Option<u64>,
        deadline: Duration,
    ) -> Result<Response<Body>, ClientError> {
        let json = body.map(serde_json::to_vec).transpose();
        let json = json.map_err(|error| unwritable(&error))?;
        let body = json.map(|json| ("application/json", json.into()));
        self.send_bytes(method, path, body, expect, deadline).await
    }

    /// Sends a body of this media type; with `expect`, for the job of that version only.
    async fn send_bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Bytes)>,
        expect: Option<u64>,
        deadline: Duration,
    ) -> Result<Response<Body>, ClientError> {
        let mut request = Request::builder().method(method).uri(path);
        let mut bytes = Bytes::new();
        if let Some((media_type, body)) = body {
            request = request.header(header::CONTENT_TYPE, media_type);
            bytes = body;
        }
        if let Some(rev) = expect {
            request = request.header(header::IF_MATCH, format!("\"{rev}\""));
        }
        let request = request
            .body(Full::from(bytes))
            .map_err(|error| unwritable(&error))?;
        let answer = tokio::time::timeout(deadline, self.way.ask(request));
        let expected = deadline.saturating_sub(limits::ANSWER_DEADLINE);
        match self.slow.watch(expected, &self.way, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(cause)) => Err(self.unreachable(&cause)),
            Err(_) => Err(self.too_late(deadline)),
        }
    }

    /// The body of a success; a refusal becomes an error.
    async fn body(&self, answer: Response<Body>) -> Result<Bytes, ClientError> {
        let status = answer.status();
        let body = self.bytes(answer).await?;
        match status.is_success() {
            true => Ok(body),
            false => Err(self.refusal(status, &body)),
        }
    }

    async fn bytes(&self, answer: Response<Body>) -> Result<Bytes, ClientError> {
        let reading = Limited::new(answer.into_body(), limits::ANSWER_BYTES).collect();
        match tokio::time::timeout(limits::ANSWER_DEADLINE, reading).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => Err(self.unreachable(&format!("its answer broke off: {error}"))),
            Err(_) => Err(self.unreachable("its answer broke off")),
        }
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => ClientError::Refused(problem),
            // Something in between cannot reach the server.
            Err(_)
                if [
                    StatusCode::BAD_GATEWAY,
                    StatusCode::SERVICE_UNAVAILABLE,
                    StatusCode::GATEWAY_TIMEOUT,
                ]
                .contains(&status) =>
            {
                self.unreachable(&describe(status))
            }
            Err(_) => self.garbled(&describe(status)),
        }
    }

    fn unreachable(&self, cause: &str) -> ClientError {
        ClientError::Unreachable {
            server: self.way.address(),
            cause: cause.to_owned(),
        }
    }

    fn too_late(&self, deadline: Duration) -> ClientError {
        ClientError::Silent {
            server: self.way.address(),
            waited: format_length(deadline),
        }
    }

    fn garbled(&self, what: &str) -> ClientError {
        ClientError::Garbled(format!(
            "{} does not answer as a Punctual server does: {what}",
            self.way.address()
        ))
    }
}

const NOTHING: Option<&()> = None;

fn wait_query(wait: Option<Duration>) -> String {
    wait.map(|wait| format!("?wait={}", format_length(wait)))
        .unwrap_or_default()
}

fn cursor_query(cursor: Option<&str>) -> String {
    let cursor = cursor.map(|cursor| format!("&cursor={}", escaped(cursor)));
    cursor.unwrap_or_default()
}

fn job_path(id: &str, rest: &str) -> String {
    format!("/v1/jobs/{}{rest}", escaped(id))
}

/// A text as one part of a path.
fn escaped(text: &str) -> String {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| {
            if unreserved(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

fn unwritable(error: &dyn StdError) -> ClientError {
    ClientError::Garbled(format!("cannot write the request: {error}"))
}

fn describe(status: StatusCode) -> String {
    format!("it says {status}")
}
