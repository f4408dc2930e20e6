//! Lists: rows in the order of a view, those that match, one page at a time.

use std::cmp::Reverse;
use std::ops::Bound;

use super::rows::{Rows, alarm, ended};
use crate::job::{Job, JobId};
use crate::limits;
use crate::store::{Cursor, Filter, Head, Listed, Page, View};
use crate::time::Timestamp;

impl Rows {
    pub(super) fn list(&self, filter: &Filter, page: &Page, now: Timestamp) -> Listed {
        let mut rows = self.rows_after(filter.view, page.after).peekable();
        let mut items = Vec::new();
        let mut last = None;
        for job in rows.by_ref().take(limits::PAGE_ROWS) {
            last = Some(job);
            let head = Head::of(job, now);
            if filter.matches(&head) {
                items.push(head);
            }
            if items.len() == page.limit {
                break;
            }
        }
        let next = rows.peek().and(last).map(|job| cursor(filter.view, job));
        Listed { items, next }
    }

    /// The rows of a view in its order, from behind the cursor on.
    fn rows_after(&self, view: View, after: Option<Cursor>) -> Box<dyn Iterator<Item = &Job> + '_> {
        let ids: Box<dyn Iterator<Item = &JobId> + '_> = match view {
            View::All => Box::new(
                self.all()
                    .range(behind(after.map(|row| row.id)))
                    .map(|(id, _)| id),
            ),
            View::Waiting => {
                let from = behind(after.map(|row| (row.at, row.id)));
                Box::new(self.waiting.range(from).map(|(_, id)| id))
            }
            View::Running => {
                let from = behind(after.map(|row| (row.at, row.id)));
                Box::new(self.running.range(from).map(|(_, id)| id))
            }
            View::Ended(_) => {
                let from = behind(after.map(|row| (Reverse(row.at), row.id)));
                Box::new(self.ended.range(from).map(|(_, id)| id))
            }
        };
        Box::new(ids.filter_map(|id| self.get(*id)))
    }
}

/// Everything behind a place, or everything.
fn behind<T>(after: Option<T>) -> (Bound<T>, Bound<T>) {
    (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded)
}

/// Where this row stands in the view.
fn cursor(view: View, job: &Job) -> Cursor {
    let at = match view {
        View::All => Timestamp::EPOCH,
        View::Waiting => job.status.due,
        View::Running => alarm(job),
        View::Ended(_) => ended(job),
    };
    Cursor { at, id: job.id() }
}
