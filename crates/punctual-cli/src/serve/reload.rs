//! SIGHUP: the settings are read anew. What can change while jobs run changes; what cannot is told.

use tokio::signal::unix::Signal;

use super::targets::Targets;
use crate::config::{Asked, Settings};
use crate::log::Logs;

/// What is read anew, and for whom.
pub(super) struct Reload {
    asked: Asked,
    /// What the process began with: in force for all that needs a restart.
    began: Settings,
    /// What was read last, if it was read anew.
    last: Option<Settings>,
    logs: Logs,
    targets: Option<Targets>,
}

/// How the names of settings begin that take effect at once.
const LIVE: [&str; 3] = ["log.level", "targets.", "secrets."];

impl Reload {
    pub(super) fn new(asked: Asked, began: Settings, logs: Logs, targets: Option<Targets>) -> Reload {
        Reload {
            asked,
            began,
            last: None,
            logs,
            targets,
        }
    }

    /// Reads the settings anew at each signal.
    pub(super) async fn at_each(mut self, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            match self.once() {
                Ok(()) => {}
                Err(said) => tracing::error!("SIGHUP: the settings stay as they were: {said}"),
            }
        }
    }

    /// Reads the settings anew. If anything is wrong with them, nothing changes.
    fn once(&mut self) -> Result<(), String> {
        let read = Settings::load(&self.asked).map_err(|faults| faults.to_string())?;
        if let Some(targets) = &self.targets {
            targets.reload(&read)?;
        }
        self.logs.reload(&read);
        let is_live = |name: &String| LIVE.iter().any(|live| name.starts_with(live));
        let mut changed = read.differences(self.last.as_ref().unwrap_or(&self.began));
        changed.retain(is_live);
        let mut waiting = read.differences(&self.began);
        waiting.retain(|name| !is_live(name));
        match changed.is_empty() {
            true => tracing::info!("SIGHUP: the settings were read anew; nothing changed that is in force"),
            false => tracing::info!(
                "SIGHUP: the settings were read anew; changed: {}",
                changed.join(", ")
            ),
        }
        if !waiting.is_empty() {
            tracing::warn!(
                "SIGHUP: these need a restart to take effect: {}",
                waiting.join(", ")
            );
        }
        self.last = Some(read);
        Ok(())
    }
}
