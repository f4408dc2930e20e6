//! The `http` target: calls a URL, once per attempt, and keeps the answer.
//!
//! # What a server is sent
//!
//! The job's method, URL, headers and body, and
//!
//! | header | is |
//! |---|---|
//! | `punctual-job-id` | the job, the same in every attempt |
//! | `punctual-attempt` | 1 and up |
//! | `punctual-run` | a number that grows with every run of the job: what comes with a smaller one is stale |
//! | `punctual-schedule`, `punctual-nominal-time` | where a schedule made the job: its name, and the instant that the job is for |
//! | `punctual-missed` | with them: how many earlier instants, which nobody fired, the job stands for too |
//! | `idempotency-key` | the job's id, for servers that know this header |
//! | `punctual-token` | the run's token, with which the server may go on with a run that it [defers](#deferral) |
//! | `authorization` | what the job's `auth` says |
//! | `webhook-id`, `webhook-timestamp`, `webhook-signature` | see [signatures](#signatures) |
//! | `user-agent` | `punctual/` and the version, unless the job sets its own |
//!
//! # What its answer means
//!
//! | answer | the job |
//! |---|---|
//! | 202 with the header `punctual-defer` | goes on elsewhere, see [deferral](#deferral) |
//! | a status that the job's `answers` name | is what they say |
//! | a status that the job accepts (unset, 2xx) | is done; the result is an [`HttpAnswer`] |
//! | 429, 503 | tries again after `retry-after`, at most an hour, or else its backoff |
//! | 408, 425, other 5xx | tries again after its backoff |
//! | no connection, a broken one, no answer in time | tries again after its backoff |
//! | no connection, for want of file descriptors or memory here | comes again in 5 s; costs no attempt |
//! | anything else, redirects among it unless the job follows them | fails at once |
//!
//! A delay that the answer asks for by `retry-after`, up to an hour, goes before the one of the job's `answers`.
//!
//! # Deferral
//!
//! A server that needs longer answers 202 with `punctual-defer: 10m`. The run then goes on without a worker or a slot for so
//! long; the attempt's timeout no longer counts. With the token it was sent, the server prolongs the run and says what
//! became of it, over HTTP or by [`Engine::settle_deferred`](crate::Engine::settle_deferred). It may do so at once: before its own answer
//! has been read, too. If nobody does in time, the attempt is lost.
//!
//! # Signatures
//!
//! Where the job or the target names a secret to sign with, a call is signed as [Standard Webhooks] says: HMAC-SHA256 of the job's
//! id, the time and the body. A secret that takes the place of another signs beside it, so that receivers may go over
//! from one to the other.
//!
//! # Redirects
//!
//! Not followed, unless the job says how many. 303 turns into a GET, and so does a POST at 301 and 302. Each address is judged as
//! any other. To another origin go along the headers that describe the message and that name the run, and nothing else the
//! job has set: no credential, no signature, no token. From https to http none leads.
//!
//! # Secrets
//!
//! A credential by [name](Credential::named) is looked up as the job runs; a job that names one that is not there fails without
//! anything being tried. Whatever a server repeats of a credential, or of a header that [holds one](SECRET_HEADERS), reads `***` in
//! results and errors, if it has four characters or more.
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
//!
//! # Whom it calls
//!
//! Public addresses, and those that [`HttpSettings::allow`] names. Each address is judged as a connection to it is about to be
//! made, so that neither a name that resolves to something private nor a spelling such as `0x7f000001` gets past. No proxy is
//! taken from the environment. Idle connections are kept for some seconds, and reused.

mod address;
mod answer;
mod attempt;
mod auth;
mod call;
mod connect;
mod hop;
mod mask;
mod meaning;
mod sign;
mod story;

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use self::address::Addresses;
pub use self::answer::HttpAnswer;
use self::attempt::Attempt;
pub use self::auth::Credential;
pub use self::call::HttpCall;
use self::connect::Connector;
pub use self::mask::{MASK, SECRET_HEADERS};
use crate::error::Error;
use crate::limits::{HTTP_CONNECTIONS_KEPT, HTTP_HEAD_BYTES, HTTP_IDLE};
use crate::target::Secrets;
use crate::worker::{Handler, Run, States, Stop};

/// What the operator says of HTTP calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpSettings {
    /// Ranges of addresses that may be called besides the public ones, such as `10.0.0.0/8` or `127.0.0.1`. The addresses where
    /// clouds hand out a machine's credentials stay refused. In the configuration, `targets.http.allow`.
    pub allow: Vec<String>,
}

impl HttpSettings {
    /// For a laptop: loopback and private addresses may be called.
    pub fn dev() -> HttpSettings {
        let ranges = [
            "127.0.0.0/8",
            "::1",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "fc00::/7",
        ];
        HttpSettings {
            allow: ranges.map(str::to_owned).into(),
        }
    }

    /// Whether an [`HttpTarget`] can go by them. `Invalid` if a range of addresses is none.
    pub fn check(&self) -> Result<(), Error> {
        Addresses::allowing(&self.allow).map(drop)
    }
}

/// The handler of `http` jobs: `worker.handle(HttpTarget::new(settings)?)`. Clones share their connections.
#[derive(Clone)]
pub struct HttpTarget {
    client: Client<Connector, Full<Bytes>>,
    secrets: Secrets,
    sign: Option<Credential>,
}

impl HttpTarget {
    /// A target that goes by these settings. `Invalid` if a range of addresses is none.
    pub fn new(settings: HttpSettings) -> Result<HttpTarget, Error> {
        let connector = Connector::new(Addresses::allowing(&settings.allow)?)?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(HTTP_IDLE)
            .pool_max_idle_per_host(HTTP_CONNECTIONS_KEPT)
            .http1_max_buf_size(HTTP_HEAD_BYTES)
            .build(connector);
        Ok(HttpTarget {
            client,
            secrets: Secrets::default(),
            sign: None,
        })
    }

    /// The secrets that jobs may name; unset, none.
    pub fn secrets(mut self, secrets: Secrets) -> HttpTarget {
        self.secrets = secrets;
        self
    }

    /// Signs every call with the secret of this name, unless its job names another one.
    pub fn signed_with(mut self, secret: impl Into<String>) -> HttpTarget {
        self.sign = Some(Credential::named(secret));
        self
    }
}

impl Handler<HttpCall> for HttpTarget {
    type Task = HttpCall;

    async fn call(&self, call: HttpCall, run: Run) -> Result<HttpAnswer, Stop> {
        let stop = run.stop();
        tokio::select! {
            biased;
            answer = Attempt::make(self, &call, &run) => answer,
            reason = stop.requested() => Err(Stop::retry(format!("{call} had not answered in full ({reason})"))),
        }
    }

    fn check(_states: &States) -> Result<(), Error> {
        Ok(())
    }
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTarget").finish_non_exhaustive()
    }
}
