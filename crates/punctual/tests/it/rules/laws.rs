//! Laws: what holds for every input and over every sequence of events.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::{option, sample};
use punctual::change::Edit;
use punctual::job::{Backoff, OnConflict, OnLost, Options, Start};
use punctual::rules::admit::{Conflict, conflict, fold};
use punctual::rules::backoff::delay;
use punctual::rules::edit::{cancel, edit, retry, run_now};
use punctual::rules::settle::{prunable, reclaim};
use punctual::run::Release;
use serde_json::Value;

use super::*;

/// Steps of one history: long enough for several lives.
const STEPS: usize = 60;

/// Something that happens to a job; what its state does not allow is refused, and changes nothing.
#[derive(Clone, Debug)]
enum Event {
    Wait(Duration),
    Claim,
    Settle(Outcome),
    Cancel,
    Retry,
    RunNow,
    Edit(Edit),
    Meet(OnConflict),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn a_life_keeps_its_laws_whatever_happens(
        new in new_job(),
        retention in sample::select(vec![Retention::default(), Retention::all(Duration::ZERO)]),
        events in vec(event(), 1..STEPS),
        chance in 0.0..1.0,
    ) {
        let mut world = World::new();
        world.retention = retention;
        world.chance = chance;
        let mut row = world.row(new);
        sound(&row, &world)?;
        for event in events {
            if let Event::Wait(length) = event {
                world.now = world.now + length;
            }
            let Some((change, by)) = happen(&row, &event, &world) else { continue };
            let Some(next) = apply(&row, change) else {
                prop_assert!(may_vanish(&row, by, &world), "{by} deleted {row:?}");
                return Ok(());
            };
            sound(&next, &world)?;
            lawful(&row, &next, by, &world)?;
            row = next;
        }
    }

    #[test]
    fn each_outcome_leads_to_one_of_its_states(
        new in new_job(),
        spent in 0..5_u32,
        outcome in outcome(),
        noted in any::<bool>(),
    ) {
        let mut world = World::new();
        let mut row = world.row(new);
        world.now = NOON + minutes(1);
        row.status.attempt = spent.min(world.defaults.max_attempts_of(&row.body) - 1);
        row.status.due = NOON;
        let mut running = world.claimed(&row);
        running.status.cancel = noted.then(|| "stop".to_owned());
        let change = settle(&running, running.status.run, &outcome, &world.moment());
        let next = applied(&running, change.expect("the run holds the job"));
        let state = next.status.state;
        let allowed: &[State] = match outcome {
            Outcome::Defer(_) => &[State::Running],
            _ if noted => &[State::Cancelled],
            Outcome::Done(_) => &[State::Succeeded],
            Outcome::Fail { .. } => &[State::Failed],
            Outcome::Cancelled { .. } => &[State::Cancelled],
            Outcome::Retry { .. } | Outcome::Snooze { .. } | Outcome::Release(_) => &[State::Waiting, State::Failed],
        };
        prop_assert!(allowed.contains(&state), "{outcome:?} led to {state}");
    }

    #[test]
    fn a_backoff_lies_in_its_range_and_never_overflows(
        base in any::<Duration>(),
        factor in any::<f64>(),
        max in any::<Duration>(),
        delays in vec(any::<Duration>(), 0..4),
        attempt in any::<u32>(),
        chance in 0.0..1.0,
    ) {
        let exponential = Backoff::Exponential { base, factor, max };
        prop_assert!(delay(&exponential, attempt, chance) <= max);
        prop_assert_eq!(delay(&Backoff::Fixed(base), attempt, chance), base);
        let longest = delays.iter().max().copied().unwrap_or_default();
        prop_assert!(delay(&Backoff::List(delays), attempt, chance) <= longest);
    }

    #[test]
    fn a_longer_chance_or_a_later_attempt_never_shortens_an_exponential_delay(
        base in length(),
        factor in 1.0..limits::BACKOFF_FACTOR_MAX,
        max in length(),
        attempt in 1..limits::ATTEMPTS_MAX,
        chance in 0.0..0.9,
    ) {
        let backoff = Backoff::Exponential { base, factor, max };
        let this = delay(&backoff, attempt, chance);
        prop_assert!(this <= delay(&backoff, attempt, chance + 0.1));
        prop_assert!(this <= delay(&backoff, attempt + 1, chance));
    }

