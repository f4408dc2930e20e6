//! The `command` target: runs a program, once per attempt, and keeps what it wrote.
//!
//! # What a program is given
//!
//! Its arguments as they stand, since nothing is run by a shell unless the job says so. Of the worker's environment `PATH`, `HOME`, `LANG` and `TZ`, and no
//! more; besides
//!
//! | variable | is |
//! |---|---|
//! | `PUNCTUAL_JOB_ID` | the job, the same in every attempt |
//! | `PUNCTUAL_ATTEMPT` | 1 and up |
//! | `PUNCTUAL_RUN` | a number that grows with every run of the job |
//! | `PUNCTUAL_QUEUE` | the job's queue |
//! | `PUNCTUAL_SCHEDULE`, `PUNCTUAL_NOMINAL_TIME` | where a schedule made the job: its name, and the instant that the job is for |
//! | `PUNCTUAL_MISSED` | with them: how many earlier instants, which nobody fired, the job stands for too |
//!
//! and what the job sets. Its input is what the job gives it, or nothing; its output is drained however much it is, and of a long one
//! the head and the tail are kept.
//!
//! # What its end means
//!
//! | end | the job |
//! |---|---|
//! | exit code 0 | is done; the result is a [`CommandAnswer`] |
//! | an exit code that the job's `exit_codes` name | is what they say |
//! | another exit code, or killed by a signal | tries again after its backoff; the error tells the end of standard error |
//! | not found, not executable, not allowed | fails at once |
//! | not started, for want of file descriptors, processes or memory | comes again in 5 s; costs no attempt |
//! | stopped by Punctual | as the reason says: timed out, cancelled, put back. Whatever code it then exits with, it is not done |
//!
//! # How it ends
//!
//! Asked to stop, the program and all that came of it are sent SIGTERM, and after four fifths of the
//! [grace](crate::worker::StopSignal::grace) SIGKILL. When the program itself ends, the run ends: what it left behind has a second to
//! close its output, and is then killed. If the worker drops the run, all of it is killed then.
//!
//! Who belongs to a command is known exactly under a [`Supervisor`], as `punctual serve` has it: a process may leave the group and
//! the session, empty its environment and lose its parent, and ends with its command all the same. A worker that is itself
//! killed takes its commands with it. Two kinds of process are out of reach: those of another user, as `sudo` starts them,
//! and those that another service was asked to start, which is what a daemon should be.
//!
//! A program of one's own offers a supervisor by a line at the top of its `main`, before there are threads:
//!
//! ```standalone_crate
//! use punctual::target::command::{Allow, CommandCall, CommandSettings, CommandTarget, Supervisor};
//! use punctual::{Engine, Worker};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let supervisor = Supervisor::enter();
//!     tokio::runtime::Runtime::new()?.block_on(work(supervisor))
//! }
//!
//! async fn work(supervisor: Supervisor) -> Result<(), Box<dyn std::error::Error>> {
//!     let engine = Engine::open("memory:").await?;
//!     let job = engine.enqueue(CommandCall::new("echo").arg("hello")).await?;
//!     let result = async move { assert_eq!(job.result().await.unwrap().stdout, "hello\n") };
//!
//!     let settings = CommandSettings { allow: Allow::Programs(vec!["echo".to_owned()]) };
//!     let target = CommandTarget::new(settings)?.supervised_by(supervisor);
//!     Worker::new(&engine).handle(target).queues(["command"]).run_until(result).await?;
//!     Ok(())
//! }
//! ```
//!
//! Without a supervisor, processes are looked for by group, by parent and by the variables above. One that lost all three before
//! anybody looked outlives its run, and so may one that has left the group when a worker drops the run and exits in the same
//! moment; and the commands of a worker that is killed live on beside their next attempt.
//!
//! # What may be run
//!
//! Nothing, until [`CommandSettings::allow`] says so. Names on its list are looked up in the worker's own `PATH`, as a job's program
//! is; a job's own `PATH` plays no part. What a job names is allowed if it is a file of the same name in the same folder as
//! something on the list. Links to folders are followed for that, so that `/bin/sh` is `/usr/bin/sh` where one folder
//! leads to the other. A program that is a link itself is not followed: one file may be many programs, by the name that it is
//! called by.
//!
//! With a list, no variable may be set that would have any program, or any script, run other code: those of the loader and the
//! C library (`LD_PRELOAD` and whatever else begins with `LD_`, `GCONV_PATH`, …), of shells (`BASH_ENV`, …) and of interpreters
//! (`PYTHONPATH`, …). `PATH` may: a script that calls others by their names should set its own.

mod apart;
mod call;
mod capture;
mod ending;
mod exits;
mod held;
mod line;
mod program;
mod started;
mod streams;
mod supervisor;
mod tree;

use std::fmt;
use std::sync::Arc;

pub use self::call::{CommandAnswer, CommandCall};
pub use self::program::Allow;
use self::started::Started;
pub use self::supervisor::Supervisor;
use crate::error::Error;
use crate::worker::{Handler, Run, States, Stop};

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

    /// Whether a [`CommandTarget`] can go by them. `Invalid` if what they allow is no program.
    pub fn check(&self) -> Result<(), Error> {
        self.allow.check()
    }
}

/// The handler of `command` jobs: `worker.handle(CommandTarget::new(settings)?)`.
#[derive(Clone)]
pub struct CommandTarget {
    settings: Arc<CommandSettings>,
    supervisor: Option<Supervisor>,
}

impl CommandTarget {
    /// A target that goes by these settings. `Invalid` if what they allow is no program.
    pub fn new(settings: CommandSettings) -> Result<CommandTarget, Error> {
        settings.check()?;
        Ok(CommandTarget {
            settings: Arc::new(settings),
            supervisor: None,
        })
    }

    /// Starts each command under a supervisor, so that nothing of it can outlive its run, see [how it ends](self#how-it-ends).
    pub fn supervised_by(mut self, supervisor: Supervisor) -> CommandTarget {
        self.supervisor = Some(supervisor);
        self
    }
}

impl Handler<CommandCall> for CommandTarget {
    type Task = CommandCall;

    async fn call(&self, call: CommandCall, run: Run) -> Result<CommandAnswer, Stop> {
        let allow = &self.settings.allow;
        let program = allow
            .find(call.program(), call.dir.as_deref())
            .map_err(Stop::fail)?;
        allow.check_variables(call.env.keys()).map_err(Stop::fail)?;
        let started = Started::new(program, call, &run, self.supervisor).await?;
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
            .field("supervisor", &self.supervisor)
            .finish()
    }
}
