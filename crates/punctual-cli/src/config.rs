//! Settings: flags over `PUNCTUAL_…` variables over `punctual.toml` over defaults.
//!
//! ```text
//!   flags ─────┐
//!   variables ─┼─▶ by name ─▶ known? ─▶ the highest of each ─▶ secrets read ─▶ checked ─▶ Settings
//!   file ──────┤             nearest name                                     place, what is accepted
//!   defaults ──┘
//! ```
//!
//! What settings there are stands in [`rooms`], each declared beside what it configures. All that is wrong is told
//! at once, each with its place.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use file::Entry;
use given::Given;
use key::{Key, Setting};
use origin::Origin;

mod file;
mod flags;
pub(crate) mod given;
pub(crate) mod key;
mod origin;
mod read;
mod rooms;
mod sample;
mod show;
mod variables;

pub(crate) use flags::{Flags, Role};
pub(crate) use show::ConfigArgs;

/// The file that is read where no other is named, if it is there.
const FILE: &str = "punctual.toml";
/// How much is told of what is wrong: nobody reads further.
const FAULTS: usize = 20;

/// What somebody asked for on the command line: kept, so that the rest can be read anew beneath it.
#[derive(Clone, Default)]
pub(crate) struct Asked {
    /// The file to read instead of [`FILE`].
    pub(crate) config: Option<PathBuf>,
    /// Flags by the name of their setting, with the flag.
    pub(crate) flags: Vec<(&'static str, &'static str, String)>,
}

/// What is in force.
pub(crate) struct Settings {
    /// The file that was read.
    file: Option<PathBuf>,
    values: BTreeMap<String, Value>,
}

/// One setting that is in force.
pub(crate) struct Value {
    pub(crate) setting: &'static dyn Setting,
    pub(crate) given: Given,
    pub(crate) origin: Origin,
    /// Whether the value names a file that holds it, and was replaced by what is in there.
    pub(crate) in_file: bool,
}

impl Settings {
    /// Reads all that is set, and checks it.
    pub(crate) fn load(asked: &Asked) -> Result<Settings, Faults> {
        let file = file_of(asked);
        let mut gathered = Gathered::default();
        if let Some(file) = &file {
            match read::document(file).and_then(|text| file::entries(file, &text)) {
                Ok(entries) => gathered.layer(entries),
                Err(fault) => gathered.faults.push(fault),
            }
        }
        let variables = variables::entries(std::env::vars_os(), &mut gathered.faults);
        gathered.layer(variables);
        gathered.layer(asked.flags.iter().map(flag_entry).collect());
        gathered.read_secrets();
        let mut settings = Settings {
            file,
            values: gathered.values,
        };
        settings.fill_in();
        if gathered.faults.is_empty() {
            let rooms = rooms::ROOMS.iter();
            gathered
                .faults
                .extend(rooms.filter_map(|room| (room.agree)(&settings).err()));
        }
        match gathered.faults.is_empty() {
            true => Ok(settings),
            false => Err(Faults(gathered.faults)),
        }
    }

    /// What is in force for a setting that has a default.
    pub(crate) fn get<T>(&self, key: &Key<T>) -> T {
        self.given(key).expect("a setting with a default is always there")
    }

    /// What is in force, if anything is.
    pub(crate) fn given<T>(&self, key: &Key<T>) -> Option<T> {
        let value = self.values.get(key.facts().name)?;
        Some(key.read(&value.given).expect("it was checked when it was loaded"))
    }

    /// All of a family, by the names that their user made up.
    pub(crate) fn family<T>(&self, key: &Key<T>) -> BTreeMap<String, T> {
        let table = key.facts().family().expect("it is a family");
        let own = |(name, value): (&str, &Value)| {
            let name = name.strip_prefix(table)?.to_owned();
            Some((
                name,
                key.read(&value.given).expect("it was checked when it was loaded"),
            ))
        };
        self.values().filter_map(own).collect()
    }

    /// All that is in force, by name.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Where the value of this setting came from, if it has one.
    pub(crate) fn origin(&self, name: &str) -> Option<&Origin> {
        self.values.get(name).map(|value| &value.origin)
    }

