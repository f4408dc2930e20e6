//! `PUNCTUAL_…` variables. One that nobody reads is a slip that would go unnoticed, and so it is refused.

use std::ffi::OsString;

use super::file::Entry;
use super::given::Given;
use super::origin::Origin;
use super::rooms;

/// Names the file of settings.
pub(super) const CONFIG: &str = "PUNCTUAL_CONFIG";
/// Variables of our name that are no settings: those of clients, and what a job's command is given.
const OTHERS: [&str; 10] = [
    CONFIG,
    "PUNCTUAL_SERVER",
    "PUNCTUAL_KEY",
    "PUNCTUAL_JOB_ID",
    "PUNCTUAL_ATTEMPT",
    "PUNCTUAL_RUN",
    "PUNCTUAL_QUEUE",
    "PUNCTUAL_SCHEDULE",
    "PUNCTUAL_NOMINAL_TIME",
    "PUNCTUAL_MISSED",
];

/// The settings among the variables. An empty one is not set.
pub(super) fn entries(
    variables: impl Iterator<Item = (OsString, OsString)>,
    faults: &mut Vec<String>,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (variable, value) in variables {
        let variable = variable.to_string_lossy().into_owned();
        let Some(rest) = variable.strip_prefix("PUNCTUAL_") else {
            continue;
        };
        if rest.starts_with("TEST_") || OTHERS.contains(&variable.as_str()) || value.is_empty() {
            continue;
        }
        let name = rest.to_lowercase().replace("__", ".");
        if rooms::find(&name).is_none() {
            let nearest = nearest(&variable);
            faults.push(format!(
                "there is no variable {variable}; the nearest one is {nearest}"
            ));
            continue;
        }
        match value.into_string() {
            Ok(text) => entries.push(Entry {
                name,
                given: Given::Plain(text),
                origin: Origin::Variable(variable),
            }),
            Err(_) => faults.push(format!("{variable}: its value is no text in UTF-8")),
        }
    }
    entries
}

fn nearest(variable: &str) -> String {
    let known = rooms::settings().map(|setting| setting.facts().variable());
    let known = known.chain([CONFIG.to_owned()]);
    known
        .min_by_key(|other| strsim::osa_distance(variable, other))
        .unwrap_or_default()
}
