//! The law of the ledger where several nodes fire: each nominal instant has exactly one place in it, and at most one job, whatever
//! happens meanwhile.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use punctual::Error;
use punctual::clock::ManualClock;
use punctual::engine::Backfill;
use punctual::schedule::{Cause, Occurrence};
use punctual::store::memory::MemoryStore;
use punctual::testing::{Call, Fate, FaultyStore};

use super::*;
use crate::rules::ledger::{count, plan};
use crate::stage::{advance, settle_down};

const NODES: usize = 3;
/// Steps of one history.
const STEPS: usize = 14;
/// Seconds between two instants, at the least, so that hours of them are not too many.
const APART: u64 = 20;
/// Jobs of one claim.
const CLAIM: usize = 100;

/// Something that happens, to one of the nodes if it is one that is asked.
#[derive(Clone, Debug)]
enum Event {
    /// All are up, and the next so many writes of schedules fail, or are done and not answered.
    Wait(Duration, Trouble),
    /// None is up.
    Down(Duration),
    /// One goes, and another one comes.
    Replace(usize),
    Pause(usize),
    Resume(usize),
    Trigger(usize),
    Edit(usize, Box<Plan>),
    /// Minutes from now.
    Backfill(usize, i64, i64),
    Work,
}

#[derive(Clone, Copy, Debug)]
struct Trouble {
    writes: usize,
    done: bool,
}

/// Nodes on one store, and what a target would have on record.
struct House {
    clock: ManualClock,
    store: Arc<FaultyStore>,
    nodes: Vec<Engine>,
    nominal: u64,
    ran: Vec<JobId>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_instant_has_one_place_though_nodes_race_and_come_and_go(
        plan in plan(APART),
        events in vec(event(), 1..STEPS),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(play(plan, events))?;
    }
}

async fn play(plan: Plan, events: Vec<Event>) -> Result<(), TestCaseError> {
    let mut house = House::open();
    let set = house.nodes[0].set_schedule("s", plan, None).await;
    set.expect("it is set");
    for event in events {
        house.happen(event).await;
    }
    house.happen(Event::Work).await;
    house.sound().await
}

impl House {
    fn open() -> House {
        let clock = ManualClock::new(noon(), 7);
        let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        let mut house = House {
            store: Arc::new(FaultyStore::new(store)),
            clock,
            nodes: Vec::new(),
            nominal: 0,
            ran: Vec::new(),
        };
        house.nodes = (0..NODES).map(|_| house.node()).collect();
        house
    }

    fn node(&self) -> Engine {
        Engine::builder()
            .clock(Arc::new(self.clock.clone()))
            .on(self.store.clone())
    }

    async fn row(&self) -> Schedule {
        self.nodes[0].schedule("s").await.expect("it is there")
    }

    /// Lets it happen, and counts the instants that it settles.
    async fn happen(&mut self, event: Event) {
        let before = self.row().await;
        self.turn(event).await;
        settle_down(100, &self.store).await;
        let after = self.row().await;
        let (from, until) = (before.standing.settled_until, after.standing.settled_until);
        self.nominal += count(&before.plan, from, until);
    }

    async fn turn(&mut self, event: Event) {
        match event {
            Event::Wait(length, trouble) => self.wait(length, trouble).await,
            Event::Down(length) => {
                for node in self.nodes.drain(..) {
                    node.close().await.expect("it comes to an end");
                }
                self.clock.advance(length);
                self.nodes = (0..NODES).map(|_| self.node()).collect();
            }
            Event::Replace(one) => {
                let new = self.node();
                let old = std::mem::replace(&mut self.nodes[one], new);
                old.close().await.expect("it comes to an end");
            }
            Event::Work => self.work().await,
            asked => {
                // Two who ask do not do so in the same microsecond, which is what tells runs out of turn apart.
                self.clock.advance(Duration::from_micros(1));
                self.ask(asked).await;
            }
        }
    }

