//! Laws of what comes next, for any plan in any zone.

use std::sync::LazyLock;
use std::time::Duration;

use jiff::civil::{Date, Weekday};
use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp as Instant, ToSpan};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseError;
use punctual::schedule::cron::{Cron, Decision, Fold, Gap};
use punctual::schedule::{Calendars, Every, Exclusions, Plan, Spec, Zone};
use punctual::{NewJob, Timestamp, seconds};

/// Seconds since the epoch at which the year 2100 begins.
const LAST: i64 = 4_102_444_800;
const YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);

/// Every zone that there is.
static ZONES: LazyLock<Vec<Zone>> = LazyLock::new(|| {
    let names = tz::db().available();
    let zones: Vec<Zone> = names.filter_map(|name| name.as_str().parse().ok()).collect();
    assert!(zones.len() > 400, "there are {} zones only", zones.len());
    zones
});

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn each_instant_is_later_than_the_last_and_comes_next_from_anywhere_between(
        (plan, after) in plan_and_instant(),
        part in 0.0..1.0,
    ) {
        let next = |after| plan.nominal_after(after, &Calendars::default());
        let Some(one) = next(after) else { return Ok(()) };
        prop_assert!(one.at > after);
        let Some(two) = next(one.at) else { return Ok(()) };
        prop_assert!(two.at > one.at);
        let apart = two.at.since(one.at) - Duration::from_micros(1);
        for between in [apart, apart.mul_f64(part)] {
            prop_assert_eq!(next(one.at + between), Some(two), "from {} on", one.at + between);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_daily_job_runs_exactly_once_on_each_local_date_in_every_zone(
        begins in 0..LAST,
        hour in 0_i8..24,
        minute in 0_i8..60,
    ) {
        let begins = Instant::from_second(begins).expect("it is before the year 2100");
        for zone in ZONES.iter() {
            let daily = cron(&format!("{minute} {hour} * * *"), zone, Gap::default(), Fold::default());
            let rules = rules(zone);
            once_a_date(&daily, &rules, begins)?;
            for change in rules.following(begins).take_while(|change| change.timestamp() < begins + YEAR) {
                once_a_date(&daily, &rules, change.timestamp())?;
            }
        }
    }
}

/// Holds that of the dates around an instant, each one that exists has one run, and no other has.
fn once_a_date(daily: &Cron, rules: &TimeZone, about: Instant) -> Result<(), TestCaseError> {
    let around = SignedDuration::from_hours(72);
    let (from, until) = (Timestamp::from(about - around), Timestamp::from(about + around));
    let all = std::iter::successors(daily.nominal_after(from), |last| daily.nominal_after(last.at));
    let runs = all
        .take_while(|nominal| nominal.at < until)
        .filter(|nominal| nominal.decision != Decision::Skipped);
    let dates: Vec<Date> = runs.map(|nominal| nominal.local.date()).collect();
    prop_assert!(dates.len() > 3, "{:?} about {about}: {dates:?}", daily);
    for pair in dates.windows(2) {
        prop_assert_eq!(
            Some(pair[1]),
            next_that_exists(pair[0], rules),
            "{:?}: {:?}",
            daily,
            dates
        );
    }
    Ok(())
}

/// The first date after this one of which the clocks of the zone show anything.
fn next_that_exists(date: Date, rules: &TimeZone) -> Option<Date> {
    let exists = |date: &Date| {
        date.to_zoned(rules.clone())
            .is_ok_and(|begins| begins.date() == *date)
    };
    date.series(1.day()).skip(1).find(exists)
}

fn cron(pattern: &str, zone: &Zone, gap: Gap, fold: Fold) -> Cron {
    Cron {
        pattern: pattern
            .parse()
            .unwrap_or_else(|error| panic!("{pattern}: {error}")),
        zone: zone.clone(),
        gap,
        fold,
    }
}

fn rules(zone: &Zone) -> TimeZone {
    TimeZone::get(zone.name()).expect("it is a zone")
}

/// A plan, and an instant: in half of all within two days of a change of its clocks, if they ever change again.
fn plan_and_instant() -> impl Strategy<Value = (Plan, Timestamp)> {
    let near = proptest::option::of(-2 * 86_400..2 * 86_400_i64);
    let of = |(plan, second, near): (Plan, i64, Option<i64>)| {
        let at = Instant::from_second(second).expect("it is before the year 2100");
        let zone = rules(plan.zone());
        let change = near.and_then(|near| Some((zone.following(at).next()?.timestamp(), near)));
        let at = change.map_or(at, |(change, near)| change + SignedDuration::from_secs(near));
        (plan, Timestamp::from(at))
    };
    (plan(), 0..LAST, near).prop_map(of)
}

fn plan() -> impl Strategy<Value = Plan> {
    let zone = any::<Index>().prop_map(|index| index.get(&ZONES).clone());
    let weekdays = select(vec![
        vec![],
        vec![Weekday::Saturday, Weekday::Sunday],
        vec![Weekday::Monday],
    ]);
    (spec(), zone, weekdays).prop_map(|(spec, zone, weekdays)| {
        let spec = match spec {
            Spec::Cron(cron) => Spec::Cron(Cron {
                zone: zone.clone(),
                ..cron
            }),
            spec => spec,
        };
        let exclude = Exclusions {
            weekdays,
            ..Exclusions::default()
        };
        Plan {
            zone,
            exclude,
            ..Plan::new(spec, NewJob::bytes("report", "null"))
        }
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let every = (1_u64..1_000_000, any::<u64>()).prop_map(|(length, phase)| {
        Spec::Every(Every {
            length: seconds(length),
            phase: seconds(phase % length),
        })
    });
    let at = proptest::collection::vec(0..LAST * 1_000_000, 1..50)
        .prop_map(|instants| Spec::at(instants.into_iter().map(Timestamp::from_micros)));
    let gaps = select(vec![Gap::Shift, Gap::Skip]);
    let folds = select(vec![Fold::First, Fold::Second, Fold::Both]);
    let cron = (pattern(), gaps, folds)
        .prop_map(|(pattern, gap, fold)| Spec::Cron(cron(&pattern, &Zone::default(), gap, fold)));
    prop_oneof![6 => cron, 2 => every, 1 => at]
}

/// Patterns whose days all exist; which others are refused is told elsewhere.
fn pattern() -> impl Strategy<Value = String> {
    let minutes = select(vec!["0", "30", "*", "*/7", "5,15,59", "10-40/3"]);
    let hours = select(vec!["*", "0", "2", "1-3", "0,23", "*/5", "2,14"]);
    let dates = select(vec!["*", "1", "L", "LW", "15W", "L-3", "1-7", "29", "*/9"]);
    let months = select(vec!["*", "*", "*", "JAN,MAR-APR", "10", "*/4"]);
    let weekdays = select(vec!["*", "*", "MON-FRI", "SUN", "FRI#2", "SATL", "*/2"]);
    (minutes, hours, dates, months, weekdays)
        .prop_map(|(minute, hour, date, month, weekday)| format!("{minute} {hour} {date} {month} {weekday}"))
}
