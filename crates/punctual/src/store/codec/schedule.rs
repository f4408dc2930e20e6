//! The form of a schedule's plan and of its standing: a text of compact JSON each, under the same contract as the rest.
//!
//! A plan that a newer version wrote, with something in it that this one does not know, cannot be read: to fire it without
//! what it does not know might be to fire it wrongly.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{micros, read, read_options, write, write_options};
use crate::error::Error;
use crate::job::{JobId, NewJob};
use crate::queue::QueueName;
use crate::schedule::cron::{Cron, Fold, Gap};
use crate::schedule::{
    Every, Exclusions, Misfire, MisfireMode, OpenSkips, Overlap, Owed, Pause, Plan, Reason, Spec, Standing,
    Zone,
};
use crate::time::Timestamp;

/// A plan as text.
pub(crate) fn write_plan(plan: &Plan) -> String {
    write(&PlanText::of(plan))
}

/// Reads what [`write_plan`] wrote.
pub(crate) fn read_plan(text: &str) -> Result<Plan, Error> {
    read::<PlanText>("plan of a schedule", text)?.read()
}

/// A standing as text, without its [next look](Standing::next), which has a column of its own.
pub(crate) fn write_standing(standing: &Standing) -> String {
    write(&StandingText::of(standing))
}

/// Reads what [`write_standing`] wrote.
pub(crate) fn read_standing(text: &str, next: Option<Timestamp>) -> Result<Standing, Error> {
    let text: StandingText = read("standing of a schedule", text)?;
    Ok(text.read(next))
}

