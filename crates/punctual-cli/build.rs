//! Notes which commit the binary is built of, for `punctual --version`. Sources that are no git checkout have none, and the
//! binary says so.

#![allow(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for file in ["HEAD", "logs/HEAD"] {
        // A path that is not there would have the binary built anew each time.
        if let Some(path) = git(&["rev-parse", "--git-path", file]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    // Sources that lie unpacked in somebody else's checkout are of no commit of theirs.
    let ours = git(&["ls-files", "--error-unmatch", "build.rs"]);
    let commit = ours.and_then(|_| git(&["rev-parse", "--short=12", "HEAD"]));
    let built = match commit {
        Some(commit) => format!("commit {commit}"),
        None => "commit not known: its sources were no git checkout".to_owned(),
    };
    println!("cargo::rustc-env=BUILT_OF={built}");
}

/// What git answers here, if it is there and has an answer.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
