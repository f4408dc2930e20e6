//! The law of the ledger: every nominal instant has exactly one place in it.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample;
use punctual::rules::fire::{self, Fired, Sight};
use punctual::schedule::cron::Cron;
use punctual::schedule::{Calendars, Cause, Every, Misfire, MisfireMode, Outcome, Overlap, Plan, Spec};

use super::firing::Stage;
use super::*;

/// Steps of one history.
const STEPS: usize = 40;

/// Something that happens to a schedule.
#[derive(Clone, Debug)]
enum Event {
    Wait(Duration),
    Look,
    End,
    Pause,
    Resume,
    Trigger(u32),
    Edit(Box<Plan>),
    Backfill(RangeInclusive<i64>),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn every_instant_has_one_place_whatever_happens(plan in plan(1), events in vec(event(), 1..STEPS)) {
        let mut stage = Stage::new(plan);
        let mut nominal = 0;
        for event in events {
            let (plan, settled) = (stage.row.plan.clone(), stage.row.standing.settled_until);
            happen(&mut stage, event);
            nominal += count(&plan, settled, stage.row.standing.settled_until);
            sound(&stage, nominal)?;
        }
    }
}

fn happen(stage: &mut Stage, event: Event) {
    let now = stage.world.now;
    match event {
        Event::Wait(length) => stage.world.now = now + length,
        Event::End => stage.end(),
        Event::Look => decide(stage, fire::look),
        Event::Resume => decide(stage, fire::resume),
        Event::Pause => decide(stage, |sight, moment| fire::pause(sight, String::new(), moment)),
        Event::Edit(plan) => decide(stage, |sight, moment| {
            fire::edit(sight, Plan::clone(&plan), moment)
        }),
        Event::Backfill(range) => {
            let minute = |n: &i64| Timestamp::from_micros(now.as_micros() + n * 60_000_000);
            stage.backfill(minute(range.start())..=minute(range.end()));
        }
        Event::Trigger(n) => {
            let id = JobId::named(&format!("{n} {now}"));
            decide(stage, |sight, moment| fire::trigger(sight, id, moment));
        }
    }
}

fn decide(stage: &mut Stage, rule: impl Fn(&Sight<'_>, &Moment<'_>) -> Fired) {
    stage.decide(rule);
}

/// How many nominal instants a plan has there.
pub(crate) fn count(plan: &Plan, after: Timestamp, until: Timestamp) -> u64 {
    let calendars = Calendars::default();
    let first = plan.nominal_after(after, &calendars);
    let all = std::iter::successors(first, |last| plan.nominal_after(last.at, &calendars));
    all.take_while(|nominal| nominal.at <= until).count() as u64
}

fn sound(stage: &Stage, nominal: u64) -> Result<(), TestCaseError> {
    let standing = &stage.row.standing;
    let planned = || {
        stage
            .ledger
            .iter()
            .filter(|((_, triggered), _)| !triggered)
            .map(|(_, entry)| entry)
    };
    let since = planned().filter(|entry| entry.nominal_at > stage.row.created_at);
    let told: u64 = since.map(|entry| entry.count).sum();
    prop_assert_eq!(
        told + standing.owed.len() as u64,
        nominal,
        "each instant is told once, or owed"
    );
    let fired = planned()
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

/// Any plan whose instants are at least so many seconds apart.
pub(crate) fn plan(least: u64) -> impl Strategy<Value = Plan> {
    let every = (least..300, 0_u64..60).prop_map(|(length, phase)| {
        Spec::Every(Every {
            length: seconds(length.max(phase + 1)),
            phase: seconds(phase),
        })
    });
    let patterns = vec!["* * * * *", "*/7 * * * *", "10,20 12-13 * * *", "0,30 * * * * *"];
    let cron = sample::select(patterns).prop_map(|pattern| {
        Spec::Cron(Cron {
            pattern: pattern.parse().expect("it is a pattern"),
            zone: "Europe/Ljubljana".parse().expect("it is a zone"),
            gap: Default::default(),
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

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1_u64..600).prop_map(|length| Event::Wait(seconds(length))),
        1 => (1_u64..20).prop_map(|length| Event::Wait(hours(length))),
        6 => Just(Event::Look),
        3 => Just(Event::End),
        1 => Just(Event::Pause),
        1 => Just(Event::Resume),
        1 => any::<u32>().prop_map(Event::Trigger),
        1 => plan(1).prop_map(|plan| Event::Edit(Box::new(plan))),
        2 => (-120_i64..10, 0_i64..60).prop_map(|(from, length)| Event::Backfill(from..=from + length)),
    ]
}