    async fn ask(&self, event: Event) {
        let done = match event {
            Event::Pause(one) => self.nodes[one].pause_schedule("s", "", None).await.map(drop),
            Event::Resume(one) => self.nodes[one].resume_schedule("s", None).await.map(drop),
            Event::Trigger(one) => self.nodes[one].trigger_schedule("s", None).await.map(drop),
            Event::Edit(one, plan) => self.nodes[one].set_schedule("s", *plan, None).await.map(drop),
            Event::Backfill(one, from, length) => {
                let minute =
                    |n: i64| Timestamp::from_micros(self.nodes[one].now().as_micros() + n * 60_000_000);
                let backfill = Backfill {
                    from: minute(from),
                    until: minute(from + length),
                    dry_run: false,
                };
                self.nodes[one].backfill_schedule("s", backfill).await.map(drop)
            }
            other => unreachable!("{other:?} is asked of nobody"),
        };
        done.expect("the store is well");
    }

    async fn wait(&self, length: Duration, trouble: Trouble) {
        let mut left = trouble.writes;
        self.store.rule(move |call| match call {
            Call::ChangeSchedules(_) if left > 0 => {
                left -= 1;
                match trouble.done {
                    true => Fate::Lose(Error::unknown("the connection broke")),
                    false => Fate::Refuse(Error::unavailable("the disk is full")),
                }
            }
            _ => Fate::Pass,
        });
        advance(&self.clock, &self.store, length).await;
        self.store.rule(|_| Fate::Pass);
    }

    /// Runs all that is due, and what that brings about.
    async fn work(&mut self) {
        loop {
            settle_down(100, &self.store).await;
            let claimed = self.nodes[0].claim(claim("w", CLAIM), Duration::ZERO).await;
            let jobs = claimed.expect("the store serves claims").jobs;
            if jobs.is_empty() {
                return;
            }
            self.ran.extend(jobs.iter().map(Job::id));
            let ends = jobs.iter().map(|job| settlement(job, done("1"))).collect();
            self.nodes[0].settle(ends).await.expect("the store takes it");
        }
    }

    async fn sound(&self) -> Result<(), TestCaseError> {
        let (row, ledger) = (self.row().await, self.ledger().await);
        let planned = ledger
            .iter()
            .filter(|entry| entry.cause != Cause::Triggered && entry.nominal_at > row.created_at);
        let told: u64 = planned.map(|entry| entry.count).sum();
        let owed = row.standing.owed.len() as u64;
        prop_assert_eq!(told + owed, self.nominal, "each instant is told once, or owed");

        let fired: Vec<JobId> = ledger
            .iter()
            .filter_map(|entry| match entry.outcome {
                Outcome::Fired { job, .. } => Some(job),
                Outcome::Skipped(_) => None,
            })
            .collect();
        let ids: BTreeSet<JobId> = fired.iter().copied().collect();
        prop_assert_eq!(ids.len(), fired.len(), "each has a job of its own");
        let ran: BTreeSet<JobId> = self.ran.iter().copied().collect();
        prop_assert_eq!(ran.len(), self.ran.len(), "none runs twice");
        prop_assert!(ran.is_subset(&ids), "none runs that is not told");
        Ok(())
    }

    /// The whole ledger, latest first.
    async fn ledger(&self) -> Vec<Occurrence> {
        let mut page = LedgerPage {
            from: None,
            until: None,
            before: None,
            limit: PAGE_ITEMS,
        };
        let mut entries = Vec::new();
        loop {
            let ledger = self.nodes[0].occurrences("s", page.clone()).await;
            let ledger = ledger.expect("the store answers");
            entries.extend(ledger.items);
            match ledger.next {
                None => return entries,
                next => page.before = next,
            }
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    let one = || 0..NODES;
    let trouble = (0_usize..4, any::<bool>()).prop_map(|(writes, done)| Trouble { writes, done });
    prop_oneof![
        5 => ((1_u64..600).prop_map(seconds), trouble).prop_map(|(length, trouble)| Event::Wait(length, trouble)),
        2 => (1_u64..300).prop_map(|length| Event::Down(minutes(length))),
        1 => one().prop_map(Event::Replace),
        1 => one().prop_map(Event::Pause),
        1 => one().prop_map(Event::Resume),
        1 => one().prop_map(Event::Trigger),
        2 => (one(), plan(APART)).prop_map(|(one, plan)| Event::Edit(one, Box::new(plan))),
        2 => (one(), -120_i64..10, 0_i64..60).prop_map(|(one, from, length)| Event::Backfill(one, from, length)),
        3 => Just(Event::Work),
    ]
}
