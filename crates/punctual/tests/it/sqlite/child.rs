//! Other processes on the same file: this binary again, told by its environment which part to play.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use punctual::Kind;
use punctual::change::{Applied, Inserted};
use punctual::job::State;
use punctual::store::Store;

use super::{claim, count, insert, job, job_of, open, success};

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
    let parts = [Part::Feeder, Part::Filler, Part::Worker];
    match parts.into_iter().find(|known| format!("{known:?}") == part) {
        Some(Part::Feeder) => insert_for_ever(&path, &name).await,
        Some(Part::Filler) => insert_until_refused(&path, &name).await,
        Some(Part::Worker) => insert_and_work(&path, &name).await,
        None => panic!("there is no part {part}"),
    }
}

#[expect(clippy::print_stdout, reason = "it is how a child tells its parent")]
fn say(what: &str) {
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
