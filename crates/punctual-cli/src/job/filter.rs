//! Which jobs: what `job list` and the verbs for many jobs have in common.

use clap::Args;
use punctual_http::wire::ListQuery;

use crate::completion;
use crate::when::{self, When};

/// Which jobs. What is unset does not restrict.
#[derive(Args)]
pub(super) struct FilterArgs {
    /// Jobs in this state: waiting (the next due first), running, ended (the last first), succeeded, failed, cancelled; also
    /// scheduled, ready, retrying, cancelling
    #[arg(long, value_name = "STATE", add = completion::states())]
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
    /// Jobs that this worker runs, or ran last
    #[arg(long, value_name = "WORKER")]
    worker: Option<String>,
    /// Jobs due before this instant, or within this length of time from now
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::deadline)]
    due_before: Option<When>,
    /// Jobs due at this instant or later, or not within this length of time from now
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::deadline)]
    due_after: Option<When>,
    /// Jobs that ended before this instant, or this long ago or longer
    #[arg(long, value_name = "TIME|LENGTH", value_parser = when::ago)]
    ended_before: Option<When>,
}

impl FilterArgs {
    /// Whether it is every job.
    pub(super) fn is_empty(&self) -> bool {
        self.query() == ListQuery::default()
    }

    /// The jobs, on the wire.
    pub(super) fn query(&self) -> ListQuery {
        let instant = |when: Option<When>| when.map(|when| when.at.to_string());
        ListQuery {
            state: self.state.clone(),
            queue: self.queue.clone(),
            kind: self.kind.clone(),
            tag: self.tag.clone(),
            key: self.key.clone(),
            worker: self.worker.clone(),
            due_before: instant(self.due_before),
            due_after: instant(self.due_after),
            ended_before: instant(self.ended_before),
            ..ListQuery::default()
        }
    }

    /// Tells how instants without a zone were read.
    pub(super) fn tell_what_was_assumed(&self) {
        when::tell_what_was_assumed(&[
            ("--due-before", self.due_before),
            ("--due-after", self.due_after),
            ("--ended-before", self.ended_before),
        ]);
    }
}
