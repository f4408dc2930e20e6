//! `PUNCTUAL_…` variables that nobody reads: each is a slip that would go unnoticed.

use std::ffi::OsString;

use clap::{Args, Command};

use super::Serve;
use crate::failure::Failure;

/// Variables of this name that are no settings of a server: those of clients, and what a job's command is given.
const OTHERS: [&str; 6] = [
    "PUNCTUAL_SERVER",
    "PUNCTUAL_KEY",
    "PUNCTUAL_JOB_ID",
    "PUNCTUAL_ATTEMPT",
    "PUNCTUAL_RUN",
    "PUNCTUAL_QUEUE",
];
/// Read beside the command line.
const LOG: &str = "PUNCTUAL_LOG";

/// `USAGE` if the environment has a variable whose name says that it is ours, and that no server knows.
pub(super) fn check(names: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let known = known();
    for name in names.map(|name| name.to_string_lossy().into_owned()) {
        let is_ours = name.starts_with("PUNCTUAL_") && !name.starts_with("PUNCTUAL_TEST_");
        if !is_ours || OTHERS.contains(&name.as_str()) || known.contains(&name) {
            continue;
        }
        let nearest = known
            .iter()
            .min_by_key(|other| strsim::osa_distance(&name, other));
        return Err(Failure::usage(format!(
            "there is no variable {name}; the nearest one is {}",
            nearest.map_or(LOG, String::as_str)
        )));
    }
    Ok(())
}

fn known() -> Vec<String> {
    let serve = Serve::augment_args(Command::new("serve"));
    let variables = serve
        .get_arguments()
        .filter_map(|argument| argument.get_env()?.to_str());
    variables.chain([LOG]).map(str::to_owned).collect()
}
