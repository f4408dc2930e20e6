//! Habits: budgets, names, and what is never written.

use std::fs;

use super::rooms::{self, in_rooms};
use super::source::{self, Source};
use super::{Finding, find, hold, items, name_words, words};

const FUNCTION_LINES: usize = 70;
const FILE_LINES: usize = 500;
const TRAIT_METHODS: usize = 18;

#[test]
fn functions_files_and_traits_keep_to_their_budgets() {
    let over = |source: &Source| {
        let mut findings = Vec::new();
        let shipped = source
            .code
            .iter()
            .filter(|line| !source.is_inline_test(**line))
            .count();
        if shipped >= FILE_LINES {
            findings.push(Finding::at(
                source,
                1,
                format!("the file has {shipped} lines of code"),
            ));
        }
        for item in items::functions(source) {
            let (first, last) = (source.tokens[item.first].line, source.tokens[item.last].line);
            let lines = source.code.range(first..=last).count();
            if lines >= FUNCTION_LINES {
                findings.push(Finding::at(
                    source,
                    first,
                    format!("{} has {lines} lines", item.name),
                ));
            }
        }
        for item in items::traits(source) {
            let methods = items::methods(source, &item);
            if methods > TRAIT_METHODS {
                let line = source.tokens[item.first].line;
                findings.push(Finding::at(
                    source,
                    line,
                    format!("{} has {methods} methods", item.name),
                ));
            }
        }
        findings
    };
    hold(
        "a function under 70 lines, a file under 500 lines of code, a trait at most 18 methods",
        find(over),
    );
}

#[test]
fn a_module_stands_beside_its_folder() {
    let is_mod = |source: &Source| source.path.ends_with("/mod.rs");
    let misplaced = |source: &Source| {
        is_mod(source)
            .then(|| Finding::at(source, 1, "mod.rs"))
            .into_iter()
            .collect()
    };
    hold("foo.rs stands beside foo/, never foo/mod.rs", find(misplaced));
}

#[test]
fn a_crate_has_one_binary_of_integration_tests() {
    let extra = |source: &Source| {
        let file = source.path.split_once("/tests/").map_or("", |(_, file)| file);
        let apart = !file.is_empty() && !file.contains('/')
            || file.matches('/').count() == 1 && !file.starts_with("it/");
        apart.then(|| Finding::at(source, 1, file)).into_iter().collect()
    };
    hold(
        "integration tests are topics in tests/it/, one binary a crate",
        find(extra),
    );
}

#[test]
fn a_name_says_what_a_thing_is() {
    const EMPTY: [&str; 8] = [
        "manager", "managers", "util", "utils", "helper", "helpers", "common", "misc",
    ];
    let empty = |source: &Source| {
        let file = source
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        let file = name_words(file).any(|word| EMPTY.contains(&word.as_str()));
        let file = file.then(|| Finding::at(source, 1, &source.path));
        let names = items::declared(source)
            .filter(|t| name_words(&t.text).any(|word| EMPTY.contains(&word.as_str())));
        file.into_iter()
            .chain(names.map(|token| Finding::at(source, token.line, &token.text)))
            .collect()
    };
    hold("no Manager, Util, Helper or Common", find(empty));
}

#[test]
fn nothing_is_left_unfinished() {
    const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];
    let unfinished = |source: &Source| {
        let at = |at: &usize| {
            source.reads(*at, &["todo", "!"])
                || source.reads(*at, &["unimplemented", "!"])
                || source.reads(*at, &["#", "[", "ignore"])
        };
        let code = (0..source.tokens.len()).filter(at);
        let code = code.map(|at| {
            Finding::at(
                source,
                source.tokens[at].line,
                "unfinished code or an ignored test",
            )
        });
        let comments = source
            .comments
            .iter()
            .filter(|(_, text)| MARKS.iter().any(|mark| text.contains(mark)));
        code.chain(comments.map(|(line, text)| Finding::at(source, *line, text)))
            .collect()
    };
    hold(
        "nothing is left for later and no test is ignored",
        find(unfinished),
    );
}

#[test]
fn nothing_shipped_unwraps_without_a_reason() {
    let bare = |source: &Source| {
        let unwraps = |at: &usize| {
            source.reads(*at, &[".", "unwrap", "("]) || source.reads(*at, &[".", "expect", "(", "\"\""])
        };
        let hits = (0..source.tokens.len())
            .filter(unwraps)
            .map(|at| source.tokens[at].line);
        hits.filter(|line| !source.is_test(*line))
            .map(|line| Finding::at(source, line, "unwrap"))
            .collect()
    };
    hold(
        "shipped code says in expect(..) why it cannot fail, and never unwraps",
        find(bare),
    );
}

#[test]
fn only_the_clock_reads_a_machines_time_and_chance() {
    let allowed = |source: &Source| {
        if in_rooms(source, &["clock"]) {
            Vec::new()
        } else {
            words(source, &["disallowed_methods"])
        }
    };
    hold(
        "only clock.rs may allow clippy's disallowed methods",
        find(allowed),
    );
}

#[test]
fn maps_keep_an_order() {
    let random = |source: &Source| {
        if rooms::module(source).is_none() {
            return Vec::new();
        }
        words(source, &["HashMap", "HashSet"])
    };
    hold("maps keep an order that a seed can replay", find(random));
}

#[test]
fn every_select_is_biased() {
    let fair = |source: &Source| {
        let selects = (0..source.tokens.len()).filter(|at| source.reads(*at, &["select", "!", "{"]));
        let fair = selects.filter(|at| !source.reads(at + 3, &["biased", ";"]));
        let shipped = fair
            .map(|at| source.tokens[at].line)
            .filter(|line| !source.is_test(*line));
        shipped.map(|line| Finding::at(source, line, "select!")).collect()
    };
    hold(
        "every select! is biased, so that a seed can replay it",
        find(fair),
    );
}

#[test]
fn tests_sleep_only_while_they_poll() {
    const POLLING: [&str; 4] = ["until", "eventually", "poll", "wait"];
    let bare = |source: &Source| {
        let functions = items::functions(source);
        let polls = |at: &usize| {
            let around = functions
                .iter()
                .filter(|item| (item.first..=item.last).contains(at));
            let inner = around.max_by_key(|item| item.first);
            inner.is_some_and(|item| name_words(item.name).any(|word| POLLING.contains(&word.as_str())))
        };
        let sleeps = (0..source.tokens.len()).filter(|at| source.reads(*at, &["sleep", "("]));
        let bare = sleeps.filter(|at| source.is_test(source.tokens[*at].line) && !polls(at));
        bare.map(|at| Finding::at(source, source.tokens[at].line, "sleep"))
            .collect()
    };
    hold(
        "a test sleeps only inside a function that polls: its name says until, eventually, poll or wait",
        find(bare),
    );
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let crates = fs::read_dir(source::root().join("crates")).expect("the crates' folder");
    for folder in crates {
        let manifest = folder.expect("a readable folder").path().join("Cargo.toml");
        let text = fs::read_to_string(&manifest).expect("a manifest");
        assert!(
            text.contains("[lints]\nworkspace = true"),
            "{} lacks the lints",
            manifest.display()
        );
    }
}
