//! Reads Rust sources as far as the rules of the house need it: tokens with their lines, comments apart.
//!
//! A lexer of this size is sturdier than searching text, because a brace in a string or a name in a comment
//! does not deceive it, and lighter than a parser, because it has nothing to say about the grammar.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One source file of the workspace.
pub(crate) struct Source {
    /// From the root of the workspace, with slashes.
    pub(crate) path: String,
    /// Everything but white space and comments, in order.
    pub(crate) tokens: Vec<Token>,
    /// Comments and documentation, each with the line it begins on.
    pub(crate) comments: Vec<(usize, String)>,
    /// The lines that hold code.
    pub(crate) code: BTreeSet<usize>,
    /// The first and last line of each module behind `#[cfg(test)]`.
    inline_tests: Vec<(usize, usize)>,
}

/// A name, a number, `::`, a literal with its quotes, or any other single character.
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is_name(&self) -> bool {
        self.text
            .starts_with(|first: char| first.is_alphabetic() || first == '_')
            && !self.is_literal()
    }

    pub(crate) fn is_literal(&self) -> bool {
        self.text.len() > 1 && self.text.ends_with(['"', '\'', '#'])
    }
}

impl Source {
    /// Reads `text` as the file at `path`.
    pub(crate) fn read(path: &str, text: &str) -> Self {
        let mut source = Self {
            path: path.to_owned(),
            tokens: Vec::new(),
            comments: Vec::new(),
            code: BTreeSet::new(),
            inline_tests: Vec::new(),
        };
        source.lex(&text.chars().collect::<Vec<_>>());
        source.inline_tests = source.find_inline_tests();
        source
    }

    /// Whether this line belongs to the tests rather than to what is shipped.
    pub(crate) fn is_test(&self, line: usize) -> bool {
        self.path.contains("/tests/") || self.is_inline_test(line)
    }

    /// Whether this line stands in a test module inside a source file.
    pub(crate) fn is_inline_test(&self, line: usize) -> bool {
        self.inline_tests
            .iter()
            .any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// Whether the tokens from `at` on read like this.
    pub(crate) fn reads(&self, at: usize, texts: &[&str]) -> bool {
        let tokens = self.tokens.iter().skip(at).map(|token| token.text.as_str());
        tokens.take(texts.len()).eq(texts.iter().copied())
    }

    /// The token that closes the bracket at `open`, or the last one of the file.
    pub(crate) fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.text.as_str() {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    /// The first token from `at` on that is one of `ends`, skipping what stands in round and square brackets.
    pub(crate) fn seek(&self, mut at: usize, ends: &[&str]) -> Option<usize> {
        while let Some(token) = self.tokens.get(at) {
            if ends.contains(&token.text.as_str()) {
                return Some(at);
            }
            at = if matches!(token.text.as_str(), "(" | "[") {
                self.closing(at) + 1
            } else {
                at + 1
            };
        }
        None
    }

    fn find_inline_tests(&self) -> Vec<(usize, usize)> {
        let marks =
            (0..self.tokens.len()).filter(|at| self.reads(*at, &["#", "[", "cfg", "(", "test", ")", "]"]));
        let modules = marks.filter_map(|mark| {
            let open = self.seek(mark + 7, &["{", ";"])?;
            let last = if self.tokens[open].text == "{" {
                self.closing(open)
            } else {
                open
            };
            Some((self.tokens[mark].line, self.tokens[last].line))
        });
        modules.collect()
    }

    fn lex(&mut self, chars: &[char]) {
        let (mut at, mut line) = (0, 1);
        while at < chars.len() {
            let comment = end_of_comment(chars, at);
            let end = comment.unwrap_or_else(|| end_of_token(chars, at));
            let text: String = chars[at..end].iter().collect();
            let last = line + text.matches('\n').count();
            if comment.is_some() {
                self.comments.push((line, text));
            } else if !text.trim().is_empty() {
                self.code.extend(line..=last);
                self.tokens.push(Token { text, line });
            }
            (at, line) = (end, last);
        }
    }
}

/// Every Rust source of the workspace's members, in the order of their paths. Read once for all rules.
pub(crate) fn all() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(read_all);
    &SOURCES
}

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace has a root")
}

fn read_all() -> Vec<Source> {
    let root = root();
    let mut files = Vec::new();
    for folder in ["crates", "examples"] {
        collect(&root.join(folder), &mut files);
    }
    files.sort();
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("sources are readable UTF-8");
        let path = file.strip_prefix(&root).expect("it was found under the root");
        Source::read(&path.to_string_lossy().replace('\\', "/"), &text)
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Where the comment that begins at `at` ends, if one does. Block comments nest.
fn end_of_comment(chars: &[char], at: usize) -> Option<usize> {
    let starts = |at: usize, text: &str| {
        text.chars()
            .enumerate()
            .all(|(n, c)| chars.get(at + n) == Some(&c))
    };
    if starts(at, "//") {
        return Some(
            (at..chars.len())
                .find(|end| chars[*end] == '\n')
                .unwrap_or(chars.len()),
        );
    }
    if !starts(at, "/*") {
        return None;
    }
    let (mut end, mut depth) = (at + 2, 1);
    while depth > 0 && end < chars.len() {
        let step = match (starts(end, "/*"), starts(end, "*/")) {
            (true, _) => 1,
            (_, true) => -1,
            _ => 0,
        };
        depth += step;
        end += if step == 0 { 1 } else { 2 };
    }
    Some(end.min(chars.len()))
}

fn end_of_token(chars: &[char], at: usize) -> usize {
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_';
    let end_of_word = (at..chars.len())
        .find(|end| !is_word(&chars[*end]))
        .unwrap_or(chars.len());
    let prefix: String = chars[at..end_of_word].iter().collect();
    match (prefix.as_str(), chars.get(end_of_word)) {
        ("r" | "br" | "cr", Some('"' | '#')) => end_of_raw(chars, end_of_word).unwrap_or(end_of_word),
        ("" | "b" | "c", Some('"')) => end_of_quoted(chars, end_of_word, '"'),
        ("" | "b", Some('\'')) if is_character(chars, end_of_word) => end_of_quoted(chars, end_of_word, '\''),
        ("", Some(':')) if chars.get(at + 1) == Some(&':') => at + 2,
        ("", _) => at + 1,
        _ => end_of_word,
    }
}

/// Whether the quote at `at` begins a character and not a lifetime.
fn is_character(chars: &[char], at: usize) -> bool {
    chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')
}

fn end_of_quoted(chars: &[char], open: usize, quote: char) -> usize {
    let mut at = open + 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// The end of the raw string whose `#`s or quote begin at `at`; none for a raw name such as `r#type`.
fn end_of_raw(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + hashes) != Some(&'"') {
        return None;
    }
    let closes = |end: &usize| {
        chars[*end] == '"'
            && chars[*end + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
    };
    let end = (at + hashes + 1..chars.len()).find(closes)?;
    Some(end + 1 + hashes)
}
