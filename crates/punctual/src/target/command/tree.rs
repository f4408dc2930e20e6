//! The tree of a command: all processes that came of it, found again and ended together.
//!
//! A command may start others, and those may leave its process group, its session and even their parent. They are known by
//!
//! * the process group of the command itself,
//! * the way from child to parent that leads to one of them,
//! * and their [`Kin`]: under a supervisor, all that stands below it, which leaves nobody out; without one, the variables that
//!   name the job and the run, which children inherit.
//!
//! Without a supervisor, what escapes is a process that has left the group, cleared its environment and lost its parent before
//! anybody looked.
//!
//! Processes are signalled by file descriptor (pidfd, Linux 5.3), so that a number which the system gave to another process
//! meanwhile does no harm; and the command itself is reaped only after its group was killed, which keeps the group's
//! number from being given away.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, getpid, kill_process, kill_process_group, pidfd_open, pidfd_send_signal,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::apart::apart;
use crate::limits::{COMMAND_KILL_ROUNDS, COMMAND_KILL_WAIT, COMMAND_PROCESSES};
use crate::target::shortage::is_shortage;

/// All processes that came of one command.
pub(super) struct Tree {
    leader: Pid,
    kin: Kin,
    reaped: AtomicBool,
    /// Who belonged to it at the last look, by number and start: it still does, though its parent has died since.
    known: Mutex<BTreeSet<(i32, u64)>>,
}

/// By what those are known that have nothing else left.
pub(super) enum Kin {
    /// All that stands below this process, which adopts whoever loses its parent there.
    Below,
    /// Two variables, `NAME=value`, that stand in the environment of this run's processes and of no others.
    Marks([String; 2]),
}

/// A process of the tree that is alive.
struct Member {
    process: Process,
    /// None while file descriptors are short: then it is known by its number and its start.
    handle: Option<OwnedFd>,
}

impl Tree {
    /// The tree of a process that was just started as the leader of its own group. It is not yet reaped, and this is told when
    /// it is.
    pub(super) fn of(leader: Pid, kin: Kin) -> Tree {
        Tree {
            leader,
            kin,
            reaped: AtomicBool::new(false),
            known: Mutex::new(BTreeSet::new()),
        }
    }

    /// Whether this is the command itself.
    pub(super) fn is_leader(&self, pid: Pid) -> bool {
        pid == self.leader
    }

    /// Waits until nothing of the tree is alive.
    pub(super) async fn gone(tree: &Arc<Tree>) {
        // Each round waits for all that the last one found, and so ends no sooner than they do.
        loop {
            let members = match apart(tree, Tree::members).await {
                Some(Ok(members)) if members.is_empty() => return,
                Some(Ok(members)) => members,
                Some(Err(_)) | None => Vec::new(),
            };
            let watched = members
                .into_iter()
                .map(|member| member.handle.and_then(|handle| watch(handle).ok()));
            let watched: Option<Vec<_>> = watched.collect();
            let Some(watched) = watched.filter(|watched| !watched.is_empty()) else {
                // File descriptors are short, so that not all can be seen or watched: another look, in a moment.
                let _ = tokio::time::timeout(COMMAND_KILL_WAIT, std::future::pending::<()>()).await;
                continue;
            };
            for handle in watched {
                // It fails only when the runtime shuts down.
                if handle.readable().await.is_err() {
                    return;
                }
            }
        }
    }

    /// Kills the command's own process group, at once.
    pub(super) fn kill_group(&self) {
        self.signal_group(Signal::KILL);
    }

    /// Asks all of it to end: SIGTERM, to the group at once and to each process that has left it.
    pub(super) fn ask_to_end(&self) {
        // A look first: who has left the group may be known only by a parent that is about to end.
        let members = self.members().unwrap_or_default();
        self.signal_group(Signal::TERM);
        for member in members {
            if member.process.group != self.leader.as_raw_pid() {
                let _ = member.signal(Signal::TERM);
            }
        }
    }

    /// Kills all of it, and waits until it is dead. Blocks for some milliseconds, or up to two seconds if the system cannot end a
    /// process, as when it waits for a disk that is gone: then it gives false.
    pub(super) fn kill(&self) -> bool {
        for _ in 0..COMMAND_KILL_ROUNDS {
            let found = self.members();
            self.kill_group();
            let Ok(mut killed) = found else {
                // File descriptors are short. Some may be free in the next round.
                wait_until_dead(&[]);
                continue;
            };
            // What may not be signalled has become another user's, and is out of reach.
            killed.retain(|member| !matches!(member.signal(Signal::KILL), Err(Errno::PERM | Errno::SRCH)));
            if killed.is_empty() {
                return true;
            }
            wait_until_dead(&killed);
        }
        tracing::warn!(
            leader = self.leader.as_raw_pid(),
            "processes of a command cannot be ended"
        );
        false
    }

    /// Notes that the command itself is reaped: its number, and its group's, may now be another's.
    pub(super) fn set_reaped(&self) {
        self.reaped.store(true, Ordering::Release);
    }

    fn signal_group(&self, signal: Signal) {
        if !self.reaped.load(Ordering::Acquire) {
            // It fails when the group is empty, and then there is nobody to signal.
            let _ = kill_process_group(self.leader, signal);
        }
    }

