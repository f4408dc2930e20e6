//! Crontabs: what crond of Linux (cronie) reads, as schedules of commands.
//!
//! | in a crontab | becomes |
//! |---|---|
//! | five fields, or `@daily` and friends | `cron`, which means the same here |
//! | `CRON_TZ`, or else the machine's zone | `zone` |
//! | the command, and `SHELL` | a `command` job: a script for `sh`, or the shell with `-c`. It is tried once, as cron does, and has a day |
//! | what follows the first `%` of a command | its input, a line for each further `%` |
//! | `HOME`, or else the user's home | the directory it runs in |
//! | other variables above an entry | its environment |
//! | `RANDOM_DELAY` | `spread` |
//! | `~` in a field | a value within its range that is always the same |
//! | a comment right above an entry | its name, or else the program is |
//!
//! What has no counterpart is told in [`Note`]s: `@reboot`, mail, other users.
//!
//! Three things that cron does by itself are left behind, since nobody asked for them: it begins a run beside one that still goes on
//! (see [`Overlap`](crate::wire::Overlap)), forgets what came due while it was down (see [`Misfire`](crate::wire::Misfire)), and where
//! clocks change leaves out a run or makes two (see [`Gap`](crate::wire::Gap) and [`Fold`](crate::wire::Fold)). All of them take their
//! defaults.

mod command;
mod name;
mod time;
mod variables;

use std::collections::BTreeSet;

use punctual::schedule::cron::{Cron, Fold, Gap};
use punctual::schedule::{Plan, Spec, Zone};
use punctual::target::command::CommandCall;
use punctual::{NewJob, days};

use self::name::Entry;
use self::variables::Variables;
use super::Written;

/// How a crontab is to be read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// The zone of the machine that the crontab is from: cron's own, unless the crontab says otherwise.
    pub zone: Zone,
    /// Where its commands run, unless the crontab says otherwise: the user's home.
    pub home: Option<String>,
    /// The crontab is the system's, as `/etc/crontab` is, where each entry names a user. Then entries of this user are read, and
    /// those of others are told of.
    pub system_user: Option<String>,
    /// Names of schedules that are stored: an entry that has one of them keeps it, though others of its kind come and go.
    pub stored: BTreeSet<String>,
}

/// A crontab, read.
#[derive(Clone, Debug, Default)]
pub struct Crontab {
    /// Its entries. Their names are the same whenever it is read beside the same stored ones, and none comes twice.
    pub schedules: Vec<Written>,
    /// What could not be taken over, in the order of lines.
    pub notes: Vec<Note>,
}

/// Something that could not be taken over, or not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The line, from 1.
    pub line: usize,
    /// What, and why.
    pub story: String,
}

impl Crontab {
    /// Reads a crontab. Nothing in it fails the whole: an entry that cannot be read is left out, and told of.
    pub fn read(text: &str, reading: &Reading) -> Crontab {
        let mut taking = Taking {
            reading,
            variables: Variables::new(reading),
            entries: Vec::new(),
            comment: None,
            crontab: Crontab::default(),
        };
        for (line, number) in text.lines().zip(1..) {
            taking.line(line.trim(), number);
        }
        let Taking {
            entries, mut crontab, ..
        } = taking;
        let names = name::of_all(&entries, &reading.stored);
        for (written, name) in crontab.schedules.iter_mut().zip(names) {
            written.name = name;
        }
        crontab
    }
}

/// A crontab, as far as it was read.
struct Taking<'a> {
    reading: &'a Reading,
    variables: Variables,
    /// What each of its schedules is to be called by: a name has to be its own, so that all have to be known first.
    entries: Vec<Entry>,
    /// The comment in the line before.
    comment: Option<&'a str>,
    crontab: Crontab,
}

impl<'a> Taking<'a> {
    fn line(&mut self, line: &'a str, number: usize) {
        let above = self.comment.take();
        if line.is_empty() {
            return;
        }
        if let Some(comment) = line.strip_prefix('#') {
            self.comment = Some(comment.trim());
            return;
        }
        let taken = match variables::read(line) {
            Some((name, value)) => self.variables.set(&name, value),
            None => self.entry(line, above, number),
        };
        if let Err(story) = taken {
            self.note(number, story);
        }
    }

    /// Takes an entry, or says why not.
    fn entry(&mut self, line: &str, above: Option<&str>, number: usize) -> Result<(), String> {
        // To cron, a line that begins so is not to be logged.
        let line = line.strip_prefix('-').unwrap_or(line).trim_start();
        let (when, rest) = time::split(line)?;
        let text = match &self.reading.system_user {
            None => rest,
            Some(user) => of_user(rest, user)?,
        };
        let text = command::without_options(text);
        if text.is_empty() {
            return Err("it has no command".to_owned());
        }
        let time::Pattern { pattern, chosen } = time::read(when, text)?;
        let call = command::read(text, &self.variables);
        let template = NewJob::task(&call)
            .map_err(|error| error.to_string())?
            .untyped()
            .max_attempts(1)
            .timeout(days(1));
        // Such as a NUL in it, which cron may have taken.
        CommandCall::parse(&template.payload).map_err(|error| error.to_string())?;
        let spec = Spec::Cron(Cron {
            pattern,
            zone: self.variables.zone()?,
            gap: Gap::default(),
            fold: Fold::default(),
        });
        let plan = Plan {
            spread: self.variables.spread(),
            ..Plan::new(spec, template)
        };
        let unnamed = String::new();
        self.entries.push(Entry::new(above, when, text));
        self.crontab.schedules.push(Written::new(unnamed, number, plan));
        if let Some(story) = chosen {
            self.note(number, story);
        }
        Ok(())
    }

    fn note(&mut self, line: usize, story: String) {
        self.crontab.notes.push(Note { line, story });
    }
}

/// The command of an entry, if it is this user's.
fn of_user<'t>(rest: &'t str, user: &str) -> Result<&'t str, String> {
    let (named, command) = rest.split_once(is_blank).unwrap_or((rest, ""));
    match named == user {
        true => Ok(command.trim_start()),
        false => Err(format!(
            "it is run as {named}, and commands run as whoever their runner is; start a runner as {named}, and import its \
             entries apart"
        )),
    }
}

/// What stands between the fields of an entry.
fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}
