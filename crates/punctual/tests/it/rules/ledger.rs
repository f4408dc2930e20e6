//! The law of the ledger: every nominal instant has exactly one place in it, whoever decides.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample;
use punctual::change::{Forget, ScheduleChange};
use punctual::limits::{FORGET_AFTER, FORGET_EVERY, KEEP_LEDGER, LEDGER_ENTRIES};
use punctual::rules::fire;
use punctual::schedule::cron::{Cron, Decision, Gap};
use punctual::schedule::{
    Calendars, Cause, Every, Misfire, MisfireMode, Occurrence, Outcome, Overlap, Plan, Reason, Spec,
};

use super::firing::{Known, Stage, minutely, with_overlap};
use super::*;

/// Steps of one history.
const STEPS: usize = 40;
/// Nodes that look at one schedule.
const NODES: usize = 3;
/// The evening before the clocks of Ljubljana leave out an hour: 2027-03-27T20:00:00Z.
const EVE: Timestamp = Timestamp::from_micros(1_806_177_600_000_000);

/// What somebody does to a schedule.
#[derive(Clone, Debug)]
enum Deed {
    Look,
    Pause,
    Resume,
    Trigger(u32),
    Edit(Box<Plan>),
    Backfill(RangeInclusive<i64>),
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Event {
    Wait(Duration),
    /// All live jobs end.
    End,
    /// This node reads what it has to know.
    Read(usize),
    /// This node decides by what it has read, and writes if nobody else has meanwhile.
    Write(usize, Deed),
    /// Somebody reads, decides and writes at once, until there is no more.
    Do(Deed),
}

/// A schedule, the instants that have come so far, and the nodes that look at it.
struct History {
    stage: Stage,
    nominal: Vec<(Timestamp, Decision)>,
    nodes: [Option<Known>; NODES],
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn every_instant_has_one_place_whatever_happens(plan in plan(1), events in vec(event(), 1..STEPS)) {
        let mut history = History {
            stage: Stage::at(EVE, plan),
            nominal: Vec::new(),
            nodes: Default::default(),
        };
        for event in events {
            history.goes_on(event);
            sound(&history)?;
        }
        each_has_its_place(&history)?;
    }
}

impl History {
    fn goes_on(&mut self, event: Event) {
        let stage = &mut self.stage;
        match event {
            Event::Wait(length) => stage.world.now = stage.world.now + length,
            Event::End => self.end(),
            Event::Read(node) => self.nodes[node] = Some(stage.known()),
            Event::Write(node, deed) => {
                if let Some(known) = self.nodes[node].clone() {
                    // No clock is quite right.
                    let now = stage.world.now + seconds(5 * u64::try_from(node).unwrap_or(0));
                    self.write(decided(&known, &deed, &World { now, ..World::new() }).0);
                }
            }
            Event::Do(deed) => loop {
                let (change, more) = decided(&self.stage.known(), &deed, &self.stage.world);
                assert!(self.write(change), "nobody else was at it");
                if !more {
                    return;
                }
            },
        }
    }

    fn write(&mut self, change: ScheduleChange) -> bool {
        let (plan, settled) = (self.stage.row.plan.clone(), self.stage.row.standing.settled_until);
        let is_written = self.stage.write(change);
        let until = self.stage.row.standing.settled_until;
        self.nominal.extend(instants(&plan, settled, until));
        is_written
    }

