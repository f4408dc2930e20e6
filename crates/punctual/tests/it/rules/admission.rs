//! What is admitted, and as what.

use punctual::Kind;
use punctual::job::{Backoff, OnConflict, OnLost, Options, Start, Unique};

use super::*;

#[test]
fn a_job_that_says_nothing_takes_its_defaults() {
    let job = World::new().row(plain());
    assert_eq!(job.id(), JobId::named("fresh"));
    assert_eq!(job.body.queue.as_str(), "default");
    assert_eq!(job.body.priority, 5);
    assert_eq!(job.body.created_at, NOON);
    assert_eq!(job.body.options, Options::default());
    assert_eq!(job.status.state, State::Waiting);
    assert_eq!(
        job.status.rev,
        u64::try_from(NOON.as_micros()).expect("it is after 1970")
    );
    assert_eq!((job.status.run, job.status.life, job.status.attempt), (0, 1, 0));
    assert_eq!(job.status.due, NOON);
    assert_eq!((job.status.alarm, job.status.unique_key), (None, None));
}

#[test]
fn the_first_rev_is_never_zero() {
    let mut world = World::new();
    for now in [Timestamp::EPOCH, Timestamp::MIN] {
        world.now = now;
        assert_eq!(world.row(plain()).status.rev, 1);
    }
}

#[test]
fn a_targets_job_goes_to_the_queue_of_its_target() {
    let queue = |new: NewJob| World::new().row(new).body.queue.to_string();
    for target in ["http", "amqp", "command"] {
        assert_eq!(queue(NewJob::bytes(target, "{}")), target);
    }
    assert_eq!(queue(NewJob::bytes("https", "{}")), "default");
    assert_eq!(queue(NewJob::bytes("http", "{}").queue("mail")), "mail");
}

#[test]
fn a_job_is_due_when_it_says_even_if_that_is_past() {
    let due = |new: NewJob| World::new().row(new).status.due;
    assert_eq!(due(plain().delay(minutes(5))), NOON + minutes(5));
    assert_eq!(due(plain().at(NOON + hours(1))), NOON + hours(1));
    assert_eq!(due(plain().at(NOON - hours(1))), NOON - hours(1));
    assert_eq!(due(plain().at(Timestamp::MAX)), Timestamp::MAX);
}

#[test]
fn lengths_are_cut_to_the_microseconds_that_stores_keep() {
    let (whole, finer) = (Duration::from_micros(1_500), Duration::from_nanos(1_500_999));
    let job = |length: Duration, backoff: fn(Duration) -> Backoff| {
        let new = plain().delay(length).timeout(length).max_elapsed(length);
        World::new().row(new.backoff(backoff(length)).unique("key").unique_for(length))
    };
    let backoffs: [fn(Duration) -> Backoff; 3] = [
        Backoff::Fixed,
        |length| Backoff::List(vec![length, length]),
        |length| Backoff::Exponential {
            base: length,
            factor: 2.0,
            max: length,
        },
    ];
    for backoff in backoffs {
        assert_eq!(job(finer, backoff), job(whole, backoff));
    }
}

#[test]
fn a_start_deadline_is_the_first_alarm() {
    let job = World::new().row(plain().start_deadline(NOON + minutes(1)));
    assert_eq!(job.status.alarm, Some(NOON + minutes(1)));
}

#[test]
fn all_bad_fields_are_told_at_once() {
    let mut new = NewJob::bytes("no spaces", vec![b'x'; limits::PAYLOAD_BYTES + 1])
        .queue("")
        .priority(99)
        .at(Timestamp::EPOCH - seconds(1))
        .tag("good")
        .tag("nul\0")
        .tag("")
        .timeout(Duration::ZERO)
        .max_attempts(0)
        .max_elapsed(days(4_000))
        .unique("k\0")
        .unique_for(Duration::ZERO);
    new.options.backoff = Some(Backoff::Exponential {
        base: days(4_000),
        factor: f64::NAN,
        max: days(4_000),
    });
    new.options.start_deadline = Some(Timestamp::EPOCH - hours(1));
    let error = World::new().admit(new).expect_err("nothing about it is right");
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(
        pointers(&error),
        [
            "/kind",
            "/queue",
            "/priority",
            "/payload",
            "/tags/1",
            "/tags/2",
            "/run_at",
            "/timeout",
            "/max_elapsed",
            "/max_attempts",
            "/start_deadline",
            "/backoff/base",
            "/backoff/max",
            "/backoff/factor",
            "/start_deadline",
            "/unique/key",
            "/unique/window",
        ]
    );
}

