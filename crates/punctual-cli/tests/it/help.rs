//! What `--help` says, word for word: people script against these names.
//!
//! After a change that is meant, run the test with `PUNCTUAL_TEST_BLESS=1` and read the difference.

use std::path::Path;

use crate::house::{Ended, punctual};

/// The file of each page, and the command whose help it is.
const PAGES: [(&str, &[&str]); 49] = [
    ("punctual", &[]),
    ("serve", &["serve"]),
    ("api", &["api"]),
    ("runner", &["runner"]),
    ("config", &["config"]),
    ("config-show", &["config", "show"]),
    ("job", &["job"]),
    ("job-add", &["job", "add"]),
    ("job-add-http", &["job", "add", "http"]),
    ("job-add-command", &["job", "add", "command"]),
    ("job-add-kind", &["job", "add", "mail"]),
    ("job-list", &["job", "list"]),
    ("job-wait", &["job", "wait"]),
    ("job-show", &["job", "show"]),
    ("job-edit", &["job", "edit"]),
    ("job-cancel", &["job", "cancel"]),
    ("job-retry", &["job", "retry"]),
    ("job-delete", &["job", "delete"]),
    ("job-attempts", &["job", "attempts"]),
    ("job-output", &["job", "output"]),
    ("queue", &["queue"]),
    ("queue-list", &["queue", "list"]),
    ("queue-show", &["queue", "show"]),
    ("queue-pause", &["queue", "pause"]),
    ("queue-resume", &["queue", "resume"]),
    ("queue-limit", &["queue", "limit"]),
    ("queue-purge", &["queue", "purge"]),
    ("schedule", &["schedule"]),
    ("schedule-set", &["schedule", "set"]),
    ("schedule-set-http", &["schedule", "set", "x", "http"]),
    ("schedule-set-kind", &["schedule", "set", "x", "mail"]),
    ("schedule-import", &["schedule", "import"]),
    ("schedule-list", &["schedule", "list"]),
    ("schedule-preview", &["schedule", "preview"]),
    ("schedule-pause", &["schedule", "pause"]),
    ("schedule-trigger", &["schedule", "trigger"]),
    ("schedule-backfill", &["schedule", "backfill"]),
    ("schedule-occurrences", &["schedule", "occurrences"]),
    ("schedule-delete", &["schedule", "delete"]),
    ("schedule-calendar", &["schedule", "calendar"]),
    ("schedule-calendar-set", &["schedule", "calendar", "set"]),
    ("worker", &["worker"]),
    ("worker-list", &["worker", "list"]),
    ("completion", &["completion"]),
    ("store", &["store"]),
    ("store-backup", &["store", "backup"]),
    ("store-export", &["store", "export"]),
    ("store-import", &["store", "import"]),
    ("store-migrate", &["store", "migrate"]),
];

#[test]
fn help_is_as_it_was() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help");
    for (page, arguments) in PAGES {
        let help = Ended::of(
            punctual(&folder)
                .args(arguments)
                .arg("--help")
                .output()
                .expect("it starts"),
        );
        assert_eq!(help.code, 0, "{help:?}");
        let file = folder.join(format!("{page}.txt"));
        if std::env::var_os("PUNCTUAL_TEST_BLESS").is_some() {
            std::fs::write(&file, &help.stdout).expect("it is ours");
        }
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(help.stdout, before, "{page} says something else now");
    }
}
