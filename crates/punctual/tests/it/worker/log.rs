//! What the log says of runs, and how often.

use std::fmt::Debug;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use macro_rules_attribute::apply;
use punctual::job::State as JobState;
use punctual::limits::{HEARTBEAT_FAILURE_PAUSE, LAST_CLAIM, LEASE};
use punctual::run::{Outcome, SettleVerdict};
use punctual::source::Source;
use punctual::testing::{Call, Fate};
use punctual::worker::{Run, Stop, Worker};
use punctual::{Error, minutes};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::house::House;
use super::{Note, note};
use crate::stores::{Place, on_each_store};

/// Keeps what its thread tells an operator.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Level, String)>>>);

impl Log {
    /// The warnings and errors.
    fn said(&self) -> Vec<String> {
        let told = self.told().into_iter();
        let said = told.filter(|(level, _)| *level <= Level::WARN);
        said.map(|(_, message)| message).collect()
    }

    fn told(&self) -> Vec<(Level, String)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.push((*event.metadata().level(), message.0));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[apply(on_each_store)]
async fn a_run_that_its_token_settled_before_it_could_be_deferred_is_no_cause_for_a_warning(place: Place) {
    let house = House::new(&place).await;
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let id = house.enqueue(note("quick")).await;
    let engine = house.engine.clone();
    let worker = Worker::new(&house.engine)
        .clock(house.clock.clone())
        .heartbeat_in_place();
    let worker = worker.handle(move |_: Note, run: Run| {
        let engine = engine.clone();
        async move {
            let token = engine.token(run.id()).await?.expect("an engine gives tokens");
            let done = Outcome::Done(Bytes::from_static(b"1"));
            assert_eq!(
                engine.settle_deferred(&token, done).await?,
                SettleVerdict::Settled
            );
            Err::<String, _>(Stop::defer(minutes(1)))
        }
    });
    let worker = house.start(worker);
    house.quiet().await;
    worker.shutdown.cancel();
    house.pass(LAST_CLAIM).await;
    assert_eq!(worker.stopped().await, Ok(()));
    assert_eq!(house.status(id).await.state, JobState::Succeeded);
    assert_eq!(log.said(), Vec::<String>::new());
}

#[apply(on_each_store)]
async fn an_outcome_that_the_store_refuses_is_told_once(place: Place) {
    let house = House::new(&place).await;
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    house.enqueue(note("refused")).await;
    house.store.rule(|call| match call {
        Call::Apply(_) => Fate::Refuse(Error::internal("a fault of the store")),
        _ => Fate::Pass,
    });
    let worker = house
        .worker()
        .handle(|_: Note| async { Err::<String, _>(Stop::fail("no luck")) });
    let worker = house.start(worker);
    house.quiet().await;
    worker.shutdown.cancel();
    house.pass(LAST_CLAIM).await;
    assert_eq!(worker.stopped().await, Ok(()));
    let said = log.said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("refuses an outcome"), "{said:?}");
}

#[apply(on_each_store)]
async fn heartbeats_that_fail_one_after_the_other_are_told_once_and_so_is_their_end(place: Place) {
    let house = House::new(&place).await;
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let worker = house.start(house.worker());
    house.quiet().await;
    for _ in 0..2 {
        house.source.beats_shut.store(true, Ordering::Relaxed);
        house.pass(LEASE).await;
        house.source.beats_shut.store(false, Ordering::Relaxed);
        house.pass(LEASE).await;
    }
    worker.shutdown.cancel();
    house.pass(LAST_CLAIM).await;
    assert_eq!(worker.stopped().await, Ok(()));
    let told = log.told().into_iter();
    let told: Vec<_> = told
        .filter(|(_, message)| message.contains("heartbeat"))
        .collect();
    let levels: Vec<Level> = told.iter().map(|(level, _)| *level).collect();
    assert_eq!(
        levels,
        [Level::WARN, Level::INFO, Level::WARN, Level::INFO],
        "{told:?}"
    );
}

#[apply(on_each_store)]
async fn heartbeats_that_fail_for_long_are_told_of_now_and_then(place: Place) {
    let house = House::new(&place).await;
    let log = Log::default();
    let _listening = tracing::subscriber::set_default(log.clone());
    let worker = house.start(house.worker());
    house.quiet().await;
    house.source.beats_shut.store(true, Ordering::Relaxed);
    house.pass(HEARTBEAT_FAILURE_PAUSE + LEASE).await;
    house.source.beats_shut.store(false, Ordering::Relaxed);
    house.pass(LEASE).await;
    worker.shutdown.cancel();
    house.pass(LAST_CLAIM).await;
    assert_eq!(worker.stopped().await, Ok(()));
    let told = log.told().into_iter();
    let levels: Vec<Level> = told
        .filter(|(_, message)| message.contains("heartbeat"))
        .map(|(level, _)| level)
        .collect();
    assert_eq!(levels, [Level::WARN, Level::WARN, Level::INFO]);
}
