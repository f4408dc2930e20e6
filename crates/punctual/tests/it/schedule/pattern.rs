//! What a cron pattern says, and what is refused.

use punctual::schedule::cron::{Cron, Pattern};
use punctual::{Kind, Timestamp};

fn pattern(text: &str) -> Pattern {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    let error = text.parse::<Pattern>().expect_err(text);
    assert_eq!(error.kind(), Kind::Invalid);
    error.to_string()
}

/// The first instants after noon of the first of January 2026, a Thursday, in UTC, as `MM-DD HH:MM:SS`, as many as are expected.
#[track_caller]
fn fires(text: &str, expected: &[&str]) {
    let cron = Cron {
        pattern: pattern(text),
        zone: "UTC".parse().expect("it is a zone"),
        gap: Default::default(),
        fold: Default::default(),
    };
    let noon: Timestamp = "2026-01-01T12:00:00Z".parse().expect("it is an instant");
    let instants = std::iter::successors(cron.next_after(noon), |at| cron.next_after(*at));
    let told = instants.take(expected.len()).map(|at| at.to_string());
    let told: Vec<String> = told.map(|at| at[5..19].replace('T', " ")).collect();
    assert_eq!(told, expected, "{text}");
}

#[test]
fn a_field_admits_values_lists_ranges_steps_and_names() {
    fires(
        "5,20 13 * * *",
        &["01-01 13:05:00", "01-01 13:20:00", "01-02 13:05:00"],
    );
    fires(
        "0 22-23 * * *",
        &["01-01 22:00:00", "01-01 23:00:00", "01-02 22:00:00"],
    );
    fires(
        "*/25 14 * * *",
        &["01-01 14:00:00", "01-01 14:25:00", "01-01 14:50:00"],
    );
    fires(
        "10-50/20 14 * * *",
        &["01-01 14:10:00", "01-01 14:30:00", "01-01 14:50:00"],
    );
    fires(
        "40/10 14 * * *",
        &["01-01 14:40:00", "01-01 14:50:00", "01-02 14:40:00"],
    );
    fires("0 0 1 mar,Jun *", &["03-01 00:00:00", "06-01 00:00:00"]);
    fires(
        "0 0 * * sat-SUN",
        &["01-03 00:00:00", "01-04 00:00:00", "01-10 00:00:00"],
    );
    fires("0 0 * * SUN-SUN", &["01-04 00:00:00", "01-11 00:00:00"]);
    fires(
        "0 0 * * 7-1",
        &["01-04 00:00:00", "01-05 00:00:00", "01-11 00:00:00"],
    );
    fires("0 0 * * 7", &["01-04 00:00:00", "01-11 00:00:00"]);
    fires(
        "0 0 * * 5-7",
        &[
            "01-02 00:00:00",
            "01-03 00:00:00",
            "01-04 00:00:00",
            "01-09 00:00:00",
        ],
    );
    fires(
        "15,45 30 14 * * *",
        &["01-01 14:30:15", "01-01 14:30:45", "01-02 14:30:15"],
    );
    fires("59 59 23 31 12 ?", &["12-31 23:59:59"]);
}

#[test]
fn names_stand_for_whole_patterns() {
    fires("@yearly", &["01-01 00:00:00"]);
    fires("@annually", &["01-01 00:00:00"]);
    fires("@monthly", &["02-01 00:00:00"]);
    fires("@weekly", &["01-04 00:00:00"]);
    fires("@daily", &["01-02 00:00:00"]);
    fires(" @Midnight ", &["01-02 00:00:00"]);
    fires("@hourly", &["01-01 13:00:00", "01-01 14:00:00"]);
}

