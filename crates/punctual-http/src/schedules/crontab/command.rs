//! What an entry runs.

use punctual::target::command::CommandCall;

use super::is_blank;
use super::variables::Variables;

/// The command without cron's own `-n`, which is about mail.
pub(super) fn without_options(text: &str) -> &str {
    match text.strip_prefix("-n").filter(|rest| rest.starts_with(is_blank)) {
        Some(rest) => rest.trim_start_matches(is_blank),
        None => text,
    }
}

/// The call of a command, with these variables.
pub(super) fn read(text: &str, variables: &Variables) -> CommandCall {
    let (script, input) = split(text);
    let mut call = match variables.shell() {
        None => CommandCall::shell(script),
        Some(shell) => CommandCall::new(shell).args(["-c".to_owned(), script]),
    };
    for (name, value) in variables.environment() {
        call = call.env(name, value);
    }
    if let Some(home) = variables.home() {
        call = call.dir(home);
    }
    match input {
        Some(input) => call.stdin(input),
        None => call,
    }
}

/// The script before the first `%`, and what follows it: the input, where each further `%` begins a line. `\%` is a `%`.
fn split(text: &str) -> (String, Option<String>) {
    let (script, rest) = until_percent(text);
    let Some(mut rest) = rest.filter(|rest| !rest.is_empty()) else {
        return (script, None);
    };
    let mut input = String::new();
    loop {
        let (line, further) = until_percent(rest);
        input.push_str(&line);
        input.push('\n');
        match further {
            // A `%` at the end ends its line, and begins none.
            Some(further) if !further.is_empty() => rest = further,
            _ => return (script, Some(input)),
        }
    }
}

/// What stands before the first `%` that is meant as one, and what behind it.
fn until_percent(text: &str) -> (String, Option<&str>) {
    let mut before = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (escaped, c) {
            (false, '%') => return (before, Some(&text[at + 1..])),
            (true, '%') => {
                before.pop();
                before.push('%');
            }
            _ => before.push(c),
        }
        escaped = !escaped && c == '\\';
    }
    (before, None)
}
