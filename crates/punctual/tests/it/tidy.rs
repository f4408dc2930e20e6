//! The house keeps itself tidy: which room may use which, how long a thing may be, and what is never written.
//!
//! Each test is one rule over all sources of the workspace and names file, line and rule when it is broken. A
//! crossing that is right needs a sentence in [`DEFENDED`].

mod directions;
mod habits;
mod items;
mod rooms;
mod source;

use source::Source;

/// A rule that is broken in one place on purpose.
struct Defence {
    rule: &'static str,
    file: &'static str,
    /// What the finding says of itself, up to any of its details.
    what: &'static str,
    #[expect(dead_code, reason = "it is written for readers")]
    because: &'static str,
}

const DEFENDED: [Defence; 1] = [Defence {
    rule: "maps keep an order that a seed can replay",
    file: "crates/punctual/src/flight.rs",
    what: "HashMap",
    because: "Its keys are the user's, who has Hash far more often than Ord, and it is never iterated.",
}];

#[derive(Clone)]
pub(crate) struct Finding {
    file: String,
    line: usize,
    what: String,
}

impl Finding {
    pub(crate) fn at(source: &Source, line: usize, what: impl Into<String>) -> Self {
        Self {
            file: source.path.clone(),
            line,
            what: what.into(),
        }
    }

    fn is_defended_by(&self, rule: &str, defence: &Defence) -> bool {
        defence.rule == rule && defence.file == self.file && self.what.starts_with(defence.what)
    }
}

/// Fails with what breaks `rule` undefended, and with defences that defend nothing any more.
pub(crate) fn hold(rule: &str, findings: Vec<Finding>) {
    let defended = |finding: &&Finding| {
        DEFENDED
            .iter()
            .any(|defence| finding.is_defended_by(rule, defence))
    };
    let idle = |defence: &&Defence| {
        defence.rule == rule
            && !findings
                .iter()
                .any(|finding| finding.is_defended_by(rule, defence))
    };
    let broken = findings.iter().filter(|finding| !defended(finding));
    let broken = broken.map(|finding| format!("{}:{}: {}", finding.file, finding.line, finding.what));
    let idle = DEFENDED.iter().filter(idle);
    let idle = idle.map(|defence| format!("{}: {} needs no defence any more", defence.file, defence.what));
    let said: Vec<_> = broken.chain(idle).collect();
    assert!(said.is_empty(), "the rule: {rule}\n{}\n", said.join("\n"));
}

pub(crate) fn find(rule: impl Fn(&Source) -> Vec<Finding>) -> Vec<Finding> {
    let sources = source::all();
    assert!(sources.len() > 3, "the sources were not found");
    sources.iter().flat_map(rule).collect()
}

/// Shipped tokens, without tests, that read like one of `words`.
pub(crate) fn words(source: &Source, forbidden: &[&str]) -> Vec<Finding> {
    let shipped = source.tokens.iter().filter(|token| !source.is_test(token.line));
    let hits = shipped.filter(|token| forbidden.contains(&token.text.as_str()));
    hits.map(|token| Finding::at(source, token.line, &token.text))
        .collect()
}

/// Shipped paths that lead to one of `paths`.
pub(crate) fn paths(source: &Source, forbidden: &[&str]) -> Vec<Finding> {
    let shipped = items::names(source)
        .into_iter()
        .filter(|name| !source.is_test(name.line));
    let hits = shipped.filter(|name| forbidden.iter().any(|path| name.starts_with(path)));
    hits.map(|name| Finding::at(source, name.line, name.segments.join("::")))
        .collect()
}

/// The words of a name: `JobManager`, `job_manager` and `JOB_MANAGER` are `job` and `manager`.
pub(crate) fn name_words(name: &str) -> impl Iterator<Item = String> {
    let mut spaced = String::new();
    let mut last_was_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && last_was_lower {
            spaced.push('_');
        }
        last_was_lower = c.is_lowercase();
        spaced.extend(c.to_lowercase());
    }
    spaced
        .split('_')
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn every_defence_names_a_rule_that_exists() {
    let rules = [include_str!("tidy/directions.rs"), include_str!("tidy/habits.rs")].concat();
    for defence in &DEFENDED {
        assert!(rules.contains(defence.rule), "no such rule: {}", defence.rule);
    }
}

#[test]
fn the_reader_is_not_deceived_by_strings_comments_and_lifetimes() {
    let text = r##"
use std::{fs as files, collections::{HashMap, BTreeMap}};
/* a /* nested */ fn not_this() { */
fn first<'a>(x: &'a [u8; 4]) -> char { let _ = "} fn nor_this() {"; let _ = r#"" }"#; '}' }
trait Two { fn one(&self) { if true {} } fn two(&self); }
pub struct Promise { pub connection: rusqlite::Connection, inner: u8 }
#[cfg(test)]
mod tests { fn third() { crate::a::b(); } }
"##;
    let source = Source::read("crates/punctual/src/x.rs", text);
    let functions: Vec<_> = items::functions(&source).iter().map(|item| item.name).collect();
    assert_eq!(functions, ["first", "one", "third"]);
    assert_eq!(items::methods(&source, &items::traits(&source)[0]), 2);
    let names: Vec<_> = items::names(&source)
        .iter()
        .map(|name| name.segments.join("::"))
        .collect();
    let expected = [
        "std::fs",
        "std::collections::HashMap",
        "std::collections::BTreeMap",
    ];
    assert_eq!(
        names,
        [&expected[..], &["rusqlite::Connection", "crate::a::b"]].concat()
    );
    let promises = items::promises(&source).into_iter().map(|promise| promise.len());
    assert_eq!(promises.collect::<Vec<_>>(), [4, 7]);
    assert!(source.is_test(8) && !source.is_test(6));
    assert_eq!(source.comments.len(), 1);
}
