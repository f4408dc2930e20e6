//! What crosses the wire: JSON, and nothing of it further inside.
//!
//! Instants are RFC 3339 with an offset, and go out in UTC with microseconds. Lengths of time are text such as
//! `1h30m`. Unknown fields of a request are errors; a reader of an answer skips those it does not know.
//!
//! Payloads, results and progress are JSON as it was sent, digit for digit. One that is no JSON stands in base64
//! (RFC 4648) in the field of the same name with `_base64` behind it.

mod batch;
mod bulk;
mod calendar;
mod deferred;
mod edit;
mod ending;
mod event;
mod export;
mod faults;
mod fields;
mod job;
mod json;
mod list;
mod names;
mod new_job;
mod outcome;
mod output;
mod query;
mod queue;
mod read;
mod run;
mod schedule;
mod secret;
mod settle;
mod story;
mod unique;
mod worker;

pub use batch::{Batch, BatchItem};
pub use bulk::{Bulk, Bulked, Refusal, Verb};
pub use calendar::{Calendar, CalendarHead, NewCalendar};
pub use deferred::{BeatDeferred, DeferredVerdict, SettleDeferred};
pub use edit::JobEdit;
pub use ending::{Attempt, Ending};
pub use event::event;
pub use export::{End, ExportLine, Header, KeptJob, KeptOccurrence, KeptOutput, KeptRecord, KeptSchedule};
pub use fields::{At, Length};
pub use job::{Failure, Head, Job, Key, MadeFor, Posted};
pub use json::Blob;
pub use list::{List, ListQuery, Listing, read_cursor, write_cursor};
pub use names::NamesQuery;
pub use new_job::{Backoff, Cancel, NewJob, Nothing, OnLost, Shape};
pub use outcome::{Cancelled, Cause, Defer, Fail, Outcome, PutBack, Released, Retry, Snooze};
pub use output::{OUTPUT_NEXT, OUTPUT_RUN};
pub(crate) use output::{Place, gap};
pub use query::Query;
pub use queue::{
    Counts, Limits, NewRate, NewRetention, Pause, Paused, Purge, Purged, Queue, QueueLimits, Rate, Retention,
};
pub use read::read;
pub use run::{Claimed, Run};
pub use schedule::{
    Backfill, Backfilled, Exclude, Explanation, Fold, Gap, LedgerOrder, LedgerQuery, Misfire, MisfireMode,
    NewPreview, NewSchedule, Occurrence, Overlap, Preview, PreviewItem, PreviewOrder, Schedule, ScheduleHead,
    ScheduleList, Trigger, Triggered, UnreadableSchedule, Upsert, Upserted, read_place, write_place,
};
pub use settle::{Settle, Settled, Settlement};
pub use unique::{OnConflict, Unique, UniqueKey};
pub use worker::{Beat, BeatRun, Beaten, Claim, Verdict, Worker};
