//! What the engine tells those who trace it.

use std::cell::RefCell;

use punctual::change::Edit;
use punctual::engine::{Bulk, BulkVerb, Filter, Page};
use punctual::queue::{QueueName, QueueSettings};
use punctual::run::{Beat, WorkerInfo};
use punctual::source::Source;
use punctual::{JobId, seconds};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::stage::{Stage, claim, done, work};
use crate::stores::Place;

thread_local! {
    /// The names of the spans that began on this thread, where a test listens.
    static HEARD: RefCell<Option<Vec<&'static str>>> = const { RefCell::new(None) };
}

/// Hears the engine's spans. It serves the whole process, since whether a span is wanted at all is asked once for all
/// threads; each thread hears its own.
struct Ear;

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("punctual::engine")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        HEARD.with_borrow_mut(|heard| {
            if let Some(heard) = heard {
                heard.push(span.metadata().name());
            }
        });
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Awaits an answer, and holds that it was one span.
async fn hear<T>(verb: &'static str, answer: impl Future<Output = T>) {
    answer.await;
    let heard = HEARD.replace(Some(Vec::new())).unwrap_or_default();
    assert_eq!(heard, [verb]);
}

#[tokio::test]
async fn every_verb_of_the_engine_is_one_span_of_its_name() {
    tracing::subscriber::set_global_default(Ear).expect("no other test listens");
    HEARD.set(Some(Vec::new()));
    let stage = Stage::quiet(&Place::memory()).await;
    let engine = &stage.engine;
    let id = JobId::named("job");
    hear("enqueue", engine.enqueue(work().id(id))).await;

    let page = Page {
        limit: 1,
        after: None,
    };
    let beat = Beat {
        worker: worker(),
        runs: Vec::new(),
        lease: seconds(30),
        stopped: false,
        now: None,
    };
    // Some of them are refused, which is a span all the same.
    hear("enqueue_all", engine.enqueue_all(vec![work()])).await;
    hear("fetch", engine.fetch(id)).await;
    hear("list", engine.list(Filter::default(), page)).await;
    hear("run_now", engine.run_now(id, None)).await;
    hear("edit", engine.edit(id, Edit::default(), None)).await;
    hear("result", engine.result(id, seconds(0))).await;
    hear("check_waitable", engine.check_waitable(&QueueName::default())).await;
    hear("counts", engine.counts()).await;
    hear("workers", engine.workers()).await;
    hear("check", engine.check()).await;
    hear("inspect", engine.inspect()).await;
    hear("queue", engine.queue("default")).await;
    let open = QueueSettings::default();
    hear("set_queue", engine.set_queue("default", open, None)).await;
    hear("claim", engine.claim(claim("w", 1), seconds(0))).await;
    hear("beat", engine.beat(beat)).await;
    hear("settle", engine.settle(Vec::new())).await;
    let waiting = engine.admit(work()).expect("it is in order");
    hear("decide", engine.decide(&waiting, 1, &done("1"))).await;
    hear("cancel", engine.cancel(id, "", None)).await;
    hear("retry", engine.retry(id, None)).await;
    hear("delete", engine.delete(id, None)).await;
    let bulk = Bulk {
        verb: BulkVerb::Delete,
        filter: Filter::default(),
        after: None,
        limit: 1,
        dry_run: true,
    };
    hear("bulk", engine.bulk(&bulk)).await;
}

fn worker() -> WorkerInfo {
    WorkerInfo {
        id: "w".into(),
        host: "here".to_owned(),
        pid: 1,
        queues: Vec::new(),
        concurrency: 1,
        running: 0,
        started_at: punctual::Timestamp::EPOCH,
        stopping: false,
    }
}
