//! Two engines on one store, as in two processes, and every hint is lost. What happens on one of them, the other one finds
//! out by itself within five seconds.

use std::sync::Arc;

use futures_util::StreamExt;
use macro_rules_attribute::apply;
use punctual::clock::ManualClock;
use punctual::engine::Ending;
use punctual::limits::RESCAN;
use punctual::source::Source;
use punctual::testing::FaultyStore;
use punctual::{Engine, Timestamp, milliseconds, minutes, seconds};
use tokio::task::JoinHandle;

use crate::stage::{claim, done, settle_down, settlement, soon, work};
use crate::stores::{Place, on_each_store};

struct Pair {
    clock: ManualClock,
    stores: [Arc<FaultyStore>; 2],
    here: Engine,
    there: Engine,
}

impl Pair {
    async fn on(place: &Place) -> Pair {
        let clock = ManualClock::new(Timestamp::EPOCH + minutes(1), 7);
        let time = Arc::new(clock.clone());
        let stores = place
            .open_twice()
            .await
            .map(|store| Arc::new(FaultyStore::new(store).on_clock(time.clone()).deaf()));
        let [here, there] = stores.each_ref().map(|store| {
            let engine = Engine::builder().clock(time.clone()).caretaker(false);
            engine.on(store.clone())
        });
        Pair {
            clock,
            stores,
            here,
            there,
        }
    }

    async fn settle_down(&self) {
        for store in &self.stores {
            settle_down(100, store).await;
        }
    }

    /// Lets five seconds go on, sleeper by sleeper, and looks whether it has happened only then.
    async fn happens<T>(&self, what: JoinHandle<T>) -> T {
        let until = self.here.now() + RESCAN;
        while self.here.now() < until {
            self.settle_down().await;
            let left = until.since(self.here.now());
            let next = self.clock.next_wake().unwrap_or(left).max(milliseconds(1));
            self.clock.advance(next.min(left));
        }
        self.settle_down().await;
        assert!(what.is_finished(), "five seconds were not enough");
        soon(what).await.expect("nobody panics")
    }
}

#[apply(on_each_store)]
pub(crate) async fn a_job_that_was_enqueued_elsewhere_is_claimed(place: Place) {
    let pair = Pair::on(&place).await;
    let engine = pair.there.clone();
    let claiming = tokio::spawn(async move { engine.claim(claim("w", 1), minutes(10)).await });
    pair.settle_down().await;
    pair.here.enqueue(work()).await.expect("it is stored");
    let claimed = pair.happens(claiming).await.expect("the store serves claims");
    assert_eq!(claimed.jobs.len(), 1);
}

#[apply(on_each_store)]
pub(crate) async fn a_job_that_was_made_due_elsewhere_is_claimed(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.here.enqueue(work().delay(minutes(9))).await;
    let engine = pair.there.clone();
    let claiming = tokio::spawn(async move { engine.claim(claim("w", 1), minutes(10)).await });
    pair.settle_down().await;
    let id = id.expect("it is stored").id();
    pair.here.run_now(id, None).await.expect("it waits");
    let claimed = pair.happens(claiming).await.expect("the store serves claims");
    assert_eq!(claimed.jobs.len(), 1);
}

#[apply(on_each_store)]
pub(crate) async fn a_result_of_a_run_that_ended_elsewhere_is_given_to_who_waits(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.here.enqueue(work()).await.expect("it is stored").id();
    let engine = pair.here.clone();
    let waiting = tokio::spawn(async move { engine.result(id, minutes(10)).await });
    let claimed = pair.there.claim(claim("w", 1), seconds(0)).await;
    let job = claimed.expect("the store serves claims").jobs.remove(0);
    pair.settle_down().await;
    let settled = pair.there.settle(vec![settlement(&job, done("7"))]).await;
    settled.expect("it is settled");
    let ending = pair.happens(waiting).await;
    assert!(matches!(ending, Ok(Ending::Succeeded(..))), "{ending:?}");
}

#[apply(on_each_store)]
pub(crate) async fn a_run_that_was_cancelled_elsewhere_is_told_to_its_worker_until_it_ends(place: Place) {
    let pair = Pair::on(&place).await;
    let id = pair.here.enqueue(work()).await.expect("it is stored").id();
    let claimed = pair.there.claim(claim("w", 1), seconds(0)).await;
    assert_eq!(claimed.expect("the store serves claims").jobs.len(), 1);
    let mut cancels = pair.there.cancels();
    for round in 0..2 {
        // Who was told before it knew of the run is told again.
        let hearing = tokio::spawn(async move { (cancels.next().await, cancels) });
        pair.settle_down().await;
        if round == 0 {
            pair.here.cancel(id, "", None).await.expect("it runs");
        }
        let heard;
        (heard, cancels) = pair.happens(hearing).await;
        assert_eq!(heard, Some(id));
    }
}
