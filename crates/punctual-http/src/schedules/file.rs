//! A file of schedules: TOML, with a table for each, whose fields are those of `PUT /v1/schedules/{name}`.

use std::fmt;
use std::ops::Range;

use punctual::schedule::{Plan, ScheduleName};
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Written;
use crate::limits::{FAULTS, SCHEDULES_BYTES};
use crate::wire::{NewSchedule, read};

/// The one table at the top.
const ROOT: &str = "schedule";

/// A file of schedules, read.
///
/// ```
/// use punctual_http::schedules::File;
///
/// let text = r#"
/// [schedule.nightly]
/// cron = "30 2 * * *"
/// zone = "Europe/Ljubljana"
/// job = { kind = "http", payload = { method = "POST", url = "https://example.com/hook" } }
/// "#;
/// let file = File::read(text).expect("it is right");
/// assert_eq!(file.schedules()[0].name, "nightly");
///
/// let faults = File::read("[schedule.nightly]\ncron = \"0 25 * * *\"").unwrap_err();
/// assert!(faults[0].to_string().starts_with("1:11: schedule.nightly.job: it is missing"));
/// assert!(faults[1].to_string().starts_with("2:1: schedule.nightly.cron: \"25\" is not understood at column 3"));
/// ```
#[derive(Debug)]
pub struct File<'t> {
    text: &'t str,
    table: DeTable<'t>,
    schedules: Vec<Written>,
}

/// Something in a file that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// Which field, such as `schedule.nightly.cron`; empty where it is about none.
    pub field: String,
    /// What is wrong, and what is accepted.
    pub story: String,
}

impl<'t> File<'t> {
    /// Reads the schedules of a file, in their order there.
    ///
    /// # Errors
    ///
    /// Every place that is wrong, as far as anybody wants to know it: nothing of the file is to be used then.
    pub fn read(text: &'t str) -> Result<File<'t>, Vec<Fault>> {
        if text.len() > SCHEDULES_BYTES {
            let story = format!("a file of schedules has at most {SCHEDULES_BYTES} bytes");
            return Err(vec![place(text, 0..0, String::new(), story)]);
        }
        let table = DeTable::parse(text).map_err(|error| {
            let said: Vec<&str> = error.message().lines().collect();
            let story = format!("this is no TOML: {}", said.join("; "));
            vec![place(
                text,
                error.span().unwrap_or_default(),
                String::new(),
                story,
            )]
        })?;
        let mut reading = Reading {
            text,
            faults: Vec::new(),
            schedules: Vec::new(),
        };
        reading.file(table.get_ref());
        let Reading {
            mut faults,
            mut schedules,
            ..
        } = reading;
        if !faults.is_empty() {
            faults.sort_by_key(|fault| (fault.line, fault.column));
            faults.truncate(FAULTS);
            return Err(faults);
        }
        schedules.sort_by_key(|written| written.line);
        Ok(File {
            text,
            table: table.into_inner(),
            schedules,
        })
    }

    /// Its schedules.
    pub fn schedules(&self) -> &[Written] {
        &self.schedules
    }

    /// What a server says of a field of one of its schedules, told where the field stands.
    pub fn fault(&self, name: &str, pointer: &str, story: impl Into<String>) -> Fault {
        let root = self.table.get(ROOT).and_then(|root| root.get_ref().as_table());
        let schedule = root.and_then(|table| table.get_key_value(name));
        let span = schedule.map(|(key, value)| find(key.span(), value.get_ref(), pointer));
        place(
            self.text,
            span.unwrap_or_default(),
            field(name, pointer),
            story.into(),
        )
    }
}

/// `2:1: schedule.nightly.cron: …`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.story)
    }
}

struct Reading<'t> {
    text: &'t str,
    faults: Vec<Fault>,
    schedules: Vec<Written>,
}

impl Reading<'_> {
    fn file(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            match (key.get_ref().as_ref(), value.get_ref()) {
                (ROOT, DeValue::Table(schedules)) => {
                    for (name, schedule) in schedules {
                        self.schedule(name.get_ref(), name.span(), schedule.get_ref());
                    }
                }
                (name, _) => {
                    let story = "there is no such setting; write a table for each schedule, such as [schedule.nightly]";
                    self.fault(key.span(), bare(name), story);
                }
            }
        }
    }

    fn schedule(&mut self, name: &str, span: Range<usize>, value: &DeValue<'_>) {
        if let Err(error) = ScheduleName::from(name).check() {
            return self.fault(span, field(name, ""), error.to_string());
        }
        if !value.is_table() {
            let story = "a schedule is a table, such as [schedule.nightly]";
            return self.fault(span, field(name, ""), story);
        }
        let mut wrong = Vec::new();
        let body = json(value, "", &mut wrong);
        let told = match wrong.is_empty() {
            true => match plan(&body) {
                Ok(plan) => {
                    let line = line_and_column(self.text, span.start).0;
                    return self.schedules.push(Written::new(name.to_owned(), line, plan));
                }
                Err(told) => told,
            },
            false => wrong,
        };
        for (pointer, story) in told {
            self.fault(find(span.clone(), value, &pointer), field(name, &pointer), story);
        }
    }

    fn fault(&mut self, span: Range<usize>, field: String, story: impl Into<String>) {
        self.faults.push(place(self.text, span, field, story.into()));
    }
}

