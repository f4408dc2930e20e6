//! The `command` target: runs a program, once per attempt, and keeps what it wrote.
//!
//! # What a program is given
//!
//! Its arguments as they stand, since nothing is run by a shell. Of the worker's environment `PATH`, `HOME`, `LANG` and `TZ`, and no
//! more; besides
//!
//! | variable | is |
//! |---|---|
//! | `PUNCTUAL_JOB_ID` | the job, the same in every attempt |
//! | `PUNCTUAL_ATTEMPT` | 1 and up |
//! | `PUNCTUAL_RUN` | a number that grows with every run of the job |
//! | `PUNCTUAL_QUEUE` | the job's queue |
//!
//! and what the job sets. Its input is the job's text or nothing; its output is drained however much it is, and of a long one
//! the head and the tail are kept.
//!
//! # What its end means
//!
//! | end | the job |
//! |---|---|
//! | exit code 0 | is done; the result is a [`CommandAnswer`] |
//! | another exit code, or killed by a signal | tries again after its backoff; the error tells the end of standard error |
//! | not found, not executable, not allowed | fails at once |
//! | not started, for want of file descriptors, processes or memory | comes again in 5 s; costs no attempt |
//! | stopped by Punctual | as the reason says: timed out, cancelled, put back. Whatever code it then exits with, it is not done |
//!
//! # How it ends
//!
//! Asked to stop, the program and all that came of it are sent SIGTERM, and after four fifths of the
//! [grace](crate::worker::StopSignal::grace) SIGKILL. When the program itself ends, the run ends: what it left behind has a second to
//! close its output, and is then killed. What can outlive its run is only a process that, before anybody could look, left the
//! group, emptied its environment and lost its parent; who wants to start a daemon asks the system's own service manager.
//! If the worker drops the run, all of it is killed on the spot. Only a worker that is killed itself leaves its commands
//! behind.
//!
//! # What may be run
//!
//! Nothing, until [`CommandSettings::allow`] says so.

mod call;
mod capture;
mod program;
mod streams;
mod tree;

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::timeout;

pub use self::call::{CommandAnswer, CommandCall};
pub use self::program::Allow;
use self::program::USUAL_PATH;
use self::streams::Streams;
use self::tree::Tree;
use crate::error::Error;
use crate::limits::{COMMAND_DRAIN, COMMAND_ERROR_BYTES, COMMAND_KILL_SHARE, SHORTAGE_DELAY};
use crate::target::shortage::is_shortage;
use crate::target::text;
use crate::worker::{Handler, Run, States, Stop, StopReason};

/// What the operator says of commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandSettings {
    /// Which programs may be run; unset, none. In the configuration, `targets.command.allow`.
    pub allow: Allow,
}

impl CommandSettings {
    /// For a laptop: every program may be run.
    pub fn dev() -> CommandSettings {
        CommandSettings { allow: Allow::All }
    }
}

/// The handler of `command` jobs: `worker.handle(CommandTarget::new(settings)?)`.
#[derive(Clone)]
pub struct CommandTarget {
    settings: Arc<CommandSettings>,
}

impl CommandTarget {
    /// A target that goes by these settings. `Invalid` if what they allow is no program.
    pub fn new(settings: CommandSettings) -> Result<CommandTarget, Error> {
        settings.allow.check()?;
        Ok(CommandTarget {
            settings: Arc::new(settings),
        })
    }
}

impl Handler<CommandCall> for CommandTarget {
    type Task = CommandCall;

    async fn call(&self, call: CommandCall, run: Run) -> Result<CommandAnswer, Stop> {
        let program = self
            .settings
            .allow
            .find(&call.program, call.dir.as_deref())
            .map_err(Stop::fail)?;
        let started = Started::new(&program, call, &run)?;
        started.finish(&run).await
    }

    fn check(_states: &States) -> Result<(), Error> {
        Ok(())
    }
}

impl fmt::Debug for CommandTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandTarget")
            .field("settings", &self.settings)
            .finish()
    }
}

/// Of the worker's own environment, what its commands are given as well.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A command that was started. Dropped before it is over, it kills all that came of it.
struct Started {
    child: Child,
    tree: Arc<Tree>,
    streams: Streams,
    is_over: bool,
}

impl Started {
    fn new(program: &Path, call: CommandCall, run: &Run) -> Result<Started, Stop> {
        let marks = [
            ("PUNCTUAL_JOB_ID", run.id().job.to_string()),
            ("PUNCTUAL_RUN", run.id().run.to_string()),
        ];
        let mut command = Command::new(program);
        command.arg0(&call.program).args(&call.args);
        command.env_clear().env("PATH", USUAL_PATH);
        command.envs(
            PASSED_ON
                .iter()
                .filter_map(|name| Some((name, std::env::var_os(name)?))),
        );
        command.envs(&call.env);
        command.envs(marks.iter().map(|(name, value)| (name, value)));
        command.env("PUNCTUAL_ATTEMPT", run.attempt().to_string());
        command.env("PUNCTUAL_QUEUE", run.job().body.queue.as_str());
        if let Some(dir) = &call.dir {
            command.current_dir(dir);
        }
        command.stdin(if call.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);

        let mut child = command
            .spawn()
            .map_err(|error| not_started(program, &call, &error))?;
        let tree = tree_of(&child, marks.map(|(name, value)| format!("{name}={value}")))?;
        Ok(Started {
            streams: Streams::of(&mut child, Bytes::from(call.stdin.unwrap_or_default())),
            child,
            tree: Arc::new(tree),
            is_over: false,
        })
    }

