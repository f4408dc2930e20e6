//! Patterns beside two that share no code with them, in all zones, from 1970 to 2100, half of it within two days of a change of the
//! clocks: a scan over Python's `zoneinfo`, `tests/oracle/cron.py`, and the crate `croner`.
//!
//! `PUNCTUAL_TEST_ORACLE` says how many; `scripts/cron-oracle` tries a million.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use jiff::tz::{self, TimeZone};
use punctual::Timestamp;
use punctual::schedule::cron::{Cron, Decision, Fold, Gap, Nominal, Pattern};

use self::croner::Verdict;

mod croner;

/// Cases of a usual run: as many as some seconds allow.
const CASES: u32 = 3_000;
/// Differences that are told one by one.
const TOLD: usize = 20;
/// Seconds of a week, after each of which the scan tells what the clocks are off by, from 1970 to 2100.
const WEEK: i64 = 7 * 86_400;
const LAST: i64 = 4_102_444_800;

struct Case {
    pattern: String,
    zone: String,
    gap: Gap,
    fold: Fold,
    after: i64,
    expected: Option<(i64, String)>,
}

impl Case {
    fn read(line: &str) -> Case {
        let parts: Vec<&str> = line.split('\t').collect();
        let [pattern, zone, gap, fold, after, at, what] = parts[..] else {
            panic!("the oracle says {line:?}")
        };
        Case {
            pattern: pattern.to_owned(),
            zone: zone.to_owned(),
            gap: if gap == "shift" { Gap::Shift } else { Gap::Skip },
            fold: match fold {
                "first" => Fold::First,
                "second" => Fold::Second,
                _ => Fold::Both,
            },
            after: after.parse().expect("it is a number"),
            expected: at.parse().ok().map(|at| (at, what.to_owned())),
        }
    }

    fn after(&self) -> Timestamp {
        Timestamp::from_micros(self.after * 1_000_000)
    }

    /// None if it is refused since it would never fire.
    fn cron(&self) -> Option<Cron> {
        let pattern: Pattern = match self.pattern.parse() {
            Ok(pattern) => pattern,
            Err(error) if error.to_string().contains("would never fire") => return None,
            Err(error) => panic!("{}: {error}", self.pattern),
        };
        Some(Cron {
            pattern,
            zone: self.zone.parse().unwrap_or_else(|error| panic!("{error}")),
            gap: self.gap,
            fold: self.fold,
        })
    }
}

/// What we say, in the words of the scan.
fn told(nominal: &Nominal) -> (i64, String) {
    let what = match nominal.decision {
        Decision::Skipped => "skipped",
        _ => "fires",
    };
    (nominal.at.as_micros() / 1_000_000, what.to_owned())
}

/// What came of all cases.
#[derive(Default)]
struct Tally {
    tried: u32,
    zones: u32,
    /// As many as `croner` gave the same answer to.
    agreed: u32,
    /// How many were in each class of known differences.
    known: BTreeMap<&'static str, u32>,
    different: Vec<String>,
}

impl Tally {
    fn take(&mut self, line: &str) {
        let case = Case::read(line);
        self.tried += 1;
        let cron = case.cron();
        // What can never fire finds nothing either.
        let ours = cron.as_ref().and_then(|cron| cron.nominal_after(case.after()));
        let ours = ours.as_ref().map(told);
        if ours != case.expected {
            self.different.push(format!("{line} but we say {ours:?}"));
        }
        match cron.map(|cron| croner::compare(cron, case.after())) {
            Some(Verdict::Same) => self.agreed += 1,
            Some(Verdict::Known(class)) => *self.known.entry(class).or_default() += 1,
            Some(Verdict::Different(how)) => self.different.push(format!("{line} {how}")),
            None => {}
        }
    }
}

#[test]
#[allow(
    clippy::print_stdout,
    reason = "whoever runs it for its figures reads them there"
)]
fn patterns_fire_when_a_scan_of_all_days_and_times_says_and_when_croner_does() {
    let count =
        std::env::var("PUNCTUAL_TEST_ORACLE").map_or(CASES, |count| count.parse().expect("it is a number"));
    let seed = std::env::var("PUNCTUAL_TEST_ORACLE_SEED").unwrap_or_else(|_| "1".to_owned());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/cron.py");
    let mut oracle = Command::new("python3")
        .args([script, &seed, &count.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    let lines = BufReader::new(oracle.stdout.take().expect("it is piped")).lines();
    let mut database = String::new();
    let mut tally = Tally::default();
    for line in lines {
        let line = line.expect("the oracle speaks text");
        match line.split_once('\t') {
            Some(("tzdata", read)) => database = read.replace('\t', " in "),
            Some(("zone", clocks)) => {
                tally.zones += 1;
                assert_same_clocks(clocks, &database);
            }
            Some(("case", case)) => tally.take(case),
            _ => panic!("the oracle says {line:?}"),
        }
    }
    assert!(oracle.wait().expect("it ends").success());
    assert_eq!(tally.tried, count);
    println!(
        "{count} patterns, seed {seed}, in {} zones of tzdata {database}; croner agrees on {}, and differs as it is known to on {:?}",
        tally.zones, tally.agreed, tally.known
    );
    let first: Vec<String> = tally.different.iter().take(TOLD).cloned().collect();
    assert!(
        first.is_empty(),
        "{} of {count} differ:\n{}",
        tally.different.len(),
        first.join("\n")
    );
}

/// Holds that both sides read one release of the database of zones: that our clocks, too, are off by so much at the beginning of each
/// week.
fn assert_same_clocks(told: &str, database: &str) {
    let (name, offsets) = told.split_once('\t').expect("a zone has clocks");
    let zone = TimeZone::get(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut offsets = offsets.split(',').map(|told| {
        let (from, offset) = told.split_once(':').expect("an instant and an offset");
        let offset = offset.parse::<i32>().expect("it is a number");
        (from.parse::<i64>().expect("it is a number"), offset)
    });
    let (_, mut theirs) = offsets.next().expect("clocks are off by something");
    let mut change = offsets.next();
    for week in (0..LAST).step_by(WEEK as usize) {
        if let Some((from, offset)) = change
            && from == week
        {
            (theirs, change) = (offset, offsets.next());
        }
        let at = jiff::Timestamp::from_second(week).expect("it is before the year 9999");
        let ours = zone.to_offset(at).seconds();
        assert!(
            ours == theirs,
            "both sides need one release of the database of zones: at {at} the clocks of {name} are off by {theirs} s in \
             tzdata {database}, which Python reads, and by {ours} s in {:?}, which we read",
            tz::db()
        );
    }
}
