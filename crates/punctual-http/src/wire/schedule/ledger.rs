//! Looking into a schedule's ledger.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use punctual::Timestamp;
use punctual::engine::LedgerPage;
use punctual::schedule::{self, OccurrenceKey, Outcome};
use serde::Serialize;

use super::super::list::{instant, limit};
use super::super::query::Query;
use crate::limits::PAGE_ITEMS;
use crate::problem::Problem;

/// The query of `GET /v1/schedules/{name}/occurrences`. What is unset does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LedgerQuery {
    /// Entries of instants at this one or later; ranges that reach so far included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Entries of instants at this one or earlier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// `fired` or `skipped`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Entries that are looked at for the page: 1 to 1000; unset, 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Where the last page ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A look into a ledger, in the library's words.
#[derive(Clone, Debug, PartialEq)]
pub struct LedgerOrder {
    /// Which part of it.
    pub page: LedgerPage,
    /// Only what was fired, or only what was not.
    fired: Option<bool>,
}

impl LedgerQuery {
    /// Reads a query as it stands in an address.
    pub fn from_query(query: Option<&str>) -> Result<LedgerQuery, Problem> {
        let mut given = Query::read(query, &["from", "until", "outcome", "limit", "cursor"])?;
        Ok(LedgerQuery {
            from: given.take("from"),
            until: given.take("until"),
            outcome: given.take("outcome"),
            limit: given.take("limit"),
            cursor: given.take("cursor"),
        })
    }

    /// The look in the library's words.
    pub fn read(self) -> Result<LedgerOrder, Problem> {
        let size = self.limit.as_deref().map(limit).transpose()?;
        Ok(LedgerOrder {
            page: LedgerPage {
                from: instant("from", self.from)?,
                until: instant("until", self.until)?,
                before: self.cursor.as_deref().map(read_place).transpose()?,
                limit: size.unwrap_or(PAGE_ITEMS),
            },
            fired: self.outcome.as_deref().map(is_fired).transpose()?,
        })
    }
}

impl LedgerOrder {
    /// Whether the page shows this entry.
    pub fn shows(&self, entry: &schedule::Occurrence) -> bool {
        let fired = matches!(entry.outcome, Outcome::Fired { .. });
        self.fired.is_none_or(|wanted| wanted == fired)
    }
}

/// The first byte of a cursor, which a cursor of jobs does not have. It is in cursors that users hold: never change it.
const ORDER: u8 = b'o';

/// A cursor's form: the order it belongs to, whether the entry was triggered, the instant.
const CURSOR_BYTES: usize = 1 + 1 + 8;

/// The cursor behind this place of a ledger: a text that means nothing to its reader.
pub fn write_place(place: OccurrenceKey) -> String {
    let mut bytes = vec![ORDER, u8::from(place.triggered)];
    bytes.extend(place.nominal_at.as_micros().to_be_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor tells: of a ledger, or of a list of the jobs that one tells of.
pub fn read_place(cursor: &str) -> Result<OccurrenceKey, Problem> {
    decode(cursor).ok_or_else(|| {
        let detail =
            "it is not a cursor of a schedule's list; send back `next` of the page before, unchanged";
        Problem::parameter("cursor", detail)
    })
}

fn decode(cursor: &str) -> Option<OccurrenceKey> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let bytes: [u8; CURSOR_BYTES] = bytes.try_into().ok()?;
    let [ORDER, triggered @ (0 | 1), instant @ ..] = bytes else {
        return None;
    };
    Some(OccurrenceKey {
        nominal_at: Timestamp::from_micros(i64::from_be_bytes(instant)),
        triggered: triggered == 1,
    })
}

fn is_fired(word: &str) -> Result<bool, Problem> {
    match word {
        "fired" => Ok(true),
        "skipped" => Ok(false),
        _ => Err(Problem::parameter("outcome", "write fired or skipped")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_journey_and_no_other_text_is_one() {
        for triggered in [false, true] {
            let place = OccurrenceKey {
                nominal_at: Timestamp::from_micros(-7),
                triggered,
            };
            assert_eq!(read_place(&write_place(place)), Ok(place));
        }
        for text in ["", "x", "AAAA", "====", &"A".repeat(1000)] {
            assert!(read_place(text).is_err(), "{text:?} was accepted");
        }
    }
}
