//! The flags of settings, made of what the settings say of themselves.

use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::Asked;
use super::key::{Facts, Room};
use super::variables::CONFIG;

/// What a process is, and so which settings it has flags for. The others it reads and checks all the same: one file
/// serves all roles.
pub(crate) trait Role {
    const ROOMS: &'static [&'static Room];
}

/// The flags of the settings of a role, as they were given.
pub(crate) struct Flags<R> {
    pub(crate) asked: Asked,
    role: PhantomData<R>,
}

impl<R: Role> Args for Flags<R> {
    fn augment_args(mut command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help(format!(
                "The file of settings [env: {CONFIG}] [default: punctual.toml, if it is there]"
            ));
        command = command.arg(config);
        for (room, facts) in of_role::<R>() {
            command = command.args(arg(room, facts));
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<R: Role> FromArgMatches for Flags<R> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Flags<R>, clap::Error> {
        let mut asked = Asked {
            config: matches.get_one("config").cloned(),
            flags: Vec::new(),
        };
        for (_, facts) in of_role::<R>() {
            let Some(flag) = facts.flag else { continue };
            if let Some(texts) = matches.get_many::<String>(facts.name) {
                let text = texts.cloned().collect::<Vec<_>>().join(",");
                asked.flags.push((facts.name, flag.long, text));
            }
        }
        Ok(Flags {
            asked,
            role: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Flags::from_arg_matches(matches)?;
        Ok(())
    }
}

fn of_role<R: Role>() -> impl Iterator<Item = (&'static Room, &'static Facts)> {
    let keys = |room: &&'static Room| {
        let room = *room;
        room.keys.iter().map(move |key| (room, key.facts()))
    };
    R::ROOMS.iter().flat_map(keys)
}

fn arg(room: &Room, facts: &'static Facts) -> Option<Arg> {
    let flag = facts.flag?;
    let mut help = format!("{} [env: {}]", facts.about, facts.variable());
    if let Some(default) = facts.default() {
        help.push_str(&format!(" [default: {}]", shown(&default.to_toml())));
    }
    let arg = Arg::new(facts.name)
        .long(flag.long)
        .value_name(flag.value)
        .help(help)
        .action(match flag.repeats {
            true => ArgAction::Append,
            false => ArgAction::Set,
        });
    Some(match room.heading {
        Some(heading) => arg.help_heading(heading),
        None => arg,
    })
}

/// A default as it would be given on the command line.
fn shown(toml: &str) -> String {
    toml.replace(['"', '[', ']'], "").replace(", ", ",")
}
