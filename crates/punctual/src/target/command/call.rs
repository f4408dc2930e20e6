//! A call: what a `command` job asks for, as a type and as the JSON of its payload.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize as DeserializeDerive, Serialize as SerializeDerive};
use serde_json::value::RawValue;

use super::exits::Exits;
use crate::error::Error;
use crate::job::Task;
use crate::limits::COMMAND_ARGUMENTS;
use crate::target::fields::{Fields, pointer};
use crate::target::verdict::{Table, Verdict};

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
/// Nothing is run by a shell unless the call [asks for one](CommandCall::shell): arguments arrive as they stand. The payload is
/// read strictly, see [`CommandCall::parse`].
///
/// | field | is |
/// |---|---|
/// | `program` | a name, looked up in the worker's `PATH`, or a path; a relative one counts from `dir`, or else from the worker's own directory |
/// | `shell` | in place of `program`: a script for `sh` |
/// | `args` | a list of texts; unset, none. To a script they are `$1` and so on |
/// | `env` | an object of texts, besides what every command is given; names that begin with `PUNCTUAL_` are Punctual's |
/// | `dir` | the directory to run in; unset, the worker's |
/// | `stdin` or `stdin_base64` | a text, or bytes, to feed; unset, nothing |
/// | `exit_codes` | an object of what exit codes mean, such as `{"1": "done", "64-78": "fail"}`: a [`Verdict`] for a code or a range; codes go before ranges. What it does not name: 0 is done, any other code is retried |
#[derive(Clone, PartialEq, Eq)]
pub struct CommandCall {
    what: What,
    args: Vec<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) dir: Option<String>,
    pub(super) stdin: Option<Bytes>,
    pub(super) exit_codes: Table<Exits>,
}

/// What is run.
#[derive(Clone, PartialEq, Eq)]
enum What {
    Program(String),
    Script(String),
}

/// The program that runs scripts.
const SHELL: &str = "sh";

impl Task for CommandCall {
    const KIND: &'static str = "command";
    type Output = CommandAnswer;
}

impl CommandCall {
    /// This program, without arguments. What is no program's name is refused when the payload is read.
    pub fn new(program: impl Into<String>) -> CommandCall {
        CommandCall::plain(What::Program(program.into()))
    }

    /// This script, run by `sh`, which must be allowed. Arguments that follow are its `$1` and so on, so that no text of
    /// somebody else's need be part of the script.
    ///
    /// ```
    /// use punctual::target::command::CommandCall;
    ///
    /// let call = CommandCall::shell("sort \"$1\" | uniq -c > \"$1.counted\"").arg("/srv/words");
    /// # assert!(serde_json::to_string(&call).unwrap().contains("shell"));
    /// ```
    pub fn shell(script: impl Into<String>) -> CommandCall {
        CommandCall::plain(What::Script(script.into()))
    }

    fn plain(what: What) -> CommandCall {
        CommandCall {
            what,
            args: Vec::new(),
            env: BTreeMap::new(),
            dir: None,
            stdin: None,
            exit_codes: Table::default(),
        }
    }

    /// The program's name or path, as the job gives it.
    pub(super) fn program(&self) -> &str {
        match &self.what {
            What::Program(program) => program,
            What::Script(_) => SHELL,
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
        self.stdin = Some(text.into().into());
        self
    }

    /// Feeds it these bytes.
    pub fn stdin_bytes(mut self, bytes: impl Into<Bytes>) -> CommandCall {
        self.stdin = Some(bytes.into());
        self
    }

    /// Says what an exit code such as `3`, or a range such as `64-78`, means. Fails if it is none, or another one says
    /// something of the same codes.
    pub fn exit_code(mut self, codes: &str, verdict: Verdict) -> Result<CommandCall, Error> {
        let added = self.exit_codes.add(codes, verdict);
        added.map_err(|why| Error::invalid_field(pointer(&["exit_codes", codes]), why))?;
        Ok(self)
    }

    /// Reads a payload. Fails with all that is wrong with it, each with a JSON pointer under `/payload`.
    pub fn parse(payload: &[u8]) -> Result<CommandCall, Error> {
        let mut fields = Fields::read(payload)?;
        let what = read_what(&mut fields);
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
        let stdin = read_stdin(&mut fields);
        let exit_codes = Table::read(&mut fields, "exit_codes");
        let call = what.map(|what| CommandCall {
            what,
            args: args.unwrap_or_default(),
            env: env.into_iter().collect(),
            dir,
            stdin,
            exit_codes,
        });
        fields.finish(
            "program, shell, args, env, dir, stdin, stdin_base64 and exit_codes",
            call,
        )
    }

    /// What this exit code means.
    pub(super) fn says(table: &Table<Exits>, code: i32) -> Verdict {
        let named = u16::try_from(code).ok();
        let named = named.and_then(|code| table.of_one(code).or_else(|| table.of_several(code)));
        match (named, code) {
            (Some(verdict), _) => verdict,
            (None, 0) => Verdict::Done,
            (None, _) => Verdict::Retry(None),
        }
    }

    /// Says to a command what this call says of it, but its input.
    pub(super) fn describe(&self, command: &mut Command) {
        command.arg0(self.program());
        if let What::Script(script) = &self.what {
            // The word behind the script is its $0.
            command.args(["-c", script, SHELL]);
        }
        command.args(&self.args).envs(&self.env);
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
            self.program(),
            self.args.len()
        )
    }
}

