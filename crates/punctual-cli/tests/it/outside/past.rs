//! A clock that is behind, for processes that are to have lived before now.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use super::server::Place;

/// Where Debian's packages keep what belongs to one kind of machine, in a folder of its name.
const LIBRARIES: &str = "/usr/lib";

/// So many minutes.
pub(crate) struct Behind {
    library: PathBuf,
    minutes: i64,
}

impl Behind {
    /// None if the run was asked to leave out what needs libfaketime.
    pub(crate) fn minutes(minutes: i64) -> Option<Behind> {
        let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
        if without.split_whitespace().any(|one| one == "faketime") {
            return None;
        }
        let folders = fs::read_dir(LIBRARIES).expect("there are libraries").flatten();
        let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
        let library = libraries.find(|library| library.exists());
        Some(Behind {
            library: library.expect(
                "libfaketime is installed (scripts/needs), or left out by PUNCTUAL_TEST_WITHOUT=faketime",
            ),
            minutes,
        })
    }

    /// What it shows now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() - SignedDuration::from_mins(self.minutes)
    }

    /// The environment of a process that is to have this clock: `NAME=value NAME=value`. How much time passes is the same for
    /// everybody.
    pub(crate) fn environment(&self) -> String {
        let library = self.library.display();
        let minutes = self.minutes;
        format!("LD_PRELOAD={library} FAKETIME=-{minutes}m FAKETIME_DONT_FAKE_MONOTONIC=1")
    }

    /// A program that is the binary with this clock.
    pub(crate) fn binary(&self, place: &Place) -> PathBuf {
        let binary = env!("CARGO_BIN_EXE_punctual");
        let script = format!("#!/bin/sh\nexec env {} '{binary}' \"$@\"\n", self.environment());
        let file = place.path("punctual-of-the-past");
        fs::write(&file, script).expect("the folder is there");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("the file is ours");
        file
    }
}