    /// Waits for its end, or brings it about; then nothing of it is left.
    async fn finish(mut self, run: &Run) -> Result<CommandAnswer, Stop> {
        let stop = run.stop();
        let tree = self.tree.clone();
        let stopped = self.streams.during(async {
            tokio::select! {
                biased;
                () = tree.leader_ended() => None,
                reason = stop.requested() => Some(reason),
            }
        });
        let stopped = stopped.await;
        if stopped.is_some() {
            tree.ask_to_end();
            let grace = stop.grace();
            let grace = grace - grace / COMMAND_KILL_SHARE;
            // Whether all of it heeded or time was up: what is left is killed below.
            let _ = self.streams.during(timeout(grace, tree.gone())).await;
        } else {
            tokio::select! {
                biased;
                _ = timeout(COMMAND_DRAIN, self.streams.flow()) => {}
                _ = stop.requested() => {}
            }
        }
        let ended = self.end().await;
        let ended = ended.map_err(|error| Stop::retry(format!("how the command ended was lost: {error}")))?;
        self.answer(ended, stopped)
    }

    /// Kills what is left, takes what still stands in the pipes, and reaps.
    async fn end(&mut self) -> io::Result<ExitStatus> {
        self.streams.during(kill_apart(&self.tree)).await;
        // All ends that are known are closed by now; one that is not must not hold up the run.
        let _ = timeout(COMMAND_DRAIN, self.streams.flow()).await;
        let status = self.child.wait().await;
        self.tree.set_reaped();
        self.is_over = true;
        status
    }

    fn answer(&mut self, ended: ExitStatus, stopped: Option<StopReason>) -> Result<CommandAnswer, Stop> {
        let (stdout, cut_out) = std::mem::take(&mut self.streams.out).text();
        let (stderr, cut_err) = std::mem::take(&mut self.streams.err).text();
        if let (None, Some(0)) = (stopped, ended.code()) {
            return Ok(CommandAnswer {
                exit_code: 0,
                stdout,
                stderr,
                truncated: cut_out || cut_err,
            });
        }
        let mut said = match stopped {
            Some(reason) => format!("it was stopped ({reason}) and ended with {}", how(ended)),
            None => how(ended),
        };
        let last = text::tail(stderr.trim_end(), COMMAND_ERROR_BYTES, char::len_utf8);
        if !last.is_empty() {
            said = format!("{said}: {last}");
        }
        Err(Stop::retry(said))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.is_over {
            // It blocks a moment. Whatever would do it later might come too late: the process may be about to exit.
            self.tree.kill();
        }
    }
}

/// Kills what is left on a thread of its own: those that the runtime has for blocking work may all be taken, by handlers
/// that block and by look-ups of names, and a command must end all the same.
async fn kill_apart(tree: &Arc<Tree>) {
    let (done, killed) = oneshot::channel();
    let apart = tree.clone();
    let thread = std::thread::Builder::new().name("punctual-kill".to_owned());
    let thread = thread.spawn(move || {
        apart.kill();
        // Nobody listens when the run was dropped meanwhile.
        let _ = done.send(());
    });
    match thread {
        Ok(_) => {
            if killed.await.is_err() {
                tracing::error!("the thread that kills a command's processes panicked");
            }
        }
        // The system has no thread left; a moment's blocking is the lesser evil.
        Err(_) => tree.kill(),
    }
}

fn tree_of(child: &Child, marks: [String; 2]) -> Result<Tree, Stop> {
    let pid = child
        .id()
        .and_then(|pid| i32::try_from(pid).ok())
        .and_then(Pid::from_raw);
    let pid = pid.expect("a child that nobody has waited for has its number");
    Tree::of(pid, marks).map_err(|error| {
        let _ = kill_process_group(pid, Signal::KILL);
        Stop::retry(format!(
            "the command was started, could not be watched, and was killed: {error}"
        ))
    })
}

/// What becomes of a job whose program the system did not start. Only what another attempt may change is tried again.
fn not_started(program: &Path, call: &CommandCall, error: &io::Error) -> Stop {
    use io::ErrorKind::{ExecutableFileBusy, Interrupted, QuotaExceeded, ResourceBusy, WouldBlock};

    if let Some(dir) = call.dir.as_deref().filter(|dir| !Path::new(dir).is_dir()) {
        return Stop::fail(format!("there is no directory {dir:?} to run it in"));
    }
    let said = format!("{} was not started: {error}", program.display());
    match error.kind() {
        // EAGAIN: the limit of processes.
        kind if kind == WouldBlock || is_shortage(error) => {
            tracing::warn!(%said, "a command is put off");
            Stop::snooze(SHORTAGE_DELAY)
        }
        QuotaExceeded | ResourceBusy | ExecutableFileBusy | Interrupted => Stop::retry(said),
        _ => Stop::fail(said),
    }
}

/// How a process ended, in words.
fn how(ended: ExitStatus) -> String {
    match (ended.code(), ended.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => match SIGNALS.iter().find(|(known, _)| known.as_raw() == signal) {
            Some((_, name)) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => "no exit code".to_owned(),
    }
}

/// The signals that programs usually die of.
const SIGNALS: [(Signal, &str); 14] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::ILL, "SIGILL"),
    (Signal::ABORT, "SIGABRT"),
    (Signal::BUS, "SIGBUS"),
    (Signal::FPE, "SIGFPE"),
    (Signal::KILL, "SIGKILL"),
    (Signal::SEGV, "SIGSEGV"),
    (Signal::PIPE, "SIGPIPE"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::TERM, "SIGTERM"),
    (Signal::XCPU, "SIGXCPU"),
    (Signal::SYS, "SIGSYS"),
];