#[test]
fn days_may_be_counted_from_the_end_and_by_weekdays() {
    fires(
        "0 0 L * *",
        &["01-31 00:00:00", "02-28 00:00:00", "03-31 00:00:00"],
    );
    fires("0 0 L-2 * *", &["01-29 00:00:00", "02-26 00:00:00"]);
    fires("0 0 L-30 * *", &["03-01 00:00:00", "05-01 00:00:00"]);
    // 31 January 2026 is a Saturday, 28 February too, and 31 May a Sunday.
    fires(
        "0 0 LW * *",
        &[
            "01-30 00:00:00",
            "02-27 00:00:00",
            "03-31 00:00:00",
            "04-30 00:00:00",
            "05-29 00:00:00",
        ],
    );
    // 1 February 2026 is a Sunday, 1 August a Saturday.
    fires("0 0 1W 2,8 *", &["02-02 00:00:00", "08-03 00:00:00"]);
    fires(
        "0 0 31W * *",
        &["01-30 00:00:00", "03-31 00:00:00", "05-29 00:00:00"],
    );
    fires(
        "0 0 15W 2,3,8 *",
        &["02-16 00:00:00", "03-16 00:00:00", "08-14 00:00:00"],
    );
    fires("0 0 * * FRI#2", &["01-09 00:00:00", "02-13 00:00:00"]);
    fires("0 0 * * 7#5", &["03-29 00:00:00", "05-31 00:00:00"]);
    fires("0 0 * * 5L", &["01-30 00:00:00", "02-27 00:00:00"]);
    fires(
        "0 0 1,L * MONL",
        &[
            "01-26 00:00:00",
            "01-31 00:00:00",
            "02-01 00:00:00",
            "02-23 00:00:00",
        ],
    );
}

#[test]
fn either_day_will_do_if_both_are_set_and_both_have_to_if_one_begins_with_a_star() {
    fires(
        "0 0 13 * FRI",
        &[
            "01-02 00:00:00",
            "01-09 00:00:00",
            "01-13 00:00:00",
            "01-16 00:00:00",
        ],
    );
    fires(
        "0 0 */10 * FRI",
        &["05-01 00:00:00", "07-31 00:00:00", "08-21 00:00:00"],
    );
    fires(
        "0 0 13 * */5",
        &["02-13 00:00:00", "03-13 00:00:00", "09-13 00:00:00"],
    );
    fires("0 0 ? * FRI", &["01-02 00:00:00", "01-09 00:00:00"]);
    fires("0 0 13 * ?", &["01-13 00:00:00", "02-13 00:00:00"]);
}

#[test]
fn rare_patterns_are_found_however_far_away_and_years_end() {
    let years = |text: &str, after: &str| {
        let cron = Cron {
            pattern: pattern(text),
            zone: "America/New_York".parse().expect("it is a zone"),
            gap: Default::default(),
            fold: Default::default(),
        };
        let after: Timestamp = after.parse().expect("it is an instant");
        cron.next_after(after).map(|at| at.to_string()[..4].to_owned())
    };
    assert_eq!(
        years("0 0 29 2 *", "2096-03-01T00:00:00Z").as_deref(),
        Some("2104")
    );
    assert_eq!(
        years("0 0 * 2 1#5", "2072-03-01T00:00:00Z").as_deref(),
        Some("2112")
    );
    assert_eq!(
        years("* * * 2 1#5", "2072-03-02T00:00:00Z").as_deref(),
        Some("2112")
    );
    assert_eq!(years("0 0 29 2 *", "9996-03-01T00:00:00Z"), None);
    assert_eq!(years("0 0 * * *", "9999-12-30T21:00:00Z"), None);
    assert_eq!(years("@hourly", &Timestamp::MAX.to_string()), None);
}

