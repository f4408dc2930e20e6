//! What the address of a request names: a job or a queue, and parameters where there are any.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use punctual::job::JobId;
use punctual::queue::QueueName;

use crate::problem::Problem;
use crate::wire::Query;

/// The job that the path names.
pub(super) struct Id(pub(super) JobId);

/// The queue that the path names.
pub(super) struct Name(pub(super) QueueName);

/// No parameters: one that nobody reads would be a slip that nobody notices.
pub(super) struct NoParameters;

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id, Problem> {
        let wrong = |story: String| Problem::parameter("id", story);
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| wrong(rejection.body_text()))?;
        text.parse()
            .map(Id)
            .map_err(|error: punctual::Error| wrong(error.to_string()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Name, Problem> {
        let wrong = |story: String| Problem::parameter("name", story);
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| wrong(rejection.body_text()))?;
        let name = QueueName::from(text);
        match name.check() {
            Ok(()) => Ok(Name(name)),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NoParameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<NoParameters, Problem> {
        Query::read(parts.uri.query(), &[]).map(|_| NoParameters)
    }
}
