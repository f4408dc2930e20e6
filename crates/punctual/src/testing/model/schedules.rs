//! Schedules: what steps say of them, made into changes, and the comparison of all that two stores hold of them.

use std::sync::Arc;

use super::decide;
use super::play::{Played, Twins, same};
use super::step::{Entry, Plans, Scheduling};
use crate::change::{Forget, ScheduleChange};
use crate::job::{Job, Origin};
use crate::schedule::{
    Cause, Occurrence, OccurrenceKey, Outcome, Reason, Schedule, ScheduleId, ScheduleName, Standing,
};
use crate::store::Schedules;
use crate::testing::sample::{self, Draft, NOW, id, plan, standing};
use crate::time::Timestamp;

/// Schedules of a history. The first ones have names of their own, the others share these.
const SCHEDULES: u8 = 5;
const NAMES: u8 = 3;

/// The schedule that waits for the end of this job, if one does.
pub(super) fn made_by_a_schedule(number: u8, job: Job) -> Job {
    if !number.is_multiple_of(4) {
        return job;
    }
    let schedule = schedule(number / 4 % SCHEDULES);
    job.body(|body| {
        body.origin = Some(Origin {
            schedule: schedule.id,
            name: schedule.name,
            nominal_at: NOW,
            missed: 0,
            pokes: number.is_multiple_of(8),
        });
    })
}

fn schedule(number: u8) -> Schedule {
    Schedule {
        name: ScheduleName::from(format!("schedule-{}", number % NAMES)),
        ..sample::schedule(u64::from(number))
    }
}

impl Twins {
    pub(super) async fn schedule(&mut self, steps: &[Scheduling]) -> Played {
        let there = self.memory.schedules(every(100)).await.unwrap_or_default().items;
        let changes: Vec<_> = steps.iter().map(|step| self.change(step, &there)).collect();
        let made = steps.iter().flat_map(|step| &step.jobs);
        self.jobs.extend(made.map(|row| row.job));
        let (memory, store) = (
            self.memory.change_schedules(&changes),
            self.store.change_schedules(&changes),
        );
        same(&changes, memory, store).await?;
        Ok(())
    }

    fn change(&self, step: &Scheduling, there: &[Schedule]) -> ScheduleChange {
        let new = schedule(step.schedule % SCHEDULES);
        let known = there.iter().find(|row| row.id == new.id).unwrap_or(&new).clone();
        let known = Schedule {
            rev: known.rev.saturating_sub(u64::from(step.off_by)),
            ..known
        };
        let stands = |n: u8, next: Option<i32>| Standing {
            next: next.map(|millis| decide::from(self.now, millis)),
            ..standing(u64::from(n % 4))
        };
        let mut change = match step.does {
            Plans::Make(_) => ScheduleChange::to(&Schedule { rev: 0, ..new }, stands(0, None)),
            Plans::Stand(n, next) => ScheduleChange::to(&known, stands(n, next)),
            Plans::Replan(_) => ScheduleChange::to(&known, known.standing.clone()),
            Plans::Delete => return ScheduleChange::delete(&known),
        };
        if let (Plans::Make(kind) | Plans::Replan(kind), Some(becomes)) = (step.does, &mut change.becomes) {
            becomes.plan = Arc::new(plan::of(u64::from(kind)));
            change.replans = true;
        }
        let jobs = step.jobs.iter().map(|row| decide::row(row, self.now));
        change.jobs = jobs
            .map(|job| job.status(|status| status.unique_key = None))
            .collect();
        change.ledger = step
            .ledger
            .iter()
            .map(|entry| self.entry(known.id, *entry))
            .collect();
        change.drops = step
            .drops
            .iter()
            .map(|entry| self.entry(known.id, *entry).key())
            .collect();
        change
            .drops
            .retain(|key| change.ledger.iter().all(|entry| entry.key() != *key));
        change.forget = step.forget.map(|(millis, keep)| Forget {
            before: decide::from(NOW, millis),
            keep: usize::from(keep),
        });
        change
    }

    /// Entries lie at few instants, so that they meet.
    fn entry(&self, schedule: ScheduleId, entry: Entry) -> Occurrence {
        let nominal_at = decide::from(NOW, entry.at);
        let count = u64::from(entry.count);
        Occurrence {
            schedule,
            nominal_at,
            until: Timestamp::from_micros(nominal_at.as_micros() + i64::from(entry.count)),
            count,
            at: self.now,
            cause: match entry.count % 3 {
                0 => Cause::Triggered,
                1 => Cause::Planned,
                _ => Cause::Backfilled,
            },
            outcome: match Reason::ALL.get(usize::from(entry.skipped)) {
                Some(reason) => Outcome::Skipped(*reason),
                None => Outcome::Fired {
                    job: id(count),
                    missed: count,
                },
            },
        }
    }

    /// Compares every schedule, in both orders and by name, and every ledger, page by page.
    pub(super) async fn look_at_schedules(&self) -> Played {
        for limit in [1, 2, 100] {
            self.list_schedules(every(limit)).await?;
            self.list_schedules(looks(limit)).await?;
        }
        let names = (0..NAMES).rev().map(|number| schedule(number).name).collect();
        self.list_schedules(Schedules::Named(names)).await?;
        for number in 0..SCHEDULES {
            let of = schedule(number).id;
            let middle = OccurrenceKey {
                nominal_at: NOW,
                triggered: true,
            };
            for (before, limit) in [(None, 100), (None, 1), (Some(middle), 100)] {
                let memory = self.memory.occurrences(of, before, limit);
                let store = self.store.occurrences(of, before, limit);
                same(&("occurrences", of, before, limit), memory, store).await?;
            }
        }
        Ok(())
    }

    /// Reads from the beginning, and once more behind what came last.
    async fn list_schedules(&self, which: Schedules) -> Played {
        let (memory, store) = (
            self.memory.schedules(which.clone()),
            self.store.schedules(which.clone()),
        );
        let rows = same(&which, memory, store).await?;
        let Some(last) = rows.and_then(|mut rows| rows.items.pop()) else {
            return Ok(());
        };
        let behind = match which {
            Schedules::All { limit, .. } => Schedules::All {
                after: Some(last.name),
                limit,
            },
            Schedules::Next { limit, .. } => Schedules::Next {
                after: last.standing.next.map(|next| (next, last.id)),
                limit,
            },
            Schedules::Named(_) => return Ok(()),
        };
        let (memory, store) = (
            self.memory.schedules(behind.clone()),
            self.store.schedules(behind.clone()),
        );
        same(&behind, memory, store).await?;
        Ok(())
    }
}

fn every(limit: usize) -> Schedules {
    Schedules::All { after: None, limit }
}

fn looks(limit: usize) -> Schedules {
    Schedules::Next { after: None, limit }
}