#[test]
fn what_is_wrong_is_told_with_its_column_and_what_is_accepted() {
    let cases = [
        (
            "0 25 * * *",
            r#""25" is not understood at column 3 of the cron pattern: an hour is 0 to 23"#,
        ),
        (
            "60 * * * *",
            r#""60" is not understood at column 1 of the cron pattern: a minute is 0 to 59"#,
        ),
        (
            "0  0 1 JAN,FOO *",
            r#""FOO" is not understood at column 12 of the cron pattern: a month is 1 to 12 or JAN to DEC"#,
        ),
        (
            "0 0 1, * *",
            "something is missing at column 7 of the cron pattern: a day of the month is 1 to 31",
        ),
        (
            "0 0 * * FRI-MON",
            r#"at column 9 of the cron pattern: a range runs from the smaller to the larger value; write one that goes over the end as two: FRI-SAT,SUN-MON"#,
        ),
        ("0 22-2 * * *", "as two: 22-23,0-2"),
        ("0 23-0 * * *", "as two: 23,0"),
        (
            "*/90 * * * *",
            r#""90" is not understood at column 3 of the cron pattern: a step in the field of the minute is 1 to 59; for longer ones there are intervals"#,
        ),
        ("*/0 * * * *", "a step in the field of the minute is 1 to 59"),
        (
            "0 0 L-31 * *",
            r#""31" is not understood at column 7 of the cron pattern: L-1 to L-30 are accepted"#,
        ),
        ("0 0 32W * *", "1W to 31W are accepted"),
        ("0 0 * * L", "FRIL is the last Friday of the month"),
        ("0 0 * * 5#6", "#1 to #5 are accepted"),
        ("? 0 * * *", "a minute is 0 to 59"),
        ("0 0 1,? * *", "a day of the month is 1 to 31"),
        (
            "0 ０ * * *",
            r#""０" is not understood at column 3 of the cron pattern: only letters, digits and"#,
        ),
        ("@reboot", "a schedule knows no reboot"),
        ("@every 5m", "an interval is no cron pattern"),
        ("@daily 5", "nothing follows @daily"),
        ("@fortnightly", "the names are @yearly,"),
        ("", "a cron pattern has 5 fields"),
        ("* * * *", "and this one has 4"),
        ("0 0 0 1 1 ? 2026", "a year, as in Quartz, is not supported"),
        ("0 0 +1 * *", "a day of the month is 1 to 31"),
        ("0 0 1--2 * *", "a day of the month is 1 to 31"),
        ("0 0 99999999999 * *", "a day of the month is 1 to 31"),
    ];
    for (text, told) in cases {
        let error = refused(text);
        assert!(error.contains(told), "{text}: {error}");
    }
    assert!(refused(&"0,".repeat(200)).contains("at most 256 bytes"));
}

#[test]
fn what_can_never_fire_is_refused_at_once() {
    for text in [
        "0 0 31 2 *",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 L-30 2,4 *",
        "0 0 31W 4 *",
        "0 0 */30 2 1#2",
    ] {
        assert!(refused(text).contains("it would never fire"), "{text}");
    }
    for text in ["0 0 29 2 *", "0 0 31 2 MON", "0 0 * 2 1#5", "0 0 L-28 2 *"] {
        pattern(text);
    }
}

#[test]
fn a_pattern_is_told_in_words() {
    let cases = [
        ("30 2 * * *", "every day at 02:30"),
        ("0 9 * * MON-FRI", "every weekday at 09:00"),
        ("0 9,17 * * 1,3", "every Monday and Wednesday at 09:00 and 17:00"),
        ("0 0 * * 5-7", "every Friday to Sunday at 00:00"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/7 * * * *", "minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56"),
        ("@hourly", "every hour"),
        ("5 * * * *", "every hour at minute 5"),
        (
            "*/10 9-17 * * MON-FRI",
            "every 10 minutes of hours 9 to 17, every weekday",
        ),
        ("*/5 * * * * *", "every 5 seconds"),
        ("0 0 1 * *", "on the 1st of the month at 00:00"),
        (
            "0 0 1,15,L * *",
            "on the 1st and 15th and the last day of the month at 00:00",
        ),
        (
            "0 0 L-1 1-3 *",
            "on the last day but one of the month in January to March at 00:00",
        ),
        (
            "0 6 15W * *",
            "on the working day nearest to the 15th of the month at 06:00",
        ),
        ("0 6 LW * *", "on the last working day of the month at 06:00"),
        ("0 6 * * FRI#2", "on the 2nd Friday at 06:00"),
        ("0 6 * * FRIL", "on the last Friday at 06:00"),
        (
            "0 6 13 * FRI",
            "on the 13th of the month and every Friday at 06:00",
        ),
        ("15 0 6 * * *", "every day at 06:00:15"),
        ("0 6 * 12 *", "every day in December at 06:00"),
    ];
    for (text, words) in cases {
        assert_eq!(pattern(text).describe(), words, "{text}");
    }
}