/// The reason that this name stands for.
pub(crate) fn read_reason(name: &str) -> Result<Reason, Error> {
    let known = Reason::ALL.into_iter().find(|known| known.as_str() == name);
    known.ok_or_else(|| Error::internal(format!("a row holds an unknown reason of a skip: {name:?}")))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanText {
    spec: SpecText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_runs: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dates: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    weekdays: Vec<i8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calendars: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spread_us: Option<u64>,
    misfire: MisfireText,
    overlap: OverlapText,
    job: JobText,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum SpecText {
    Cron {
        pattern: String,
        zone: String,
        gap: GapText,
        fold: FoldText,
    },
    Every {
        length_us: u64,
        phase_us: u64,
    },
    AfterUs(u64),
    At(Vec<i64>),
}

/// Names an enum of the library in rows.
macro_rules! names {
    ($text:ident of $word:ident: $($variant:ident)+) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum $text { $($variant),+ }

        impl $text {
            fn of(word: $word) -> $text {
                match word { $($word::$variant => $text::$variant),+ }
            }

            fn read(self) -> $word {
                match self { $($text::$variant => $word::$variant),+ }
            }
        }
    };
}

names!(GapText of Gap: Shift Skip);
names!(FoldText of Fold: First Second Both);
names!(ModeText of MisfireMode: Skip Latest All);
names!(OverlapText of Overlap: Skip BufferOne CancelOther Allow);
names!(ReasonText of Reason: Overlap Misfire Paused DstGap Ended);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MisfireText {
    mode: ModeText,
    grace_us: u64,
    max: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobText {
    kind: String,
    payload: PayloadText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    options: Option<String>,
}

/// Bytes that are text are kept so, for people who look into a row.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PayloadText {
    Text(String),
    Base64(String),
}

impl PlanText {
    fn of(plan: &Plan) -> PlanText {
        let exclude = &plan.exclude;
        PlanText {
            spec: SpecText::of(&plan.spec),
            zone: (plan.zone != Zone::default()).then(|| plan.zone.to_string()),
            start: plan.start.map(Timestamp::as_micros),
            end: plan.end.map(Timestamp::as_micros),
            max_runs: plan.max_runs,
            dates: exclude.dates.iter().map(Date::to_string).collect(),
            weekdays: exclude
                .weekdays
                .iter()
                .map(|day| day.to_monday_one_offset())
                .collect(),
            calendars: exclude.calendars.clone(),
            spread_us: plan.spread.map(micros),
            misfire: MisfireText {
                mode: ModeText::of(plan.misfire.mode),
                grace_us: micros(plan.misfire.grace),
                max: plan.misfire.max,
            },
            overlap: OverlapText::of(plan.overlap),
            job: JobText::of(&plan.job),
        }
    }

    fn read(self) -> Result<Plan, Error> {
        let weekdays = self.weekdays.into_iter().map(|day| {
            Weekday::from_monday_one_offset(day)
                .map_err(|_| Error::internal(format!("a row holds an unknown day of the week: {day}")))
        });
        let dates = self.dates.into_iter().map(|text| {
            text.parse::<Date>()
                .map_err(|_| Error::internal(format!("a row holds an unknown date: {text:?}")))
        });
        Ok(Plan {
            spec: self.spec.read()?,
            zone: self.zone.map_or(Ok(Zone::default()), |zone| zone.parse())?,
            start: self.start.map(Timestamp::from_micros),
            end: self.end.map(Timestamp::from_micros),
            max_runs: self.max_runs,
            exclude: Exclusions {
                dates: dates.collect::<Result<_, _>>()?,
                weekdays: weekdays.collect::<Result<_, _>>()?,
                calendars: self.calendars,
            },
            spread: self.spread_us.map(Duration::from_micros),
            misfire: Misfire {
                mode: self.misfire.mode.read(),
                grace: Duration::from_micros(self.misfire.grace_us),
                max: self.misfire.max,
            },
            overlap: self.overlap.read(),
            job: self.job.read()?,
        })
    }
}

impl SpecText {
    fn of(spec: &Spec) -> SpecText {
        match spec {
            Spec::Cron(cron) => SpecText::Cron {
                pattern: cron.pattern.to_string(),
                zone: cron.zone.to_string(),
                gap: GapText::of(cron.gap),
                fold: FoldText::of(cron.fold),
            },
            Spec::Every(every) => SpecText::Every {
                length_us: micros(every.length),
                phase_us: micros(every.phase),
            },
            Spec::After(delay) => SpecText::AfterUs(micros(*delay)),
            Spec::At(instants) => SpecText::At(instants.iter().map(|at| at.as_micros()).collect()),
        }
    }

    /// A pattern or a zone that this build does not know makes its row unreadable, and no other.
    fn read(self) -> Result<Spec, Error> {
        Ok(match self {
            SpecText::Cron {
                pattern,
                zone,
                gap,
                fold,
            } => Spec::Cron(Cron {
                pattern: pattern.parse()?,
                zone: zone.parse()?,
                gap: gap.read(),
                fold: fold.read(),
            }),
            SpecText::Every { length_us, phase_us } => Spec::Every(Every {
                length: Duration::from_micros(length_us),
                phase: Duration::from_micros(phase_us),
            }),
            SpecText::AfterUs(delay) => Spec::After(Duration::from_micros(delay)),
            SpecText::At(instants) => Spec::At(instants.into_iter().map(Timestamp::from_micros).collect()),
        })
    }
}

impl JobText {
    /// A template has no id, no start and no unique key.
    fn of(job: &NewJob) -> JobText {
        JobText {
            kind: job.kind.clone(),
            payload: match str::from_utf8(&job.payload) {
                Ok(text) => PayloadText::Text(text.to_owned()),
                Err(_) => PayloadText::Base64(STANDARD.encode(&job.payload)),
            },
            queue: job.queue.as_ref().map(QueueName::to_string),
            priority: job.priority,
            tags: job.tags.clone(),
            options: write_options(&job.options, None),
        }
    }

    fn read(self) -> Result<NewJob, Error> {
        let payload = match self.payload {
            PayloadText::Text(text) => Bytes::from(text),
            PayloadText::Base64(text) => {
                let bytes = STANDARD.decode(text);
                Bytes::from(bytes.map_err(|error| {
                    Error::internal("a row holds a payload that cannot be read").caused_by(error)
                })?)
            }
        };
        let (options, _) = read_options(self.options.as_deref())?;
        let mut job = NewJob::bytes(self.kind, payload);
        job.queue = self.queue.map(QueueName::from);
        job.priority = self.priority;
        job.tags = self.tags;
        job.options = options;
        Ok(job)
    }
}

#[derive(Serialize, Deserialize)]
struct StandingText {
    settled: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    live: Vec<Uuid>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    owed: Vec<(i64, u64)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    makes_way: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    skips: Option<SkipsText>,
    #[serde(default, skip_serializing_if = "super::is_zero")]
    missed: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_ended: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    watched: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused: Option<PauseText>,
    #[serde(default, skip_serializing_if = "super::is_zero")]
    fired: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_fired: Option<i64>,
    #[serde(default, skip_serializing_if = "super::is_zero")]
    written: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgot: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct SkipsText {
    from: i64,
    until: i64,
    count: u64,
    reason: ReasonText,
}

#[derive(Serialize, Deserialize)]
struct PauseText {
    reason: String,
    since: i64,
}

impl StandingText {
    fn of(standing: &Standing) -> StandingText {
        StandingText {
            settled: standing.settled_until.as_micros(),
            live: standing.live.iter().map(|id| id.0).collect(),
            owed: standing
                .owed
                .iter()
                .map(|owed| (owed.nominal_at.as_micros(), owed.missed))
                .collect(),
            makes_way: standing.makes_way,
            skips: standing.skips.map(|skips| SkipsText {
                from: skips.from.as_micros(),
                until: skips.until.as_micros(),
                count: skips.count,
                reason: ReasonText::of(skips.reason),
            }),
            missed: standing.missed,
            last_ended: standing.last_ended.map(Timestamp::as_micros),
            watched: standing.watched,
            paused: standing.paused.as_ref().map(|pause| PauseText {
                reason: pause.reason.clone(),
                since: pause.since.as_micros(),
            }),
            fired: standing.fired,
            last_fired: standing.last_fired.map(Timestamp::as_micros),
            written: standing.written,
            forgot: standing.forgot_at.map(Timestamp::as_micros),
        }
    }

    fn read(self, next: Option<Timestamp>) -> Standing {
        let owed = self.owed.into_iter().map(|(nominal_at, missed)| Owed {
            nominal_at: Timestamp::from_micros(nominal_at),
            missed,
        });
        Standing {
            settled_until: Timestamp::from_micros(self.settled),
            next,
            live: self.live.into_iter().map(JobId).collect(),
            owed: owed.collect(),
            makes_way: self.makes_way,
            skips: self.skips.map(|skips| OpenSkips {
                from: Timestamp::from_micros(skips.from),
                until: Timestamp::from_micros(skips.until),
                count: skips.count,
                reason: skips.reason.read(),
            }),
            missed: self.missed,
            last_ended: self.last_ended.map(Timestamp::from_micros),
            watched: self.watched,
            paused: self.paused.map(|pause| Pause {
                reason: pause.reason,
                since: Timestamp::from_micros(pause.since),
            }),
            fired: self.fired,
            last_fired: self.last_fired.map(Timestamp::from_micros),
            written: self.written,
            forgot_at: self.forgot.map(Timestamp::from_micros),
        }
    }
}
