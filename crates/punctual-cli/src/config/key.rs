//! What a setting is. Each is declared once, beside what it configures, and from that one place come its flag, its variable,
//! its line in the sample file, its help and its check.

use super::Settings;
use super::given::Given;

/// A setting that reads as a `T`.
pub(crate) struct Key<T: 'static> {
    facts: Facts,
    read: fn(&Given) -> Result<T, String>,
}

/// What is known of a setting whatever it reads as.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    /// Its name with dots, as in `runner.lease`. One that ends in [`ANY`] stands for all settings of a table.
    pub(crate) name: &'static str,
    /// One sentence or two, without the last full stop.
    pub(crate) about: &'static str,
    pub(crate) flag: Option<Flag>,
    pub(crate) unset: Unset,
    /// Whether it holds a secret: then `NAME_file` names a file that holds it, and it is never shown in full.
    pub(crate) is_secret: bool,
}

/// How the name of a setting ends that stands for all of a table: those that are made up by the user.
pub(crate) const ANY: &str = ".NAME";

/// A setting's flag on the command line.
#[derive(Clone, Copy)]
pub(crate) struct Flag {
    pub(crate) long: &'static str,
    /// What stands for its value in the help.
    pub(crate) value: &'static str,
    /// Whether it may be repeated.
    pub(crate) repeats: bool,
}

/// What is in force where nobody set it.
#[derive(Clone, Copy)]
pub(crate) enum Unset {
    Default(fn() -> Given),
    /// Nothing, which `about` explains. The text is an example, for the sample file.
    Example(&'static str),
}

/// Settings of one room of the house, and what must hold among them.
pub(crate) struct Room {
    /// The heading of its flags in the help, if they have one of their own.
    pub(crate) heading: Option<&'static str>,
    pub(crate) keys: &'static [&'static dyn Setting],
    /// Refuses settings that do not go together.
    pub(crate) agree: fn(&Settings) -> Result<(), String>,
}

/// A [`Key`] of any type.
pub(crate) trait Setting: Sync {
    fn facts(&self) -> &Facts;

    /// Says what is wrong with a value, and what is accepted.
    fn check(&self, given: &Given) -> Result<(), String>;
}

impl<T> Key<T> {
    /// A setting that is read so. It has no default, and this for an example.
    pub(crate) const fn new(
        name: &'static str,
        example: &'static str,
        read: fn(&Given) -> Result<T, String>,
    ) -> Key<T> {
        let facts = Facts {
            name,
            about: "",
            flag: None,
            unset: Unset::Example(example),
            is_secret: false,
        };
        Key { facts, read }
    }

    pub(crate) const fn with_default(
        name: &'static str,
        default: fn() -> Given,
        read: fn(&Given) -> Result<T, String>,
    ) -> Key<T> {
        let mut key = Key::new(name, "", read);
        key.facts.unset = Unset::Default(default);
        key
    }

    pub(crate) const fn about(mut self, about: &'static str) -> Key<T> {
        self.facts.about = about;
        self
    }

    pub(crate) const fn flag(mut self, long: &'static str, value: &'static str) -> Key<T> {
        self.facts.flag = Some(Flag {
            long,
            value,
            repeats: false,
        });
        self
    }

    pub(crate) const fn flags(mut self, long: &'static str, value: &'static str) -> Key<T> {
        self.facts.flag = Some(Flag {
            long,
            value,
            repeats: true,
        });
        self
    }

    pub(crate) const fn secret(mut self) -> Key<T> {
        self.facts.is_secret = true;
        self
    }

    /// The value, or what is wrong with it.
    pub(super) fn read(&self, given: &Given) -> Result<T, String> {
        (self.read)(given)
    }
}

impl<T> Setting for Key<T> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn check(&self, given: &Given) -> Result<(), String> {
        self.read(given).map(drop)
    }
}

impl Facts {
    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("PUNCTUAL_{}", self.name.replace('.', "__").to_uppercase())
    }

    /// The table of a family of settings, with its last dot.
    pub(crate) fn family(&self) -> Option<&'static str> {
        let table = self.name.strip_suffix(ANY)?;
        Some(&self.name[..table.len() + 1])
    }

    /// What is in force where nobody set it.
    pub(crate) fn default(&self) -> Option<Given> {
        match self.unset {
            Unset::Default(default) => Some(default()),
            Unset::Example(_) => None,
        }
    }
}

/// For rooms whose settings go together however they are.
pub(crate) fn always(_: &Settings) -> Result<(), String> {
    Ok(())
}
