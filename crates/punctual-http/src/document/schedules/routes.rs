//! What the routes of schedules and calendars take and answer.

use serde_json::json;

use super::super::named;
use super::super::operation::Operation;
use super::super::routes::{NEW, page_parameters};

pub(in crate::document) fn operations() -> Vec<Operation> {
    let groups = [schedules(), orders(), looks(), calendars()];
    groups.into_iter().flatten().collect()
}

const VERSION: &str = "The version of its row: each firing makes a new one.";

fn told(operation: Operation) -> Operation {
    operation
        .json(200, "The schedule as it is now.", "Schedule")
        .with(&[200], "ETag", VERSION)
        .problems(&[404])
}

fn schedules() -> Vec<Operation> {
    vec![
        page_parameters(NEW(
            "get",
            "/v1/schedules",
            "list_schedules",
            "Lists schedules by name, at most 100 on a page.",
        ))
        .json(200, "One page.", "ScheduleList"),
        told(NEW(
            "get",
            "/v1/schedules/{name}",
            "show_schedule",
            "The schedule.",
        )),
        NEW(
            "put",
            "/v1/schedules/{name}",
            "set_schedule",
            "Makes a schedule, or gives it another plan; the same plan again changes nothing.",
        )
        .if_match()
        .body("NewSchedule")
        .json(200, "It was there.", "Upserted")
        .json(201, "It was made.", "Upserted")
        .with(&[200, 201], "ETag", VERSION)
        .problems(&[404, 409]),
        NEW(
            "delete",
            "/v1/schedules/{name}",
            "delete_schedule",
            "Deletes a schedule with its ledger; its jobs stay.",
        )
        .if_match()
        .nothing("It is deleted.")
        .problems(&[404, 409]),
    ]
}

fn orders() -> Vec<Operation> {
    vec![
        told(
            NEW(
                "post",
                "/v1/schedules/{name}/pause",
                "pause_schedule",
                "What comes due is skipped, until it is resumed.",
            )
            .if_match()
            .optional_body("Pause"),
        )
        .problems(&[409]),
        told(
            NEW(
                "post",
                "/v1/schedules/{name}/resume",
                "resume_schedule",
                "It fires again.",
            )
            .if_match()
            .optional_body("Nothing"),
        )
        .problems(&[409]),
        NEW(
            "post",
            "/v1/schedules/{name}/trigger",
            "trigger_schedule",
            "Makes a job of it now; the plan goes on where it was.",
        )
        .optional_body("Trigger")
        .json(200, "There is such a job.", "Triggered")
        .with(&[200], "Location", "Where the job is.")
        .problems(&[404, 409]),
        NEW(
            "post",
            "/v1/schedules/{name}/backfill",
            "backfill_schedule",
            "Makes jobs for instants that were skipped, or lie before it was made.",
        )
        .body("Backfill")
        .json(200, "What this call came to.", "Backfilled")
        .problems(&[404, 409]),
    ]
}

fn looks() -> Vec<Operation> {
    let outcome = json!({"enum": ["fired", "skipped"]});
    vec![
        page_parameters(NEW(
            "get",
            "/v1/schedules/{name}/occurrences",
            "occurrences_of_schedule",
            "What became of its instants, latest first.",
        ))
        .query("from", "Instants at this one or later.", named("Instant"))
        .query("until", "Instants at this one or earlier.", named("Instant"))
        .query("outcome", "Only those that were fired, or skipped.", outcome)
        .page("Occurrence")
        .problems(&[404]),
        NEW(
            "get",
            "/v1/schedules/{name}/explain",
            "explain_schedule",
            "Why it fires, or does not.",
        )
        .json(200, "A sentence for each thing to know.", "Explanation")
        .problems(&[404]),
        NEW(
            "post",
            "/v1/schedules/preview",
            "preview_schedule",
            "The next instants of a schedule, which need not be stored.",
        )
        .body("NewPreview")
        .json(200, "The instants.", "Preview"),
    ]
}

fn calendars() -> Vec<Operation> {
    let version = "The version of its dates.";
    let new = |method, id, summary| NEW(method, "/v1/calendars/{name}", id, summary);
    vec![
        page_parameters(NEW(
            "get",
            "/v1/calendars",
            "list_calendars",
            "Lists calendars by name.",
        ))
        .page("CalendarHead"),
        new("get", "show_calendar", "The calendar.")
            .json(200, "The calendar.", "Calendar")
            .with(&[200], "ETag", version)
            .problems(&[404]),
        new(
            "put",
            "set_calendar",
            "Sets the dates of a calendar, all of them.",
        )
        .if_match()
        .body("NewCalendar")
        .json(200, "It was there.", "Calendar")
        .json(201, "It was made.", "Calendar")
        .with(&[200, 201], "ETag", version)
        .problems(&[404, 409]),
        new("delete", "delete_calendar", "Deletes a calendar.")
            .if_match()
            .nothing("It is deleted.")
            .problems(&[404, 409]),
    ]
}
