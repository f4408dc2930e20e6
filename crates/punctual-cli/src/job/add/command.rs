//! `punctual job add command`.

use std::collections::BTreeMap;
use std::env;

use clap::Args;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{JobOptions, Output};
use crate::failure::Failure;
use crate::job::payload;

/// `punctual job add command -- PROGRAM ARGUMENTS`
#[derive(Args)]
pub(super) struct Command {
    /// The program and its arguments, after --; no shell reads them
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    words: Vec<String>,
    /// A variable of its environment, as NAME=VALUE; may be repeated with other names
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// The directory to run in; unset, the current one
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<String>,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    pub(super) options: JobOptions,
}

#[derive(Serialize)]
struct Payload<'a> {
    program: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    args: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<&'a str, &'a str>,
    dir: String,
}

impl Command {
    pub(super) fn payload(&self) -> Result<Box<RawValue>, Failure> {
        let (program, args) = self
            .words
            .split_first()
            .ok_or_else(|| Failure::usage("name a program after --"))?;
        let payload = Payload {
            program,
            args,
            env: payload::by_name("--env", &self.variables)?,
            dir: self.directory()?,
        };
        Ok(to_raw_value(&payload).map_err(std::io::Error::from)?)
    }

    /// Where a user stands is where `./report.sh` is; the server stands elsewhere.
    fn directory(&self) -> Result<String, Failure> {
        let mut here = env::current_dir()?;
        here.extend(self.dir.as_deref());
        let text = here.into_os_string().into_string();
        text.map_err(|path| {
            Failure::usage(format!(
                "the directory {path:?} is not UTF-8 text; name one with --dir"
            ))
        })
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}
