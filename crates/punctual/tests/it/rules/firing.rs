//! What becomes of a schedule's instants.

use punctual::rules::fire::{self, Sight};
use punctual::schedule::cron::Cron;
use punctual::schedule::{Every, Misfire, MisfireMode, Outcome, Overlap, Plan, Reason, Spec};

use super::*;

mod stage;

pub(super) use stage::{Known, Stage};

/// Every minute.
pub(super) fn minutely() -> Plan {
    let every = Every {
        length: minutes(1),
        phase: Duration::ZERO,
    };
    Plan::new(Spec::Every(every), plain())
}

pub(super) fn with_mode(mode: MisfireMode) -> Plan {
    Plan {
        misfire: Misfire {
            mode,
            grace: seconds(10),
            ..Misfire::default()
        },
        ..minutely()
    }
}

pub(super) fn with_overlap(overlap: Overlap) -> Plan {
    Plan {
        overlap,
        ..minutely()
    }
}

#[test]
fn an_instant_is_fired_when_it_comes_under_an_id_that_everybody_computes() {
    let mut stage = Stage::new(minutely());
    assert_eq!(stage.row.standing.next, Some(NOON + minutes(1)));
    assert_eq!(stage.look_at(seconds(59)), 0);
    assert_eq!(stage.look_at(seconds(60)), 1);
    let job = &stage.fired[0];
    assert_eq!(job.id(), stage.row.id.job_at(NOON + minutes(1)));
    assert_eq!(job.status.due, NOON + minutes(1));
    let origin = job.body.origin.as_ref().expect("a schedule made it");
    assert_eq!(
        (origin.schedule, origin.nominal_at),
        (stage.row.id, NOON + minutes(1))
    );
    assert_eq!(stage.row.standing.next, Some(NOON + minutes(2)));
    assert_eq!(stage.look_at(seconds(61)), 0);
    assert_eq!(stage.told(), ["1 fired"]);
}

#[test]
fn of_what_was_missed_none_the_latest_or_all_are_fired() {
    let mut none = Stage::new(with_mode(MisfireMode::Skip));
    assert_eq!(none.look_at(seconds(10 * 60 + 30)), 0);
    assert_eq!(none.told(), ["1-10 10 misfire"]);

    let mut latest = Stage::new(with_mode(MisfireMode::Latest));
    assert_eq!(latest.look_at(seconds(10 * 60 + 30)), 1);
    assert_eq!(latest.told(), ["1-9 9 misfire", "10 fired for 9"]);

    let mut all = Stage::new(with_mode(MisfireMode::All));
    let mut fired = all.look_at(seconds(10 * 60 + 30));
    while !all.live.is_empty() {
        all.end();
        fired += all.look_at(seconds(10 * 60 + 30));
    }
    assert_eq!(fired, 10);
    assert_eq!(all.told().len(), 10);
    let allowed = Plan {
        overlap: Overlap::Allow,
        ..with_mode(MisfireMode::All)
    };
    assert_eq!(Stage::new(allowed).look_at(seconds(10 * 60 + 30)), 10);
}

#[test]
fn an_instant_within_the_grace_is_on_time_and_stands_for_those_that_were_missed() {
    for (mode, told) in [
        (MisfireMode::Skip, "10 fired for 9"),
        (MisfireMode::Latest, "10 fired for 9"),
    ] {
        let mut stage = Stage::new(with_mode(mode));
        assert_eq!(stage.look_at(seconds(10 * 60 + 5)), 1);
        assert_eq!(stage.told(), ["1-9 9 misfire", told]);
    }
}

#[test]
fn only_so_many_of_the_missed_are_fired_as_the_plan_says() {
    let mut plan = with_mode(MisfireMode::All);
    plan.overlap = Overlap::Allow;
    plan.misfire.max = 3;
    let mut stage = Stage::new(plan);
    assert_eq!(stage.look_at(seconds(10 * 60 + 30)), 3);
    assert_eq!(
        stage.told(),
        ["1-7 7 misfire", "8 fired for 7", "9 fired", "10 fired"]
    );
}

