//! Exit codes that a job names.

use std::fmt;
use std::str::FromStr;

use crate::target::verdict::Codes;

/// Exit codes from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exits {
    first: u8,
    last: u8,
}

impl Codes for Exits {
    fn holds(self, code: u16) -> bool {
        (u16::from(self.first)..=u16::from(self.last)).contains(&code)
    }

    fn is_one(self) -> bool {
        self.first == self.last
    }

    fn meets(self, other: Exits) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl FromStr for Exits {
    type Err = String;

    fn from_str(text: &str) -> Result<Exits, String> {
        let refuse = || "it must be an exit code from 0 to 255, or a range such as \"64-78\"".to_owned();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let read = |text: &str| -> Result<u8, String> {
            // What parses is more than what is meant: "+3" and "003" would be one code with two names.
            let code: u8 = text.parse().map_err(|_| refuse())?;
            if code.to_string() == text {
                Ok(code)
            } else {
                Err(refuse())
            }
        };
        let (first, last) = (read(first)?, read(last)?);
        if first > last {
            return Err(refuse());
        }
        Ok(Exits { first, last })
    }
}

impl fmt::Display for Exits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_one() {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}
