//! Time zones by name.

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::error::Error;
use crate::limits::NAME_BYTES;

/// A time zone of the [IANA database](https://www.iana.org/time-zones), by its name: the machine's copy of the database
/// if it has one, else the one that this build carries.
///
/// ```
/// use punctual::schedule::Zone;
///
/// let zone: Zone = "Europe/Ljubljana".parse()?;
/// assert_eq!(zone.name(), "Europe/Ljubljana");
/// assert!("Europe/Lubljana".parse::<Zone>().is_err());
/// # Ok::<(), punctual::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Zone {
    name: Box<str>,
    rules: TimeZone,
}

impl Zone {
    /// Coordinated universal time, which never changes its clocks.
    pub const UTC_NAME: &str = "UTC";

    /// Its name, as the database spells it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its rules.
    pub(crate) fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

/// UTC.
impl Default for Zone {
    fn default() -> Zone {
        Zone {
            name: Zone::UTC_NAME.into(),
            rules: TimeZone::UTC,
        }
    }
}

/// Reads a name, in capitals or not.
impl FromStr for Zone {
    type Err = Error;

    fn from_str(name: &str) -> Result<Zone, Error> {
        if name.eq_ignore_ascii_case(Zone::UTC_NAME) {
            return Ok(Zone::default());
        }
        let unknown = || {
            Error::invalid(format!(
                "there is no time zone {name:?}; zones have the names of the IANA database, such as Europe/Ljubljana or UTC"
            ))
        };
        if name.len() > NAME_BYTES {
            return Err(Error::invalid(format!(
                "the name of a time zone has at most {NAME_BYTES} bytes, such as Europe/Ljubljana"
            )));
        }
        let rules = TimeZone::get(name).map_err(|_| unknown())?;
        let name = rules.iana_name().ok_or_else(unknown)?.into();
        Ok(Zone { name, rules })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.name, f)
    }
}
