//! What `--help` says, word for word: people script against these names.
//!
//! After a change that is meant, run the test with `PUNCTUAL_TEST_BLESS=1` and read the difference.

use std::path::Path;

use crate::house::{Ended, punctual};

#[test]
fn help_is_as_it_was() {
    let pages: [(&str, &[&str]); 35] = [
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
        ("worker", &["worker"]),
        ("worker-list", &["worker", "list"]),
        ("completion", &["completion"]),
        ("store", &["store"]),
        ("store-backup", &["store", "backup"]),
        ("store-export", &["store", "export"]),
        ("store-import", &["store", "import"]),
        ("store-migrate", &["store", "migrate"]),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/help");
    for (page, arguments) in pages {
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
