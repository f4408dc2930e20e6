//! The items that the rules of the house speak about: functions, traits, imports, paths, public signatures.

use super::source::{Source, Token};

/// A function with a body, or a trait.
pub(crate) struct Item<'a> {
    pub(crate) name: &'a str,
    /// Its first token and its last.
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// A path as it is written, with `use` trees taken apart: `use a::{b, c::d}` is `a::b` and `a::c::d`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    pub(crate) imported: bool,
}

impl Name {
    pub(crate) fn starts_with(&self, path: &str) -> bool {
        let mut segments = self.segments.iter().map(String::as_str);
        path.split("::").all(|wanted| segments.next() == Some(wanted))
    }
}

/// Functions that have a body.
pub(crate) fn functions(source: &Source) -> Vec<Item<'_>> {
    items(source, "fn")
}

/// Traits.
pub(crate) fn traits(source: &Source) -> Vec<Item<'_>> {
    items(source, "trait")
}

/// How many functions a trait asks for or gives.
pub(crate) fn methods(source: &Source, item: &Item<'_>) -> usize {
    let Some(mut at) = source.seek(item.first, &["{"]) else {
        return 0;
    };
    let mut count = 0;
    while at < item.last {
        let Some(next) = source.seek(at + 1, &["fn", "{", "}"]) else {
            break;
        };
        if next >= item.last {
            break;
        }
        count += usize::from(source.tokens[next].text == "fn");
        at = if source.tokens[next].text == "{" {
            source.closing(next)
        } else {
            next
        };
    }
    count
}

/// Names that the file gives to types, traits, functions, modules and constants.
pub(crate) fn declared(source: &Source) -> impl Iterator<Item = &Token> {
    const DECLARE: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "type", "mod", "const"];
    let pairs = source.tokens.windows(2);
    pairs
        .filter(|pair| DECLARE.contains(&pair[0].text.as_str()) && pair[1].is_name())
        .map(|pair| &pair[1])
}

/// Every path of two or more segments, and every import.
pub(crate) fn names(source: &Source) -> Vec<Name> {
    let (mut names, mut at) = (Vec::new(), 0);
    while at < source.tokens.len() {
        at = if is_import(source, at) {
            flatten(source, at + 1, &mut Vec::new(), &mut names)
        } else {
            path(source, at, &mut names)
        };
    }
    names
}

/// What a file promises to everybody: from each bare `pub` to the end of the signature, field or type. Enums and
/// traits promise their bodies too.
pub(crate) fn promises(source: &Source) -> Vec<&[Token]> {
    let is_public = |at: &usize| source.tokens[*at].text == "pub" && !source.reads(at + 1, &["("]);
    let starts = (0..source.tokens.len()).filter(is_public);
    starts
        .map(|first| &source.tokens[first..=end_of_promise(source, first)])
        .collect()
}

fn end_of_promise(source: &Source, first: usize) -> usize {
    let last = source.tokens.len() - 1;
    let open = source.seek(first, &["{", "}", ";", ",", "="]).unwrap_or(last);
    let word = source.tokens.get(first + 1).map(|token| token.text.as_str());
    match (word, source.tokens[open].text.as_str()) {
        (Some("enum" | "trait"), "{") => source.closing(open),
        // Generic parameters, and what follows `=` in a type, may hold commas.
        (Some("type" | "fn" | "async" | "const" | "struct" | "use"), "," | "=") => {
            source.seek(open, &["{", "}", ";"]).unwrap_or(last)
        }
        _ => open,
    }
}

fn items<'a>(source: &'a Source, word: &str) -> Vec<Item<'a>> {
    let starts = (0..source.tokens.len().saturating_sub(1))
        .filter(|at| source.tokens[*at].text == word && source.tokens[at + 1].is_name());
    let item = |first: usize| {
        let open = source.seek(first, &["{", ";"])?;
        let last = (source.tokens[open].text == "{").then(|| source.closing(open))?;
        Some(Item {
            name: &source.tokens[first + 1].text,
            first,
            last,
        })
    };
    starts.filter_map(item).collect()
}

/// `use` begins an import unless it stands in a type, as in `impl Trait + use<'a>`.
fn is_import(source: &Source, at: usize) -> bool {
    source.tokens[at].text == "use" && !source.reads(at + 1, &["<"])
}

/// Takes a `use` tree apart and answers the token after it. `prefix` is what leads to it.
fn flatten(source: &Source, mut at: usize, prefix: &mut Vec<String>, names: &mut Vec<Name>) -> usize {
    let depth = prefix.len();
    while let Some(token) = source.tokens.get(at) {
        match token.text.as_str() {
            "::" => at += 1,
            "as" => at += 2,
            "{" => {
                let close = source.closing(at);
                at += 1;
                while at < close {
                    // One further, over the comma.
                    at = flatten(source, at, prefix, names) + 1;
                }
                prefix.truncate(depth);
                return close + 1;
            }
            text if token.is_name() || text == "*" => {
                prefix.push(text.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    let line = source.tokens[at - 1].line;
    names.push(Name {
        line,
        segments: prefix.clone(),
        imported: true,
    });
    prefix.truncate(depth);
    at
}

/// Reads the path that begins at `at`, if one does, and answers the token after it.
fn path(source: &Source, at: usize, names: &mut Vec<Name>) -> usize {
    let mut end = at + 1;
    if !source.tokens[at].is_name() {
        return end;
    }
    let mut segments = vec![source.tokens[at].text.clone()];
    while source.reads(end, &["::"]) && source.tokens.get(end + 1).is_some_and(Token::is_name) {
        segments.push(source.tokens[end + 1].text.clone());
        end += 2;
    }
    if segments.len() > 1 {
        names.push(Name {
            line: source.tokens[at].line,
            segments,
            imported: false,
        });
    }
    end
}