    #[test]
    fn a_payload_key_ignores_the_order_of_members_and_white_space(value in json(), seed in any::<u64>()) {
        prop_assert_eq!(payload_key(&value.to_string()), payload_key(&disguised(&value, seed)));
    }

    #[test]
    fn a_payload_key_ignores_nothing_else(one in json(), other in json(), seed in any::<u64>()) {
        let (key, other_key) = (payload_key(&disguised(&one, seed)), payload_key(&other.to_string()));
        // As they are written: 0.0 and -0.0 are one number, and two texts.
        let (one, other) = (one.to_string(), other.to_string());
        prop_assert_eq!(key == other_key, one == other);
        prop_assert_ne!(payload_key(&one), payload_key(&format!("[{one}]")));
    }

    #[test]
    fn in_a_folded_batch_one_job_stands_for_all_of_its_key(
        batch in vec((option::of(0..4_u8), conflict_mode()), 0..20),
    ) {
        let batch: Vec<Admitted> = batch.into_iter().enumerate().map(entry).collect();
        let stands = fold(&batch);
        prop_assert_eq!(stands.len(), batch.len());
        let key = |at: usize| &batch[at].job.status.unique_key;
        for (at, stands_for) in stands.iter().enumerate() {
            prop_assert_eq!(stands[*stands_for], *stands_for);
            prop_assert_eq!(key(at), key(*stands_for));
            let rivals = (0..batch.len()).filter(|rival| stands[*rival] == *rival && key(*rival) == key(at));
            prop_assert!(key(at).is_none() || rivals.count() == 1);
            prop_assert!(key(at).is_some() || at == *stands_for);
        }
    }
}

/// The change that an event makes of a row, and its name; nothing if it is refused.
fn happen(row: &Job, event: &Event, world: &World) -> Option<(Change, &'static str)> {
    let moment = &world.moment();
    let status = &row.status;
    let claimable = status.state == State::Waiting
        && status.due <= world.now
        && status.alarm.is_none_or(|alarm| alarm > world.now);
    match event {
        Event::Wait(_) => Some((reclaim(row, moment)?, "reclaim")),
        Event::Claim if claimable => Some((Change::to(row, claim(row, world.now).status), "claim")),
        Event::Claim => None,
        Event::Settle(outcome) => Some((settle(row, status.run, outcome, moment)?, "settle")),
        Event::Cancel => Some((cancel(row, "stop", moment).ok()??, "cancel")),
        Event::Retry => Some((retry(row, moment).ok()?, "retry")),
        Event::RunNow => Some((run_now(row, moment).ok()?, "run")),
        Event::Edit(wish) => Some((edit(row, wish.clone(), moment).ok()?, "edit")),
        Event::Meet(mode) => {
            let new = plain().id(JobId::named("rival")).unique("k").on_conflict(*mode);
            match conflict(&world.admit(new).ok()?, row, world.now) {
                Conflict::Edit(change) => Some((change, "edit")),
                Conflict::Evict(change) => Some((change, "evict")),
                Conflict::Existing | Conflict::Reject | Conflict::Gone => None,
            }
        }
    }
}

/// What holds for every row.
fn sound(row: &Job, world: &World) -> Result<(), TestCaseError> {
    let status = &row.status;
    let (waits, runs, ended) = (
        status.state == State::Waiting,
        status.state == State::Running,
        status.state.is_ended(),
    );
    let attempts = world.defaults.max_attempts_of(&row.body);
    prop_assert!(status.attempt <= attempts);
    prop_assert!(
        !waits || status.attempt < attempts,
        "what waits has an attempt left"
    );
    prop_assert!(status.refunds <= limits::REFUNDS);
    prop_assert!(status.history.len() <= limits::HISTORY_ATTEMPTS);
    prop_assert_eq!(status.ended_at.is_some(), ended);
    prop_assert_eq!(status.failure.is_some(), status.state == State::Failed);
    prop_assert!(status.result.is_none() || status.state == State::Succeeded);
    prop_assert!(status.cancel.is_some() || status.state != State::Cancelled);
    prop_assert!(status.cancel.is_none() || runs || status.state == State::Cancelled);
    prop_assert!(runs || !status.deferred);
    match status.state {
        State::Running => prop_assert!(status.alarm.is_some(), "every run has a lease"),
        State::Waiting => {
            let elapsed = row.body.options.max_elapsed;
            let alarm = match status.first_started_at {
                None => row.body.options.start_deadline,
                Some(first) => elapsed.map(|elapsed| first + elapsed),
            };
            prop_assert_eq!(status.alarm, alarm, "it tells until when an attempt may begin");
        }
        _ => prop_assert_eq!(status.alarm, None),
    }
    if !ended {
        prop_assert_eq!(
            &status.unique_key,
            &row.body.unique_key,
            "a live job holds its key"
        );
        prop_assert!(!prunable(
            status.state,
            status.ended_at,
            status.key_until,
            &world.retention,
            Timestamp::MAX
        ));
    }
    prop_assert!(status.unique_key.is_some() || status.key_until.is_none() || !ended);
    Ok(())
}

