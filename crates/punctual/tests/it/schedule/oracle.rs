//! Patterns beside a scan that shares no code with them: `tests/oracle/cron.py`, over Python's `zoneinfo`, in all zones, from
//! 1970 to 2100, half of it within two days of a change of the clocks.
//!
//! `PUNCTUAL_TEST_ORACLE` says how many; `scripts/cron-oracle` tries a million, which takes an hour.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use punctual::Timestamp;
use punctual::schedule::cron::{Cron, Decision, Fold, Gap, Pattern};

/// Cases of a usual run: as many as some seconds allow.
const CASES: u32 = 3_000;
/// Differences that are told one by one.
const TOLD: usize = 20;

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

    /// What we say; a pattern that can never fire finds nothing either.
    fn ours(&self) -> Option<(i64, String)> {
        let pattern: Pattern = match self.pattern.parse() {
            Ok(pattern) => pattern,
            Err(error) if error.to_string().contains("would never fire") => return None,
            Err(error) => panic!("{}: {error}", self.pattern),
        };
        let cron = Cron {
            pattern,
            zone: self.zone.parse().unwrap_or_else(|error| panic!("{error}")),
            gap: self.gap,
            fold: self.fold,
        };
        let nominal = cron.nominal_after(Timestamp::from_micros(self.after * 1_000_000))?;
        let what = match nominal.decision {
            Decision::Skipped => "skipped",
            _ => "fires",
        };
        Some((nominal.at.as_micros() / 1_000_000, what.to_owned()))
    }
}

#[test]
fn patterns_fire_when_a_scan_of_all_days_and_times_says() {
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
    let mut tried = 0;
    let mut different = Vec::new();
    for line in lines {
        let line = line.expect("the oracle speaks text");
        let case = Case::read(&line);
        let ours = case.ours();
        tried += 1;
        if ours != case.expected {
            different.push(format!("{line} but we say {ours:?}"));
        }
    }
    assert!(oracle.wait().expect("it ends").success());
    assert_eq!(tried, count);
    let told = different
        .iter()
        .take(TOLD)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n");
    assert!(
        different.is_empty(),
        "{} of {count} differ:\n{told}",
        different.len()
    );
}
