//! The targets that the runner serves, and what they may do.

use punctual::Error;
use punctual::target::command::{Allow, CommandSettings, CommandTarget, Supervisor};
use punctual::target::http::{HttpSettings, HttpTarget};
use punctual::worker::Worker;

/// What jobs may run and call.
pub(super) struct Allowed {
    http: HttpSettings,
    command: CommandSettings,
}

impl Allowed {
    /// Every program, and loopback and private addresses; cloud metadata never.
    pub(super) fn everything_here() -> Allowed {
        Allowed {
            http: HttpSettings::dev(),
            command: CommandSettings::dev(),
        }
    }

    /// These programs, and these networks beside the public ones.
    pub(super) fn only(programs: &[String], nets: &[String]) -> Allowed {
        let allow = match programs {
            [] => Allow::None,
            programs => Allow::Programs(programs.to_vec()),
        };
        Allowed {
            http: HttpSettings { allow: nets.to_vec() },
            command: CommandSettings { allow },
        }
    }

    /// The worker with a handler for each target. `Invalid` if what is allowed is no program, or no range of addresses.
    pub(super) fn handle(self, worker: Worker, supervisor: Supervisor) -> Result<Worker, Error> {
        let http = HttpTarget::new(self.http)?;
        let command = CommandTarget::new(self.command)?.supervised_by(supervisor);
        Ok(worker.handle(http).handle(command))
    }
}
