//! Other processes on the same file: this binary again, told by its environment which part to play.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use punctual::Kind;
use punctual::change::{Applied, Inserted};
use punctual::job::State;
use punctual::store::{Depth, Store};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{claim, count, insert, job, job_of, open, success, until, within_patience};

mod short;

/// Jobs that a part inserts which works as well.
pub(super) const JOBS: usize = 100;

const PART: &str = "PUNCTUAL_TEST_PART";
const PLACE: &str = "PUNCTUAL_TEST_PLACE";
const NAME: &str = "PUNCTUAL_TEST_NAME";
const SAID: &str = "said: ";

/// What a child does.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Inserts one job after the other and says the name of each that is acknowledged.
    Feeder,
    /// The same with large jobs, until the store refuses one; says why.
    Filler,
    /// Inserts some jobs, then runs whatever is there until nothing is left, and says the name of each run.
    Worker,
    /// Fills the file until nothing more goes in, and checks the store, then and once there is room again.
    Checker,
    /// Opens the store with ever more file descriptors, until they are enough.
    Opener,
    /// Listens without a descriptor for a watch, and goes on as they come back.
    Listener,
}

/// A child that plays `part` on the file at `path`; `name` begins the names of its jobs.
pub(super) fn command(part: Part, path: &Path, name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its binary"));
    command
        .args([
            "--exact",
            "sqlite::child::this_process_plays_its_part",
            "--nocapture",
        ])
        .env(PART, format!("{part:?}"))
        .env(PLACE, path)
        .env(NAME, name)
        .stdout(Stdio::piped());
    command
}

/// What became of a child whose files may not grow beyond 1 MiB at first. Such a file answers as a disk that is full does,
/// and can be had without being root.
pub(super) fn with_small_files(part: Part, path: &Path, name: &str) -> Output {
    let child = command(part, path, name);
    let limited = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 2048; exec \"$0\" \"$@\""])
        .arg(child.get_program())
        .args(child.get_args())
        .envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output();
    limited.expect("a child starts")
}

/// What a line of a child's output says, if it says anything.
pub(super) fn said(line: &str) -> Option<&str> {
    line.split_once(SAID).map(|(_, said)| said)
}

/// In the process that the tests run in there is no part to play.
#[tokio::test]
async fn this_process_plays_its_part() {
    let Ok(part) = std::env::var(PART) else {
        return;
    };
    let path = PathBuf::from(std::env::var_os(PLACE).expect("a part has a place"));
    let name = std::env::var(NAME).expect("a part has a name");
    let parts = [
        Part::Feeder,
        Part::Filler,
        Part::Worker,
        Part::Checker,
        Part::Opener,
        Part::Listener,
    ];
    match parts.into_iter().find(|known| format!("{known:?}") == part) {
        Some(Part::Feeder) => insert_for_ever(&path, &name).await,
        Some(Part::Filler) => insert_until_refused(&path, &name).await,
        Some(Part::Worker) => insert_and_work(&path, &name).await,
        Some(Part::Checker) => check_when_full(&path, &name).await,
        Some(Part::Opener) => short::open_with_few(&path).await,
        Some(Part::Listener) => short::listen_with_few(&path).await,
        None => panic!("there is no part {part}"),
    }
}

#[expect(clippy::print_stdout, reason = "it is how a child tells its parent")]
pub(super) fn say(what: &str) {
    println!("{SAID}{what}");
}

async fn insert_for_ever(path: &Path, name: &str) {
    let store = open(path).await;
    for number in 0_u64.. {
        let name = format!("{name}{number}");
        insert(&store, &[job(&name)]).await;
        say(&name);
    }
}

async fn insert_until_refused(path: &Path, name: &str) {
    let store = open(path).await;
    for number in 0_u64.. {
        let name = format!("{name}{number}");
        match store.insert(&[job_of(&name, 50_000)]).await {
            Ok(inserted) => assert_eq!(inserted, [Inserted::Inserted]),
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
                say(&error.to_string());
                return;
            }
        }
        say(&name);
    }
}

async fn check_when_full(path: &Path, name: &str) {
    let store = open(path).await;
    for bytes in [50_000, 16] {
        for number in 0_u64.. {
            let jobs = [job_of(&format!("{name}{bytes} {number}"), bytes)];
            if store.insert(&jobs).await.is_err() {
                break;
            }
        }
    }
    // A page may still fit where a job did not.
    let full = within_patience(async {
        for number in 0_u64.. {
            if let Err(error) = store.check(Depth::Quick).await {
                return error;
            }
            // Whether it is stored does not matter: it takes what room there is.
            let _ = store.insert(&[job(&format!("{name} more {number}"))]).await;
        }
        unreachable!("it goes on until the test's patience is over")
    });
    say(&full.await.to_string());
    let limit = getrlimit(Resource::Fsize);
    setrlimit(
        Resource::Fsize,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )
    .expect("it may be raised");
    until("it takes writes", async || {
        store.check(Depth::Quick).await.is_ok()
    })
    .await;
    insert(&store, &[job("there is room")]).await;
    say("well again");
}

async fn insert_and_work(path: &Path, name: &str) {
    let store = open(path).await;
    for number in 0..JOBS {
        insert(&store, &[job(&format!("{name}{number}"))]).await;
    }
    while count(&store, State::Waiting).await > 0 {
        let jobs = claim(&store, 7).await.jobs;
        jobs.iter().for_each(|job| say(&job.id().to_string()));
        let changes: Vec<_> = jobs.iter().map(success).collect();
        let applied = store.apply(&changes).await.expect("the store takes changes");
        assert!(
            applied.iter().all(|applied| *applied == Applied::Applied),
            "{applied:?}"
        );
    }
}