#[test]
fn an_instant_that_meets_a_live_run_does_as_the_policy_says() {
    let mut skipping = Stage::new(with_overlap(Overlap::Skip));
    skipping.look_at(minutes(1));
    assert_eq!(skipping.look_at(minutes(2)) + skipping.look_at(minutes(3)), 0);
    skipping.end();
    assert_eq!(skipping.look_at(minutes(4)), 1);
    assert_eq!(skipping.told(), ["1 fired", "2-3 2 overlap", "4 fired"]);

    let mut buffering = Stage::new(with_overlap(Overlap::BufferOne));
    buffering.look_at(minutes(1));
    assert_eq!(buffering.look_at(minutes(2)) + buffering.look_at(minutes(3)), 0);
    buffering.end();
    assert_eq!(buffering.look_at(seconds(190)), 1);
    assert_eq!(buffering.told(), ["1 fired", "2 fired", "3 overlap"]);
    assert!(
        buffering
            .fired
            .iter()
            .all(|job| job.body.origin.as_ref().is_some_and(|origin| origin.pokes))
    );

    let mut cancelling = Stage::new(with_overlap(Overlap::CancelOther));
    cancelling.look_at(minutes(1));
    let first = cancelling.live.clone();
    assert_eq!(cancelling.look_at(minutes(2)), 0);
    assert_eq!(cancelling.cancelled, first);
    assert_eq!(cancelling.look_at(minutes(3)), 0);
    cancelling.end();
    assert_eq!(cancelling.look_at(seconds(190)), 1);
    assert_eq!(cancelling.told(), ["1 fired", "2 overlap", "3 fired"]);

    let mut allowing = Stage::new(with_overlap(Overlap::Allow));
    assert_eq!(allowing.look_at(minutes(1)) + allowing.look_at(minutes(2)), 2);
    assert_eq!(allowing.told(), ["1 fired", "2 fired"]);
}

#[test]
fn a_pause_skips_what_comes_due_and_says_why() {
    let mut stage = Stage::new(with_overlap(Overlap::Allow));
    stage.look_at(minutes(1));
    stage.world.now = NOON + seconds(150);
    let pause = |sight: &Sight<'_>, moment: &Moment<'_>| fire::pause(sight, "too hot".to_owned(), moment);
    assert_eq!(stage.decide(pause), 1, "what was due before the pause is fired");
    assert_eq!(stage.row.standing.next, None);
    assert_eq!(stage.look_at(minutes(4)), 0);
    stage.world.now = NOON + seconds(330);
    assert_eq!(stage.decide(fire::resume), 0);
    assert_eq!(stage.row.standing.next, Some(NOON + minutes(6)));
    assert_eq!(stage.look_at(minutes(6)), 1);
    assert_eq!(stage.told(), ["1 fired", "2 fired", "3-5 3 paused", "6 fired"]);
}

#[test]
fn an_edit_goes_on_where_the_old_plan_stopped() {
    let mut stage = Stage::new(with_overlap(Overlap::Allow));
    stage.look_at(minutes(1));
    stage.world.now = NOON + seconds(150);
    let hourly = Every {
        length: hours(1),
        phase: minutes(30),
    };
    let plan = Plan::new(Spec::Every(hourly), plain());
    let edit = |sight: &Sight<'_>, moment: &Moment<'_>| fire::edit(sight, plan.clone(), moment);
    assert_eq!(stage.decide(edit), 1);
    assert_eq!(stage.row.standing.next, Some(NOON + minutes(30)));
    stage.end();
    assert_eq!(stage.look_at(minutes(30)), 1);
    assert_eq!(stage.told(), ["1 fired", "2 fired", "30 fired"]);
}

#[test]
fn a_trigger_makes_a_job_out_of_turn_and_moves_nothing() {
    let mut stage = Stage::new(with_overlap(Overlap::Allow));
    stage.world.now = NOON + seconds(90);
    stage.look_at(seconds(90));
    let trigger = |sight: &Sight<'_>, moment: &Moment<'_>| fire::trigger(sight, JobId::named("now"), moment);
    assert_eq!(stage.decide(trigger), 1);
    assert_eq!(stage.row.standing.next, Some(NOON + minutes(2)));
    assert_eq!(stage.row.standing.fired, 1);
    assert_eq!(stage.ledger.len(), 2);
}

