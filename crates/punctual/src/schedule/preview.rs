//! What will come of a plan.

use std::time::Duration;

use jiff::Zoned;
use jiff::civil::{DateTime, Time};

use super::cron::{Decision, Nominal};
use super::{Calendars, Plan, Spec, Zone};
use crate::limits::PREVIEW_INSTANTS;
use crate::time::Timestamp;

/// The next instants of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// One after the other, also those that the clocks of the zone leave out.
    pub items: Vec<Foreseen>,
    /// What comes after them.
    pub further: Further,
}

/// An instant that a plan will come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreseen {
    /// The instant; for a local time that is left out, the first one after the gap.
    pub at: Timestamp,
    /// What the clocks of the zone show at that instant.
    pub shown: Zoned,
    /// The local time that the plan names: another one than the clocks show if they leave it out.
    pub named: DateTime,
    /// What the clocks do to it.
    pub fate: Fate,
}

/// What the clocks of a zone do to an instant of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: it fires at its local time.
    Plain,
    /// Its local time does not exist, and it fires at the first instant after the gap.
    Shifted,
    /// Its local time comes twice, and this is the first time.
    First,
    /// Its local time comes twice, and this is the second time.
    Second,
    /// Its local time does not exist, and it is skipped.
    LeftOut,
    /// The whole day does not exist, and it is skipped.
    DayLeftOut,
}

/// What comes after the last instant that was foreseen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Further {
    /// More of them.
    More,
    /// Nothing: the plan has ended.
    Nothing,
    /// More, each so long after the end of the run before it.
    AfterRuns(Duration),
}

impl Plan {
    /// The next `count` instants later than `from`, at most [`PREVIEW_INSTANTS`], as if none had been before: of a schedule that
    /// has [made runs](super::Standing::fired), take those off [`max_runs`](Plan::max_runs) first.
    ///
    /// Instants of [`Spec::After`] depend on when runs end, so only the first one is told.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use punctual::schedule::{Every, Plan, Spec};
    /// use punctual::{NewJob, Timestamp, minutes};
    ///
    /// let spec = Spec::Every(Every { length: minutes(15), phase: minutes(0) });
    /// let plan = Plan::new(spec, NewJob::new("report", &())?);
    /// let noon: Timestamp = "2026-12-01T12:00:00Z".parse()?;
    /// let preview = plan.preview(noon, 2, &BTreeMap::new());
    /// assert_eq!(preview.items[1].at, noon + minutes(30));
    /// # Ok::<(), punctual::Error>(())
    /// ```
    pub fn preview(&self, from: Timestamp, count: usize, calendars: &Calendars) -> Preview {
        let count = count.min(PREVIEW_INSTANTS);
        if let Spec::After(delay) = self.spec {
            return self.preview_of_first(from, count, delay, calendars);
        }
        let mut items: Vec<Foreseen> = Vec::new();
        let (mut after, mut runs) = (from, 0);
        loop {
            let made_all = self.max_runs.is_some_and(|max| runs >= max);
            let next = self.nominal_after(after, calendars).filter(|_| !made_all);
            let further = match next {
                None => Further::Nothing,
                Some(_) if items.len() == count => Further::More,
                Some(nominal) => {
                    after = nominal.at;
                    runs += u64::from(nominal.decision != Decision::Skipped);
                    items.push(Foreseen::of(nominal, self.zone()));
                    continue;
                }
            };
            return Preview { items, further };
        }
    }

    fn preview_of_first(
        &self,
        from: Timestamp,
        count: usize,
        delay: Duration,
        calendars: &Calendars,
    ) -> Preview {
        let begins = self.start.map_or(from, |start| start.max(from));
        let first = self.next_working(begins, calendars);
        let first = first.filter(|at| self.max_runs != Some(0) && self.end.is_none_or(|end| *at < end));
        let shown = first.map(|at| Foreseen::plain(at, self.zone()));
        let further = match (first, self.max_runs) {
            (None, _) | (_, Some(1)) => Further::Nothing,
            _ => Further::AfterRuns(delay),
        };
        Preview {
            items: shown.into_iter().take(count).collect(),
            further,
        }
    }
}

impl Foreseen {
    fn of(nominal: Nominal, zone: &Zone) -> Foreseen {
        let fate = match nominal.decision {
            Decision::Plain => Fate::Plain,
            Decision::Shifted => Fate::Shifted,
            Decision::First => Fate::First,
            Decision::Second => Fate::Second,
            Decision::Skipped if is_left_out(nominal.local, zone) => Fate::DayLeftOut,
            Decision::Skipped => Fate::LeftOut,
        };
        Foreseen {
            at: nominal.at,
            shown: shown(nominal.at, zone),
            named: nominal.local,
            fate,
        }
    }

    fn plain(at: Timestamp, zone: &Zone) -> Foreseen {
        let shown = shown(at, zone);
        Foreseen {
            at,
            named: shown.datetime(),
            shown,
            fate: Fate::Plain,
        }
    }

    /// What the clocks do to it, in a sentence: "02:30 does not exist on this day; it fires at 03:00". Nothing if they do nothing.
    pub fn note(&self) -> Option<String> {
        let (named, shown) = (clock(self.named.time()), clock(self.shown.time()));
        let twice = |which| format!("{named} comes twice on this day, and this is the {which} time");
        Some(match self.fate {
            Fate::Plain => return None,
            Fate::Shifted if self.named.date() == self.shown.date() => {
                format!("{named} does not exist on this day; it fires at {shown}")
            }
            Fate::Shifted => {
                let (day, fires) = (self.named.date(), self.shown.date());
                format!("{named} does not exist on {day}; it fires at {shown} on {fires}")
            }
            Fate::First => twice("first"),
            Fate::Second => twice("second"),
            Fate::LeftOut => format!("{named} does not exist on {}, and is skipped", self.named.date()),
            Fate::DayLeftOut => format!(
                "{} does not exist in this zone, and is skipped",
                self.named.date()
            ),
        })
    }
}

impl Fate {
    /// Its name in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Fate::Plain => "plain",
            Fate::Shifted => "shifted",
            Fate::First => "first",
            Fate::Second => "second",
            Fate::LeftOut => "left_out",
            Fate::DayLeftOut => "day_left_out",
        }
    }

    /// Whether a job is made for it.
    pub fn fires(self) -> bool {
        !matches!(self, Fate::LeftOut | Fate::DayLeftOut)
    }
}

fn shown(at: Timestamp, zone: &Zone) -> Zoned {
    jiff::Timestamp::from(at).to_zoned(zone.rules().clone())
}

/// Whether the clocks of the zone never show the date of this local time.
fn is_left_out(local: DateTime, zone: &Zone) -> bool {
    let midnight = local.date().to_datetime(Time::midnight());
    // Where midnight is left out alone, the clocks go on within the day.
    let begins = zone.rules().to_ambiguous_timestamp(midnight).compatible();
    begins.is_ok_and(|begins| zone.rules().to_datetime(begins).date() != local.date())
}

/// A time of day as short as it can be told.
pub(super) fn clock(time: Time) -> String {
    let precise = time.subsec_nanosecond() != 0;
    let form = match (time.second(), precise) {
        (0, false) => "%H:%M",
        _ => "%H:%M:%S%.f",
    };
    time.strftime(form).to_string()
}
