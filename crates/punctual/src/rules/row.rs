//! What several rules know of a row.

use std::sync::Arc;
use std::time::Duration;

use crate::change::Change;
use crate::job::{Body, Job, Status};
use crate::time::{Timestamp, format_length};

/// The change of `job` to this body and this status; the body is written only if it differs.
pub(super) fn rewrite(job: &Job, body: Body, status: Status) -> Change {
    let mut change = Change::to(job, status);
    change.body = (body != *job.body).then(|| Arc::new(body));
    change
}

/// When a waiting job wants to be looked at, since from then on no attempt may begin: at its start deadline, as long as
/// no attempt of this life has begun; afterwards when its longest time has elapsed.
pub(super) fn start_alarm(body: &Body, status: &Status) -> Option<Timestamp> {
    match status.first_started_at {
        None => body.options.start_deadline,
        Some(first) => body.options.max_elapsed.map(|elapsed| first + elapsed),
    }
}

/// Says that the longest time of a job has elapsed.
pub(super) fn too_late(elapsed: Duration) -> String {
    format!("no attempt begins {} after the first", format_length(elapsed))
}

/// Whether the window of a job's unique key still runs, so that it holds the key even after its end.
pub(super) fn holds_key(status: &Status, now: Timestamp) -> bool {
    status.unique_key.is_some() && status.key_until.is_some_and(|until| until > now)
}

/// Whether an ended row was kept for nothing but its key: it holds one that no further life could take.
pub(crate) fn is_husk(job: &Job) -> bool {
    job.status.state.is_ended() && job.status.unique_key.is_some() && job.body.unique_key.is_none()
}