#[test]
fn each_bad_field_is_refused_where_it_is() {
    let backoff = |backoff| plain().backoff(backoff);
    let factor = |factor| {
        backoff(Backoff::Exponential {
            base: seconds(1),
            factor,
            max: seconds(9),
        })
    };
    let too_many_tags = (0..=limits::TAGS).fold(plain(), |new, tag| new.tag(tag.to_string()));
    let cases = [
        (plain().id(JobId(uuid::Uuid::nil())), "/id"),
        (NewJob::bytes("", "{}"), "/kind"),
        (NewJob::bytes("é", "{}"), "/kind"),
        (NewJob::bytes("k".repeat(limits::NAME_BYTES + 1), "{}"), "/kind"),
        (plain().queue("a b"), "/queue"),
        (plain().priority(10), "/priority"),
        (too_many_tags, "/tags"),
        (plain().tag("t".repeat(limits::TAG_BYTES + 1)), "/tags/0"),
        (plain().delay(days(3_651)), "/delay"),
        (plain().timeout(days(3_651)), "/timeout"),
        (plain().timeout(Duration::from_nanos(999)), "/timeout"),
        (plain().max_attempts(limits::ATTEMPTS_MAX + 1), "/max_attempts"),
        (plain().max_elapsed(Duration::ZERO), "/max_elapsed"),
        (backoff(Backoff::Fixed(days(3_651))), "/backoff/delay"),
        (backoff(Backoff::List(Vec::new())), "/backoff/delays"),
        (
            backoff(Backoff::List(vec![seconds(1); limits::BACKOFF_DELAYS + 1])),
            "/backoff/delays",
        ),
        (
            backoff(Backoff::List(vec![seconds(1), days(3_651)])),
            "/backoff/delays/1",
        ),
        (factor(0.99), "/backoff/factor"),
        (factor(f64::INFINITY), "/backoff/factor"),
        (factor(f64::NAN), "/backoff/factor"),
        (factor(1_000.1), "/backoff/factor"),
        (plain().start_deadline(NOON), "/start_deadline"),
        (
            plain().delay(hours(1)).start_deadline(NOON + minutes(59)),
            "/start_deadline",
        ),
        (plain().unique(""), "/unique/key"),
        (
            plain().unique("k".repeat(limits::UNIQUE_KEY_BYTES + 1)),
            "/unique/key",
        ),
        (plain().unique("xxh3:00"), "/unique/key"),
        (plain().unique("k").unique_for(days(3_651)), "/unique/window"),
    ];
    for (new, pointer) in cases {
        let said = format!("{new:?} {:?}", new.options);
        let error = World::new().admit(new).expect_err(&said);
        assert_eq!(pointers(&error), [pointer], "{said}");
    }
}

#[test]
fn what_lies_on_a_bound_is_admitted() {
    let tags = (0..limits::TAGS).fold(plain(), |new, _| new.tag("t".repeat(limits::TAG_BYTES)));
    let cases = [
        NewJob::bytes("k".repeat(limits::NAME_BYTES), "{}"),
        NewJob::bytes("aZ09._-/:", vec![0; limits::PAYLOAD_BYTES]),
        plain().priority(9),
        tags,
        plain().delay(limits::LENGTH_MAX),
        plain().delay(Duration::ZERO),
        plain().at(Timestamp::EPOCH),
        plain().timeout(Duration::from_micros(1)),
        plain().max_attempts(limits::ATTEMPTS_MAX),
        plain().backoff(Backoff::Fixed(Duration::ZERO)),
        plain().backoff(Backoff::List(vec![seconds(1); limits::BACKOFF_DELAYS])),
        plain().start_deadline(NOON + Duration::from_micros(1)),
        plain().unique("k".repeat(limits::UNIQUE_KEY_BYTES)),
        plain().unique(" any text: é\n"),
    ];
    for new in cases {
        let said = format!("{new:?} {:?}", new.options);
        assert!(World::new().admit(new).is_ok(), "{said}");
    }
}

#[test]
fn a_start_deadline_that_passed_after_its_due_instant_is_no_error_so_that_the_job_can_be_sent_again() {
    let new = plain().at(NOON - hours(2)).start_deadline(NOON - hours(1));
    assert!(World::new().admit(new).is_ok());
}

