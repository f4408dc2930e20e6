//! `/v1/jobs/{id}/output`: what a run has put out, read, followed while it goes on, and added to by far workers.

use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use punctual::engine::{Follower, Output};
use punctual::run::RunId;
use punctual::source::Source;
use punctual::{Error, JobId};
use tokio_util::sync::CancellationToken;

use super::address::Id;
use super::{Rooms, body};
use crate::problem::Problem;
use crate::wire::{OUTPUT_NEXT, OUTPUT_RUN, Query, gap};

/// What of a job's output is asked for.
struct Wanted {
    run: Option<u64>,
    from: u64,
    follow: bool,
}

impl Wanted {
    fn read(query: Option<&str>) -> Result<Wanted, Problem> {
        let mut given = Query::read(query, &["run", "from", "follow"])?;
        let follow = given.take("follow").map(|text| text.parse()).transpose();
        Ok(Wanted {
            run: number(&mut given, "run")?,
            from: number(&mut given, "from")?.unwrap_or(0),
            follow: follow
                .map_err(|_| Problem::parameter("follow", "it is true or false"))?
                .unwrap_or(false),
        })
    }
}

fn number(given: &mut Query, name: &str) -> Result<Option<u64>, Problem> {
    let read = given.take(name).map(|text| text.parse()).transpose();
    read.map_err(|_| Problem::parameter(name, "it is a whole number, such as 0"))
}

/// `GET /v1/jobs/{id}/output`: of the last run, or of `run`; with `follow`, until the run is over.
pub(super) async fn show(
    State(rooms): State<Rooms>,
    Id(id): Id,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(query.as_deref())?;
    let last = rooms.engine.fetch(id).await?.status.run;
    if let Some(run) = wanted.run
        && (run == 0 || run > last)
    {
        let detail = format!("job {id} has had no run {run}; its last one is {last}");
        return Err(Problem::new(StatusCode::NOT_FOUND, detail));
    }
    let run = wanted.run.unwrap_or(last);
    let mut response = if wanted.follow {
        let begun = (run > 0).then_some(run);
        let follower = rooms.engine.follow(id, begun, wanted.from)?;
        follow(follower, wanted.from, rooms.stopping.clone()).into_response()
    } else {
        let (text, next) = whole(&rooms, RunId { job: id, run }, wanted.from).await?;
        ([(OUTPUT_NEXT, HeaderValue::from(next))], text).into_response()
    };
    let headers = response.headers_mut();
    if run > 0 {
        headers.insert(OUTPUT_RUN, HeaderValue::from(run));
    }
    // What a job writes may be anything, and must not become a page of this server.
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `POST /v1/jobs/{id}/output?run=7`: 204 once the bytes are added, 409 if the run is not held any more.
pub(super) async fn add(
    State(rooms): State<Rooms>,
    Id(id): Id,
    RawQuery(query): RawQuery,
    request: Request<Body>,
) -> Result<StatusCode, Problem> {
    let run = number(&mut Query::read(query.as_deref(), &["run"])?, "run")?;
    let run = run.ok_or_else(|| Problem::parameter("run", "say which run puts this out"))?;
    let bytes = body::read_bytes(request, rooms.body_deadline).await?;
    match rooms.engine.append_output(RunId { job: id, run }, bytes).await? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(not_held(id, run)),
    }
}

fn not_held(id: JobId, run: u64) -> Problem {
    let detail = format!("run {run} of job {id} is over, or was never begun: it puts out nothing");
    Problem::new(StatusCode::CONFLICT, detail)
}

/// All that is kept from an offset on, which is bounded, and where it ends.
async fn whole(rooms: &Rooms, run: RunId, from: u64) -> Result<(Vec<u8>, u64), Error> {
    let mut text = Vec::new();
    let mut next = from;
    // A run that goes on may put out more than is read meanwhile; what it had put out by now has so many pages at most.
    for _ in 0..=punctual::limits::OUTPUT_BYTES / punctual::limits::OUTPUT_PAGE_BYTES {
        let page = rooms.engine.output(run, next).await?;
        if page.bytes.is_empty() {
            break;
        }
        text.extend(with_gap(&page, next));
        next = page.next;
    }
    Ok((text, next))
}

/// The pages as they come. A stream that breaks off with an error ends its connection, so that its reader can tell that
/// from the end.
fn follow(follower: Follower, from: u64, stopping: CancellationToken) -> Body {
    let pages = stream::unfold((follower, from), move |(mut follower, from)| {
        let stopping = stopping.clone();
        async move {
            let page = tokio::select! {
                biased;
                page = follower.next() => page,
                () = stopping.cancelled() => Err(Error::unavailable("the server stops")),
            };
            match page {
                Ok(Some(page)) => Some((Ok(Bytes::from(with_gap(&page, from))), (follower, page.next))),
                Ok(None) => None,
                Err(error) => Some((Err(error), (follower, from))),
            }
        }
    });
    Body::from_stream(pages)
}

/// A page, behind a line that says what is missing before it.
fn with_gap(page: &Output, expected: u64) -> Vec<u8> {
    let begin = page.next - page.bytes.len() as u64;
    let mut text = match begin.checked_sub(expected) {
        None | Some(0) => Vec::new(),
        Some(missing) => gap(missing).into_bytes(),
    };
    text.extend_from_slice(&page.bytes);
    text
}
