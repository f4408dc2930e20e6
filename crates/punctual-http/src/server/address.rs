//! What the address of a request names: a job, a queue, a schedule or a calendar, and parameters where there are any.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use punctual::Error;
use punctual::job::JobId;
use punctual::queue::QueueName;
use punctual::schedule::{Calendar, ScheduleName};

use crate::problem::Problem;
use crate::wire::Query;

/// The job that the path names.
pub(super) struct Id(pub(super) JobId);

/// What the path names: a queue, a schedule or a calendar.
pub(super) struct Name<T>(pub(super) T);

/// What stands in a path as `{name}`.
pub(super) trait Named: From<String> {
    /// Whether there can be one of this name.
    fn check(&self) -> Result<(), Error>;
}

impl Named for QueueName {
    fn check(&self) -> Result<(), Error> {
        QueueName::check(self)
    }
}

impl Named for ScheduleName {
    fn check(&self) -> Result<(), Error> {
        ScheduleName::check(self)
    }
}

/// The name of a calendar.
impl Named for String {
    fn check(&self) -> Result<(), Error> {
        Calendar::check_name(self)
    }
}

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

impl<S: Send + Sync, T: Named> FromRequestParts<S> for Name<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Name<T>, Problem> {
        let wrong = |story: String| Problem::parameter("name", story);
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| wrong(rejection.body_text()))?;
        let name = T::from(text);
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
