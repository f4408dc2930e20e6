//! A hold on a command that runs: over the [line](super::line) to its supervisor, or without one.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::unix::AsyncFd;
use tokio::process::Child;
use tokio::time::timeout;

use super::apart::{apart, thread};
use super::call::CommandCall;
use super::line::{Line, Told};
use super::program::USUAL_PATH;
use super::streams::Streams;
use super::supervisor::Supervisor;
use super::tree::{Kin, Tree, watch};
use crate::limits::COMMAND_SUPERVISOR_WAIT;
use crate::worker::Run;

/// A command that runs. Dropped before it is reaped, it kills all that came of it.
pub(super) struct Held {
    /// Until it is reaped.
    root: Option<Root>,
    line: Option<Line>,
}

/// The command's own process, or its supervisor's. As long as this is there the process is not reaped, and its number no other's.
struct Root {
    child: Child,
    ended: AsyncFd<OwnedFd>,
    /// All that came of that process. Of a supervised command, it finds what a supervisor that was killed itself leaves behind.
    tree: Arc<Tree>,
}

/// How a command ended.
pub(super) enum End {
    Exited(ExitStatus),
    NotStarted(io::Error),
}

impl Held {
    /// Starts a program as a child of this process.
    pub(super) fn alone(program: &Path, call: CommandCall, run: &Run) -> io::Result<(Held, Streams)> {
        let mut command = Command::new(program);
        surround(&mut command, run);
        call.describe(&mut command);
        command.stdin(match call.stdin {
            Some(_) => Stdio::piped(),
            None => Stdio::null(),
        });
        Held::start(command, None, call.stdin.unwrap_or_default(), run)
    }

    /// Starts a supervisor for the program. Whether that can start it is told by the [end](Held::reap).
    pub(super) async fn supervised(
        supervisor: Supervisor,
        program: &Path,
        call: &CommandCall,
        run: &Run,
    ) -> io::Result<(Held, Streams)> {
        let (line, far) = Line::open()?;
        let mut command = supervisor.command(program);
        surround(&mut command, run);
        command.stdin(far);
        let (mut held, streams) = Held::start(command, Some(line), Bytes::new(), run)?;
        if let Some(line) = &mut held.line {
            line.order(call).await?;
        }
        Ok((held, streams))
    }

    fn start(
        mut command: Command,
        line: Option<Line>,
        input: Bytes,
        run: &Run,
    ) -> io::Result<(Held, Streams)> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).spawn()?;
        let pid = child
            .id()
            .and_then(|pid| i32::try_from(pid).ok())
            .and_then(Pid::from_raw);
        let pid = pid.expect("a child that nobody has waited for has its number");
        let ended = pidfd_open(pid, PidfdFlags::empty())
            .map_err(io::Error::from)
            .and_then(watch)
            .map_err(|error| {
                let _ = kill_process_group(pid, Signal::KILL);
                match line {
                    Some(_) => error,
                    // It was started, if for a moment, and so may have cost an attempt.
                    None => io::Error::new(
                        io::ErrorKind::Interrupted,
                        format!("it could not be watched, and was killed: {error}"),
                    ),
                }
            })?;
        let streams = Streams::of(&mut child, input, run);
        let kin = Kin::Marks(marks(run).map(|(name, value)| format!("{name}={value}")));
        let root = Root {
            child,
            ended,
            tree: Arc::new(Tree::of(pid, kin)),
        };
        let root = Some(root);
        Ok((Held { root, line }, streams))
    }

    /// Waits until the command itself has ended.
    pub(super) async fn ended(&mut self) {
        match (&mut self.line, &self.root) {
            (Some(line), _) => {
                line.told().await;
            }
            (None, Some(root)) => root.ended().await,
            (None, None) => {}
        }
    }

    /// Asks all that came of it to end.
    pub(super) async fn ask_to_end(&mut self) {
        match (&mut self.line, &self.root) {
            (Some(line), _) => line.ask_to_end().await,
            (None, Some(root)) => {
                apart(&root.tree, |tree| tree.ask_to_end()).await;
            }
            (None, None) => {}
        }
    }

    /// Waits until nothing of it is alive.
    pub(super) async fn gone(&self) {
        match (&self.line, &self.root) {
            (Some(_), Some(root)) => root.ended().await,
            (None, Some(root)) => Tree::gone(&root.tree).await,
            (_, None) => {}
        }
    }

    /// Kills what is alive of it.
    pub(super) async fn kill(&mut self) {
        let Some(root) = &self.root else { return };
        if let Some(line) = &mut self.line {
            line.hang_up().await;
            let is_over = timeout(COMMAND_SUPERVISOR_WAIT, root.ended()).await.is_ok();
            // One that has ended has said how its command did, unless it was killed itself.
            if is_over && line.told().await.is_some() {
                return;
            }
            tracing::warn!("the supervisor of a command is lost; what can be found of the command is killed");
        }
        apart(&root.tree, |tree| tree.kill()).await;
    }

    /// How it ended. To be asked once, when all of it is killed.
    pub(super) async fn reap(&mut self) -> io::Result<End> {
        let Some(root) = &mut self.root else {
            return Err(io::Error::other("it was reaped before"));
        };
        let status = root.child.wait().await?;
        root.tree.set_reaped();
        self.root = None;
        let Some(line) = &mut self.line else {
            return Ok(End::Exited(status));
        };
        match line.told().await {
            Some(Told::Ended(status)) => Ok(End::Exited(ExitStatus::from_raw(status))),
            Some(Told::NotStarted(errno)) => Ok(End::NotStarted(io::Error::from_raw_os_error(errno))),
            None => Err(io::Error::other("its supervisor ended without a word")),
        }
    }
}

