//! The client's side of live output: read, followed, and added to.

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt};
use http::{HeaderMap, Method, StatusCode};
use punctual::run::RunId;

use super::{Client, ClientError, NOTHING, job_path};
use crate::limits;
use crate::wire::{OUTPUT_NEXT, OUTPUT_RUN, Place};

/// What a run has put out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The run; unset of a job that had not begun when it was asked for.
    pub run: Option<u64>,
    /// The bytes: text as a rule. A line of its own says where something was left out, and how much.
    pub bytes: Bytes,
    /// Where to go on.
    pub next: u64,
}

impl Client {
    /// What a run has put out from an offset on, all of it that is kept. Unset, the run is the job's last one.
    pub async fn output(&self, id: &str, run: Option<u64>, from: u64) -> Result<Output, ClientError> {
        let path = output_path(id, run, &format!("from={from}"));
        let answer = self
            .send(Method::GET, &path, NOTHING, None, limits::ANSWER_DEADLINE)
            .await?;
        let run = number(answer.headers(), OUTPUT_RUN);
        let next = number(answer.headers(), OUTPUT_NEXT);
        let bytes = self.body(answer).await?;
        let next = next.ok_or_else(|| self.garbled("it does not say where the output ends"))?;
        Ok(Output { run, bytes, next })
    }

    /// The same as it comes, piece by piece, until the run is over. It may pause for as long as the run puts out nothing. One
    /// that breaks off with an error is gone on with by asking again from the [`next`](Output::next) of its last piece, and for
    /// the same run: of a job that had not begun, that is its first one.
    pub async fn follow_output(
        &self,
        id: &str,
        run: Option<u64>,
        from: u64,
    ) -> Result<BoxStream<'static, Result<Output, ClientError>>, ClientError> {
        let path = output_path(id, run, &format!("from={from}&follow=true"));
        let client = self.clone();
        let answer = self.stream(&path).await?;
        let run = number(answer.headers(), OUTPUT_RUN);
        let mut place = Place::at(from);
        let pieces = answer.into_body().into_data_stream().map(move |piece| {
            let bytes =
                piece.map_err(|error| client.unreachable(&format!("its answer broke off: {error}")))?;
            let next = place.pass(&bytes);
            Ok(Output { run, bytes, next })
        });
        Ok(pieces.boxed())
    }

    /// Adds to a run's live output, for its worker. Answers whether the run is still held.
    pub async fn append_output(&self, run: RunId, bytes: Bytes) -> Result<bool, ClientError> {
        let path = output_path(&run.job.to_string(), Some(run.run), "");
        let body = Some(("application/octet-stream", bytes));
        let answer = self
            .send_bytes(Method::POST, &path, body, None, limits::ANSWER_DEADLINE)
            .await?;
        match self.body(answer).await {
            Ok(_) => Ok(true),
            Err(ClientError::Refused(problem)) if problem.status() == StatusCode::CONFLICT => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn output_path(id: &str, run: Option<u64>, query: &str) -> String {
    let run = run.map(|run| format!("run={run}&")).unwrap_or_default();
    job_path(id, format!("/output?{run}{query}").trim_end_matches('&'))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
