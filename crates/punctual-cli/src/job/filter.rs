//! Which jobs: what `job list` and the verbs for many jobs have in common.

use clap::Args;
use punctual_http::wire::ListQuery;

use crate::completion;

/// Which jobs. What is unset does not restrict.
#[derive(Args)]
pub(super) struct FilterArgs {
    /// Jobs in this state: waiting (the next due first), running, ended (the last first), succeeded, failed, cancelled; also
    /// scheduled, ready, retrying, cancelling
    #[arg(long, value_name = "STATE")]
    pub(super) state: Option<String>,
    /// Jobs of this queue
    #[arg(long, value_name = "NAME", add = completion::queues())]
    queue: Option<String>,
    /// Jobs of this kind
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Jobs with this tag
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,
    /// The job that holds this unique key
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,
}

impl FilterArgs {
    /// Whether it is every job.
    pub(super) fn is_empty(&self) -> bool {
        [&self.state, &self.queue, &self.kind, &self.tag, &self.key]
            .iter()
            .all(|field| field.is_none())
    }

    /// The jobs, on the wire.
    pub(super) fn query(&self) -> ListQuery {
        ListQuery {
            state: self.state.clone(),
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            tag: self.tag.clone(),
            key: self.key.clone(),
            ..ListQuery::default()
        }
    }
}