impl Root {
    async fn ended(&self) {
        // It fails only when the runtime shuts down; then there is nothing to wait for either.
        let _ = self.ended.readable().await;
    }

    /// Kills all of it, if its supervisor does not do so in time. Blocks for milliseconds as a rule, and for seconds at most.
    fn end(&self, is_supervised: bool) {
        if is_supervised {
            let mut ended = [PollFd::from_borrowed_fd(self.ended.as_fd(), PollFlags::IN)];
            let wait = Timespec::try_from(COMMAND_SUPERVISOR_WAIT).ok();
            let _ = poll(&mut ended, wait.as_ref());
        }
        self.tree.kill();
    }
}

impl Drop for Held {
    /// What this thread does at once is enough if the process is about to exit: a supervisor that is hung up on kills all of its
    /// command, and without one the command's group is killed. All else blocks, and who drops a run must not.
    fn drop(&mut self) {
        let Some(root) = self.root.take() else { return };
        let is_supervised = self.line.take().is_some();
        if !is_supervised {
            root.tree.kill_group();
        }
        let root = Arc::new(root);
        let far = Arc::clone(&root);
        if thread().spawn(move || far.end(is_supervised)).is_err() {
            // The system has no thread left; a moment's blocking is the lesser evil.
            root.end(is_supervised);
        }
    }
}

/// Of the worker's own environment, what its commands are given as well.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// Gives a command the environment that all of them have.
fn surround(command: &mut Command, run: &Run) {
    command.env_clear().env("PATH", USUAL_PATH);
    command.envs(
        PASSED_ON
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command.envs(marks(run));
    command.env("PUNCTUAL_ATTEMPT", run.attempt().to_string());
    command.env("PUNCTUAL_QUEUE", run.job().body.queue.as_str());
    if let Some(origin) = run.origin() {
        command.env("PUNCTUAL_SCHEDULE", origin.name.as_str());
        command.env("PUNCTUAL_NOMINAL_TIME", origin.nominal_at.to_string());
        command.env("PUNCTUAL_MISSED", origin.missed.to_string());
    }
}

/// The variables by which the processes of a run are known.
fn marks(run: &Run) -> [(&'static str, String); 2] {
    [
        ("PUNCTUAL_JOB_ID", run.id().job.to_string()),
        ("PUNCTUAL_RUN", run.id().run.to_string()),
    ]
}
