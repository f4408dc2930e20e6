//! Random histories on every store, against the memory store.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use punctual::job::State;
use punctual::store::memory::MemoryStore;
use punctual::store::{Store, View};
use punctual::testing::model::{
    Asked, Decision, Does, Entry, Event, Import, Plans, Row, Scheduling, Seen, Setting, Settings, Step,
    shrink,
};

/// Different jobs in a history: few, so that steps meet.
const JOBS: u8 = 24;
const KEYS: u8 = 4;
const QUEUES: u8 = 3;
/// Instants lie so many milliseconds apart, so that they meet.
const TICK: u32 = 50;

fn row() -> impl Strategy<Value = Row> {
    let import = prop_oneof![
        12 => Just(None),
        1 => Just(Some(Import::Running)),
        1 => ended().prop_map(|state| Some(Import::Ended(state))),
    ];
    let key = option::weighted(0.4, 0..KEYS);
    let deadline = option::weighted(0.15, 0..500_u32);
    (
        0..JOBS,
        prop::bool::weighted(0.1),
        0..QUEUES,
        3..6_u8,
        -5..10_i32,
        deadline,
        key,
        import,
    )
        .prop_map(|(job, other, queue, priority, due, deadline, key, import)| Row {
            job,
            other,
            queue,
            priority,
            due: due * 50,
            deadline,
            key,
            import,
        })
}

fn ended() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Succeeded),
        Just(State::Failed),
        Just(State::Cancelled)
    ]
}

fn seen() -> impl Strategy<Value = Seen> {
    prop_oneof![6 => Just(Seen::Stored), 2 => Just(Seen::Expected), 1 => Just(Seen::Earlier)]
}

fn decision() -> impl Strategy<Value = Decision> {
    let does = prop_oneof![
        40 => Just(Does::Succeed),
        20 => Just(Does::Fail),
        20 => Just(Does::Cancel),
        40 => (0..10_u32).prop_map(|ticks| Does::Wait(ticks * TICK)),
        20 => (0..QUEUES, 3..6_u8).prop_map(|(queue, priority)| Does::Edit { queue, priority }),
        20 => option::of(0..KEYS).prop_map(Does::Key),
        30 => Just(Does::Delete),
        1 => Just(Does::Nonsense),
        200 => (event(), prop::bool::weighted(0.2)).prop_map(|(event, gone)| Does::Rule { event, gone }),
    ];
    let then = prop_oneof![4 => Just(Vec::new()), 1 => vec(row(), 1..3)];
    (0..JOBS, seen(), does, then).prop_map(|(job, seen, does, then)| Decision {
        job,
        seen,
        does,
        then,
    })
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Done),
        2 => Just(Event::Error),
        1 => Just(Event::GivenUp),
        1 => (0..10_u32).prop_map(|ticks| Event::Snoozed(ticks * TICK)),
        1 => (0..10_u32).prop_map(|ticks| Event::Deferred(ticks * TICK)),
        1 => Just(Event::Released),
        2 => Just(Event::Overdue),
        2 => Just(Event::Cancelled),
        2 => Just(Event::Retried),
        1 => Just(Event::Hurried),
    ]
}

fn setting() -> impl Strategy<Value = Setting> {
    let becomes = prop_oneof![
        1 => Just(Settings::Paused),
        4 => Just(Settings::Open),
        2 => (0..4_u8).prop_map(Settings::Running),
        2 => (1..20_u8, 1..4_u8).prop_map(|(n, burst)| Settings::Rate(n, burst)),
        1 => (1..4_u8, 1..20_u8).prop_map(|(count, n)| Settings::RunningAndRate(count, n)),
    ];
    let off_by = prop_oneof![5 => Just(0_u8), 1 => Just(1)];
    (0..QUEUES, off_by, option::weighted(0.7, becomes)).prop_map(|(queue, off_by, becomes)| Setting {
        queue,
        off_by,
        becomes,
    })
}

fn scheduling() -> impl Strategy<Value = Scheduling> {
    let next = option::weighted(0.8, (-10..20_i32).prop_map(|ticks| ticks * 50));
    let does = prop_oneof![
        3 => any::<u8>().prop_map(Plans::Make),
        6 => (any::<u8>(), next).prop_map(|(n, next)| Plans::Stand(n, next)),
        2 => any::<u8>().prop_map(Plans::Replan),
        1 => Just(Plans::Delete),
    ];
    let off_by = prop_oneof![5 => Just(0_u8), 1 => Just(1)];
    let forget = option::weighted(0.2, ((-10..10_i32).prop_map(|ticks| ticks * 50), 0..6_u8));
    let (entries, drops) = (vec(entry(), 0..4), vec(entry(), 0..2));
    (
        any::<u8>(),
        off_by,
        does,
        vec(row(), 0..3),
        entries,
        drops,
        forget,
    )
        .prop_map(
            |(schedule, off_by, does, jobs, ledger, drops, forget)| Scheduling {
                schedule,
                off_by,
                does,
                jobs,
                ledger,
                drops,
                forget,
            },
        )
}

fn entry() -> impl Strategy<Value = Entry> {
    (-10..10_i32, 1..7_u8, 0..10_u8).prop_map(|(ticks, count, skipped)| Entry {
        at: ticks * 50,
        count,
        skipped,
    })
}