    /// Those that have to wake the schedule do, as a store does it.
    fn end(&mut self) {
        let stage = &mut self.stage;
        let pokes = |job: &Job| job.body.origin.as_ref().is_some_and(|origin| origin.pokes);
        let mut ends = stage.fired.iter().filter(|job| stage.live.contains(&job.id()));
        let is_poked = ends.any(pokes);
        stage.row.rev += u64::from(is_poked);
        stage.end();
    }
}

/// The change that somebody decides on by what they know, and whether there is more to decide.
fn decided(known: &Known, deed: &Deed, world: &World) -> (ScheduleChange, bool) {
    let (sight, moment) = (known.sight(), world.moment());
    let fired = match deed {
        Deed::Look => fire::look(&sight, &moment),
        Deed::Pause => fire::pause(&sight, String::new(), &moment),
        Deed::Resume => fire::resume(&sight, &moment),
        Deed::Trigger(n) => {
            let id = JobId::named(&format!("{n} {} {}", world.now, sight.schedule.rev));
            fire::trigger(&sight, id, &moment)
        }
        Deed::Edit(plan) => fire::edit(&sight, Plan::clone(plan), &moment),
        Deed::Backfill(range) => {
            let minute = |n: &i64| Timestamp::from_micros(world.now.as_micros() + n * 60_000_000);
            let decided = known.backfill(minute(range.start())..=minute(range.end()), &moment);
            return (decided.change, false);
        }
    };
    (fired.change, fired.more)
}

/// How many nominal instants a plan has there.
pub(crate) fn count(plan: &Plan, after: Timestamp, until: Timestamp) -> u64 {
    instants(plan, after, until).count() as u64
}

/// The nominal instants of a plan there.
fn instants(plan: &Plan, after: Timestamp, until: Timestamp) -> impl Iterator<Item = (Timestamp, Decision)> {
    let calendars = Calendars::default();
    let first = plan.nominal_after(after, &calendars);
    let all = std::iter::successors(first, move |last| plan.nominal_after(last.at, &calendars));
    all.take_while(move |nominal| nominal.at <= until)
        .map(|nominal| (nominal.at, nominal.decision))
}

/// The entries of what came by plan since the schedule was made, in their order.
fn planned(stage: &Stage) -> impl Iterator<Item = &Occurrence> {
    let planned = stage.ledger.iter().filter(|((_, triggered), _)| !triggered);
    let entries = planned.map(|(_, entry)| entry);
    entries.filter(move |entry| entry.nominal_at > stage.row.created_at)
}

fn sound(history: &History) -> Result<(), TestCaseError> {
    let stage = &history.stage;
    let standing = &stage.row.standing;
    let told: u64 = planned(stage).map(|entry| entry.count).sum();
    prop_assert_eq!(
        told + standing.owed.len() as u64,
        history.nominal.len() as u64,
        "each instant is told once, or owed"
    );
    let fired = planned(stage)
        .filter(|entry| matches!(entry.outcome, Outcome::Fired { .. }) && entry.cause == Cause::Planned)
        .count();
    prop_assert_eq!(fired as u64, standing.fired);
    let mut ids: Vec<JobId> = stage.fired.iter().map(Job::id).collect();
    ids.sort_unstable();
    ids.dedup();
    prop_assert_eq!(ids.len(), stage.fired.len(), "no job is made twice");
    let may = stage.row.plan.max_runs.unwrap_or(u64::MAX);
    prop_assert!(standing.fired <= may || stage.fired.len() as u64 > may);
    for job in &stage.fired {
        let origin = job.body.origin.as_ref().expect("a schedule made it");
        prop_assert!(job.status.due >= origin.nominal_at, "never early");
    }
    if stage.row.plan.overlap != Overlap::Allow {
        let live = stage.live.iter().filter(|id| standing.live.contains(id)).count();
        prop_assert_eq!(live, stage.live.len(), "the row knows its live jobs");
    }
    Ok(())
}

/// No two entries overlap, so that whoever reads them one after the other misses none, and each instant lies in one of them, or is
/// owed.
fn each_has_its_place(history: &History) -> Result<(), TestCaseError> {
    let stage = &history.stage;
    let entries: Vec<&Occurrence> = planned(stage).collect();
    for pair in entries.windows(2) {
        prop_assert!(
            pair[0].until < pair[1].nominal_at,
            "{:?} and {:?}",
            pair[0],
            pair[1]
        );
    }
    for (at, decision) in &history.nominal {
        let place = entries.partition_point(|entry| entry.until < *at);
        let entry = entries.get(place).filter(|entry| entry.nominal_at <= *at);
        let is_owed = stage.row.standing.owed.iter().any(|owed| owed.nominal_at == *at);
        prop_assert!(entry.is_some() != is_owed, "{at} has one place: {entry:?}");
        let is_gap = entry.is_some_and(|entry| entry.outcome == Outcome::Skipped(Reason::DstGap));
        prop_assert!(!is_gap || *decision == Decision::Skipped, "{at} was not left out");
    }
    Ok(())
}

/// Any plan whose instants are at least so many seconds apart.
pub(crate) fn plan(least: u64) -> impl Strategy<Value = Plan> {
    let every = (least..300, 0_u64..60).prop_map(|(length, phase)| {
        Spec::Every(Every {
            length: seconds(length.max(phase + 1)),
            phase: seconds(phase),
        })
    });
    let patterns = vec![
        "* * * * *",
        "*/7 * * * *",
        "10,20 1-4,12 * * *",
        "0,30 * 2,4 * * *",
    ];
    let gaps = sample::select(vec![Gap::Shift, Gap::Skip]);
    let cron = (sample::select(patterns), gaps).prop_map(|(pattern, gap)| {
        Spec::Cron(Cron {
            pattern: pattern.parse().expect("it is a pattern"),
            zone: "Europe/Ljubljana".parse().expect("it is a zone"),
            gap,
            fold: Default::default(),
        })
    });
    let modes = sample::select(vec![MisfireMode::Skip, MisfireMode::Latest, MisfireMode::All]);
    let overlaps = vec![Overlap::Skip, Overlap::BufferOne, Overlap::CancelOther];
    let policies = (modes, 0_u64..120, 1_u32..20, sample::select(overlaps));
    let spread = prop_oneof![Just(None), (1_u64..600).prop_map(|length| Some(seconds(length)))];
    let max_runs = prop_oneof![3 => Just(None), 1 => (1_u64..10).prop_map(Some)];
    (prop_oneof![every, cron], policies, spread, max_runs).prop_map(|(spec, policies, spread, max_runs)| {
        let (mode, grace, max, overlap) = policies;
        let grace = seconds(grace);
        Plan {
            misfire: Misfire { mode, grace, max },
            overlap,
            spread,
            max_runs,
            ..Plan::new(spec, plain())
        }
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        8 => Just(Deed::Look),
        1 => Just(Deed::Pause),
        1 => Just(Deed::Resume),
        1 => any::<u32>().prop_map(Deed::Trigger),
        1 => plan(1).prop_map(|plan| Deed::Edit(Box::new(plan))),
        2 => (-120_i64..10, 0_i64..60).prop_map(|(from, length)| Deed::Backfill(from..=from + length)),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1_u64..600).prop_map(|length| Event::Wait(seconds(length))),
        1 => (1_u64..20).prop_map(|length| Event::Wait(hours(length))),
        3 => Just(Event::End),
        5 => (0..NODES).prop_map(Event::Read),
        5 => (0..NODES, deed()).prop_map(|(node, deed)| Event::Write(node, deed)),
        6 => deed().prop_map(Event::Do),
    ]
}

#[test]
fn old_entries_are_dropped_each_day_and_each_thousand_entries() {
    let mut stage = Stage::new(with_overlap(Overlap::Allow));
    stage.look_at(minutes(1));
    assert_eq!(stage.forget, None);
    stage.look_at(FORGET_EVERY);
    let dropped = Forget {
        before: NOON + FORGET_EVERY - (KEEP_LEDGER + FORGET_EVERY),
        keep: LEDGER_ENTRIES,
    };
    let daily = stage.forget;
    stage.look_at(FORGET_EVERY + minutes(1));
    assert_eq!((daily, stage.forget), (Some(dropped), None));

    stage.row.standing.written = FORGET_AFTER - 1;
    stage.look_at(FORGET_EVERY + minutes(2));
    let many = stage.forget.map(|forget| forget.keep);
    stage.look_at(FORGET_EVERY + minutes(3));
    assert_eq!((many, stage.forget), (Some(LEDGER_ENTRIES), None));
}

#[test]
fn what_lies_before_a_schedule_is_left_once_its_ledger_may_have_forgotten_some_of_it() {
    let mut stage = Stage::new(minutely());
    let range = NOON - minutes(10)..=NOON - minutes(1);
    stage.row.standing.written = LEDGER_ENTRIES as u64;
    assert_eq!(stage.backfill(range.clone()), (0, 10));
    stage.row.standing.written = 0;
    assert_eq!(stage.backfill(range), (10, 0));
}
