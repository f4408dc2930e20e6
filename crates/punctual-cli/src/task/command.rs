//! What `command -- PROGRAM` takes: the call of a job of the command target.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::env;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::meaning::meaning;
use super::payload;
use crate::failure::Failure;

/// `command -- PROGRAM ARGUMENTS`
#[derive(Args)]
pub(crate) struct CommandCall {
    /// The program and its arguments, after --; no shell reads them
    #[arg(last = true, required_unless_present = "shell", value_name = "PROGRAM")]
    words: Vec<String>,
    /// In place of a program, a script for sh; what stands after -- is its $1 and so on
    #[arg(long, value_name = "SCRIPT")]
    shell: Option<String>,
    /// What to feed it: a text, or a file as @FILE, @- for the input
    #[arg(long, value_name = "TEXT|@FILE")]
    stdin: Option<String>,
    /// What an exit code means, such as 1=done, 2=fail, 64-78=retry:30s or 75=snooze:5m; may be repeated
    #[arg(long = "exit-code", value_name = "CODE=WHAT", value_parser = meaning)]
    exit_codes: Vec<(String, Value)>,
    /// A variable of its environment, as NAME=VALUE; may be repeated with other names
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    variables: Vec<(String, String)>,
    /// The directory to run in; unset, the current one
    #[arg(long, value_name = "DIRECTORY")]
    dir: Option<String>,
}

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    program: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shell: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    args: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<&'a str, &'a String>,
    dir: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin_base64: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    exit_codes: BTreeMap<&'a str, &'a Value>,
}

impl CommandCall {
    /// The payload of a job that makes this call.
    pub(crate) fn payload(&self) -> Result<Box<RawValue>, Failure> {
        let (program, args) = match (&self.shell, &self.words[..]) {
            (Some(_), words) => (None, words),
            (None, [program, args @ ..]) => (Some(program.as_str()), args),
            (None, []) => return Err(Failure::usage("name a program after --")),
        };
        let stdin = payload::content("--stdin", self.stdin.as_deref())?;
        let payload = Payload {
            program,
            shell: self.shell.as_deref(),
            args,
            env: payload::by_name("--env", &self.variables)?,
            dir: self.directory()?,
            stdin: stdin.text,
            stdin_base64: stdin.base64,
            exit_codes: payload::by_name("--exit-code", &self.exit_codes)?,
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
