//! The stores that what is shown from outside is shown on, and at which size.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::server::Place;
use crate::house::namespace;

/// Makes a test of each of these functions on each store, in a module of its name.
macro_rules! on_each_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            use crate::outside::stores::Sort;
            $(#[test] fn $test() { super::$test(Sort::Sqlite); })+
        }
        $crate::outside::stores::on_each_server!($($test),+);
    };
}

/// The same on those that are servers.
macro_rules! on_each_server {
    ($($test:ident),+ $(,)?) => {
        mod postgres {
            use crate::outside::stores::Sort;
            $(#[test] fn $test() { super::$test(Sort::Postgres); })+
        }
        mod redis {
            use crate::outside::stores::Sort;
            $(#[test] fn $test() { super::$test(Sort::Redis); })+
        }
    };
}

pub(crate) use {on_each_server, on_each_store};

/// How many jobs the tests of many take unless `PUNCTUAL_TEST_JOBS` says otherwise.
const JOBS: usize = 600;

/// How many jobs the tests of many take.
pub(crate) fn jobs() -> usize {
    let asked = std::env::var("PUNCTUAL_TEST_JOBS").ok();
    asked.map_or(JOBS, |asked| {
        let number = asked.parse().ok().filter(|number| *number >= JOBS);
        number.unwrap_or_else(|| panic!("PUNCTUAL_TEST_JOBS is a number from {JOBS} on, not {asked:?}"))
    })
}

/// Held by a test that loads the machine, so that there is one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells a figure to whoever runs these tests for their figures (`scripts/outside`).
#[allow(
    clippy::print_stdout,
    reason = "whoever runs a test for its figures reads them there"
)]
pub(crate) fn tell(store: &str, figures: &str) {
    println!("{store}: {figures}");
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Sqlite,
    Postgres,
    Redis,
}

impl Sort {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Sqlite => "sqlite",
            Sort::Postgres => "postgres",
            Sort::Redis => "redis",
        }
    }

    /// An empty store, in a server that tests share if it is one; none if the run was asked to leave that out.
    pub(crate) fn empty(self) -> Option<Store> {
        let place = Place::new();
        let url = match self {
            Sort::Sqlite => format!("sqlite:{}", place.path("punctual.db").display()),
            Sort::Postgres | Sort::Redis => namespace(self.name())?,
        };
        Some(Store {
            sort: self,
            place,
            url,
            own: false,
            through: None,
        })
    }

    /// The same in a server of the test's own, which may come to harm. It keeps what it acknowledged when it is killed.
    pub(crate) fn own(self) -> Option<Store> {
        self.own_in("")
    }

    /// The same whose server has this environment until it is restarted: `NAME=value NAME=value`.
    pub(crate) fn own_in(self, environment: &str) -> Option<Store> {
        // Whoever leaves the shared one out leaves this one out, too.
        let mut store = self.empty()?;
        if self != Sort::Sqlite {
            // It runs as another user where the tests run as root.
            let open = fs::Permissions::from_mode(0o755);
            fs::set_permissions(store.place.path("."), open).expect("the folder is ours");
            store.own = true;
            store.url = store.controlled("start", environment);
        }
        Some(store)
    }
}

/// A server of a test's own is stopped when this is dropped.
pub(crate) struct Store {
    sort: Sort,
    place: Place,
    url: String,
    own: bool,
    /// What its jobs are dispatched through.
    through: Option<Box<Store>>,
}

impl Store {
    /// The same, whose jobs are dispatched through a Redis.
    pub(crate) fn dispatched(mut self, through: Store) -> Store {
        self.through = Some(Box::new(through));
        self
    }

    /// What its jobs are dispatched through.
    pub(crate) fn through(&self) -> Option<&Store> {
        self.through.as_deref()
    }

    /// How a process is told to use it.
    pub(crate) fn arguments(&self) -> Vec<&str> {
        let through = self.through().map(|through| ["--dispatch", through.url()]);
        let store = ["--store", self.url()];
        store.into_iter().chain(through.into_iter().flatten()).collect()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Its namespace, if it is one of many in a server.
    pub(crate) fn namespace(&self) -> &str {
        self.url
            .split_once("namespace=")
            .map_or("punctual", |(_, name)| name)
    }

    pub(crate) fn sort(&self) -> Sort {
        self.sort
    }

    /// Kills the server, and starts it again.
    pub(crate) fn restart(&self) {
        self.controlled("restart", "");
    }

    /// Has the server's own client run this, and gives what it says.
    pub(crate) fn ask(&self, words: &[&str]) -> String {
        let (program, first): (_, &[&str]) = match self.sort {
            Sort::Postgres => ("psql", &["--quiet", "--tuples-only", "--no-align", "-d"]),
            Sort::Redis => ("redis-cli", &["-u"]),
            Sort::Sqlite => panic!("a file has no client"),
        };
        let server = self.url.split_once('?').map_or(&*self.url, |(server, _)| server);
        let done = Command::new(program)
            .args(first)
            .arg(server)
            .args(words)
            .output()
            .expect("the client is there");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{program}: {said}");
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    fn controlled(&self, action: &str, environment: &str) -> String {
        let done = self.control(action, environment);
        done.unwrap_or_else(|said| panic!("{} does not {action}: {said}", self.sort.name()))
    }

    /// What its script says on its way out, or what it complains of.
    fn control(&self, action: &str, environment: &str) -> Result<String, String> {
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/servers");
        let mut command = Command::new(format!("{scripts}/{}", self.sort.name()));
        command.arg(action).arg(self.place.path("server"));
        command.env("PUNCTUAL_TEST_SERVER_ENVIRONMENT", environment);
        if (action, self.sort) == ("start", Sort::Redis) {
            // With `everysec` a killed Redis may lack what came while a sync to the disk was under way.
            command.arg("appendfsync always");
        }
        let done = command.output().expect("the script runs");
        match done.status.success() {
            true => Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.own {
            let stopped = self.control("stop", "");
            // A test that fails anyway tells why, and a second panic would hide it.
            assert!(
                stopped.is_ok() || thread::panicking(),
                "it does not stop: {stopped:?}"
            );
        }
    }
}
