//! What an import left out, and what that says of its end.

use std::process::ExitCode;

use serde::Serialize;

use crate::failure::code;
use crate::print;

/// What an import did not add.
#[derive(Default, Serialize)]
pub(crate) struct Left {
    /// What was there already.
    pub(crate) there: u64,
    /// Lines that were refused.
    pub(crate) refused: u64,
}

impl Left {
    /// What was `added`, and what was left out.
    pub(crate) fn told_after(&self, added: String) -> String {
        let mut told = added;
        if self.there > 0 {
            told.push_str(&format!("; {} there already", self.there));
        }
        if self.refused > 0 {
            told.push_str(&format!("; {} refused", print::count(self.refused, "line")));
        }
        told
    }

    /// With which code the import ends.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.refused {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::from(code::USAGE),
        }
    }
}
