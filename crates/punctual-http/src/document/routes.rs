//! What every route takes and answers.

use punctual::limits::PAGE_ITEMS as PAGE_ITEMS_MAX;
use serde_json::{Value, json};

use super::operation::Operation;
use super::{named, schedules, written};

type New = fn(&'static str, &'static str, &'static str, &'static str) -> Operation;

/// Every operation of the server.
pub(super) fn operations() -> impl Iterator<Item = Operation> {
    let groups: [Vec<Operation>; 9] = [
        jobs(),
        job(),
        changes(),
        all_jobs(),
        output(),
        queues(),
        schedules::operations(),
        workers(),
        server(),
    ];
    groups.into_iter().flatten()
}

pub(super) const NEW: New = Operation::new;

fn jobs() -> Vec<Operation> {
    let list = NEW(
        "get",
        "/v1/jobs",
        "list_jobs",
        "Lists jobs, without their payloads and results.",
    );
    vec![
        list_parameters(list).page("Head").problems(&[404]),
        NEW(
            "post",
            "/v1/jobs",
            "add_job",
            "Adds a job. Once it is answered, the job is stored.",
        )
        .query(
            "wait",
            "Answer when the job has ended, or after this long: at most 10m.",
            named("Length"),
        )
        .body("NewJob")
        .json(
            200,
            "It was there before, another job holds its unique key, or it has ended.",
            "Posted",
        )
        .json(201, "It was added.", "Posted")
        .json(202, "It was added, and has not ended within the wait.", "Posted")
        .with(&[200, 201, 202], "ETag", "The version of its row.")
        .with(&[200, 201, 202], "Location", "Where the job is.")
        .problems(&[409]),
        NEW(
            "post",
            "/v1/jobs/batch",
            "add_jobs",
            "Adds up to 1000 jobs, in a body of up to 64 MiB; each may fail alone.",
        )
        .body("NewJobs")
        .json(200, "An answer for each job, in their order.", "Batch"),
    ]
}

fn list_parameters(list: Operation) -> Operation {
    let text = || json!({"type": "string"});
    let instant = || named("Instant");
    page_parameters(list)
        .query(
            "state",
            "A stored state, a phase, or `ended` for the three ends together.",
            written::state(),
        )
        .query("phase", "Jobs in this phase.", named("Phase"))
        .query("queue", "Jobs of this queue.", text())
        .query("kind", "Jobs of this kind.", text())
        .query("tag", "Jobs with this tag.", text())
        .query(
            "schedule",
            "Jobs that this schedule made, as far as its ledger still tells of them: those of the latest instants first.",
            named("Name"),
        )
        .query("worker", "Jobs that this worker runs, or ran last.", text())
        .query("key", "The job that holds this unique key.", text())
        .query("due_before", "Jobs due before this instant.", instant())
        .query("due_after", "Jobs due at this instant or later.", instant())
        .query("ended_before", "Jobs that ended before this instant.", instant())
}

pub(super) fn page_parameters(list: Operation) -> Operation {
    let limit = json!({"type": "integer", "minimum": 1, "maximum": PAGE_ITEMS_MAX, "default": crate::limits::PAGE_ITEMS});
    list.query("limit", "Items on the page.", limit).query(
        "cursor",
        "`next` of the page before, unchanged.",
        named("Cursor"),
    )
}

fn job() -> Vec<Operation> {
    vec![
        NEW("get", "/v1/jobs/{id}", "show_job", "The job.")
            .json(200, "The job.", "Job")
            .with(&[200], "ETag", "The version of its row."),
        NEW(
            "get",
            "/v1/jobs/{id}/result",
            "result_of_job",
            "What the job came to.",
        )
        .query(
            "wait",
            "Answer when the job has ended, or after this long: at most 10m.",
            named("Length"),
        )
        .json(200, "It has ended.", "Ending")
        .json(202, "It is pending.", "Ending"),
        NEW(
            "get",
            "/v1/jobs/{id}/attempts",
            "attempts_of_job",
            "Each run of the job that is remembered.",
        )
        .page("Attempt"),
    ]
}

