//! One line of a file of jobs, and where it is wrong.

use std::borrow::Cow;
use std::collections::BTreeMap;

use punctual_http::problem::{self, Problem};
use punctual_http::wire::{self, NewJob};
use serde_json::Value;
use serde_json::value::RawValue;

/// Why a line is no job.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where, counted in characters from 1; unset if it is the whole line.
    pub(super) column: Option<usize>,
    /// What is wrong, and what is accepted.
    pub(super) story: String,
}

impl Fault {
    /// The whole line is wrong.
    pub(super) fn whole(story: impl Into<String>) -> Fault {
        Fault {
            column: None,
            story: story.into(),
        }
    }

    /// What the server says of the job in this line, which stood somewhere in a batch.
    pub(super) fn of_item(text: &str, mut problem: Problem) -> Fault {
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

    fn of_problem(text: &str, problem: Problem) -> Fault {
        Fault::at(text, &problem.errors, problem.detail)
    }
}

/// The job that a line tells, with everything checked that can be without a server.
pub(super) fn read(text: &str) -> Result<NewJob, Fault> {
    if let Err(error) = serde_json::from_str::<Value>(text) {
        let story = error.to_string();
        let told = story
            .rsplit_once(" at line ")
            .map_or(story.as_str(), |(told, _)| told);
        return Err(Fault {
            column: Some(error.column().max(1)),
            story: format!("this is not JSON: {told}"),
        });
    }
    let job: NewJob = wire::read(text.as_bytes()).map_err(|problem| Fault::of_problem(text, problem))?;
    let read = job.clone().read();
    read.map_err(|error| Fault::of_problem(text, error.into()))?;
    Ok(job)
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

    fn wrong(text: &str) -> (Option<usize>, String) {
        let fault = read(text).expect_err(text);
        (fault.column, fault.story)
    }

    #[test]
    fn a_fault_is_told_with_its_column() {
        let (column, story) = wrong(r#"{"kind": "mail", "priority": "high"}"#);
        assert_eq!(column, Some(30), "{story}");
        assert!(story.contains("/priority"), "{story}");

        let (column, story) = wrong(r#"{"kind": "mail""#);
        assert_eq!(column, Some(15), "{story}");
        assert!(story.contains("not JSON"), "{story}");

        let (column, story) = wrong(r#"{"kind": "ä", "colour": 1}"#);
        assert_eq!(column, Some(25), "{story}");
        assert!(story.contains("colour"), "{story}");

        assert_eq!(wrong(r#"{"kind": "mail", "delay": "soon"}"#).0, Some(27));
        assert_eq!(wrong("[]").0, Some(1));
        // Nothing stands where it is missing: the object around it is told.
        assert_eq!(wrong("  {}").0, Some(3));
    }

    #[test]
    fn a_pointer_leads_through_lists_and_escaped_names() {
        let text = r#"{"a/b": [1, {"c": 2}]}"#;
        assert_eq!(column(text, "/a~1b/1/c"), Some(19));
        assert_eq!(column(text, "/a~1b/7"), Some(9));
        assert_eq!(column(text, ""), Some(1));
    }
}
