//! Answers for a batch of jobs.

use http::StatusCode;
use punctual::engine::Enqueued;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// The answer to `POST /v1/jobs/batch`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Batch {
    /// One for each job, in their order.
    pub items: Vec<BatchItem>,
}

/// What became of one job of a batch: it has an `id`, or a `problem`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchItem {
    /// The status that the job would have been answered with alone: 201, or 200 where it was there before or another job holds
    /// its unique key, or that of the problem.
    pub status: u16,
    /// The job, or the one that holds its unique key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The version of its row: its `ETag`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<u64>,
    /// Whether a live job held the unique key; then this is that job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplicated: Option<bool>,
    /// Why it was refused. Pointers begin with the job's place in the batch, such as `/3/priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl BatchItem {
    /// The answer for a job that is there.
    pub fn stored<O>(enqueued: &Enqueued<O>) -> BatchItem {
        let was_there = enqueued.deduplicated() || enqueued.existed();
        let status = if was_there {
            StatusCode::OK
        } else {
            StatusCode::CREATED
        };
        BatchItem {
            status: status.as_u16(),
            id: Some(enqueued.row().id().to_string()),
            rev: Some(enqueued.row().status.rev),
            deduplicated: Some(enqueued.deduplicated()),
            problem: None,
        }
    }

    /// The answer for a job that is not.
    pub fn refused(problem: Problem) -> BatchItem {
        BatchItem {
            status: problem.status,
            id: None,
            rev: None,
            deduplicated: None,
            problem: Some(problem),
        }
    }
}
