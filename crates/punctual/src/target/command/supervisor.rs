//! The supervisor: a process between the worker and one command, to which everything that comes of the command belongs.
//!
//! ```text
//! worker ── supervisor ── program ── its children …
//!                │
//!                └─────── whoever has lost its parent
//! ```
//!
//! It is a *child subreaper*: a process below it that loses its parent becomes its child, and not that of process 1. So what
//! came of the command is what stands below the supervisor, whatever group, session and environment it has given itself;
//! and when the supervisor has no child any more, nothing is left.
//!
//! It ends when nothing is left, or when the [line](super::line) ends: then it kills all of it first. A worker that is killed
//! therefore takes its commands with it, and the job's next run does not meet the last one.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{
    Pid, Resource, Rlimit, WaitOptions, getpid, getrlimit, set_child_subreaper, setrlimit, wait,
};
use rustix::stdio::{dup2_stderr, dup2_stdout};
use rustix::thread::set_name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::ChildStdin;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::call::CommandCall;
use super::line::{ASK_TO_END, Told};
use super::streams::feed;
use super::tree::{Kin, Tree};
use crate::limits::COMMAND_KILL_ROUNDS;

/// The first argument of a process that is to be a supervisor; then come the soft limit of open files, and the program's path.
const SUPERVISE: &str = "supervise-a-command-of-punctual";

/// The right to start commands under supervision, for [`CommandTarget::supervised_by`](super::CommandTarget::supervised_by).
///
/// For each command the running program is then started anew, as a process that starts the command and holds on to all that
/// comes of it: what it leaves behind ends with the run, and all of it ends with this process, however that ends. It costs
/// about a millisecond a command.
///
/// Commands get the soft limit of open files that this process was given, also when it has raised its own: a program that
/// calls `select(2)` breaks beyond 1,024 of them.
#[derive(Clone, Copy, Debug)]
pub struct Supervisor {
    /// The soft limit of open files at the start; unset, there was none.
    files: Option<u64>,
}

impl Supervisor {
    /// To be called first thing in `main`, before threads are started. In a process that was started as a supervisor it serves as
    /// one, and does not return; in every other it returns at once.
    pub fn enter() -> Supervisor {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_none_or(|word| word != SUPERVISE) {
            return Supervisor {
                files: getrlimit(Resource::Nofile).current,
            };
        }
        let files = arguments.next().and_then(|files| files.to_str()?.parse().ok());
        let program = arguments.next().unwrap_or_default();
        let done = supervise(files, Path::new(&program));
        // There is nobody to tell but the worker, who takes a supervisor that has said nothing for lost.
        std::process::exit(i32::from(done.is_err()))
    }

    /// The command that starts a supervisor for this program. What is on disk may have been replaced since this process was
    /// started; it is the running program that is started anew.
    pub(super) fn command(self, program: &Path) -> Command {
        let mut command = Command::new("/proc/self/exe");
        // In a group of its own: what is sent to the worker's group is not meant for it.
        command
            .arg0("punctual")
            .arg(SUPERVISE)
            .arg(
                self.files
                    .map_or_else(|| "unlimited".to_owned(), |files| files.to_string()),
            )
            .arg(program)
            .process_group(0);
        command
    }
}

/// Takes this soft limit of open files, for the program to inherit. Should it fail, a program with more files than it was meant
/// to have is better than none.
fn limit_files(soft: u64) {
    let limit = Rlimit {
        current: Some(soft),
        maximum: getrlimit(Resource::Nofile).maximum,
    };
    let _ = setrlimit(Resource::Nofile, limit);
}

fn supervise(files: Option<u64>, program: &Path) -> io::Result<()> {
    if let Some(soft) = files {
        limit_files(soft);
    }
    set_child_subreaper(Some(getpid()))?;
    // Else lists of processes would call it "exe". It does not matter if they do.
    let _ = set_name(c"punctual-run");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        // The end of a command is the worker's to decide: what the system sends to all processes of a service, or a terminal to
        // its own, does not end it here. The command itself takes these signals as it will.
        let _heeded_by_others = [
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ];
        let line = StdStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        // Whoever starts it by hand has no socket there, and the mode of a terminal would be the shell's as well.
        line.local_addr()?;
        line.set_nonblocking(true)?;
        let mut line = UnixStream::from_std(line)?;
        let child_ended = signal(SignalKind::child())?;
        let call = ordered(&mut line).await?;
        match start(program, call) {
            Ok(tree) => {
                Watch {
                    tree,
                    line,
                    child_ended,
                }
                .until_gone()
                .await
            }
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
                line.write_all(&Told::NotStarted(errno).bytes()).await
            }
        }
    })
}

/// The call that this supervisor is to start. It was admitted as a payload, which bounds it.
async fn ordered(line: &mut UnixStream) -> io::Result<CommandCall> {
    let mut call = vec![0; usize::try_from(line.read_u32_le().await?).map_err(io::Error::other)?];
    line.read_exact(&mut call).await?;
    CommandCall::parse(&call).map_err(io::Error::other)
}

/// Starts the program, and keeps no hold on its output.
fn start(program: &Path, mut call: CommandCall) -> io::Result<Tree> {
    // Opened before there is a program, whose start could not be taken back.
    let nowhere = OpenOptions::new().write(true).open("/dev/null")?;
    let input = call.stdin.take();
    let mut command = Command::new(program);
    call.describe(&mut command);
    let stdin = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = command.stdin(stdin).spawn()?;
    if let Some(pipe) = child.stdin.take() {
        let mut pipe = ChildStdin::from_std(pipe).ok();
        let mut input = input.unwrap_or_default();
        tokio::spawn(async move { feed(&mut pipe, &mut input).await });
    }
    // Should these fail, the worker waits a moment longer for output.
    let _ = dup2_stdout(&nowhere);
    let _ = dup2_stderr(&nowhere);
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.expect("a process that was just started has a number above 0");
    Ok(Tree::of(pid, Kin::Below))
}

/// A command that runs.
struct Watch {
    tree: Tree,
    line: UnixStream,
    child_ended: Signal,
}

impl Watch {
    /// Does as it is told until nothing is left of the command.
    async fn until_gone(mut self) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                _ = self.child_ended.recv() => {
                    if self.reap().await? == Left::Nothing {
                        return Ok(());
                    }
                }
                word = self.line.read_u8() => match word {
                    Ok(ASK_TO_END) => self.tree.ask_to_end(),
                    _ => break,
                },
            }
        }
        // Nothing else is to be done meanwhile, so that it may block. One that forks and ends all the time may not be seen in a
        // look at all processes, but it is a child of this one, and so the look is repeated.
        for _ in 0..COMMAND_KILL_ROUNDS {
            let killed = self.tree.kill();
            if self.reap().await? == Left::Nothing {
                return Ok(());
            }
            if !killed {
                break;
            }
        }
        Err(io::Error::other("processes of the command cannot be ended"))
    }

    /// Reaps whoever has ended below, and tells if the program itself is among them.
    async fn reap(&mut self) -> io::Result<Left> {
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if self.tree.is_leader(pid) => {
                    self.tree.set_reaped();
                    // It fails when the worker is gone; the line's end then says so.
                    let _ = self.line.write_all(&Told::Ended(status.as_raw()).bytes()).await;
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Ok(Left::Something),
                Err(Errno::CHILD) => return Ok(Left::Nothing),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What is left of a command.
#[derive(PartialEq, Eq)]
enum Left {
    Nothing,
    Something,
}