#[test]
fn a_schedule_ends_when_it_has_made_its_runs_or_at_its_end() {
    let plan = Plan {
        max_runs: Some(2),
        ..with_overlap(Overlap::Allow)
    };
    let mut stage = Stage::new(plan);
    assert_eq!(stage.look_at(minutes(1)) + stage.look_at(minutes(2)), 2);
    assert_eq!(stage.row.standing.next, None);
    let plan = Plan {
        end: Some(NOON + minutes(2)),
        ..with_overlap(Overlap::Allow)
    };
    let mut stage = Stage::new(plan);
    assert_eq!(stage.look_at(minutes(10)), 1);
    assert_eq!(stage.row.standing.next, None);
    assert_eq!(stage.told(), ["1 fired"]);
}

#[test]
fn a_delay_counts_from_the_end_of_the_last_run() {
    let mut stage = Stage::new(Plan::new(Spec::After(minutes(10)), plain()));
    assert_eq!(stage.row.standing.next, Some(NOON));
    assert_eq!(stage.look_at(Duration::ZERO), 1);
    assert_eq!(stage.row.standing.next, None);
    assert_eq!(stage.look_at(minutes(30)), 0);
    stage.end();
    assert_eq!(stage.look_at(minutes(31)), 0);
    assert_eq!(stage.row.standing.next, Some(NOON + minutes(40)));
    assert_eq!(stage.look_at(minutes(39)), 0);
    assert_eq!(stage.look_at(minutes(41)), 1);
    assert_eq!(stage.told(), ["0 fired", "40 fired"]);
}

#[test]
fn a_date_that_the_clocks_leave_out_is_told() {
    let cron = Cron {
        pattern: "0 9 * * *".parse().expect("it is a pattern"),
        zone: "Pacific/Apia".parse().expect("it is a zone"),
        gap: Default::default(),
        fold: Default::default(),
    };
    let mut stage = Stage::new(Plan::new(Spec::Cron(cron), plain()));
    stage.row.standing.settled_until = "2011-12-29T20:00:00Z".parse().expect("it is an instant");
    stage.world.now = "2011-12-30T10:00:00Z".parse().expect("it is an instant");
    assert_eq!(stage.decide(fire::look), 0);
    let entry = stage.ledger.values().next().expect("it is told");
    assert_eq!(entry.outcome, Outcome::Skipped(Reason::DstGap));
}

fn after(delay: Duration) -> Plan {
    Plan::new(Spec::After(delay), plain())
}

fn edit_to(stage: &mut Stage, plan: &Plan) -> usize {
    stage.decide(|sight, moment| fire::edit(sight, plan.clone(), moment))
}

#[test]
fn a_delay_counts_from_a_run_that_an_earlier_plan_began() {
    let mut stage = Stage::new(minutely());
    stage.look_at(minutes(1));
    assert_eq!(edit_to(&mut stage, &after(minutes(10))), 0);
    let look = stage
        .row
        .standing
        .next
        .expect("nobody is poked, so somebody looks");
    stage.look_at(look.since(NOON));
    stage.end();
    stage.decide(fire::look);
    assert_eq!(stage.row.standing.next, Some(look + minutes(10)));
}

#[test]
fn a_plan_that_comes_after_a_delay_has_missed_nothing() {
    let mut stage = Stage::new(after(minutes(10)));
    stage.look_at(Duration::ZERO);
    stage.world.now = NOON + hours(20);
    assert_eq!(edit_to(&mut stage, &minutely()), 0);
    assert_eq!(stage.row.standing.next, Some(NOON + hours(20) + minutes(1)));
    assert_eq!(stage.told(), ["0 fired"]);
}

#[test]
fn a_delay_that_begins_in_a_pause_counts_from_the_end_of_its_run() {
    let mut stage = Stage::new(after(minutes(10)));
    stage.look_at(Duration::ZERO);
    stage.decide(|sight, moment| fire::pause(sight, String::new(), moment));
    stage.world.now = NOON + minutes(30);
    stage.end();
    stage.decide(fire::look);
    assert_eq!(stage.row.standing.next, None);
    stage.world.now = NOON + minutes(35);
    assert_eq!(stage.decide(fire::resume), 0);
    assert_eq!(stage.row.standing.next, Some(NOON + minutes(40)));
}

