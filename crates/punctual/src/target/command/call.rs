//! A call: what a `command` job asks for, as a type and as the JSON of its payload.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Deserialize as DeserializeDerive, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;
use crate::job::Task;
use crate::limits::COMMAND_ARGUMENTS;
use crate::target::fields::Fields;

/// A program to run: the task of kind `command`, whose result is a [`CommandAnswer`].
///
/// ```
/// use punctual::target::command::CommandCall;
/// use serde_json::json;
///
/// let call = CommandCall::new("./report.sh").args(["--month", "11"]).env("REGION", "eu").dir("/srv/reports");
/// assert_eq!(
///     serde_json::to_value(&call).unwrap(),
///     json!({
///         "program": "./report.sh",
///         "args": ["--month", "11"],
///         "env": {"REGION": "eu"},
///         "dir": "/srv/reports"
///     })
/// );
/// ```
///
/// Nothing is run by a shell: arguments arrive as they stand. Who wants one names it: `sh`, with the arguments `-c` and the
/// script. The payload is read strictly, see [`CommandCall::parse`].
///
/// | field | is |
/// |---|---|
/// | `program` | a name, looked up in the worker's `PATH`, or a path; a relative one counts from `dir`, or else from the worker's own directory |
/// | `args` | a list of texts; unset, none |
/// | `env` | an object of texts, besides what every command is given; names that begin with `PUNCTUAL_` are Punctual's |
/// | `dir` | the directory to run in; unset, the worker's |
/// | `stdin` | a text to feed; unset, none |
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct CommandCall {
    pub(super) program: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) args: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dir: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stdin: Option<String>,
}

impl Task for CommandCall {
    const KIND: &'static str = "command";
    type Output = CommandAnswer;
}

impl CommandCall {
    /// This program, without arguments. What is no program's name is refused when the payload is read.
    pub fn new(program: impl Into<String>) -> CommandCall {
        CommandCall {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            dir: None,
            stdin: None,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<String>) -> CommandCall {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> CommandCall {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> CommandCall {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Runs it in this directory.
    pub fn dir(mut self, dir: impl Into<String>) -> CommandCall {
        self.dir = Some(dir.into());
        self
    }

    /// Feeds it this text.
    pub fn stdin(mut self, text: impl Into<String>) -> CommandCall {
        self.stdin = Some(text.into());
        self
    }

    /// Reads a payload. Fails with all that is wrong with it, each with a JSON pointer under `/payload`.
    pub fn parse(payload: &[u8]) -> Result<CommandCall, Error> {
        let mut fields = Fields::read(payload)?;
        let program = fields.required(
            "program",
            "a program's name or path, such as \"curl\"",
            |text: String| named(text, "a program's name or path"),
        );
        let args = fields.optional("args", "a list of texts", |args: Vec<String>| {
            if args.len() > COMMAND_ARGUMENTS {
                return Err(format!("a command has at most {COMMAND_ARGUMENTS} arguments"));
            }
            args.into_iter().map(without_nul).collect::<Result<Vec<_>, _>>()
        });
        let env = fields.texts("env", read_variable);
        if env.len() > COMMAND_ARGUMENTS {
            fields.refuse(
                &["env"],
                format!("a command has at most {COMMAND_ARGUMENTS} variables"),
            );
        }
        let dir = fields.optional("dir", "a directory's path", |text: String| {
            named(text, "a directory's path")
        });
        let stdin = fields.optional("stdin", "a text", Ok);
        let call = program.map(|program| CommandCall {
            program,
            args: args.unwrap_or_default(),
            env: env.into_iter().collect(),
            dir,
            stdin,
        });
        fields.finish("program, args, env, dir and stdin", call)
    }

    /// Says to a command what this call says of it, but its input.
    pub(super) fn describe(&self, command: &mut Command) {
        command.arg0(&self.program).args(&self.args).envs(&self.env);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command.process_group(0);
    }
}

/// Arguments, variables and input may hold secrets and stay out of logs.
impl fmt::Debug for CommandCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "CommandCall({:?} with {} arguments)",
            self.program,
            self.args.len()
        )
    }
}

impl<'de> Deserialize<'de> for CommandCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CommandCall, D::Error> {
        let payload = Box::<RawValue>::deserialize(deserializer)?;
        CommandCall::parse(payload.get().as_bytes()).map_err(D::Error::custom)
    }
}

/// What a command that exited with 0 has said: the result of a [`CommandCall`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, DeserializeDerive)]
#[serde(deny_unknown_fields)]
pub struct CommandAnswer {
    /// 0.
    pub exit_code: i32,
    /// What it wrote to its standard output: of more than 28 KiB, the first and the last of it, and between them a line that says
    /// how much was left out. What is not UTF-8 is replaced by U+FFFD.
    pub stdout: String,
    /// What it wrote to its standard error, likewise.
    pub stderr: String,
    /// Whether something of either was left out.
    pub truncated: bool,
}

fn without_nul(text: String) -> Result<String, String> {
    match text.contains('\0') {
        true => Err("a text for a program has no NUL in it".to_owned()),
        false => Ok(text),
    }
}

fn named(text: String, what: &str) -> Result<String, String> {
    match text.is_empty() {
        true => Err(format!("it is {what}, and not empty")),
        false => without_nul(text),
    }
}

fn read_variable(name: &str, value: String) -> Result<(String, String), String> {
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err("a variable's name is not empty, and has no = and no NUL in it".to_owned());
    }
    if name.starts_with("PUNCTUAL_") {
        return Err("it is set by Punctual".to_owned());
    }
    Ok((name.to_owned(), without_nul(value)?))
}
