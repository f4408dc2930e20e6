//! All settings there are, by room, and the nearest of them to a name that is none.

use super::key::{Room, Setting};
use crate::{log, serve};

/// Every room that has settings, in the order in which they are shown.
pub(crate) static ROOMS: [&Room; 6] = [
    &serve::store::ROOM,
    &serve::api::ROOM,
    &serve::runner::ROOM,
    &serve::targets::ROOM,
    &serve::defaults::ROOM,
    &log::ROOM,
];

/// How the name of a setting ends that says which file holds a secret.
const FILE: &str = "_file";

/// A name that is known.
pub(super) struct Found {
    pub(super) setting: &'static dyn Setting,
    /// The setting's name, without [`FILE`].
    pub(super) name: String,
    /// Whether the value names a file that holds the secret.
    pub(super) in_file: bool,
}

/// All settings there are.
pub(crate) fn settings() -> impl Iterator<Item = &'static dyn Setting> {
    ROOMS.iter().flat_map(|room| room.keys.iter().copied())
}

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<Found> {
    let plain = |name: &str| {
        settings().find(|setting| match setting.facts().family() {
            None => setting.facts().name == name,
            Some(table) => name.strip_prefix(table).is_some_and(is_own_name),
        })
    };
    let in_file = name
        .strip_suffix(FILE)
        .and_then(|name| Some((name, plain(name)?)))
        .filter(|(_, setting)| setting.facts().is_secret);
    match in_file {
        Some((name, setting)) => Some(Found {
            setting,
            name: name.to_owned(),
            in_file: true,
        }),
        None => plain(name).map(|setting| Found {
            setting,
            name: name.to_owned(),
            in_file: false,
        }),
    }
}

/// Whether settings stand in a table of this name.
pub(super) fn is_table(name: &str) -> bool {
    let within = |setting: &dyn Setting| {
        let rest = setting.facts().name.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('.'))
    };
    settings().any(within)
}

/// The setting whose name is most like this one, which is none.
pub(super) fn nearest(name: &str) -> &'static str {
    let distance = |setting: &&dyn Setting| {
        let other = setting.facts().name;
        let whole = strsim::osa_distance(name, other);
        // Who forgets the table, or takes another one, means the setting of this name all the same.
        let leaf = |name: &str| name.rsplit('.').next().map(str::to_owned);
        if leaf(name) == leaf(other) {
            whole.min(1)
        } else {
            whole
        }
    };
    settings()
        .min_by_key(distance)
        .map_or("", |setting| setting.facts().name)
}

/// Whether this is a name that a user may make up.
fn is_own_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=OWN_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain)
}

/// The longest name that a user may make up, in bytes.
const OWN_NAME_BYTES: usize = 64;
