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
use tokio::sync::oneshot;
use tokio::time::timeout;

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
    /// The command's own process, or its supervisor's, and when that ends.
    child: Child,
    child_ended: AsyncFd<OwnedFd>,
    /// All that came of that process. Of a supervised command, it finds what a supervisor that was killed itself leaves behind.
    tree: Arc<Tree>,
    line: Option<Line>,
    is_reaped: bool,
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
        let child_ended = pidfd_open(pid, PidfdFlags::empty())
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
        let held = Held {
            child,
            child_ended,
            tree: Arc::new(Tree::of(pid, kin)),
            line,
            is_reaped: false,
        };
        Ok((held, streams))
    }

    /// Waits until the command itself has ended.
    pub(super) async fn ended(&mut self) {
        match &mut self.line {
            Some(line) => {
                line.told().await;
            }
            None => self.child_ended().await,
        }
    }

    /// Asks all that came of it to end.
    pub(super) async fn ask_to_end(&mut self) {
        match &mut self.line {
            Some(line) => line.ask_to_end().await,
            None => self.tree.ask_to_end(),
        }
    }

    /// Waits until nothing of it is alive.
    pub(super) async fn gone(&self) {
        match self.line {
            Some(_) => self.child_ended().await,
            None => self.tree.gone().await,
        }
    }

    /// Kills what is alive of it.
    pub(super) async fn kill(&mut self) {
        if let Some(line) = &mut self.line {
            line.hang_up().await;
            let is_over = timeout(COMMAND_SUPERVISOR_WAIT, self.child_ended()).await.is_ok();
            if is_over && self.is_told().await {
                return;
            }
            tracing::warn!("the supervisor of a command is lost; what can be found of the command is killed");
        }
        kill_apart(&self.tree).await;
    }

    /// How it ended. To be asked once all of it is killed.
    pub(super) async fn reap(&mut self) -> io::Result<End> {
        let status = self.child.wait().await?;
        self.tree.set_reaped();
        self.is_reaped = true;
        let Some(line) = &mut self.line else {
            return Ok(End::Exited(status));
        };
        match line.told().await {
            Some(Told::Ended(status)) => Ok(End::Exited(ExitStatus::from_raw(status))),
            Some(Told::NotStarted(errno)) => Ok(End::NotStarted(io::Error::from_raw_os_error(errno))),
            None => Err(io::Error::other("its supervisor ended without a word")),
        }
    }

    async fn child_ended(&self) {
        // It fails only when the runtime shuts down; then there is nothing to wait for either.
        let _ = self.child_ended.readable().await;
    }

    /// Whether a supervisor that has ended has said how its command did.
    async fn is_told(&mut self) -> bool {
        match &mut self.line {
            Some(line) => line.told().await.is_some(),
            None => false,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_reaped {
            return;
        }
        // It blocks a moment. Whatever would do it later might come too late: the process may be about to exit.
        if let Some(line) = self.line.take() {
            drop(line);
            let mut ended = [PollFd::from_borrowed_fd(self.child_ended.as_fd(), PollFlags::IN)];
            let _ = poll(
                &mut ended,
                Timespec::try_from(COMMAND_SUPERVISOR_WAIT).ok().as_ref(),
            );
        }
        self.tree.kill();
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
}

/// The variables by which the processes of a run are known.
fn marks(run: &Run) -> [(&'static str, String); 2] {
    [
        ("PUNCTUAL_JOB_ID", run.id().job.to_string()),
        ("PUNCTUAL_RUN", run.id().run.to_string()),
    ]
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
        Err(_) => {
            tree.kill();
        }
    }
}
