//! Many jobs in one request, stored while they come in.
//!
//! ```text
//! bytes ─▶ elements ─▶ wire::read ─▶ up to 1 MiB of jobs ─▶ engine ─▶ answers, in order
//! ```

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use punctual::job::NewJob;
use serde::Serialize;
use serde::de::IgnoredAny;

use super::check_payload;
use super::elements::Elements;
use crate::limits::{BATCH_BYTES, BATCH_JOBS, BODY_BYTES};
use crate::problem::{MEDIA_TYPE, Problem};
use crate::server::access::RequestId;
use crate::server::address::NoParameters;
use crate::server::{Rooms, body};
use crate::wire::{self, BatchItem};

/// `POST /v1/jobs/batch`: 200 with an answer for each job, whatever became of it. A body that cannot be read to its end is a
/// problem, which answers for the jobs that were stored before that.
pub(in crate::server) async fn batch(
    State(rooms): State<Rooms>,
    _: NoParameters,
    request: Request<Body>,
) -> Result<Response, Problem> {
    body::expect_json(request.headers())?;
    let id = request.extensions().get::<RequestId>().cloned();
    let mut reading = Reading::new(&rooms);
    match reading.read(request.into_body()).await {
        Ok(()) => Ok(Json(wire::Batch {
            items: reading.answers(),
        })
        .into_response()),
        Err(problem) => {
            let problem = match id {
                Some(RequestId(id)) => problem.with_request_id(id),
                None => problem,
            };
            Ok(broken_off(problem, reading.answers()))
        }
    }
}

/// A problem, and the answers for what was stored before it.
fn broken_off(mut problem: Problem, items: Vec<BatchItem>) -> Response {
    #[derive(Serialize)]
    struct BrokenOff {
        #[serde(flatten)]
        problem: Problem,
        items: Vec<BatchItem>,
    }

    if items.is_empty() {
        problem.detail.push_str("; nothing was stored");
        return problem.into_response();
    }
    let answered = format!(
        "; the first {} jobs are answered for in items, and no other was stored",
        items.len()
    );
    problem.detail.push_str(&answered);
    let status = problem.status();
    let mut response = (status, Json(BrokenOff { problem, items })).into_response();
    let media_type = HeaderValue::from_static(MEDIA_TYPE);
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// A batch that is being read.
struct Reading<'a> {
    rooms: &'a Rooms,
    elements: Elements,
    /// The answers so far; none yet for a job that is among `jobs`.
    answers: Vec<Option<BatchItem>>,
    /// Jobs that were read and are to be stored, and how many bytes they came in.
    jobs: Vec<NewJob>,
    bytes: usize,
}

impl<'a> Reading<'a> {
    fn new(rooms: &'a Rooms) -> Reading<'a> {
        Reading {
            rooms,
            elements: Elements::default(),
            answers: Vec::new(),
            jobs: Vec::new(),
            bytes: 0,
        }
    }

    /// Reads the body to its end and stores what is in it. The deadline of a body is that of each MiB of it, and what
    /// storing takes does not count.
    async fn read(&mut self, mut body: Body) -> Result<(), Problem> {
        let mut left = BATCH_BYTES;
        if body.size_hint().lower() > left as u64 {
            return Err(too_large());
        }
        let mut patience = self.rooms.body_deadline;
        while let Some(bytes) = self.frame(&mut body, &mut patience).await? {
            left = left.checked_sub(bytes.len()).ok_or_else(too_large)?;
            self.take(&bytes).await?;
        }
        self.elements.end()?;
        self.store().await;
        Ok(())
    }

    async fn frame(&self, body: &mut Body, patience: &mut Duration) -> Result<Option<Bytes>, Problem> {
        let clock = self.rooms.engine.clock();
        let begun = clock.uptime();
        let Ok(frame) = tokio::time::timeout(*patience, body.frame()).await else {
            return Err(body::too_slow(self.rooms.body_deadline));
        };
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|error| body::broke_off(&error))?;
        // Trailers have no bytes of the body.
        let bytes = frame.into_data().unwrap_or_default();
        let earned = self.rooms.body_deadline.as_secs_f64() * bytes.len() as f64 / BODY_BYTES as f64;
        let spent = clock.uptime().saturating_sub(begun);
        *patience = patience.saturating_sub(spent) + Duration::from_secs_f64(earned);
        Ok(Some(bytes))
    }

    async fn take(&mut self, mut bytes: &[u8]) -> Result<(), Problem> {
        while !bytes.is_empty() {
            let (element, used) = self.elements.next(bytes)?;
            bytes = &bytes[used..];
            if let Some(element) = element {
                self.job(&element)?;
            }
            if self.bytes > BODY_BYTES {
                self.store().await;
            }
        }
        Ok(())
    }

    /// Reads one job. One that is JSON and cannot be is answered for alone.
    fn job(&mut self, element: &[u8]) -> Result<(), Problem> {
        let index = self.answers.len();
        if index == BATCH_JOBS {
            let detail = format!("a batch has at most {BATCH_JOBS} jobs");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let read = match wire::read::<wire::NewJob>(element) {
            Err(problem) => Err(whole(problem, element, index)?),
            Ok(job) => job.read().map_err(Problem::from),
        };
        let checked = read.and_then(|job| {
            check_payload(&job.kind, &job.payload)?;
            Ok(job)
        });
        let refused = match checked {
            Ok(job) => {
                self.bytes += element.len();
                self.jobs.push(job);
                None
            }
            Err(problem) => Some(refused(problem, index)),
        };
        self.answers.push(refused);
        Ok(())
    }

    /// Stores what was read.
    async fn store(&mut self) {
        self.bytes = 0;
        let jobs = std::mem::take(&mut self.jobs);
        let mut stored = self.rooms.engine.enqueue_all(jobs).await.into_iter();
        for (index, answer) in self.answers.iter_mut().enumerate() {
            if answer.is_none() {
                *answer = stored.next().map(|stored| match stored {
                    Ok(enqueued) => BatchItem::stored(&enqueued),
                    Err(error) => refused(super::not_stored(error), index),
                });
            }
        }
    }

    /// The answers up to the first job that was not stored.
    fn answers(self) -> Vec<BatchItem> {
        self.answers.into_iter().map_while(|answer| answer).collect()
    }
}

/// The problem of an element that is JSON. Of one that is not it is not known where it really ends, nor what the rest of the body
/// means: then that is the problem of the body.
fn whole(problem: Problem, element: &[u8], index: usize) -> Result<Problem, Problem> {
    let not_json = |why: &str| {
        let detail = format!("/{index}: {why}");
        Err(Problem::new(StatusCode::BAD_REQUEST, detail))
    };
    if problem.status() == StatusCode::BAD_REQUEST {
        return not_json(&problem.detail.replacen("the body", "it", 1));
    }
    // What is wrong with a field may have been found before that.
    match serde_json::from_slice::<IgnoredAny>(element) {
        Ok(IgnoredAny) => Ok(problem),
        Err(error) => not_json(&format!("it is not JSON: {error}")),
    }
}

fn refused(problem: Problem, index: usize) -> BatchItem {
    BatchItem::refused(problem.within(&format!("/{index}")))
}

fn too_large() -> Problem {
    let detail = format!("a batch has at most {BATCH_BYTES} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
}
