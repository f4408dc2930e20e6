//! The settings of a queue as the JSON document of a [`Record`](crate::change::Record).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{QueueSettings, Rate, Retention};
use crate::error::Error;
use crate::limits;
use crate::time::{Timestamp, format_length, milliseconds, parse_length};

impl QueueSettings {
    /// The settings as JSON, with lengths of time as text. What is not set is left out.
    pub fn to_json(&self) -> Bytes {
        let document = Document {
            paused: self.paused.clone(),
            paused_since: self.paused_since.map(|since| since.to_string()),
            max_running: self.max_running,
            rate: self.rate.map(|rate| RateDocument {
                n: rate.n,
                per: format_length(rate.per),
                burst: rate.burst,
            }),
            retention: self.retention.map(|retention| RetentionDocument {
                succeeded: format_length(retention.succeeded),
                failed: format_length(retention.failed),
                cancelled: format_length(retention.cancelled),
            }),
        };
        let json = serde_json::to_vec(&document).expect("texts and numbers always have a JSON form");
        Bytes::from(json)
    }

    /// What holds for a queue whose settings cannot be read, since a newer version, or somebody's hand, wrote them: it is
    /// paused, for a reason that says so, and keeps what has ended. Its limits are not known, and neither is what may be
    /// deleted, so that nothing begins and nothing is lost until it is set anew; no other queue is concerned.
    pub fn unreadable() -> QueueSettings {
        QueueSettings {
            paused: Some("its settings cannot be read: set them anew".to_owned()),
            retention: Some(Retention::all(limits::LENGTH_MAX)),
            ..QueueSettings::default()
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote; what is left out is not set. Fields that it does not know are passed
    /// over: a newer version may have written them, and no queue may stop for that.
    ///
    /// ```
    /// use punctual::queue::QueueSettings;
    ///
    /// let settings = QueueSettings::from_json(br#"{"rate": {"n": 10, "per": "1s", "burst": 20}}"#)?;
    /// assert_eq!(QueueSettings::from_json(&settings.to_json())?, settings);
    /// # Ok::<(), punctual::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// `Invalid` with the field's JSON pointer, or with what JSON had to say.
    pub fn from_json(json: &[u8]) -> Result<QueueSettings, Error> {
        let document: Document = serde_json::from_slice(json)
            .map_err(|error| Error::invalid(format!("these are no settings of a queue: {error}")))?;
        if document
            .paused
            .as_ref()
            .is_some_and(|why| why.len() > limits::REASON_BYTES)
        {
            let message = format!("a reason has at most {} bytes", limits::REASON_BYTES);
            return Err(Error::invalid_field("/paused", message));
        }
        Ok(QueueSettings {
            paused: document.paused,
            paused_since: document.paused_since.map(instant).transpose()?,
            max_running: document.max_running,
            rate: document.rate.map(RateDocument::read).transpose()?,
            retention: document.retention.map(RetentionDocument::read).transpose()?,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    paused_since: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_running: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<RateDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention: Option<RetentionDocument>,
}

#[derive(Serialize, Deserialize)]
struct RateDocument {
    n: u32,
    per: String,
    burst: u32,
}

impl RateDocument {
    fn read(self) -> Result<Rate, Error> {
        let per = length("/rate/per", &self.per)?;
        if per < milliseconds(1) {
            return Err(Error::invalid_field("/rate/per", "the shortest is 1ms"));
        }
        for (pointer, number) in [("/rate/n", self.n), ("/rate/burst", self.burst)] {
            if number == 0 {
                return Err(Error::invalid_field(
                    pointer,
                    "at least 1; to start none, pause the queue",
                ));
            }
        }
        Ok(Rate {
            n: self.n,
            per,
            burst: self.burst,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct RetentionDocument {
    succeeded: String,
    failed: String,
    cancelled: String,
}

impl RetentionDocument {
    fn read(self) -> Result<Retention, Error> {
        Ok(Retention {
            succeeded: length("/retention/succeeded", &self.succeeded)?,
            failed: length("/retention/failed", &self.failed)?,
            cancelled: length("/retention/cancelled", &self.cancelled)?,
        })
    }
}

fn instant(text: String) -> Result<Timestamp, Error> {
    text.parse()
        .map_err(|error: Error| Error::invalid_field("/paused_since", error.to_string()))
}

fn length(pointer: &str, text: &str) -> Result<Duration, Error> {
    parse_length(text).map_err(|error| Error::invalid_field(pointer, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{hours, seconds};

    #[test]
    fn settings_survive_being_written_and_read() {
        let all = QueueSettings {
            paused: Some("\"tonight\"\n".to_owned()),
            paused_since: Some(Timestamp::EPOCH),
            max_running: Some(0),
            rate: Some(Rate {
                n: 10,
                per: seconds(60),
                burst: 1,
            }),
            retention: Some(Retention {
                succeeded: Duration::ZERO,
                failed: hours(36),
                cancelled: seconds(1),
            }),
        };
        for settings in [all, QueueSettings::default()] {
            assert_eq!(QueueSettings::from_json(&settings.to_json()), Ok(settings));
        }
    }

    #[test]
    fn what_is_not_set_is_left_out() {
        assert_eq!(QueueSettings::default().to_json(), "{}");
    }

    #[test]
    fn what_a_newer_version_wrote_is_read_as_far_as_it_is_known() {
        let newer =
            r#"{"max_running": 2, "colour": "red", "rate": {"n": 1, "per": "1s", "burst": 3, "by": "tag"}}"#;
        let known = QueueSettings {
            max_running: Some(2),
            rate: Some(Rate {
                n: 1,
                per: seconds(1),
                burst: 3,
            }),
            ..QueueSettings::default()
        };
        assert_eq!(QueueSettings::from_json(newer.as_bytes()), Ok(known));
    }

    #[test]
    fn bad_settings_are_refused() {
        for json in [
            "",
            "7",
            r#"{"max_running": -1}"#,
            r#"{"rate": {"n": 0, "per": "1s", "burst": 1}}"#,
            r#"{"rate": {"n": 1, "per": "1s", "burst": 0}}"#,
            r#"{"rate": {"n": 1, "per": "999us", "burst": 1}}"#,
            r#"{"rate": {"n": 1, "per": "1s"}}"#,
            r#"{"retention": {"succeeded": "soon", "failed": "1d", "cancelled": "1d"}}"#,
        ] {
            assert!(
                QueueSettings::from_json(json.as_bytes()).is_err(),
                "{json} was accepted"
            );
        }
    }
}
