//! The file: TOML, with the line of each setting, so that whatever is wrong with one can be told where it stands.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::given::Given;
use super::origin::Origin;
use super::rooms;

/// A setting that somebody gave.
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) given: Given,
    pub(super) origin: Origin,
}

/// The settings that a file's text holds, known or not; or what is no TOML, and where.
pub(super) fn entries(path: &Path, text: &str) -> Result<Vec<Entry>, String> {
    let table = DeTable::parse(text).map_err(|error| {
        let line = line_of(text, error.span().unwrap_or_default());
        let said: Vec<&str> = error.message().lines().collect();
        format!("{}:{line}: this is no TOML: {}", path.display(), said.join("; "))
    })?;
    let mut reading = Reading {
        path,
        text,
        entries: Vec::new(),
    };
    reading.table("", table.get_ref());
    Ok(reading.entries)
}

struct Reading<'a> {
    path: &'a Path,
    text: &'a str,
    entries: Vec<Entry>,
}

impl Reading<'_> {
    fn table(&mut self, above: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{above}{}", bare(key.get_ref()));
            match value.get_ref() {
                DeValue::Table(inner) if !inner.is_empty() && rooms::find(&name).is_none() => {
                    self.table(&format!("{name}."), inner);
                }
                DeValue::Table(_) if rooms::is_table(&name) => {}
                value => self.entry(name, key.span(), value),
            }
        }
    }

    fn entry(&mut self, name: String, span: Range<usize>, value: &DeValue<'_>) {
        let origin = Origin::File {
            path: self.path.to_owned(),
            line: line_of(self.text, span),
        };
        self.entries.push(Entry {
            name,
            given: given(value),
            origin,
        });
    }
}

/// A part of a name. One with a dot in it is no two parts, and no name that is known.
fn bare(part: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !part.is_empty() && part.chars().all(plain) {
        true => part.to_owned(),
        false => format!("{part:?}"),
    }
}

fn given(value: &DeValue<'_>) -> Given {
    match value {
        DeValue::String(text) => Given::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Given::Other("a number that is too large"), Given::Whole),
        DeValue::Float(number) => number
            .as_str()
            .parse()
            .map_or(Given::Other("a number"), Given::Decimal),
        DeValue::Boolean(true) => Given::Other("true"),
        DeValue::Boolean(false) => Given::Other("false"),
        DeValue::Datetime(_) => Given::Other("a date"),
        DeValue::Array(items) => texts(items).map_or(Given::Other("a list of other things"), Given::Texts),
        DeValue::Table(_) => Given::Other("a table"),
    }
}

fn texts(items: &[Spanned<DeValue<'_>>]) -> Option<Vec<String>> {
    let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
    items.iter().map(text).collect()
}

/// The line that a place is on, from 1.
fn line_of(text: &str, span: Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    before.filter(|byte| **byte == b'\n').count() + 1
}
