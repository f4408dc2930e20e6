//! The rooms of the library from the ground up, and which of them a path leads to.

use super::items::{self, Name};
use super::source::Source;

/// The library's sources.
pub(crate) const LIBRARY: &str = "crates/punctual/src/";

/// A line may use itself and the lines above it, and nothing below. A name covers the folder of the same name.
const ROOMS: [&[&str]; 17] = [
    &["time", "limits", "error"],
    &["job", "run", "queue", "schedule"],
    &["change"],
    &["rules"],
    &["clock"],
    &["store", "signals"],
    &["source"],
    &["store::codec", "store::pieces", "store::stored_gate"],
    &[
        "store::memory",
        "store::sqlite",
        "store::postgres",
        "store::redis",
    ],
    // A PostgreSQL store and what stands in front of it, so it knows both.
    &["store::dispatch"],
    &["store::url"],
    &["engine"],
    &["worker"],
    &["target"],
    // Beside the house: it uses nothing, which a rule of its own holds.
    &["flight"],
    &["testing"],
    &["lib"],
];

/// Plain data and pure functions: they do nothing and ask nobody.
pub(crate) const PURE: [&str; 9] = [
    "time", "limits", "error", "job", "run", "queue", "schedule", "change", "rules",
];

/// Stores, which never use each other.
pub(crate) const STORES: [&str; 4] = [
    "store::memory",
    "store::sqlite",
    "store::postgres",
    "store::redis",
];

/// The module that a file of the library is, such as `store::sqlite`.
pub(crate) fn module(source: &Source) -> Option<String> {
    Some(
        source
            .path
            .strip_prefix(LIBRARY)?
            .strip_suffix(".rs")?
            .replace('/', "::"),
    )
}

/// The room that a module belongs to, and how high it stands.
pub(crate) fn room(module: &str) -> Option<(usize, &'static str)> {
    let flat = ROOMS
        .iter()
        .enumerate()
        .flat_map(|(floor, rooms)| rooms.iter().map(move |room| (floor, *room)));
    flat.filter(|(_, room)| within(module, room))
        .max_by_key(|(_, room)| room.len())
}

/// Whether `module` is `room` or stands in its folder.
pub(crate) fn within(module: &str, room: &str) -> bool {
    module
        .strip_prefix(room)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a file of the library stands in one of `rooms`.
pub(crate) fn in_rooms(source: &Source, rooms: &[&str]) -> bool {
    module(source).is_some_and(|module| rooms.iter().any(|room| within(&module, room)))
}

/// The names of a library file that lead into the library, as paths from its root. Names in tests are left out.
pub(crate) fn uses(source: &Source, exports: &[Name]) -> Vec<(usize, String)> {
    let Some(module) = module(source) else {
        return Vec::new();
    };
    let shipped = items::names(source)
        .into_iter()
        .filter(|name| !source.is_test(name.line));
    shipped
        .filter_map(|name| Some((name.line, resolve(&module, &name.segments, exports)?)))
        .collect()
}

/// What `lib.rs` exports under shorter names: `crate::Job` is `crate::job::Job`.
pub(crate) fn exports(sources: &[Source]) -> Vec<Name> {
    let lib = sources
        .iter()
        .filter(|source| source.path == format!("{LIBRARY}lib.rs"));
    lib.flat_map(items::names).filter(|name| name.imported).collect()
}

fn resolve(module: &str, segments: &[String], exports: &[Name]) -> Option<String> {
    let path = match segments[0].as_str() {
        "crate" => segments[1..].to_vec(),
        "self" => module
            .split("::")
            .map(str::to_owned)
            .chain(segments[1..].iter().cloned())
            .collect(),
        "super" => {
            let ups = segments.iter().take_while(|segment| *segment == "super").count();
            let own: Vec<_> = module.split("::").map(str::to_owned).collect();
            let kept = own.len().saturating_sub(ups);
            own[..kept]
                .iter()
                .cloned()
                .chain(segments[ups..].iter().cloned())
                .collect()
        }
        _ => return None,
    };
    let exported = exports
        .iter()
        .find(|export| path.len() == 1 && export.segments.last() == path.first());
    match exported {
        Some(export) => Some(
            export
                .segments
                .iter()
                .filter(|s| *s != "crate")
                .cloned()
                .collect::<Vec<_>>()
                .join("::"),
        ),
        None => Some(path.join("::")),
    }
}