/// What changes one job.
fn changes() -> Vec<Operation> {
    let changed = |operation: Operation| {
        operation
            .if_match()
            .json(200, "The job as it is now.", "Job")
            .with(&[200], "ETag", "The version of its row.")
            .problems(&[409])
    };
    vec![
        changed(
            NEW(
                "patch",
                "/v1/jobs/{id}",
                "edit_job",
                "Changes a job that has not started.",
            )
            .body("JobEdit"),
        ),
        NEW(
            "delete",
            "/v1/jobs/{id}",
            "delete_job",
            "Deletes a job that does not run.",
        )
        .if_match()
        .nothing("It is deleted.")
        .problems(&[409]),
        changed(
            NEW(
                "post",
                "/v1/jobs/{id}/cancel",
                "cancel_job",
                "Cancels a job; one that runs is asked to stop.",
            )
            .optional_body("Cancel"),
        ),
        changed(
            NEW(
                "post",
                "/v1/jobs/{id}/retry",
                "retry_job",
                "Begins a new life of a job that has ended.",
            )
            .optional_body("Nothing"),
        ),
        changed(
            NEW(
                "post",
                "/v1/jobs/{id}/run",
                "run_job",
                "Makes a waiting job due now.",
            )
            .optional_body("Nothing"),
        ),
    ]
}

fn all_jobs() -> Vec<Operation> {
    let bulk = |operation: Operation| operation.json(200, "What this call came to.", "Bulked");
    vec![
        bulk(
            NEW(
                "post",
                "/v1/jobs/cancel",
                "cancel_jobs",
                "Cancels all jobs that a filter matches.",
            )
            .body("CancelAll"),
        ),
        bulk(
            NEW(
                "post",
                "/v1/jobs/retry",
                "retry_jobs",
                "Retries all ended jobs that a filter matches.",
            )
            .body("RetryAll"),
        ),
        bulk(
            NEW(
                "post",
                "/v1/jobs/delete",
                "delete_jobs",
                "Deletes all jobs that a filter matches.",
            )
            .body("DeleteAll"),
        ),
    ]
}

fn whole_number(least: u64) -> Value {
    json!({"type": "integer", "minimum": least, "maximum": u64::MAX})
}

fn output() -> Vec<Operation> {
    let stream = |operation: Operation| {
        let events = json!({"type": "string", "description": "Server-sent events."});
        operation.answers(200, "Events, as they happen.", "text/event-stream", events)
    };
    vec![
        NEW(
            "get",
            "/v1/jobs/{id}/output",
            "output_of_job",
            "What a run of the job has put out.",
        )
        .query("run", "Which run; unset, the last one.", whole_number(0))
        .query("from", "The byte to begin at.", whole_number(0))
        .query(
            "follow",
            "Go on until the run is over.",
            json!({"type": "boolean", "default": false}),
        )
        .answers(200, "The output.", "text/plain", json!({"type": "string"}))
        .with(&[200], crate::wire::OUTPUT_RUN, "Which run.")
        .with(&[200], crate::wire::OUTPUT_NEXT, "The byte behind the last one."),
        NEW(
            "post",
            "/v1/jobs/{id}/output",
            "add_output",
            "Adds to what a run has put out: for its worker.",
        )
        .query("run", "The run.", whole_number(0))
        .required()
        .takes(
            "application/octet-stream",
            json!({"type": "string", "maxLength": crate::limits::BODY_BYTES}),
            false,
        )
        .nothing("It is added.")
        .problems(&[409]),
        stream(
            NEW(
                "get",
                "/v1/events",
                "watch",
                "What happens, as server-sent events.",
            )
            .query("queue", "Only of this queue.", json!({"type": "string"}))
            .query("kind", "Only of this kind.", json!({"type": "string"}))
            .header(
                "Last-Event-ID",
                "Begin behind this event.",
                json!({"type": "string"}),
            ),
        ),
        stream(NEW(
            "get",
            "/v1/workers/cancels",
            "watch_cancels",
            "The ids of running jobs that are asked to stop.",
        )),
    ]
}

