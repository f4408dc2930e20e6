//! `punctual --version`.

use std::process::Command;

use crate::house::{Ended, punctual};

#[test]
fn the_version_tells_the_commit_and_the_features() {
    let folder = tempfile::tempdir().expect("a folder");
    let ended = Ended::of(
        punctual(folder.path())
            .arg("--version")
            .output()
            .expect("it starts"),
    );
    assert_eq!(ended.code, 0, "{ended:?}");
    let git = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let commit = git.ok().filter(|output| output.status.success());
    let built = match commit {
        Some(output) => format!("commit {}", String::from_utf8_lossy(&output.stdout).trim()),
        None => "commit not known: its sources were no git checkout".to_owned(),
    };
    let version = env!("CARGO_PKG_VERSION");
    // A build with every feature has that for tests as well.
    let expected = format!(
        "punctual {version} ({built})\nfeatures: postgres, redis, sqlite, target-command, target-http"
    );
    assert!(ended.stdout.starts_with(&expected), "{}", ended.stdout);
}
