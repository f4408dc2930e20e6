//! What it takes to make the schedules that are stored those of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use punctual::target::http::MASK;

use super::Written;
use super::tree::Tree;
use crate::wire::{NewSchedule, Schedule};

/// The longest value that is told whole, in characters: enough to recognize it by.
const TOLD: usize = 60;

/// What becomes of each schedule, first those of the file in their order there.
///
/// As text it is for people: a line each for what is created (`+`), changed (`~`, and below it each field) and deleted (`-`), and
/// one that counts all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The steps.
    pub steps: Vec<Step>,
}

/// What becomes of one schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// When it fires, in words: as the file has it, or else as it is stored.
    pub description: String,
    /// The version that is stored, if it is: what changes it should ask for no other.
    pub rev: Option<u64>,
    /// What is stored, if it is, but for how far it has come.
    pub stored: Option<Stored>,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// A schedule as it is stored: another one if somebody edits it, or deletes it and makes it anew, and the same one however often
/// it fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    id: String,
    plan: String,
}

/// What becomes of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// It is new.
    Created,
    /// These fields change, at least one.
    Changed(Vec<Changed>),
    /// Nothing, as far as can be told.
    Unchanged {
        /// It has secrets, which nobody is told: to be sure that they are those of the file, it has to be written again.
        secrets: bool,
    },
    /// It is not in the file, and is deleted.
    Deleted,
    /// It is not in the file, and stays.
    LeftAlone,
}

/// A field that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which, such as `job.payload.url`.
    pub field: String,
    /// What is stored, as JSON; none if the field takes its default.
    pub from: Option<String>,
    /// What the file says.
    pub to: Option<String>,
}

impl Difference {
    /// The difference between what a file says and what is stored. What the file does not have is deleted if `prune` says so, and
    /// else left alone.
    pub fn new(wanted: &[Written], stored: &[Schedule], prune: bool) -> Difference {
        let there: BTreeMap<&str, &Schedule> = stored
            .iter()
            .map(|schedule| (schedule.head.name.as_str(), schedule))
            .collect();
        let named: BTreeSet<&str> = wanted.iter().map(|written| written.name.as_str()).collect();
        let of_file = wanted
            .iter()
            .map(|written| step(written, there.get(written.name.as_str()).copied()));
        let others = there.iter().filter(|(name, _)| !named.contains(*name));
        let others = others.map(|(name, schedule)| Step {
            name: (*name).to_owned(),
            description: schedule.head.description.clone(),
            rev: Some(schedule.head.rev),
            stored: Some(Stored::of(schedule)),
            becomes: match prune {
                true => Becomes::Deleted,
                false => Becomes::LeftAlone,
            },
        });
        Difference {
            steps: of_file.chain(others).collect(),
        }
    }

    /// Whether there is nothing to do, as far as can be told.
    pub fn is_empty(&self) -> bool {
        let idle = |step: &Step| matches!(step.becomes, Becomes::Unchanged { .. } | Becomes::LeftAlone);
        self.steps.iter().all(idle)
    }
}

fn step(written: &Written, stored: Option<&Schedule>) -> Step {
    let becomes = match stored {
        None => Becomes::Created,
        Some(stored) => {
            let mut compared = Compared::default();
            compared.fields("", &tree(&stored.plan), &tree(&written.schedule));
            match compared.changed.is_empty() {
                true => Becomes::Unchanged {
                    secrets: compared.secrets,
                },
                false => Becomes::Changed(compared.changed),
            }
        }
    };
    Step {
        name: written.name.clone(),
        description: written.plan.describe(),
        rev: stored.map(|stored| stored.head.rev),
        stored: stored.map(Stored::of),
        becomes,
    }
}

impl Step {
    /// Whether this step was found by the same as the other one, though the schedule may have fired meanwhile.
    pub fn is_as_before(&self, other: &Step) -> bool {
        self.becomes == other.becomes && self.stored == other.stored
    }
}

impl Stored {
    fn of(schedule: &Schedule) -> Stored {
        Stored {
            id: schedule.head.id.clone(),
            plan: text(&schedule.plan),
        }
    }
}

/// The fields of a schedule, as far as they are set.
fn tree(schedule: &NewSchedule) -> BTreeMap<String, Tree> {
    serde_json::from_str(&text(schedule)).expect("it is an object")
}

fn text(schedule: &NewSchedule) -> String {
    serde_json::to_string(schedule).expect("a schedule has a JSON form")
}

#[derive(Default)]
struct Compared {
    changed: Vec<Changed>,
    secrets: bool,
}

impl Compared {
    fn fields(&mut self, above: &str, from: &BTreeMap<String, Tree>, to: &BTreeMap<String, Tree>) {
        let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
        for name in names {
            let field = match above {
                "" => name.clone(),
                above => format!("{above}.{name}"),
            };
            self.value(&field, from.get(name), to.get(name));
        }
    }

    fn value(&mut self, field: &str, from: Option<&Tree>, to: Option<&Tree>) {
        match (from, to) {
            (Some(Tree::Fields(from)), Some(Tree::Fields(to))) => self.fields(field, from, to),
            (Some(Tree::Text(mask)), Some(Tree::Text(_))) if mask == MASK => self.secrets = true,
            (from, to) if from == to => {}
            (from, to) => self.changed.push(Changed {
                field: field.to_owned(),
                from: from.map(ToString::to_string),
                to: to.map(ToString::to_string),
            }),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            match &step.becomes {
                Becomes::Created => writeln!(f, "+ {}: {}", step.name, step.description)?,
                Becomes::Deleted => writeln!(f, "- {}: {}", step.name, step.description)?,
                Becomes::Changed(fields) => {
                    writeln!(f, "~ {}: {}", step.name, step.description)?;
                    for field in fields {
                        writeln!(f, "    {field}")?;
                    }
                }
                Becomes::Unchanged { .. } | Becomes::LeftAlone => {}
            }
        }
        let count = |is: fn(&Becomes) -> bool| self.steps.iter().filter(|step| is(&step.becomes)).count();
        let counts = [
            (count(|it| matches!(it, Becomes::Created)), "created"),
            (count(|it| matches!(it, Becomes::Changed(_))), "changed"),
            (count(|it| matches!(it, Becomes::Deleted)), "deleted"),
            (count(|it| matches!(it, Becomes::Unchanged { .. })), "unchanged"),
            (
                count(|it| matches!(it, Becomes::LeftAlone)),
                "not in the file and left alone",
            ),
        ];
        let told = counts.iter().filter(|(count, _)| *count > 0);
        let told: Vec<String> = told.map(|(count, what)| format!("{count} {what}")).collect();
        match told.is_empty() {
            true => f.write_str("no schedules"),
            false => f.write_str(&told.join(", ")),
        }
    }
}

/// `cron: "0 3 * * *" → "30 2 * * *"`
impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |value: &Option<String>| value.as_deref().map_or("unset".to_owned(), clip);
        write!(f, "{}: {} → {}", self.field, told(&self.from), told(&self.to))
    }
}

fn clip(value: &str) -> String {
    match value.char_indices().nth(TOLD) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}…", &value[..end]),
    }
}
