//! What it takes to make the schedules that are stored those of a file.

use std::collections::BTreeMap;
use std::sync::Arc;

use punctual::schedule::{Schedule, ScheduleId, ScheduleName, Standing};
use punctual::{JobId, Timestamp};
use punctual_http::schedules::{Becomes, Difference, File, Written};
use punctual_http::wire;

fn written(text: &str) -> Vec<Written> {
    let file = File::read(text).expect("it is right");
    file.schedules().to_vec()
}

/// What a server would answer of the schedules of a file, as it comes to a client.
fn stored(text: &str) -> Vec<wire::Schedule> {
    let of = |written: &Written| {
        let row = Schedule {
            id: ScheduleId(JobId::named(&written.name).0),
            name: ScheduleName::from(written.name.as_str()),
            rev: 3,
            created_at: Timestamp::EPOCH,
            plan: Arc::new(written.plan.clone()),
            standing: Standing::new(Timestamp::EPOCH),
        };
        let text = serde_json::to_string(&wire::Schedule::of(&row, &BTreeMap::new()));
        serde_json::from_str(&text.expect("it has a JSON form")).expect("it is read")
    };
    written(text).iter().map(of).collect()
}

const NIGHTLY: &str = r#"
[schedule.nightly]
cron = "30 2 * * *"
job = { kind = "report", payload = { n = 1, list = [1, 2], "a/b" = "x" } }
"#;
const HOURLY: &str = r#"
[schedule.hourly]
every = "1h"
job = { kind = "http", payload = { url = "https://example.com/", auth = { bearer = "hunter2" } } }
"#;

#[test]
fn what_is_stored_as_the_file_has_it_is_unchanged() {
    let spelled_out = NIGHTLY.replace(
        "cron",
        "zone = \"utc\"\noverlap = \"skip\"\nmisfire = { grace = \"60s\" }\ncron",
    );
    let difference = Difference::new(&written(&spelled_out), &stored(NIGHTLY), true);
    assert!(difference.is_empty());
    assert_eq!(difference.steps[0].becomes, Becomes::Unchanged { secrets: false });
    assert_eq!(difference.to_string(), "1 unchanged");
}

#[test]
fn each_field_that_changes_is_told_with_its_old_and_new_value() {
    let changed = NIGHTLY
        .replace("30 2", "0 3")
        .replace("[1, 2]", "[1, 2, 3]")
        .replace("n = 1,", "m = 1,")
        .replace("\"x\"", &format!("\"{}\"", "long ".repeat(20)));
    let difference = Difference::new(&written(&changed), &stored(NIGHTLY), false);
    assert!(!difference.is_empty());
    assert_eq!(difference.steps[0].rev, Some(3));
    assert_eq!(
        difference.to_string(),
        "~ nightly: every day at 03:00, UTC\n    \
             cron: \"30 2 * * *\" → \"0 3 * * *\"\n    \
             job.payload.a/b: \"x\" → \"long long long long long long long long long long long long…\n    \
             job.payload.list: [1, 2] → [1, 2, 3]\n    \
             job.payload.m: unset → 1\n    \
             job.payload.n: 1 → unset\n\
         1 changed"
    );
}

#[test]
fn what_is_new_is_created_and_what_the_file_no_longer_has_is_deleted_or_left_alone() {
    let left = Difference::new(&written(NIGHTLY), &stored(HOURLY), false);
    assert_eq!(
        left.to_string(),
        "+ nightly: every day at 02:30, UTC\n1 created, 1 not in the file and left alone"
    );
    let pruned = Difference::new(&written(NIGHTLY), &stored(HOURLY), true);
    assert_eq!(
        pruned.to_string(),
        "+ nightly: every day at 02:30, UTC\n- hourly: every hour\n1 created, 1 deleted"
    );
    let becomes: Vec<&Becomes> = pruned.steps.iter().map(|step| &step.becomes).collect();
    assert_eq!(becomes, [&Becomes::Created, &Becomes::Deleted]);
    assert_eq!(Difference::new(&[], &[], true).to_string(), "no schedules");
}

#[test]
fn a_step_is_the_same_if_its_schedule_has_merely_fired_and_another_one_if_somebody_changed_it() {
    let step = |stored: &[wire::Schedule]| {
        let pruned = Difference::new(&written(NIGHTLY), stored, true);
        pruned.steps.into_iter().next_back().expect("there is a step")
    };
    let before = step(&stored(HOURLY));
    let mut fired = stored(HOURLY);
    fired[0].head.rev = 4;
    fired[0].head.fired = 1;
    assert!(step(&fired).is_as_before(&before));
    assert_eq!(step(&fired).rev, Some(4));
    let edited = step(&stored(&HOURLY.replace("example.com", "example.org")));
    assert_eq!(edited.description, before.description);
    assert!(!edited.is_as_before(&before));
    let mut anew = stored(HOURLY);
    anew[0].head.id = "0199c1f0-5b7e-7c3e-9a0e-3f6d2f1c8a11".to_owned();
    assert!(!step(&anew).is_as_before(&before));
}

#[test]
fn secrets_that_nobody_is_told_are_no_change_but_have_to_be_written_again() {
    let other = HOURLY.replace("hunter2", "hunter3");
    let difference = Difference::new(&written(&other), &stored(HOURLY), false);
    assert!(difference.is_empty());
    assert_eq!(difference.steps[0].becomes, Becomes::Unchanged { secrets: true });
    let named = HOURLY.replace("\"hunter2\"", "{ secret = \"hook\" }");
    let difference = Difference::new(&written(&named), &stored(HOURLY), false);
    assert!(
        difference
            .to_string()
            .contains(r#"job.payload.auth.bearer: "***" → {"secret": "hook"}"#),
        "{difference}"
    );
}

#[test]
fn numbers_are_compared_digit_for_digit() {
    let file = |n: &str| NIGHTLY.replace("n = 1,", &format!("n = {n},"));
    let difference = Difference::new(&written(&file("1.0")), &stored(&file("1")), false);
    assert!(
        difference.to_string().contains("job.payload.n: 1 → 1.0"),
        "{difference}"
    );
}
