//! What an entry is called.

use std::collections::{BTreeMap, BTreeSet};

use punctual::JobId;

use super::is_blank;

/// The longest name that is made of a text, in bytes: as much as fits a column of a list.
const NAME_BYTES: usize = 48;
/// Words of a comment that is a name; more are prose.
const COMMENT_WORDS: usize = 8;
/// Digits that tell entries of one name apart.
const DIGITS: usize = 4;

/// Names that only run another program, whose name says more.
const WRAPPERS: [&str; 7] = ["sudo", "exec", "nohup", "env", "chronic", "time", "command"];
/// Programs that run a script, whose name says more.
const INTERPRETERS: [&str; 10] = [
    "sh", "bash", "dash", "zsh", "python", "python3", "perl", "php", "ruby", "node",
];

/// What an entry is called by.
pub(super) struct Entry {
    /// What the comment above it or its command gives: the name of an entry that shares it with no other.
    base: String,
    /// The name with a mark of the command, which tells it from entries of the same base.
    by_command: String,
    /// The name with a mark of command and time, where the same command stands twice.
    by_line: String,
}

impl Entry {
    /// An entry below this comment, if there is one, with this time and command.
    pub(super) fn new(above: Option<&str>, when: &str, command: &str) -> Entry {
        let base = above.and_then(of_comment).or_else(|| of_command(command));
        let base = base.unwrap_or_else(|| "cron".to_owned());
        let marked = |text: &str| format!("{base}-{}", &JobId::named(text).to_string()[..DIGITS]);
        Entry {
            by_command: marked(command),
            by_line: marked(&format!("{when}\n{command}")),
            base,
        }
    }
}

/// A name for each entry, which no other one has.
///
/// An entry keeps the name under which it is stored, and what an entry is tells it from others, not where it stands: so it has the
/// same name when others come and go.
pub(super) fn of_all(entries: &[Entry], stored: &BTreeSet<String>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let kept: Vec<Option<String>> = entries
        .iter()
        .map(|entry| {
            let had = [&entry.by_line, &entry.by_command, &entry.base].into_iter();
            had.filter(|name| stored.contains(*name))
                .find(|name| taken.insert((*name).clone()))
                .cloned()
        })
        .collect();
    let bases = count(entries.iter().map(|entry| &entry.base));
    let commands = count(entries.iter().map(|entry| &entry.by_command));
    let fresh = |entry: &Entry| match (bases[&entry.base], commands[&entry.by_command]) {
        (1, _) => entry.base.clone(),
        (_, 1) => entry.by_command.clone(),
        _ => entry.by_line.clone(),
    };
    let named = entries.iter().zip(kept);
    named
        .map(|(entry, kept)| kept.unwrap_or_else(|| free(fresh(entry), &mut taken)))
        .collect()
}

fn count<'a>(names: impl Iterator<Item = &'a String>) -> BTreeMap<&'a String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// This name, or with a number if it is taken: the same line stands twice.
fn free(name: String, taken: &mut BTreeSet<String>) -> String {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    let free = names.find(|name| taken.insert(name.clone()));
    free.expect("there is always a further number")
}

/// The name that a comment gives, unless it is prose, a heading of columns or a line that was commented out, or has letters that
/// no name has.
fn of_comment(comment: &str) -> Option<String> {
    let words: Vec<&str> = comment.split_whitespace().collect();
    let has = |word: &str| words.iter().any(|other| other.eq_ignore_ascii_case(word));
    let is_heading = comment.contains('*') || (has("dom") && has("dow"));
    let was_entry = comment.starts_with(|c: char| c.is_ascii_digit() || c == '@') && words.len() > 1;
    let was_variable = super::variables::read(comment).is_some();
    let is_prose = words.len() > COMMENT_WORDS;
    let is_name = comment.is_ascii() && !(is_heading || was_entry || was_variable || is_prose);
    is_name.then(|| slug(comment)).flatten()
}

/// The name of the program that a command is about, and of what it is told first.
fn of_command(command: &str) -> Option<String> {
    let mut parts = command.split(['&', ';', '|', '%']);
    let is_preparation = |part: &&str| {
        let first = words(part).next().unwrap_or_default();
        first.is_empty() || ["cd", "[", "[[", "test", "export", "set", ".", "umask", "sleep"].contains(&first)
    };
    let part = parts.find(|part| !is_preparation(part)).unwrap_or(command);
    let mut words = words(part).skip_while(|word| is_assignment(word) || WRAPPERS.contains(&base(word)));
    let mut program = base(words.next()?);
    if INTERPRETERS.contains(&program) {
        program = words
            .by_ref()
            .find(|word| !word.starts_with('-'))
            .map_or(program, base);
    }
    let told = words.next().filter(|word| is_plain(word));
    slug(&match told {
        Some(told) => format!("{program}-{told}"),
        None => program.to_owned(),
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_blank).filter(|word| !word.is_empty())
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=')
        .is_some_and(|(name, _)| !name.is_empty() && !name.contains('/'))
}

/// A file's name without its folders.
fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A word such as `renew` or `schedule:run`.
fn is_plain(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':'))
}

/// The text in characters that names have, if anything is left of it.
fn slug(text: &str) -> Option<String> {
    let mut slug = String::new();
    for c in text.chars() {
        match c {
            'a'..='z' | '0'..='9' | '.' | '_' | ':' => slug.push(c),
            'A'..='Z' => slug.push(c.to_ascii_lowercase()),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
        if slug.len() == NAME_BYTES {
            break;
        }
    }
    let slug = slug.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    (!slug.is_empty()).then(|| slug.to_owned())
}