    /// The processes of the tree that are alive, or so many of them. Fails when there are no file descriptors to look with.
    fn members(&self) -> io::Result<Vec<Member>> {
        let all = match processes() {
            Ok(all) => all,
            Err(error) if is_shortage(&error) => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "/proc cannot be read; what leaves a command's process group is not found");
                return Ok(Vec::new());
            }
        };
        let inside = self.inside(&all)?;
        let alive = all
            .into_iter()
            .filter(|process| inside.contains(&process.pid) && process.is_alive);
        Ok(alive.filter_map(Process::open).take(COMMAND_PROCESSES).collect())
    }

    /// The numbers of those processes that belong to the tree.
    fn inside(&self, all: &[Process]) -> io::Result<BTreeSet<i32>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let own = getpid().as_raw_pid();
        let is_reaped = self.reaped.load(Ordering::Acquire);
        let mut inside = BTreeSet::new();
        for process in all.iter().filter(|process| process.pid != own) {
            let by_group = !is_reaped && process.group == self.leader.as_raw_pid();
            if by_group || known.contains(&process.name()) || self.is_kin(process)? {
                inside.insert(process.pid);
            }
        }
        // Children may stand before their parents, so that one pass may not be enough; each adds at least one.
        for _ in 0..all.len() {
            let found = inside.len();
            let children = all.iter().filter(|process| inside.contains(&process.parent));
            let children: Vec<i32> = children.map(|process| process.pid).collect();
            inside.extend(children);
            if inside.len() == found {
                break;
            }
        }
        let found = all.iter().filter(|process| inside.contains(&process.pid));
        *known = found.map(Process::name).collect();
        Ok(inside)
    }

    fn is_kin(&self, process: &Process) -> io::Result<bool> {
        match &self.kin {
            Kin::Below => Ok(process.parent == getpid().as_raw_pid()),
            Kin::Marks(marks) => process.has_variables(marks),
        }
    }
}

impl Member {
    /// Sends it a signal; `SRCH` if it has ended.
    fn signal(&self, signal: Signal) -> Result<(), Errno> {
        if let Some(handle) = &self.handle {
            return pidfd_send_signal(handle, signal);
        }
        let now = Process::read(self.process.pid).map_err(|_| Errno::MFILE)?;
        let is_same = now.is_some_and(|now| now.name() == self.process.name());
        match Pid::from_raw(self.process.pid).filter(|_| is_same) {
            Some(pid) => kill_process(pid, signal),
            None => Err(Errno::SRCH),
        }
    }
}

/// One process, as /proc/pid/stat tells it (proc_pid_stat(5)).
struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// When it was started, which tells it from a later one of the same number.
    started: u64,
    /// Whether it still does anything: a zombie does not, unless it has threads left.
    is_alive: bool,
}

impl Process {
    /// None if there is no such process. Fails when there are no file descriptors to look with.
    fn read(pid: i32) -> io::Result<Option<Process>> {
        match fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(text) => Ok(Process::parse(pid, &text)),
            Err(error) if is_shortage(&error) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn parse(pid: i32, text: &str) -> Option<Process> {
        // The second field is the program's name in parentheses, and may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let threads: u64 = fields.get(17)?.parse().ok()?;
        Some(Process {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            started: fields.get(19)?.parse().ok()?,
            is_alive: !matches!(fields[0], "Z" | "X") || threads > 1,
        })
    }

    /// What tells it from every other process, before and after it.
    fn name(&self) -> (i32, u64) {
        (self.pid, self.started)
    }

    /// Whether it was started with these variables.
    fn has_variables(&self, variables: &[String]) -> io::Result<bool> {
        let environment = match fs::read(format!("/proc/{}/environ", self.pid)) {
            Ok(environment) => environment,
            Err(error) if is_shortage(&error) => return Err(error),
            // Other users' processes cannot be read, and are not ours.
            Err(_) => return Ok(false),
        };
        let has = |wanted: &String| {
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == wanted.as_bytes())
        };
        Ok(variables.iter().all(has))
    }

    /// The same as a member, unless it has ended.
    fn open(self) -> Option<Member> {
        let handle = match pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()) {
            Ok(handle) => handle,
            Err(Errno::SRCH) => return None,
            Err(_) => {
                return Some(Member {
                    process: self,
                    handle: None,
                });
            }
        };
        // The number may have been given away between the look and the handle.
        match Process::read(self.pid) {
            Ok(Some(now)) if now.name() == self.name() => Some(Member {
                process: now,
                handle: Some(handle),
            }),
            Ok(_) => None,
            Err(_) => Some(Member {
                process: self,
                handle: None,
            }),
        }
    }
}

/// All processes that can be seen.
fn processes() -> io::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    // The folder is closed before the first of them is read, which spares a file descriptor.
    let pids: Vec<i32> = pids.collect();
    pids.into_iter()
        .map(Process::read)
        .filter_map(Result::transpose)
        .collect()
}

/// Waits until these are dead, or one of them takes longer than a round may.
fn wait_until_dead(killed: &[Member]) {
    let wait = Timespec::try_from(COMMAND_KILL_WAIT).ok();
    // One without a handle, like a look that failed, is waited for as long as a round may.
    if killed.is_empty() || killed.iter().any(|member| member.handle.is_none()) {
        let _ = poll(&mut [], wait.as_ref());
        return;
    }
    for handle in killed.iter().filter_map(|member| member.handle.as_ref()) {
        let mut handle = [PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)];
        if !matches!(poll(&mut handle, wait.as_ref()), Ok(1)) {
            return;
        }
    }
}

/// A handle that becomes readable when its process ends.
#[allow(
    deprecated,
    reason = "what tokio has instead is unsafe, for types that may close their descriptor early; this one owns it"
)]
pub(super) fn watch(handle: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::with_interest(handle, Interest::READABLE)
}