fn list() -> impl Strategy<Value = Step> {
    let view = prop_oneof![
        Just(View::All),
        Just(View::Waiting),
        Just(View::Running),
        option::of(ended()).prop_map(View::Ended),
    ];
    let asked = prop_oneof![
        Just(Asked::All),
        (0..QUEUES).prop_map(Asked::Queue),
        (0..KEYS).prop_map(Asked::Key),
        Just(Asked::Ready),
        Just(Asked::Retrying),
        (0..10_u32).prop_map(|ticks| Asked::DueBefore(ticks * TICK)),
        (0..10_u32).prop_map(|ticks| Asked::EndedBefore(ticks * TICK)),
        Just(Asked::TagAndKind),
    ];
    (view, asked, 1..9_usize).prop_map(|(view, asked, limit)| Step::List { view, asked, limit })
}

fn step() -> impl Strategy<Value = Step> {
    let claim = (vec(0..QUEUES, 1..4), 0..6_usize, 0..1_000_u32);
    let print = (0..JOBS, seen(), 0..300_000_u32);
    prop_oneof![
        4 => (1..6_u32).prop_map(|ticks| Step::Pass(ticks * TICK)),
        8 => vec(row(), 1..8).prop_map(Step::Insert),
        8 => claim.prop_map(|(queues, max, lease)| Step::Claim { queues, max, lease }),
        2 => (vec(0..JOBS, 1..6), 0..4_usize).prop_map(|(jobs, max)| Step::ClaimIds { jobs, max }),
        4 => (vec((0..JOBS, seen()), 0..8), any::<bool>()).prop_map(|(runs, news)| Step::Beat { runs, news }),
        12 => vec(decision(), 1..8).prop_map(Step::Change),
        1 => vec(setting(), 1..3).prop_map(Step::Set),
        4 => vec(scheduling(), 1..4).prop_map(Step::Schedule),
        3 => print.prop_map(|(job, seen, bytes)| Step::Print { job, seen, bytes }),
        1 => vec(0..JOBS, 0..6).prop_map(Step::Fetch),
        2 => list(),
        1 => (0..6_usize).prop_map(Step::Overdue),
    ]
}

/// Plays so many histories of so many steps, each on an empty store. The first that parts a store from the memory
/// store is told with no more steps than it takes.
fn play(histories: usize, steps: usize, make: impl AsyncFn() -> Arc<dyn Store>) {
    play_those(histories, steps, |_| true, make);
}

/// As [`play`], with only those steps that are wanted.
fn play_those(
    histories: usize,
    steps: usize,
    is_wanted: impl Fn(&Step) -> bool,
    make: impl AsyncFn() -> Arc<dyn Store>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    // The same histories each time: what a change breaks, it breaks for everybody.
    let chance = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), chance);
    for _ in 0..histories {
        let history = vec(step(), steps)
            .new_tree(&mut runner)
            .expect("no step is refused")
            .current();
        let history: Vec<Step> = history.into_iter().filter(&is_wanted).collect();
        let shortest = runtime.block_on(shrink(&make, &history));
        if let Some((steps, difference)) = shortest {
            let told: String = steps.iter().map(|step| format!("  {step:?},\n")).collect();
            panic!("{difference}\nin this history:\n{told}");
        }
    }
}

#[test]
fn the_memory_store_is_like_itself() {
    play(3, 3_000, async || {
        Arc::new(MemoryStore::default()) as Arc<dyn Store>
    });
}

#[test]
fn the_sqlite_store_is_like_the_memory_store() {
    use punctual::store::sqlite::{SqliteOptions, SqliteStore};

    let folder = tempfile::tempdir().expect("a folder for the test");
    let number = std::cell::Cell::new(0);
    play(4, 2_000, async || {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("{}.db", number.get()));
        let store = SqliteStore::open(path, SqliteOptions::default()).await;
        Arc::new(store.expect("a new file opens")) as Arc<dyn Store>
    });
}

#[test]
fn the_postgres_store_is_like_the_memory_store() {
    use crate::postgres::server::{House, open};

    let Some(house) = House::shared() else { return };
    play(2, 800, async || {
        Arc::new(open(&house.next()).await) as Arc<dyn Store>
    });
}

#[test]
fn the_redis_store_is_like_the_memory_store() {
    use punctual::store::redis::{RedisOptions, RedisStore};

    use crate::redis::server;

    let Some(url) = server::shared() else { return };
    play(3, 1_500, async || {
        let store = RedisStore::open(&server::namespace(&url), RedisOptions::default()).await;
        Arc::new(store.expect("a new namespace opens")) as Arc<dyn Store>
    });
}

#[cfg(all(feature = "postgres", feature = "redis"))]
#[test]
fn the_postgres_store_with_a_dispatch_is_like_the_memory_store() {
    use crate::dispatch::open;
    use crate::postgres::server::House;
    use crate::redis::server;

    let (Some(house), Some(redis)) = (House::shared(), server::shared()) else {
        return;
    };
    let make = async || Arc::new(open(&house.next(), &server::namespace(&redis)).await) as Arc<dyn Store>;
    play(1, 800, make);
    // Lines of queues with limits are not used, so those of a history that sets none are used most.
    play_those(2, 800, |step| !matches!(step, Step::Set(_)), make);
}
