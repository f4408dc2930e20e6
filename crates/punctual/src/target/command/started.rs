//! One run of a command, from its start to the end of all that came of it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use tokio::time::timeout;

use super::call::{CommandAnswer, CommandCall};
use super::ending::how;
use super::exits::Exits;
use super::held::{End, Held};
use super::streams::Streams;
use super::supervisor::Supervisor;
use crate::limits::{COMMAND_DRAIN, COMMAND_ERROR_BYTES, COMMAND_KILL_SHARE, SHORTAGE_DELAY};
use crate::target::shortage::is_shortage;
use crate::target::text;
use crate::target::verdict::{Table, Verdict};
use crate::worker::{Run, Stop, StopReason};

/// A command that was started, with its output. Dropped before it is over, it kills all that came of it.
pub(super) struct Started {
    program: PathBuf,
    dir: Option<String>,
    exit_codes: Table<Exits>,
    held: Held,
    streams: Streams,
}

impl Started {
    pub(super) async fn new(
        program: PathBuf,
        call: CommandCall,
        run: &Run,
        supervisor: Option<Supervisor>,
    ) -> Result<Started, Stop> {
        let (dir, exit_codes) = (call.dir.clone(), call.exit_codes.clone());
        let started = match supervisor {
            Some(supervisor) => Held::supervised(supervisor, &program, &call, run)
                .await
                .map_err(|error| unsupervised(&program, &error)),
            None => Held::alone(&program, call, run)
                .map_err(|error| not_started(&program, dir.as_deref(), &error)),
        };
        let (held, streams) = started?;
        Ok(Started {
            program,
            dir,
            exit_codes,
            held,
            streams,
        })
    }

    /// Waits for its end, or brings it about; then nothing of it is left.
    pub(super) async fn finish(mut self, run: &Run) -> Result<CommandAnswer, Stop> {
        let stop = run.stop();
        let stopped = self.streams.during(async {
            tokio::select! {
                biased;
                () = self.held.ended() => None,
                reason = stop.requested() => Some(reason),
            }
        });
        let stopped = stopped.await;
        if stopped.is_some() {
            self.held.ask_to_end().await;
            let grace = stop.grace();
            let grace = grace - grace / COMMAND_KILL_SHARE;
            // Whether all of it heeded or time was up: what is left is killed below.
            let _ = self.streams.during(timeout(grace, self.held.gone())).await;
        } else {
            tokio::select! {
                biased;
                _ = timeout(COMMAND_DRAIN, self.streams.flow()) => {}
                _ = stop.requested() => {}
            }
        }
        match self.end().await {
            Ok(End::Exited(status)) => self.answer(status, stopped),
            Ok(End::NotStarted(error)) => Err(not_started(&self.program, self.dir.as_deref(), &error)),
            Err(error) => Err(Stop::retry(format!("how the command ended was lost: {error}"))),
        }
    }

    /// Kills what is left, takes what still stands in the pipes, and reaps.
    async fn end(&mut self) -> io::Result<End> {
        self.streams.during(self.held.kill()).await;
        // All ends that are known are closed by now; one that is not must not hold up the run.
        let _ = timeout(COMMAND_DRAIN, self.streams.flow()).await;
        self.held.reap().await
    }

    fn answer(&mut self, ended: ExitStatus, stopped: Option<StopReason>) -> Result<CommandAnswer, Stop> {
        let (stdout, cut_out) = std::mem::take(&mut self.streams.out).text();
        let (stderr, cut_err) = std::mem::take(&mut self.streams.err).text();
        // Whatever code it exits with after it was asked to stop, and if a signal has killed it, it is not done.
        let verdict = match (stopped, ended.code()) {
            (None, Some(exit_code)) => match CommandCall::says(&self.exit_codes, exit_code) {
                Verdict::Done => {
                    return Ok(CommandAnswer {
                        exit_code,
                        stdout,
                        stderr,
                        truncated: cut_out || cut_err,
                    });
                }
                verdict => verdict,
            },
            _ => Verdict::Retry(None),
        };
        let mut said = match stopped {
            Some(reason) => format!("it was stopped ({reason}) and ended with {}", how(ended)),
            None => how(ended),
        };
        let last = text::tail(stderr.trim_end(), COMMAND_ERROR_BYTES, char::len_utf8);
        if !last.is_empty() {
            said = format!("{said}: {last}");
        }
        Err(match verdict {
            Verdict::Retry(Some(length)) => Stop::retry(said).after(length),
            Verdict::Snooze(length) => Stop::snooze(length),
            Verdict::Fail => Stop::fail(said),
            Verdict::Done | Verdict::Retry(None) => Stop::retry(said),
        })
    }
}

/// What becomes of a job whose program the system did not start. Only what another attempt may change is tried again.
fn not_started(program: &Path, dir: Option<&str>, error: &io::Error) -> Stop {
    use io::ErrorKind::{ExecutableFileBusy, Interrupted, QuotaExceeded, ResourceBusy};

    if let Some(dir) = dir.filter(|dir| !Path::new(dir).is_dir()) {
        return Stop::fail(format!("there is no directory {dir:?} to run it in"));
    }
    let said = format!("{} was not started: {error}", program.display());
    match error.kind() {
        _ if is_put_off(error) => put_off(said),
        QuotaExceeded | ResourceBusy | ExecutableFileBusy | Interrupted => Stop::retry(said),
        _ => Stop::fail(said),
    }
}

/// What becomes of a job whose supervisor was not started: the job cannot help it.
fn unsupervised(program: &Path, error: &io::Error) -> Stop {
    let said = format!(
        "{} was not started, for want of a supervisor: {error}",
        program.display()
    );
    match is_put_off(error) {
        true => put_off(said),
        false => Stop::retry(said),
    }
}

fn is_put_off(error: &io::Error) -> bool {
    // EAGAIN: the limit of processes.
    error.kind() == io::ErrorKind::WouldBlock || is_shortage(error)
}

fn put_off(said: String) -> Stop {
    tracing::warn!(%said, "a command is put off");
    Stop::snooze(SHORTAGE_DELAY)
}
