//! `punctual config`: what is in force, where it came from, and whether it is in order.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use punctual::Engine;
use serde::Serialize;

use super::key::Room;
use super::rooms::ROOMS;
use super::{Flags, Role, Settings, Value, sample};
use crate::failure::Failure;
use crate::print;

/// `punctual config`
#[derive(Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, and it is read once")]
enum Verb {
    /// Show the settings that are in force, and where each came from; secrets are masked
    Show(Show),
    /// Check the file of settings and the variables, and say all that is wrong with them
    Check(Check),
}

#[derive(Args)]
struct Show {
    /// Print a commented sample file instead, which sets everything to its default
    #[arg(long)]
    defaults: bool,
    /// Print one JSON document for each setting
    #[arg(long, conflicts_with = "defaults")]
    json: bool,
    #[command(flatten)]
    flags: Flags<Any>,
}

#[derive(Args)]
struct Check {
    #[command(flatten)]
    flags: Flags<Any>,
}

/// No role: what is asked for may be of any.
struct Any;

impl Role for Any {
    const ROOMS: &'static [&'static Room] = &ROOMS;
}

/// A setting for scripts.
#[derive(Serialize)]
struct Line<'a> {
    key: &'a str,
    value: serde_json::Value,
    /// `default`, `file`, `variable` or `flag`.
    from: &'static str,
    /// Which one.
    place: String,
}

/// What is shown in place of a secret.
const MASK: &str = "***";

impl ConfigArgs {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self.verb {
            Verb::Show(show) => show.run()?,
            Verb::Check(check) => check.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Show {
    fn run(self) -> Result<(), Failure> {
        if self.defaults {
            return print::line(sample::text().trim_end());
        }
        let settings = Settings::load(&self.flags.asked)?;
        if self.json {
            return settings.values().try_for_each(|(name, value)| {
                print::json(&Line {
                    key: name,
                    value: value.shown().to_json(),
                    from: value.origin.word(),
                    place: value.origin.to_string(),
                })
            });
        }
        let lines: Vec<(String, String)> = settings.values().map(line).collect();
        let widest = lines
            .iter()
            .map(|(set, _)| set.chars().count())
            .max()
            .unwrap_or(0);
        lines
            .iter()
            .try_for_each(|(set, origin)| print::line(&format!("{set:widest$}  # {origin}")))
    }
}

impl Check {
    fn run(self) -> Result<(), Failure> {
        let settings = Settings::load(&self.flags.asked)?;
        print::line(&match &settings.file {
            Some(file) => format!("{} is in order", file.display()),
            None => "there is no punctual.toml here; what else is set is in order".to_owned(),
        })
    }
}

impl Value {
    /// What may be shown of it.
    pub(crate) fn shown(&self) -> super::Given {
        match (self.setting.facts().is_secret, &self.given) {
            (true, _) => super::Given::new(MASK),
            // A URL may hold a password.
            (false, super::Given::Text(text)) => super::Given::Text(Engine::masked(text)),
            (false, super::Given::Plain(text)) => super::Given::Plain(Engine::masked(text)),
            (false, given) => given.clone(),
        }
    }
}

fn line((name, value): (&str, &Value)) -> (String, String) {
    let origin = match value.in_file {
        true => format!("{}, from the file it names", value.origin),
        false => value.origin.to_string(),
    };
    (format!("{name} = {}", value.shown().to_toml()), origin)
}