#[test]
fn the_same_job_sent_again_later_has_the_same_fingerprint() {
    let new = full();
    let mut world = World::new();
    let first = world.row(new.clone());
    world.now = NOON + milliseconds(1_500);
    let again = world.row(new);
    assert_eq!(first.body.fingerprint, again.body.fingerprint);
    assert_ne!(first.status.due, again.status.due);
}

type Edit = fn(&mut NewJob);

#[test]
fn whatever_the_user_sets_is_in_the_fingerprint() {
    let edits: Vec<(&str, Edit)> = vec![
        ("nothing", |_| {}),
        ("kind", |new| new.kind = "l".to_owned()),
        ("payload", |new| new.payload = "[]".into()),
        ("queue", |new| new.queue = Some("r".into())),
        ("no queue", |new| new.queue = None),
        ("priority", |new| new.priority = Some(4)),
        ("no priority", |new| new.priority = None),
        ("delay", |new| new.start = Start::In(minutes(6))),
        ("instant", |new| {
            new.start = Start::At(Timestamp::EPOCH + minutes(5))
        }),
        ("now", |new| new.start = Start::Now),
        ("more tags", |new| new.tags.push("t3".to_owned())),
        ("no tags", |new| new.tags.clear()),
        ("joined tags", |new| new.tags = vec!["t1t2".to_owned()]),
        ("timeout", |new| new.options.timeout = Some(seconds(31))),
        ("max attempts", |new| new.options.max_attempts = Some(4)),
        ("max elapsed", |new| new.options.max_elapsed = Some(hours(3))),
        ("start deadline", |new| {
            new.options.start_deadline = Some(NOON + days(3))
        }),
        ("on lost", |new| new.options.on_lost = Some(OnLost::Retry)),
        ("on lost unset", |new| new.options.on_lost = None),
        ("fixed backoff", |new| {
            new.options.backoff = Some(Backoff::Fixed(seconds(1)))
        }),
        ("list backoff", |new| {
            new.options.backoff = Some(Backoff::List(vec![seconds(1)]))
        }),
        ("longer list", |new| {
            new.options.backoff = Some(Backoff::List(vec![seconds(1); 2]))
        }),
        ("backoff", |new| new.options.backoff = Some(Backoff::default())),
        ("no options", |new| new.options = Options::default()),
        ("key", |new| {
            new.unique.as_mut().expect("it is set").key = Some("key2".to_owned())
        }),
        ("payload key", |new| {
            new.unique.as_mut().expect("it is set").key = None
        }),
        ("window", |new| {
            new.unique.as_mut().expect("it is set").window = None
        }),
        ("conflict", |new| {
            new.unique.as_mut().expect("it is set").on_conflict = OnConflict::Reject
        }),
        ("only unique", |new| new.unique = Some(Unique::default())),
        ("not unique", |new| new.unique = None),
    ];
    let fingerprint = |edit: Edit| {
        let mut new = full();
        edit(&mut new);
        World::new().row(new).body.fingerprint
    };
    let mut seen = std::collections::BTreeMap::new();
    for (what, edit) in edits {
        if let Some(other) = seen.insert(fingerprint(edit), what) {
            panic!("{what} and {other} have the same fingerprint");
        }
    }
}

#[test]
fn a_fingerprint_never_changes_from_version_to_version() {
    assert_eq!(
        format!("{:032x}", World::new().row(plain()).body.fingerprint),
        "f88fa1033840cc7781eefff0f73d47a4"
    );
    assert_eq!(
        format!("{:032x}", World::new().row(full()).body.fingerprint),
        "46f027f43d3a01248665798c5d96e334"
    );
}

/// A job that sets everything.
fn full() -> NewJob {
    NewJob::bytes("k", "{}")
        .queue("q")
        .priority(3)
        .delay(minutes(5))
        .tag("t1")
        .tag("t2")
        .timeout(seconds(30))
        .max_attempts(3)
        .max_elapsed(hours(2))
        .start_deadline(NOON + days(1))
        .on_lost(OnLost::Fail)
        .backoff(Backoff::Exponential {
            base: seconds(1),
            factor: 3.0,
            max: hours(1),
        })
        .unique("key")
        .unique_for(minutes(9))
        .on_conflict(OnConflict::Replace)
}
