//! The sample file: every setting with what it is for and its default, made of what the settings say of themselves.

use super::key::{Facts, Unset};
use super::rooms;

/// The widest line, in characters.
const WIDTH: usize = 100;

/// A file that sets everything to its default.
pub(super) fn text() -> String {
    let mut text = String::from(
        "# The settings of Punctual, each with its default. What is commented out has none, and shows an example.\n",
    );
    let facts: Vec<&Facts> = rooms::settings().map(|setting| setting.facts()).collect();
    let mut tables: Vec<&str> = Vec::new();
    for facts in &facts {
        let table = split(facts.name).0;
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    // What stands in no table must come before the first one.
    tables.sort_by_key(|table| !table.is_empty());
    for table in tables {
        if !table.is_empty() {
            text.push_str(&format!("\n[{table}]\n"));
        }
        for facts in facts.iter().filter(|facts| split(facts.name).0 == table) {
            text.push_str(&setting(facts));
        }
    }
    text
}

fn setting(facts: &Facts) -> String {
    let mut text = comment(facts.about);
    let leaf = split(facts.name).1;
    text.push_str(&match facts.unset {
        Unset::Default(default) => format!("{leaf} = {}\n", default().to_toml()),
        Unset::Example(example) if facts.family().is_some() => format!("# {example}\n"),
        Unset::Example(example) => format!("# {leaf} = {example}\n"),
    });
    text
}

fn comment(about: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in about.split_whitespace() {
        let last = lines.last_mut().expect("there is one from the beginning");
        if last.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push(format!("# {word}"));
        } else {
            last.push_str(&format!(" {word}"));
        }
    }
    format!("\n{}.\n", lines.join("\n"))
}

/// The table and the last part of a name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}