    /// The names of what differs in the other ones, or is only in one of them.
    pub(crate) fn differences(&self, other: &Settings) -> Vec<String> {
        let given =
            |settings: &Settings, name: &str| settings.values.get(name).map(|value| value.given.clone());
        let mut names: Vec<String> = self.values.keys().chain(other.values.keys()).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| given(self, name) != given(other, name));
        names
    }

    fn fill_in(&mut self) {
        for setting in rooms::settings() {
            let name = setting.facts().name.to_owned();
            if let (Some(given), false) = (setting.facts().default(), self.values.contains_key(&name)) {
                let value = Value {
                    setting,
                    given,
                    origin: Origin::Default,
                    in_file: false,
                };
                self.values.insert(name, value);
            }
        }
    }
}

/// What is gathered layer by layer, and what is wrong with it.
#[derive(Default)]
struct Gathered {
    values: BTreeMap<String, Value>,
    faults: Vec<String>,
}

impl Gathered {
    /// Lays these over what is there.
    fn layer(&mut self, entries: Vec<Entry>) {
        let mut layer: BTreeMap<String, Value> = BTreeMap::new();
        for Entry { name, given, origin } in entries {
            let Some(found) = rooms::find(&name) else {
                let nearest = rooms::nearest(&name);
                self.faults.push(format!(
                    "{origin}: there is no setting {name}; the nearest one is {nearest}"
                ));
                continue;
            };
            let checked = match found.in_file {
                true => given.as_text("write the name of a file").map(drop),
                false => found.setting.check(&given),
            };
            if let Err(said) = checked {
                self.fault(&origin, &name, &said);
            }
            let value = Value {
                setting: found.setting,
                given: given.typed(|typed| found.setting.check(typed).is_ok()),
                origin,
                in_file: found.in_file,
            };
            if let Some(other) = layer.insert(found.name, value) {
                let said = format!("it is set twice, the other time by {}; keep one", other.origin);
                let origin = other.origin;
                self.fault(&origin, &name, &said);
            }
        }
        self.values.extend(layer);
    }

    /// Replaces the names of files by what is in them. Only what is in force is read: a layer above may be there because a
    /// file is not.
    fn read_secrets(&mut self) {
        let mut faults = Vec::new();
        for (name, value) in self.values.iter_mut().filter(|(_, value)| value.in_file) {
            let Ok(path) = value.given.as_text("") else {
                continue;
            };
            let read = read::secret(Path::new(path)).map(Given::Text);
            match read.and_then(|given| value.setting.check(&given).map(|()| given)) {
                Ok(given) => value.given = given,
                Err(said) => faults.push(format!("{}: {name}_file: {said}", value.origin)),
            }
        }
        self.faults.extend(faults);
    }

    fn fault(&mut self, origin: &Origin, name: &str, said: &str) {
        self.faults.push(match origin {
            Origin::File { .. } => format!("{origin}: {name}: {said}"),
            _ => format!("{origin}: {said}"),
        });
    }
}

/// The file to read: the one that is named, or else the usual one, if it is there.
fn file_of(asked: &Asked) -> Option<PathBuf> {
    let named = std::env::var_os(variables::CONFIG).filter(|name| !name.is_empty());
    let named = asked.config.clone().or_else(|| named.map(PathBuf::from));
    named.or_else(|| Path::new(FILE).exists().then(|| PathBuf::from(FILE)))
}

fn flag_entry((name, long, text): &(&'static str, &'static str, String)) -> Entry {
    Entry {
        name: (*name).to_owned(),
        given: Given::Plain(text.clone()),
        origin: Origin::Flag(long),
    }
}

/// All that is wrong with the settings, each with its place.
pub(crate) struct Faults(Vec<String>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0[..self.0.len().min(FAULTS)].join("; "))?;
        match self.0.len() {
            0..=FAULTS => Ok(()),
            all => write!(f, "; and {} more", all - FAULTS),
        }
    }
}

impl From<Faults> for Failure {
    /// Each on a line of its own, which says like any error of ours who says it.
    fn from(faults: Faults) -> Failure {
        let mut lines = faults.0;
        if lines.len() > FAULTS {
            let more = lines.len() - FAULTS;
            lines.truncate(FAULTS);
            lines.push(format!("and {more} more"));
        }
        Failure::usage(lines.join("\npunctual: "))
    }
}