fn queues() -> Vec<Operation> {
    let changed = |operation: Operation| {
        operation
            .if_match()
            .json(200, "The queue as it is now.", "Queue")
            .with(&[200], "ETag", "The version of its settings.")
            .problems(&[409])
    };
    vec![
        page_parameters(NEW("get", "/v1/queues", "list_queues", "Lists queues by name.")).page("Queue"),
        NEW("get", "/v1/queues/{name}", "show_queue", "The queue.")
            .json(200, "The queue.", "Queue")
            .with(&[200], "ETag", "The version of its settings."),
        changed(
            NEW(
                "put",
                "/v1/queues/{name}",
                "limit_queue",
                "Sets the limits of a queue.",
            )
            .body("QueueLimits"),
        ),
        changed(
            NEW(
                "post",
                "/v1/queues/{name}/pause",
                "pause_queue",
                "No run of its jobs begins.",
            )
            .optional_body("Pause"),
        ),
        changed(
            NEW(
                "post",
                "/v1/queues/{name}/resume",
                "resume_queue",
                "Its jobs run again.",
            )
            .optional_body("Nothing"),
        ),
        NEW(
            "post",
            "/v1/queues/{name}/purge",
            "purge_queue",
            "Deletes its jobs in one state; unset, those waiting.",
        )
        .optional_body("Purge")
        .json(200, "What this call came to.", "Purged"),
    ]
}

fn workers() -> Vec<Operation> {
    vec![
        NEW(
            "get",
            "/v1/workers",
            "list_workers",
            "Workers that have beaten lately and have not stopped, by name.",
        )
        .page("Worker"),
        NEW(
            "post",
            "/v1/workers/claim",
            "claim",
            "Takes jobs to run, as soon as there are any or the wait is over.",
        )
        .body("Claim")
        .json(200, "The jobs.", "Claimed"),
        NEW(
            "post",
            "/v1/workers/beat",
            "beat",
            "Prolongs leases, and tells which runs are to stop.",
        )
        .body("Beat")
        .json(200, "A verdict for each run.", "Beaten"),
        NEW(
            "post",
            "/v1/workers/settle",
            "settle",
            "Tells what became of runs.",
        )
        .body("Settle")
        .json(200, "A verdict for each run.", "Settled"),
        NEW(
            "post",
            "/v1/runs/{token}",
            "settle_deferred",
            "Ends a run that was deferred.",
        )
        .body("SettleDeferred")
        .json(200, "It stands.", "DeferredVerdict")
        .problems(&[409]),
        NEW(
            "post",
            "/v1/runs/{token}/beat",
            "beat_deferred",
            "Prolongs a run that was deferred.",
        )
        .body("BeatDeferred")
        .json(200, "It is held.", "DeferredVerdict")
        .problems(&[409]),
    ]
}

fn server() -> Vec<Operation> {
    let text = || json!({"type": "string"});
    vec![
        NEW("get", "/healthz", "alive", "Whether the process answers.").json(200, "It does.", "Health"),
        NEW(
            "get",
            "/readyz",
            "ready",
            "Whether the store answers and takes writes.",
        )
        .json(200, "It does.", "Health"),
        NEW("get", "/openapi.json", "document", "This document.").answers(
            200,
            "This document.",
            "application/json",
            json!({"type": "object"}),
        ),
        NEW("get", "/docs", "page", "This document, to be read by people.").answers(
            200,
            "A page.",
            "text/html",
            text(),
        ),
        NEW("get", "/docs/page.js", "page_script", "The script of that page.").answers(
            200,
            "A script.",
            "text/javascript",
            text(),
        ),
        NEW("get", "/docs/page.css", "page_style", "The style of that page.").answers(
            200,
            "A style sheet.",
            "text/css",
            text(),
        ),
    ]
}