#[test]
fn of_a_past_that_is_too_long_for_one_look_only_the_newest_are_fired() {
    let every = Every {
        length: seconds(1),
        phase: Duration::ZERO,
    };
    let mut plan = with_mode(MisfireMode::All);
    plan.spec = Spec::Every(every);
    plan.misfire.max = 3;
    let mut stage = Stage::new(plan);
    stage.look_at(days(2));
    let newest = |job: &Job| job.status.due + seconds(20) > stage.world.now;
    assert!(stage.fired.iter().all(newest) && !stage.fired.is_empty());
    let told = stage.ledger.values().map(|entry| entry.count).sum::<u64>();
    let owed = stage.row.standing.owed.len() as u64;
    assert_eq!(told + owed, 2 * 86_400);
    let stands_for = stage.fired[0]
        .body
        .origin
        .as_ref()
        .expect("a schedule made it")
        .missed;
    assert!(stands_for > 172_000, "{stands_for}");
    assert!(stage.row.standing.owed.iter().all(|owed| owed.missed == 0));
}

#[test]
fn what_was_skipped_in_a_pause_is_made_up_for_where_somebody_asks() {
    let mut stage = Stage::new(minutely());
    stage.decide(|sight, moment| fire::pause(sight, String::new(), moment));
    stage.world.now = NOON + minutes(10);
    stage.decide(fire::resume);
    assert_eq!(stage.told(), ["1-10 10 paused"]);
    assert_eq!(
        stage.backfill(NOON + minutes(4)..=NOON + seconds(6 * 60 + 59)),
        (3, 0)
    );
    let told = [
        "1-3 3 paused",
        "4 backfilled",
        "5 backfilled",
        "6 backfilled",
        "7-10 4 paused",
    ];
    assert_eq!(stage.told(), told);
    for job in &stage.fired {
        let origin = job.body.origin.as_ref().expect("a schedule made it");
        assert_eq!(job.id(), stage.row.id.job_at(origin.nominal_at));
        assert!(!origin.pokes);
    }
    assert!(stage.fired.is_sorted_by_key(|job| job.status.due));
    assert_eq!(stage.backfill(NOON + minutes(4)..=NOON + minutes(6)), (0, 0));
    assert_eq!(stage.told(), told);
}

#[test]
fn skips_that_go_on_begin_behind_what_was_made_up_for() {
    let mut stage = Stage::new(minutely());
    stage.look_at(minutes(1));
    stage.look_at(minutes(2));
    stage.look_at(minutes(3));
    assert_eq!(stage.told(), ["1 fired", "2-3 2 overlap"]);
    assert_eq!(stage.backfill(NOON + seconds(1)..=NOON + minutes(2)), (1, 0));
    stage.look_at(minutes(4));
    assert_eq!(stage.told(), ["1 fired", "2 backfilled", "3-4 2 overlap"]);
    assert_eq!(stage.backfill(NOON + seconds(1)..=NOON + minutes(9)), (2, 0));
    stage.look_at(minutes(5));
    let told = [
        "1 fired",
        "2 backfilled",
        "3 backfilled",
        "4 backfilled",
        "5 overlap",
    ];
    assert_eq!(stage.told(), told);
}

#[test]
fn instants_before_a_schedule_was_made_are_made_up_for_once() {
    let mut stage = Stage::new(minutely());
    let range = NOON - minutes(250)..=NOON + minutes(5);
    assert_eq!(stage.backfill(range.clone()), (251, 0));
    assert_eq!(stage.backfill(range), (0, 0));
    assert_eq!(stage.look_at(minutes(1)), 1);
}

#[test]
fn what_another_plan_skipped_is_left_where_it_cannot_be_told_any_more() {
    let mut stage = Stage::new(minutely());
    stage.decide(|sight, moment| fire::pause(sight, String::new(), moment));
    stage.world.now = NOON + minutes(10);
    let hourly = Plan::new(Spec::every(hours(1)), plain());
    stage.decide(|sight, moment| fire::edit(sight, hourly.clone(), moment));
    assert_eq!(stage.backfill(NOON + seconds(1)..=NOON + minutes(10)), (0, 10));
    assert_eq!(stage.told(), ["1-10 10 paused"]);
}

#[test]
fn a_run_that_was_to_make_way_is_asked_again_while_it_is_live() {
    let mut stage = Stage::new(with_overlap(Overlap::CancelOther));
    stage.look_at(minutes(1));
    let first = stage.fired[0].id();
    stage.look_at(minutes(2));
    assert_eq!(stage.cancelled, [first]);
    stage.look_at(minutes(2) + seconds(30));
    assert_eq!(stage.cancelled, [first]);
    stage.end();
    assert_eq!(stage.look_at(minutes(2) + seconds(40)), 1);
    assert_eq!(stage.cancelled, []);
}
