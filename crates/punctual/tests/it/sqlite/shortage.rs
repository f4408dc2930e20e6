//! No file descriptors left: what cannot be opened says why, and goes on by itself once there are some.

use super::child::{Part, command, said};
use super::folder;

fn plays_well(part: Part, what: &str) {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let output = command(part, &path, "s").output().expect("a child starts");
    let text = String::from_utf8(output.stdout).expect("its output is text");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}{told}");
    assert!(text.lines().filter_map(said).any(|said| said == what), "{text}");
}

#[test]
fn a_store_that_cannot_be_opened_for_want_of_descriptors_says_so() {
    plays_well(Part::Opener, "opened at last");
}

#[test]
fn a_watch_that_was_not_to_be_had_is_taken_up_once_it_is() {
    plays_well(Part::Listener, "watched again");
}
