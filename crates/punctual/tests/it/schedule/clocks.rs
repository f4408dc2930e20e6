//! What becomes of a pattern where clocks change: replays of days that hurt others.

use punctual::Timestamp;
use punctual::schedule::cron::{Cron, Decision, Fold, Gap};

fn cron(pattern: &str, zone: &str) -> Cron {
    Cron {
        pattern: pattern.parse().expect("it is a pattern"),
        zone: zone.parse().expect("it is a zone"),
        gap: Gap::default(),
        fold: Fold::default(),
    }
}

/// What becomes of a pattern after a local noon, as many instants as are expected: each as it is written on a clock there,
/// and what was decided about it.
#[track_caller]
fn shows(cron: &Cron, noon: &str, expected: &[&str]) {
    let zone = jiff::tz::TimeZone::get(cron.zone.name()).expect("it is a zone");
    let noon = format!("{noon}T12:00[{}]", cron.zone.name());
    let noon: jiff::Zoned = noon.parse().expect("there is a noon on this day");
    let first = cron.nominal_after(Timestamp::from(noon.timestamp()));
    let nominals = std::iter::successors(first, |last| cron.nominal_after(last.at));
    let told = nominals.take(expected.len()).map(|nominal| {
        let clock = jiff::Timestamp::from(nominal.at).to_zoned(zone.clone());
        let clock = clock.strftime("%m-%d %H:%M %:z").to_string();
        match nominal.decision {
            Decision::Plain => clock,
            decision => format!("{clock} {decision:?}").to_lowercase(),
        }
    });
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn a_time_of_day_that_is_left_out_is_moved_or_skipped() {
    let nightly = cron("30 2 * * *", "Europe/Ljubljana");
    let moved = [
        "03-27 02:30 +01:00",
        "03-28 03:00 +02:00 shifted",
        "03-29 02:30 +02:00",
    ];
    shows(&nightly, "2027-03-26", &moved);
    let skipping = Cron {
        gap: Gap::Skip,
        ..nightly
    };
    let skipped = [
        "03-27 02:30 +01:00",
        "03-28 03:00 +02:00 skipped",
        "03-29 02:30 +02:00",
    ];
    shows(&skipping, "2027-03-26", &skipped);
    let many = cron("0,30 2,3 * * *", "America/New_York");
    let one = ["03-14 03:00 -04:00", "03-14 03:30 -04:00", "03-15 02:00 -04:00"];
    shows(&many, "2027-03-13", &one);
}

#[test]
fn a_time_of_day_that_comes_twice_fires_once_or_twice_as_asked() {
    let nightly = cron("30 2 * * *", "Europe/Ljubljana");
    shows(
        &nightly,
        "2027-10-30",
        &["10-31 02:30 +02:00 first", "11-01 02:30 +01:00"],
    );
    let second = Cron {
        fold: Fold::Second,
        ..nightly.clone()
    };
    shows(
        &second,
        "2027-10-30",
        &["10-31 02:30 +01:00 second", "11-01 02:30 +01:00"],
    );
    let both = Cron {
        fold: Fold::Both,
        ..nightly
    };
    let twice = [
        "10-31 02:30 +02:00 first",
        "10-31 02:30 +01:00 second",
        "11-01 02:30 +01:00",
    ];
    shows(&both, "2027-10-30", &twice);
}

#[test]
fn a_pattern_of_every_hour_follows_the_time_that_passes() {
    let half_hourly = cron("*/30 * 28 3 *", "Europe/Ljubljana");
    let spring = [
        "03-28 00:00 +01:00",
        "03-28 00:30 +01:00",
        "03-28 01:00 +01:00",
        "03-28 01:30 +01:00",
        "03-28 03:00 +02:00",
        "03-28 03:30 +02:00",
    ];
    shows(&half_hourly, "2027-03-27", &spring);
    let hourly = cron("0 * * * *", "America/New_York");
    let autumn = [
        "11-07 00:00 -04:00",
        "11-07 01:00 -04:00 first",
        "11-07 01:00 -05:00 second",
        "11-07 02:00 -05:00",
    ];
    shows(
        &Cron {
            fold: Fold::Second,
            ..cron("0 * 7 * *", "America/New_York")
        },
        "2027-11-06",
        &autumn,
    );
    let noon: Timestamp = "2027-11-06T16:00:00Z".parse().expect("it is an instant");
    let mut at = noon;
    for _ in 0..48 {
        let next = hourly.next_after(at).expect("there is one");
        assert_eq!(next, at + punctual::hours(1));
        at = next;
    }
}

#[test]
fn midnights_that_do_not_exist_move_to_the_first_instant_of_their_day() {
    let midnight = |zone| cron("0 0 * * *", zone);
    shows(
        &midnight("Africa/Cairo"),
        "2027-04-29",
        &["04-30 01:00 +03:00 shifted", "05-01 00:00 +03:00"],
    );
    shows(
        &midnight("Asia/Beirut"),
        "2027-03-27",
        &["03-28 01:00 +03:00 shifted", "03-29 00:00 +03:00"],
    );
    shows(
        &cron("30 0 * * *", "Asia/Beirut"),
        "2027-03-27",
        &["03-28 01:00 +03:00 shifted", "03-29 00:30 +03:00"],
    );
    // In Havana the hour after midnight comes twice.
    shows(
        &cron("30 0 * * *", "America/Havana"),
        "2027-11-06",
        &["11-07 00:30 -04:00 first", "11-08 00:30 -05:00"],
    );
}

#[test]
fn what_comes_a_second_time_is_found_however_far_away_the_next_day_is() {
    let weekly = Cron {
        fold: Fold::Both,
        ..cron("30 2 * * SUN", "Europe/Ljubljana")
    };
    let twice = [
        "10-31 02:30 +02:00 first",
        "10-31 02:30 +01:00 second",
        "11-07 02:30 +01:00",
    ];
    shows(&weekly, "2027-10-30", &twice);
    // In Cairo the hour before midnight comes twice, so that a date comes back after it has ended.
    let hourly = cron("30 * * * THU", "Africa/Cairo");
    let first: Timestamp = "2027-10-28T20:30:00Z".parse().expect("it is an instant");
    let second = first + punctual::hours(1);
    assert_eq!(hourly.next_after(first), Some(second));
    let next: Timestamp = "2027-11-03T22:30:00Z".parse().expect("it is an instant");
    assert_eq!(hourly.next_after(second), Some(next));
}

#[test]
fn half_an_hour_may_be_left_out_or_come_twice() {
    shows(
        &cron("15 2 * * *", "Australia/Lord_Howe"),
        "2026-10-03",
        &["10-04 02:30 +11:00 shifted", "10-05 02:15 +11:00"],
    );
    shows(
        &cron("45 1 * * *", "Australia/Lord_Howe"),
        "2027-04-03",
        &["04-04 01:45 +11:00 first", "04-05 01:45 +10:30"],
    );
    shows(
        &cron("15 1 * * *", "Australia/Lord_Howe"),
        "2027-04-03",
        &["04-04 01:15 +11:00", "04-05 01:15 +10:30"],
    );
}

#[test]
fn a_date_that_a_zone_left_out_is_skipped() {
    // Samoa went to the other side of the date line at the end of 29 December 2011.
    let daily = [
        "12-29 09:00 -10:00",
        "12-31 00:00 +14:00 skipped",
        "12-31 09:00 +14:00",
    ];
    shows(&cron("0 9 * * *", "Pacific/Apia"), "2011-12-28", &daily);
    shows(
        &cron("0 0 * * *", "Pacific/Apia"),
        "2011-12-28",
        &["12-29 00:00 -10:00", "12-31 00:00 +14:00"],
    );
    let only = ["12-31 00:00 +14:00 skipped", "12-30 23:00 +14:00"];
    shows(&cron("0 23 30 12 *", "Pacific/Apia"), "2011-12-28", &only);
    // Kwajalein did so after 20 August 1993.
    let daily = [
        "08-20 09:00 -12:00",
        "08-22 00:00 +12:00 skipped",
        "08-22 09:00 +12:00",
    ];
    shows(&cron("0 9 * * *", "Pacific/Kwajalein"), "1993-08-19", &daily);
    let hourly = cron("0 * 20,21,22 8 *", "Pacific/Kwajalein");
    let evening: Timestamp = "1993-08-21T11:00:00Z".parse().expect("it is an instant");
    assert_eq!(hourly.next_after(evening), Some(evening + punctual::hours(1)));
}

#[test]
fn clocks_that_change_for_a_month_or_around_midnight_are_followed() {
    // In Ramadan the clocks of Casablanca are an hour behind.
    let casablanca = cron("30 2 * * *", "Africa/Casablanca");
    shows(
        &casablanca,
        "2026-02-14",
        &["02-15 02:30 +01:00 first", "02-16 02:30 +00:00"],
    );
    shows(
        &casablanca,
        "2026-03-21",
        &["03-22 03:00 +01:00 shifted", "03-23 02:30 +01:00"],
    );
    // In the Azores the clocks go from 01:00 to 00:00, and from 00:00 to 01:00.
    let azores = cron("30 0 * * *", "Atlantic/Azores");
    shows(
        &azores,
        "2026-10-24",
        &["10-25 00:30 +00:00 first", "10-26 00:30 -01:00"],
    );
    shows(
        &azores,
        "2026-03-28",
        &["03-29 01:00 +00:00 shifted", "03-30 00:30 +00:00"],
    );
}

#[test]
fn the_ends_of_months_and_leap_years_are_known() {
    shows(&cron("0 0 29 2 *", "UTC"), "2026-01-01", &["02-29 00:00 +00:00"]);
    shows(
        &cron("0 0 31 * *", "UTC"),
        "2026-01-31",
        &["03-31 00:00 +00:00", "05-31 00:00 +00:00"],
    );
    let last = ["01-31 00:00 +00:00", "02-29 00:00 +00:00", "03-31 00:00 +00:00"];
    shows(&cron("0 0 L * *", "UTC"), "2028-01-01", &last);
}
