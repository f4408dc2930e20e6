//! `punctual api`, `runner` or any other command in a process of its own, whose output is kept in files of its folder.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use super::server::{Place, signal, until};
use crate::house::punctual;

/// How many of the last lines of its log a failing test shows.
const SHOWN: usize = 40;

/// It is killed when it is dropped.
pub(crate) struct Process {
    pub(crate) child: Child,
    name: String,
    told: PathBuf,
    logged: PathBuf,
}

impl Process {
    /// Starts one that serves, and waits until it does.
    pub(crate) fn start(place: &Place, name: &str, arguments: &[&str]) -> Process {
        let process = Process::begin(place, name, arguments);
        // What it does with jobs is the last that it tells.
        until("it has begun", || {
            process.told().contains("running ").then_some(())
        });
        process
    }

    /// One that is not waited for.
    pub(crate) fn begin(place: &Place, name: &str, arguments: &[&str]) -> Process {
        let (told, logged) = (
            place.path(&format!("{name}.out")),
            place.path(&format!("{name}.err")),
        );
        let into = |file| Stdio::from(File::create(file).expect("the folder is there"));
        let child = punctual(&place.path("."))
            .args(arguments)
            .stdout(into(&told))
            .stderr(into(&logged))
            .spawn()
            .expect("it starts");
        Process {
            child,
            name: name.to_owned(),
            told,
            logged,
        }
    }

    pub(crate) fn told(&self) -> String {
        fs::read_to_string(&self.told).unwrap_or_default()
    }

    pub(crate) fn logged(&self) -> String {
        fs::read_to_string(&self.logged).unwrap_or_default()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        let told = self.told();
        let line = told
            .lines()
            .find_map(|line| line.strip_prefix("listening on http://"));
        line.expect("it says where it listens").to_owned()
    }

    /// Tells it to read its settings anew, and waits until it says this.
    pub(crate) fn reload(&self, says: &str) {
        signal(self.child.id(), "HUP");
        until(says, || self.logged().contains(says).then_some(()));
    }

    /// SIGTERM; the code that it ends with.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        signal(self.child.id(), "TERM");
        self.child.wait().expect("it ends").code()
    }

    /// SIGKILL, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

#[allow(
    clippy::print_stderr,
    reason = "what a process logged explains why its test failed"
)]
impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let logged = self.logged();
            let lines: Vec<&str> = logged.lines().collect();
            let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
            eprintln!("--- {} logged at last:\n{last}", self.name);
        }
    }
}