/// What holds for every change of a row.
fn lawful(row: &Job, next: &Job, by: &str, world: &World) -> Result<(), TestCaseError> {
    let (was, is) = (&row.status, &next.status);
    prop_assert_eq!(row.id(), next.id());
    prop_assert_eq!(row.body.fingerprint, next.body.fingerprint);
    prop_assert_eq!(&row.body.kind, &next.body.kind);
    prop_assert!(is.life == was.life + u32::from(by == "retry"));
    if was.state.is_ended() && by != "retry" {
        prop_assert_eq!(by, "evict", "only a retry leaves an end");
        prop_assert_eq!(was.state, is.state);
        prop_assert_eq!(&was.result, &is.result);
    }
    if was.cancel.is_some() && !was.state.is_ended() {
        prop_assert!(
            matches!(is.state, State::Running | State::Cancelled),
            "a noted cancel wins"
        );
        // A husk keeps no reason.
        prop_assert!(is.cancel == was.cancel || is.cancel.as_ref().is_some_and(String::is_empty));
    }
    if was.unique_key.is_some() && is.unique_key.is_none() {
        let window_is_over = was.key_until.is_none_or(|until| until <= world.now);
        prop_assert!(
            is.state.is_ended() && window_is_over,
            "a key is held to its end and its window's"
        );
    }
    if was.state == State::Running && is.state == State::Waiting {
        prop_assert!(is.attempt == was.attempt || is.attempt + 1 == was.attempt);
    }
    if is.state == State::Running {
        prop_assert_eq!(is.run == was.run, by != "claim", "only a claim begins a run");
        let last = was.first_started_at.zip(row.body.options.max_elapsed);
        let in_time = last.is_none_or(|(first, elapsed)| world.now < first + elapsed);
        prop_assert!(by != "claim" || in_time, "no attempt begins so late");
    }
    Ok(())
}

/// Whether a row may be deleted by this event: as an end where nothing is kept, or once its key is free.
fn may_vanish(row: &Job, by: &str, world: &World) -> bool {
    let window_is_over = row.status.key_until.is_none_or(|until| until <= world.now);
    let nothing_is_kept = world.retention == Retention::all(Duration::ZERO);
    let ends = matches!(by, "settle" | "reclaim" | "cancel") && !row.status.state.is_ended();
    let evicted = by == "evict" && row.status.state.is_ended();
    window_is_over && nothing_is_kept && (ends || evicted)
}

fn new_job() -> impl Strategy<Value = NewJob> {
    let windows = option::of(sample::select(vec![seconds(20), minutes(30)]));
    let deadlines = option::of(sample::select(vec![seconds(50), minutes(30)]));
    (
        sample::select(vec![0, 1, 40_u64]),
        deadlines,
        any::<bool>(),
        windows,
        options(),
    )
        .prop_map(|(delay, deadline, unique, window, options)| {
            let mut new = plain().delay(seconds(delay));
            new.options = options;
            new.options.start_deadline = deadline.map(|length| NOON + length);
            if unique {
                new = new.unique("k");
            }
            match window {
                Some(window) if unique => new.unique_for(window),
                _ => new,
            }
        })
}

