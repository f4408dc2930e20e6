//! Parts that are played with few file descriptors.

use std::fs::{self, File};
use std::path::Path;

use futures_util::StreamExt;
use punctual::Kind;
use punctual::signals::Signal;
use punctual::store::Store;
use punctual::store::sqlite::{SqliteOptions, SqliteStore};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::super::{connect, insert, job, open, until, within_patience};
use super::say;

/// All descriptors that this process may have, but for those that others hold.
struct Descriptors(Vec<File>);

impl Descriptors {
    fn take() -> Descriptors {
        let limit = getrlimit(Resource::Nofile);
        let few = Rlimit {
            current: Some(64),
            ..limit
        };
        setrlimit(Resource::Nofile, few).expect("it may be lowered");
        let mut files = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            files.push(file);
        }
        Descriptors(files)
    }

    fn give_back(&mut self, count: usize) {
        self.0.truncate(self.0.len() - count);
    }
}

pub(super) async fn open_with_few(path: &Path) {
    drop(open(path).await);
    for free in 0..32 {
        let mut taken = Descriptors::take();
        taken.give_back(free);
        match SqliteStore::open(path, SqliteOptions::default()).await {
            Ok(store) => {
                assert!(free > 3, "there was something to be short of");
                drop(taken);
                insert(&store, &[job("a")]).await;
                say("opened at last");
                return;
            }
            Err(error) => {
                assert_eq!(error.kind(), Kind::Unavailable, "{free} {error:?}");
                let told = error.to_string().to_lowercase();
                assert!(told.contains("too many open files"), "{free} {told}");
            }
        }
    }
}

pub(super) async fn listen_with_few(path: &Path) {
    let store = open(path).await;
    let mine = connect(path);
    let write = |number: u32| {
        mine.execute_batch(&format!("create table t{number} (number integer)"))
            .expect("the file takes tables");
    };
    write(0);
    let mut taken = Descriptors::take();
    // Nothing can be heard of at first, which is reported; whoever listens next tries again.
    let mut first = store.signals().listen();
    // Enough to be told when to end, and none to watch with.
    taken.give_back(2);
    drop(store.signals().listen());
    write(1);
    assert_eq!(within_patience(first.next()).await, Some(Signal::Anything));

    drop(taken);
    until("somebody watches", async || is_watching()).await;
    write(2);
    assert_eq!(within_patience(first.next()).await, Some(Signal::Anything));
    say("watched again");
}

/// Whether this process has a watch on any file.
fn is_watching() -> bool {
    let Ok(descriptors) = fs::read_dir("/proc/self/fd") else {
        return false;
    };
    let mut targets = descriptors
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.any(|target| target.to_string_lossy().contains("inotify"))
}
