//! Why a line cannot be taken, and where in it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use punctual_http::problem::{self, Problem};
use punctual_http::wire;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;

/// Why a line cannot be taken.
#[derive(Debug)]
pub(crate) struct Fault {
    /// Where, counted in characters from 1; unset if it is the whole line.
    pub(crate) column: Option<usize>,
    /// What is wrong, and what is accepted.
    pub(crate) story: String,
}

impl Fault {
    /// The whole line is wrong.
    pub(crate) fn whole(story: impl Into<String>) -> Fault {
        Fault {
            column: None,
            story: story.into(),
        }
    }

    /// What the server says of the job in this line, which stood somewhere in a batch.
    pub(crate) fn of_item(text: &str, mut problem: Problem) -> Fault {
        for fault in &mut problem.errors {
            // `/17/priority` of the batch is `/priority` of the line.
            let within = fault.pointer.as_deref().and_then(|pointer| pointer.get(1..));
            let inner = within.map(|pointer| pointer.find('/').map_or("", |at| &pointer[at..]));
            fault.pointer = inner.map(str::to_owned);
        }
        let told = problem.errors.iter().map(|fault| {
            let pointer = fault.pointer.as_deref().filter(|pointer| !pointer.is_empty());
            pointer.map_or(fault.detail.clone(), |pointer| {
                format!("{pointer}: {}", fault.detail)
            })
        });
        let told = told.collect::<Vec<String>>().join("; ");
        if !told.is_empty() {
            problem.detail = told;
        }
        Fault::of_problem(text, problem)
    }

    fn at(text: &str, faults: &[problem::Fault], story: String) -> Fault {
        let pointer = faults.first().and_then(|fault| fault.pointer.as_deref());
        Fault {
            column: pointer.and_then(|pointer| column(text, pointer)),
            story,
        }
    }

    /// What is wrong with the value in this line.
    pub(crate) fn of_problem(text: &str, problem: Problem) -> Fault {
        Fault::at(text, &problem.errors, problem.detail)
    }

    /// The value that a line tells.
    pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
        wire::read(text.as_bytes()).map_err(|problem| match serde_json::from_str::<Value>(text) {
            Ok(_) => Fault::of_problem(text, problem),
            Err(error) => Fault::not_json(&error),
        })
    }

    fn not_json(error: &serde_json::Error) -> Fault {
        let story = error.to_string();
        let told = story
            .rsplit_once(" at line ")
            .map_or(story.as_str(), |(told, _)| told);
        Fault {
            column: Some(error.column().max(1)),
            story: format!("this is not JSON: {told}"),
        }
    }
}

/// Where in a JSON text the value stands that a pointer names, or what is nearest around it.
fn column(text: &str, pointer: &str) -> Option<usize> {
    let mut nearest: &RawValue = serde_json::from_str(text).ok()?;
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        let inner = child(nearest, &name);
        let Some(inner) = inner else { break };
        nearest = inner;
    }
    let offset = (nearest.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some(text.get(..offset)?.chars().count() + 1)
}

fn child<'a>(value: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    if let Ok(fields) = serde_json::from_str::<BTreeMap<Cow<'a, str>, &'a RawValue>>(value.get()) {
        return fields.get(name).copied();
    }
    let elements: Vec<&'a RawValue> = serde_json::from_str(value.get()).ok()?;
    elements.get(name.parse::<usize>().ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_through_lists_and_escaped_names() {
        let text = r#"{"a/b": [1, {"c": 2}]}"#;
        assert_eq!(column(text, "/a~1b/1/c"), Some(19));
        assert_eq!(column(text, "/a~1b/7"), Some(9));
        assert_eq!(column(text, ""), Some(1));
    }
}