/// The plan that a schedule's table tells, or what is wrong with it, each with its JSON pointer.
fn plan(body: &Value) -> Result<Plan, Vec<(String, String)>> {
    let schedule: NewSchedule = read(body.to_string().as_bytes()).map_err(|problem| {
        let faults = problem.errors.into_iter();
        let told: Vec<_> = faults
            .map(|fault| (fault.pointer.unwrap_or_default(), fault.detail))
            .collect();
        match told.is_empty() {
            true => vec![(String::new(), problem.detail)],
            false => told,
        }
    })?;
    schedule.read().map_err(|error| {
        let fields = error.fields().iter();
        let told: Vec<_> = fields
            .map(|field| (field.pointer.clone(), field.message.clone()))
            .collect();
        match told.is_empty() {
            true => vec![(String::new(), error.to_string())],
            false => told,
        }
    })
}

/// The value as JSON. Dates and instants are texts there; what JSON has no form for is noted.
fn json(value: &DeValue<'_>, pointer: &str, wrong: &mut Vec<(String, String)>) -> Value {
    match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::from(*flag),
        DeValue::Datetime(instant) => Value::from(instant.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or_else(
            |_| no_number(pointer, "a whole number has at most 64 bits", wrong),
            Value::from,
        ),
        DeValue::Float(number) => {
            let finite = number.as_str().parse().ok().and_then(Number::from_f64);
            finite.map_or_else(
                || no_number(pointer, "a number is finite here", wrong),
                Value::from,
            )
        }
        DeValue::Array(items) => {
            let each = items.iter().enumerate();
            let each = each.map(|(n, item)| json(item.get_ref(), &format!("{pointer}/{n}"), wrong));
            Value::Array(each.collect())
        }
        DeValue::Table(fields) => {
            let each = fields.iter().map(|(name, value)| {
                let name = name.get_ref().to_string();
                let value = json(value.get_ref(), &format!("{pointer}/{}", escape(&name)), wrong);
                (name, value)
            });
            Value::Object(each.collect::<Map<_, _>>())
        }
    }
}

fn no_number(pointer: &str, story: &str, wrong: &mut Vec<(String, String)>) -> Value {
    wrong.push((pointer.to_owned(), story.to_owned()));
    Value::Null
}

/// Where the value stands that a pointer names within a schedule, or what is nearest around it. Of a field, that is its name.
fn find(schedule: Range<usize>, value: &DeValue<'_>, pointer: &str) -> Range<usize> {
    let (mut span, mut nearest) = (schedule, value);
    for segment in pointer.split('/').skip(1) {
        let name = unescape(segment);
        let inner: Option<(Range<usize>, &Spanned<DeValue<'_>>)> = match nearest {
            DeValue::Table(fields) => fields
                .get_key_value(name.as_str())
                .map(|(key, inner)| (key.span(), inner)),
            DeValue::Array(items) => name
                .parse()
                .ok()
                .and_then(|n: usize| items.get(n))
                .map(|inner| (inner.span(), inner)),
            _ => None,
        };
        let Some((place, inner)) = inner else { break };
        (span, nearest) = (place, inner.get_ref());
    }
    span
}

/// The field of a schedule as TOML names it.
fn field(name: &str, pointer: &str) -> String {
    let mut field = format!("{ROOT}.{}", bare(name));
    for segment in pointer.split('/').skip(1) {
        field.push('.');
        field.push_str(&bare(&unescape(segment)));
    }
    field
}

/// A part of a name as TOML has it.
fn bare(part: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !part.is_empty() && part.chars().all(plain) {
        true => part.to_owned(),
        false => format!("{part:?}"),
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

fn place(text: &str, span: Range<usize>, field: String, story: String) -> Fault {
    let (line, column) = line_and_column(text, span.start);
    Fault {
        line,
        column,
        field,
        story,
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let begins = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[begins..].chars().count() + 1)
}
