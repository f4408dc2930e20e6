//! What becomes of instants that nobody was there to fire, and of what waits for its turn.

use punctual::limits::SETTLED_PER_LOOK;
use punctual::schedule::cron::Cron;
use punctual::schedule::{Every, Misfire, MisfireMode, Overlap, Plan, Reason, Spec};

use super::firing::{Stage, minutely, with_mode};
use super::*;

/// For which minutes after noon jobs were made, and for how many others each stands.
fn fired(stage: &Stage) -> Vec<(u64, u64)> {
    let origins = stage.fired.iter().filter_map(|job| job.body.origin.as_ref());
    origins
        .map(|origin| (origin.nominal_at.since(NOON).as_secs() / 60, origin.missed))
        .collect()
}

/// After so many missed instants, one a second, of which none is on time.
fn after_so_many(missed: usize, mode: MisfireMode) -> Stage {
    let missed = u64::try_from(missed).expect("it is a count");
    let plan = Plan {
        spec: Spec::Every(Every {
            length: seconds(1),
            phase: Duration::ZERO,
        }),
        end: Some(NOON + seconds(missed + 1)),
        overlap: Overlap::Allow,
        misfire: Misfire {
            mode,
            grace: seconds(10),
            max: 3,
        },
        ..minutely()
    };
    let mut stage = Stage::new(plan);
    stage.look_at(seconds(missed + 60));
    let told: u64 = stage.ledger.values().map(|entry| entry.count).sum();
    assert_eq!(told, missed);
    stage
}

#[test]
fn as_many_missed_instants_as_one_look_goes_through_are_no_exception() {
    let latest = after_so_many(SETTLED_PER_LOOK, MisfireMode::Latest);
    assert_eq!(latest.fired.len(), 1);
    let last = latest.fired[0].body.origin.as_ref().expect("a schedule made it");
    assert_eq!(last.missed, SETTLED_PER_LOOK as u64 - 1);
    let all = after_so_many(SETTLED_PER_LOOK, MisfireMode::All);
    assert_eq!(all.fired.len(), 3);
}

#[test]
fn the_newest_of_the_missed_are_fired_wherever_a_look_ends() {
    let all = after_so_many(SETTLED_PER_LOOK + 2, MisfireMode::All);
    assert_eq!(all.fired.len(), 3);
    let first = all.fired[0].body.origin.as_ref().expect("a schedule made it");
    assert_eq!(first.missed, SETTLED_PER_LOOK as u64 - 1);
    let skip = after_so_many(SETTLED_PER_LOOK + 2, MisfireMode::Skip);
    assert_eq!(skip.fired.len(), 0);
}

#[test]
fn what_the_clocks_leave_out_stands_for_nothing_that_was_missed() {
    let cron = Cron {
        pattern: "0 9 * * *".parse().expect("it is a pattern"),
        zone: "Pacific/Apia".parse().expect("it is a zone"),
        gap: Default::default(),
        fold: Default::default(),
    };
    let mut stage = Stage::new(Plan::new(Spec::Cron(cron), plain()));
    stage.row.standing.settled_until = "2011-12-28T20:00:00Z".parse().expect("it is an instant");
    stage.world.now = "2011-12-30T10:00:05Z".parse().expect("it is an instant");
    assert_eq!(stage.decide(punctual::rules::fire::look), 1);
    let missed: Timestamp = "2011-12-29T19:00:00Z".parse().expect("it is an instant");
    let origin = stage.fired[0].body.origin.as_ref().expect("a schedule made it");
    assert_eq!(origin.nominal_at, missed);
    assert_eq!(
        stage.ledger.values().map(|entry| &entry.outcome).next_back(),
        Some(&punctual::schedule::Outcome::Skipped(Reason::DstGap))
    );
}

#[test]
fn skips_on_both_sides_of_what_waits_for_its_turn_are_told_apart() {
    let plan = Plan {
        overlap: Overlap::BufferOne,
        ..with_mode(MisfireMode::Skip)
    };
    let mut stage = Stage::new(plan);
    stage.look_at(minutes(1));
    stage.look_at(minutes(5) + seconds(5));
    stage.look_at(minutes(8) + seconds(5));
    stage.end();
    stage.look_at(minutes(8) + seconds(10));
    let told = [
        "1 fired",
        "2-4 3 misfire",
        "5 fired for 3",
        "6-7 2 misfire",
        "8 overlap",
    ];
    assert_eq!(stage.told(), told);
}

#[test]
fn skips_go_on_in_one_entry_when_what_waited_before_them_is_fired() {
    let mut stage = Stage::new(with_mode(MisfireMode::All));
    stage.look_at(minutes(1));
    stage.look_at(minutes(3) + seconds(30));
    stage.look_at(minutes(4));
    stage.end();
    stage.look_at(minutes(4) + seconds(10));
    stage.look_at(minutes(5));
    assert_eq!(stage.told(), ["1 fired", "2 fired", "4-5 2 overlap"]);
    assert_eq!(stage.row.standing.owed.len(), 1);
}

#[test]
fn what_makes_way_for_the_next_instant_leaves_it_what_it_was_to_stand_for() {
    let plan = Plan {
        overlap: Overlap::CancelOther,
        ..with_mode(MisfireMode::Latest)
    };
    let mut stage = Stage::new(plan);
    stage.look_at(minutes(1));
    stage.look_at(minutes(10) + seconds(5));
    stage.look_at(minutes(11));
    stage.look_at(minutes(12));
    stage.end();
    stage.look_at(minutes(12) + seconds(5));
    assert_eq!(fired(&stage), [(1, 0), (12, 8)]);
    assert_eq!(
        stage.told(),
        ["1 fired", "2-9 8 misfire", "10-11 2 overlap", "12 fired for 8"]
    );
}

#[test]
fn a_run_is_asked_again_to_make_way_for_what_was_on_time_alone() {
    let plan = Plan {
        overlap: Overlap::CancelOther,
        ..with_mode(MisfireMode::All)
    };
    let mut stage = Stage::new(plan.clone());
    stage.look_at(minutes(1));
    let first = stage.fired[0].id();
    stage.look_at(minutes(2));
    assert_eq!(stage.cancelled, [first]);
    stage.look_at(minutes(2) + seconds(30));
    assert_eq!(stage.cancelled, [first]);

    let mut late = Stage::new(plan);
    late.look_at(minutes(1));
    late.look_at(minutes(5) + seconds(30));
    assert_eq!((late.cancelled.len(), late.row.standing.owed.len()), (0, 4));
    late.look_at(minutes(5) + seconds(40));
    assert_eq!(late.cancelled, []);
    late.end();
    late.look_at(minutes(5) + seconds(50));
    late.look_at(minutes(5) + seconds(55));
    assert_eq!((late.cancelled.len(), late.row.standing.owed.len()), (0, 3));
}

#[test]
fn what_waited_for_its_turn_when_all_runs_are_made_is_told_as_room_allows() {
    let plan = Plan {
        max_runs: Some(2),
        misfire: Misfire {
            mode: MisfireMode::All,
            grace: seconds(10),
            max: 500,
        },
        ..minutely()
    };
    let mut stage = Stage::new(plan);
    stage.look_at(minutes(1));
    stage.look_at(minutes(400) + seconds(30));
    assert_eq!(stage.row.standing.owed.len(), 399);
    stage.look_at(minutes(401));
    stage.end();
    stage.look_at(minutes(401) + seconds(30));
    assert_eq!((stage.fired.len(), stage.row.standing.owed.len()), (2, 0));
    let told: u64 = stage.ledger.values().map(|entry| entry.count).sum();
    assert_eq!(told, 401);
}
