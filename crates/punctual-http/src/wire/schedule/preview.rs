//! A look at what a schedule will come to, before it is stored.

use std::fmt;

use punctual::job;
use punctual::limits::PREVIEW_INSTANTS;
use punctual::schedule::{self, Foreseen, Further, Plan};
use punctual::time::format_length;
use punctual::{Error, Timestamp};
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::super::At;
use super::super::faults::Faults;
use super::{NewSchedule, read_job};
use crate::limits::PREVIEW_ITEMS;

/// The body of `POST /v1/schedules/preview`: a schedule, whose `job` may be left out, and beside it what is to be looked at.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewPreview {
    /// The schedule.
    #[serde(flatten)]
    pub schedule: NewSchedule,
    /// Instants later than this one. Unset, now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How many: 1 to 1000. Unset, 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

/// A preview that is asked for, in the library's words.
#[derive(Clone, Debug, PartialEq)]
pub struct PreviewOrder {
    /// The plan.
    pub plan: Plan,
    /// Instants later than this one; unset, now.
    pub from: Option<Timestamp>,
    /// How many.
    pub count: usize,
}

/// The answer to a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// When the schedule fires, in words.
    pub description: String,
    /// Whose local times are told.
    pub zone: String,
    /// Its next instants, also those that the clocks leave out.
    pub items: Vec<PreviewItem>,
    /// Whether more come after them.
    pub more: bool,
    /// What else is to be known, in a sentence.
    pub note: Option<String>,
}

/// An instant that a schedule will come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewItem {
    /// The instant; for a local time that is left out, the first one after the gap.
    pub at: At,
    /// What the clocks of the zone show then, with their offset.
    pub local: String,
    /// `fires` or `skipped`.
    pub outcome: String,
    /// What the clocks do to it: `plain` (nothing), `shifted`, `first`, `second`, `left_out` or `day_left_out`.
    pub clocks: String,
    /// The same in a sentence; `null` where it is nothing.
    pub note: Option<String>,
}

impl NewPreview {
    /// What is asked for, in the library's words.
    ///
    /// # Errors
    ///
    /// `Invalid`, with a JSON pointer to each bad field.
    pub fn read(mut self) -> Result<PreviewOrder, Error> {
        let mut faults = Faults::default();
        let job = match self.schedule.job.take() {
            Some(job) => read_job(job, &mut faults),
            None => Some(job::NewJob::bytes("preview", "null")),
        };
        let plan = self.schedule.plan(job, &mut faults);
        let from = faults.parse("/from", self.from);
        let accepted = format!("1 to {PREVIEW_INSTANTS}");
        let count = faults.whole("/count", self.count, &accepted);
        let count = count.unwrap_or(PREVIEW_ITEMS);
        if !(1..=PREVIEW_INSTANTS).contains(&count) {
            faults.add("/count", format!("{count} is out of range; write {accepted}"));
        }
        faults.or(())?;
        let plan = plan.ok_or_else(|| Error::invalid("this is no schedule"))?;
        Ok(PreviewOrder { plan, from, count })
    }
}

impl Preview {
    /// What a plan will come to, in the wire's words.
    pub fn of(plan: &Plan, preview: &schedule::Preview) -> Preview {
        let note = match preview.further {
            Further::AfterRuns(delay) => Some(format!(
                "the next instant depends on the run before it: it comes {} after its end",
                format_length(delay)
            )),
            Further::More | Further::Nothing => plan.spread.map(|spread| {
                format!(
                    "each job is due up to {} later than its instant, always by the same length for one schedule",
                    format_length(spread)
                )
            }),
        };
        Preview {
            description: plan.describe(),
            zone: plan.zone().to_string(),
            items: preview.items.iter().map(PreviewItem::of).collect(),
            more: preview.further != Further::Nothing,
            note,
        }
    }
}

impl PreviewItem {
    /// The instant in the wire's words.
    pub fn of(item: &Foreseen) -> PreviewItem {
        PreviewItem {
            at: At(item.at),
            local: item.shown.strftime("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
            outcome: if item.fate.fires() { "fires" } else { "skipped" }.to_owned(),
            clocks: item.fate.as_str().to_owned(),
            note: item.note(),
        }
    }
}

/// Reads what is beside the schedule on the way, since serde's `flatten` knows neither raw JSON nor what is unknown.
impl<'de> Deserialize<'de> for NewPreview {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NewPreview, D::Error> {
        struct FromMap;

        impl<'de> Visitor<'de> for FromMap {
            type Value = NewPreview;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<NewPreview, A::Error> {
                let mut beside = Beside::default();
                let rest = Rest {
                    map,
                    beside: &mut beside,
                };
                let schedule = NewSchedule::deserialize(MapAccessDeserializer::new(rest))?;
                Ok(NewPreview {
                    schedule,
                    from: beside.from.flatten(),
                    count: beside.count.flatten(),
                })
            }
        }

        deserializer.deserialize_map(FromMap)
    }
}

/// What stands beside the schedule. Each is given once.
#[derive(Default)]
struct Beside {
    from: Option<Option<String>>,
    count: Option<Option<i64>>,
}

/// The fields of the schedule alone.
struct Rest<'a, A> {
    map: A,
    beside: &'a mut Beside,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Rest<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let mut seed = seed;
        while let Some(name) = self.map.next_key_seed(Name(seed))? {
            seed = match name {
                Key::From(seed) => {
                    once(&mut self.beside.from, self.map.next_value()?, "from").map(|()| seed)?
                }
                Key::Count(seed) => {
                    once(&mut self.beside.count, self.map.next_value()?, "count").map(|()| seed)?
                }
                Key::OfSchedule(name) => return Ok(Some(name)),
            };
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// The name of a field, before it is known whose it is.
struct Name<K>(K);

/// Whose field it is.
enum Key<K, V> {
    From(K),
    Count(K),
    OfSchedule(V),
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for Name<K> {
    type Value = Key<K, K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "from" => Ok(Key::From(self.0)),
            "count" => Ok(Key::Count(self.0)),
            _ => {
                let name = self.0.deserialize(StringDeserializer::<D::Error>::new(name));
                // An unknown field is told with all that are known.
                name.map(Key::OfSchedule)
                    .map_err(|error| D::Error::custom(format!("{error}, `from`, `count`")))
            }
        }
    }
}

fn once<T, E: serde::de::Error>(field: &mut Option<T>, value: T, name: &'static str) -> Result<(), E> {
    match field.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::duplicate_field(name)),
    }
}
