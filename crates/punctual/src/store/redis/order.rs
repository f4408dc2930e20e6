//! Instants as bytes that sort as they count, and the members of indexes made of them.
//!
//! A score of Redis is a float, and loses microseconds after the year 2255. So all scores are zero, and a sorted set
//! stands in the order of its members' bytes: the instant, then the id.

use uuid::Uuid;

use crate::job::JobId;
use crate::time::Timestamp;

/// What stands for an instant that is not set. No instant looks like it.
pub(super) const UNSET: [u8; 8] = [0; 8];

/// With its sign turned, a number sorts among others as its bytes do.
const SIGN: u64 = 1 << 63;

/// The bytes of an instant.
pub(super) fn instant(at: Timestamp) -> [u8; 8] {
    (at.as_micros().cast_unsigned() ^ SIGN).to_be_bytes()
}

/// The instant that [`instant`] wrote.
pub(super) fn read_instant(bytes: [u8; 8]) -> Timestamp {
    Timestamp::from_micros(micros(bytes))
}

fn micros(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ SIGN).cast_signed()
}

/// Where a row stands in an index: by `at`, then by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Bytes that sort, whatever they mean in this index.
    pub(super) at: [u8; 8],
    pub(super) id: JobId,
}

impl Place {
    /// Reads a member of an index; what stands behind the id does not count for its place.
    pub(super) fn read(member: &[u8]) -> Option<Place> {
        let (at, rest) = member.split_first_chunk::<8>()?;
        let (id, _) = rest.split_first_chunk::<16>()?;
        Some(Place {
            at: *at,
            id: JobId(Uuid::from_bytes(*id)),
        })
    }

    /// The lower end of a range, as ZRANGEBYLEX takes it, of everything behind this place.
    pub(super) fn behind(&self) -> Vec<u8> {
        // What may follow the id in a member begins with a smaller byte.
        [b"(".as_slice(), &self.at, self.id.0.as_bytes(), b"\xff"].concat()
    }
}

/// The place of an ended row, among which the newest comes first.
pub(super) fn backwards(bytes: [u8; 8]) -> [u8; 8] {
    bytes.map(|byte| !byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_sort_as_they_count() {
        let instants = [
            Timestamp::MIN,
            Timestamp::from_micros(-1),
            Timestamp::EPOCH,
            Timestamp::from_micros(255),
            Timestamp::from_micros(256),
            Timestamp::MAX,
        ];
        let bytes = instants.map(instant);
        assert!(bytes.is_sorted());
        assert!(bytes[0] > UNSET);
        assert_eq!(bytes.map(read_instant), instants);
    }

    #[test]
    fn scripts_know_the_ends_of_time() {
        let of_lua = |bytes: [u8; 8]| bytes.map(|byte| format!("\\{byte}")).concat();
        let prelude = include_str!("prelude.lua");
        assert!(prelude.contains(&format!("LATEST = '{}'", of_lua(instant(Timestamp::MAX)))));
        let never = backwards(instant(Timestamp::MIN));
        assert!(prelude.contains(&format!("NEVER = '{}'", of_lua(never))));
        let at_once = of_lua(instant(crate::schedule::AT_ONCE));
        assert!(prelude.contains(&format!("AT_ONCE = '{at_once}'")));
    }
}