fn options() -> impl Strategy<Value = Options> {
    let backoffs = vec![
        Backoff::default(),
        Backoff::Fixed(Duration::ZERO),
        Backoff::List(vec![seconds(1), seconds(9)]),
    ];
    (
        option::of(1..4_u32),
        option::of(sample::select(backoffs)),
        option::of(sample::select(vec![seconds(30), minutes(10)])),
        option::of(sample::select(vec![OnLost::Retry, OnLost::Fail])),
    )
        .prop_map(|(max_attempts, backoff, max_elapsed, on_lost)| Options {
            max_attempts,
            backoff,
            max_elapsed,
            on_lost,
            ..Options::default()
        })
}

fn event() -> impl Strategy<Value = Event> {
    let wish = (option::of(0..100_u64), options()).prop_map(|(due, options)| Edit {
        start: due.map(|due| Start::At(NOON + seconds(due))),
        options: options.into(),
        ..Edit::default()
    });
    prop_oneof![
        4 => sample::select(vec![0, 1, 10, 31, 400_u64]).prop_map(|length| Event::Wait(seconds(length))),
        8 => Just(Event::Claim),
        8 => outcome().prop_map(Event::Settle),
        1 => Just(Event::Cancel),
        2 => Just(Event::Retry),
        2 => Just(Event::RunNow),
        1 => wish.prop_map(Event::Edit),
        1 => conflict_mode().prop_map(Event::Meet),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let error = || "it broke".to_owned();
    let retry = move |after: Option<Duration>| Outcome::Retry {
        error: error(),
        after,
        cause: RetryCause::Error,
    };
    prop_oneof![
        1 => Just(Outcome::Done(Bytes::from_static(b"1"))),
        4 => option::of(length()).prop_map(retry),
        1 => Just(Outcome::Fail { error: error() }),
        2 => length().prop_map(|length| Outcome::Snooze { until: NOON + length }),
        1 => Just(Outcome::Cancelled { reason: String::new() }),
        1 => length().prop_map(Outcome::Defer),
        4 => Just(Outcome::Release(Release::Unstarted)),
        4 => Just(Outcome::Release(Release::Interrupted)),
        2 => length().prop_map(|length| Outcome::Release(Release::UnknownKind(length))),
    ]
}

fn length() -> impl Strategy<Value = Duration> {
    (0..=1_000_000_000_u64).prop_map(Duration::from_micros)
}

fn conflict_mode() -> impl Strategy<Value = OnConflict> {
    use OnConflict::{Debounce, Existing, Reject, Replace};
    sample::select(vec![Existing, Reject, Replace, Debounce])
}

fn entry((index, (key, mode)): (usize, (Option<u8>, OnConflict))) -> Admitted {
    let new = plain().id(JobId::named(&index.to_string()));
    let new = match key {
        Some(key) => new.unique(key.to_string()).on_conflict(mode),
        None => new,
    };
    World::new().admit(new).expect("the job is right")
}

/// Any JSON, from few enough parts that two of them are sometimes equal.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2..2_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        sample::select(vec!["", "a", "\"", "\\", "\\\"", " ", "{}", ","]).prop_map(Value::from),
    ];
    let key = sample::select(vec!["", "a", "b", "\"", "\\"]);
    leaf.prop_recursive(4, 16, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((key.clone(), inner), 0..4).prop_map(|members| {
                Value::Object(
                    members
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

fn payload_key(payload: &str) -> Option<String> {
    let new = NewJob::bytes("k", payload.to_owned()).unique_by_payload();
    World::new().row(new).status.unique_key
}

/// The same JSON with its members in another order and white space between its parts.
fn disguised(value: &Value, seed: u64) -> String {
    let space = [" ", "", "\n", "\t\r "][usize::try_from(seed % 4).expect("it is below 4")];
    let next = seed.rotate_right(3);
    let list = |items: Vec<String>| items.join(&format!("{space},{space}"));
    let text = match value {
        Value::Array(items) => format!(
            "[{space}{}]",
            list(items.iter().map(|item| disguised(item, next)).collect())
        ),
        Value::Object(members) => {
            let member = |(key, value)| format!("{}{space}:{}", Value::from(key), disguised(value, next));
            let mut members: Vec<String> = members
                .iter()
                .map(|(key, value): (&String, &Value)| member((key.as_str(), value)))
                .collect();
            let middle = usize::try_from(seed % 5)
                .expect("it is below 5")
                .min(members.len());
            members.rotate_left(middle);
            format!("{{{}{space}}}", list(members))
        }
        scalar => scalar.to_string(),
    };
    format!("{space}{text}{space}")
}