/// As the payload that [`CommandCall::parse`] reads.
impl Serialize for CommandCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.what {
            What::Program(program) => map.serialize_entry("program", program)?,
            What::Script(script) => map.serialize_entry("shell", script)?,
        }
        if !self.args.is_empty() {
            map.serialize_entry("args", &self.args)?;
        }
        if !self.env.is_empty() {
            map.serialize_entry("env", &self.env)?;
        }
        if let Some(dir) = &self.dir {
            map.serialize_entry("dir", dir)?;
        }
        match self
            .stdin
            .as_deref()
            .map(|bytes| (bytes, std::str::from_utf8(bytes)))
        {
            None => {}
            Some((_, Ok(text))) => map.serialize_entry("stdin", text)?,
            Some((bytes, Err(_))) => map.serialize_entry("stdin_base64", &BASE64.encode(bytes))?,
        }
        if !self.exit_codes.is_empty() {
            map.serialize_entry("exit_codes", &self.exit_codes)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for CommandCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CommandCall, D::Error> {
        let payload = Box::<RawValue>::deserialize(deserializer)?;
        CommandCall::parse(payload.get().as_bytes()).map_err(D::Error::custom)
    }
}

/// What a command that succeeded has said: the result of a [`CommandCall`].
#[derive(Clone, Debug, PartialEq, Eq, SerializeDerive, DeserializeDerive)]
#[serde(deny_unknown_fields)]
pub struct CommandAnswer {
    /// 0, or another one that the job takes for success.
    pub exit_code: i32,
    /// What it wrote to its standard output: of more than 28 KiB, the first and the last of it, and between them a line that says
    /// how much was left out. What is not UTF-8 is replaced by U+FFFD.
    pub stdout: String,
    /// What it wrote to its standard error, likewise.
    pub stderr: String,
    /// Whether something of either was left out.
    pub truncated: bool,
}

/// Takes what is to be run: a program or a script, never both.
fn read_what(fields: &mut Fields) -> Option<What> {
    let (program, script) = (fields.has("program"), fields.has("shell"));
    if script && !program {
        fields.value("program");
        return fields.optional(
            "shell",
            "a script for sh, such as \"ls | wc -l\"",
            |text: String| named(text, "a script").map(What::Script),
        );
    }
    let accepted = "a program's name or path, such as \"curl\"";
    let what = fields.required("program", accepted, |text: String| {
        named(text, "a program's name or path").map(What::Program)
    });
    fields.value("shell");
    if script {
        fields.refuse(
            &["shell"],
            "program is given as well; a command is one or the other",
        );
    }
    what
}

/// Takes the input, as a text or as bytes.
fn read_stdin(fields: &mut Fields) -> Option<Bytes> {
    if fields.has("stdin") && fields.has("stdin_base64") {
        fields.refuse(
            &["stdin_base64"],
            "stdin is given as well; a command has one input",
        );
    }
    let text = fields.optional("stdin", "a text", |text: String| Ok(Bytes::from(text)));
    let bytes = fields.optional("stdin_base64", "a text in base64", |text: String| {
        let bytes = BASE64.decode(text);
        bytes
            .map(Bytes::from)
            .map_err(|error| format!("it is no base64: {error}"))
    });
    text.or(bytes)
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
