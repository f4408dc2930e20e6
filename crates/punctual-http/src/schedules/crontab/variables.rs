//! The variables of a crontab, which hold for the entries below them.

use std::collections::BTreeMap;
use std::time::Duration;

use punctual::minutes;
use punctual::schedule::Zone;

use super::Reading;

/// The longest `RANDOM_DELAY` that cron takes, in minutes: a day.
const RANDOM_DELAY_MAX: u64 = 24 * 60;

/// The variables so far.
pub(super) struct Variables {
    zone: Result<Zone, String>,
    spread: Option<Duration>,
    home: Option<String>,
    shell: Option<String>,
    others: BTreeMap<String, String>,
}

impl Variables {
    pub(super) fn new(reading: &Reading) -> Variables {
        Variables {
            zone: Ok(reading.zone.clone()),
            spread: None,
            home: reading.home.clone(),
            shell: None,
            others: BTreeMap::new(),
        }
    }

    /// Sets a variable, or says what does not come of it.
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "CRON_TZ" => {
                self.zone = value
                    .parse()
                    .map_err(|why| format!("its zone is not known: {why}"));
                return self.zone.clone().map(|_| ());
            }
            "RANDOM_DELAY" => {
                let length = value
                    .parse()
                    .ok()
                    .filter(|length| (0..=RANDOM_DELAY_MAX).contains(length));
                let length = length.ok_or_else(|| {
                    format!("RANDOM_DELAY is 0 to {RANDOM_DELAY_MAX} minutes, and is ignored as cron does")
                })?;
                self.spread = Some(minutes(length)).filter(|length| !length.is_zero());
                return Ok(());
            }
            "MAILTO" if value.is_empty() => return Ok(()),
            "MAILTO" | "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {
                return Err(format!(
                    "{name} is not taken over: nothing is mailed; what a command puts out is kept with its job"
                ));
            }
            "LOGNAME" | "USER" => {
                return Err(format!(
                    "{name} is not taken over: cron, too, would set it to the user"
                ));
            }
            "MLS_LEVEL" | "XDG_SESSION_CLASS" => {
                return Err(format!("{name} is not taken over: it tells cron how to log in"));
            }
            _ if name.is_empty() || name.starts_with("PUNCTUAL_") => {
                return Err(format!(
                    "{name:?} is not taken over: no command can have such a variable"
                ));
            }
            "HOME" => self.home = Some(value.clone()),
            "SHELL" => self.shell = Some(value.clone()),
            _ => {}
        }
        self.others.insert(name.to_owned(), value);
        Ok(())
    }

    /// Whose local times entries mean.
    pub(super) fn zone(&self) -> Result<Zone, String> {
        self.zone.clone()
    }

    /// Within which length entries are to be spread.
    pub(super) fn spread(&self) -> Option<Duration> {
        self.spread
    }

    /// Where commands run.
    pub(super) fn home(&self) -> Option<&str> {
        self.home.as_deref()
    }

    /// What runs commands, if it is not `sh`.
    pub(super) fn shell(&self) -> Option<&str> {
        self.shell
            .as_deref()
            .filter(|shell| !matches!(*shell, "/bin/sh" | "/usr/bin/sh" | "sh"))
    }

    /// The environment of commands.
    pub(super) fn environment(&self) -> impl Iterator<Item = (&String, &String)> {
        self.others.iter()
    }
}

/// The name and the value, if the line sets a variable: `NAME=value`, where blanks may stand around the `=`, and matching quotes
/// around either side.
pub(super) fn read(line: &str) -> Option<(String, String)> {
    let (name, rest) = match quoted(line) {
        Some((name, rest)) => (name, rest),
        None => {
            let end = line.find(|c: char| c == '=' || c.is_ascii_whitespace())?;
            line.split_at(end)
        }
    };
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    if name.contains('=') {
        return None;
    }
    let value = match (quoted(value), value.starts_with(['"', '\''])) {
        (Some((inner, behind)), _) if behind.trim().is_empty() => inner,
        (None, false) => value.trim_end(),
        // A quote that nothing matches, or something behind it: to cron this is an entry.
        _ => return None,
    };
    Some((name.to_owned(), value.to_owned()))
}

/// What stands in quotes at the beginning, and what behind them.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split_once(quote)
}
