//! The unique key that is made from a job's kind and payload.
//!
//! Two JSON payloads make the same key if they differ in nothing but white space and the order of members. Numbers
//! and strings are compared as they are written, so that no large number is rounded into its neighbour.

use serde::de::IgnoredAny;
use xxhash_rust::xxh3::xxh3_128_with_seed;

/// What such a key begins with. No key of a user's may, so that the two never meet.
pub(super) const PAYLOAD_KEY_PREFIX: &str = "xxh3:";

/// Deepest nesting that is looked into; `serde_json` reads no deeper either. What is deeper counts as bytes.
const DEPTH_MAX: usize = 128;

/// What a hash was made of. As its seed, it keeps `["a"]` and `"a"` and the like apart.
#[derive(Clone, Copy)]
enum Part {
    Bytes,
    Scalar,
    Array,
    Object,
    Key,
}

/// The unique key of a job of this kind with this payload.
pub(super) fn payload_key(kind: &str, payload: &[u8]) -> String {
    let parts = [hash(Part::Bytes, kind.as_bytes()), payload_hash(payload)];
    format!("{PAYLOAD_KEY_PREFIX}{:032x}", hash_all(Part::Key, parts))
}

fn payload_hash(payload: &[u8]) -> u128 {
    let is_json = serde_json::from_slice::<IgnoredAny>(payload).is_ok();
    let hashed = if is_json {
        Json(payload).value(DEPTH_MAX)
    } else {
        None
    };
    hashed.unwrap_or_else(|| hash(Part::Bytes, payload))
}

fn hash(part: Part, bytes: &[u8]) -> u128 {
    xxh3_128_with_seed(bytes, part as u64)
}

fn hash_all(part: Part, hashes: impl IntoIterator<Item = u128>) -> u128 {
    let bytes: Vec<u8> = hashes.into_iter().flat_map(u128::to_le_bytes).collect();
    hash(part, &bytes)
}

/// What is left to read of a text that is known to be JSON (RFC 8259).
struct Json<'a>(&'a [u8]);

impl Json<'_> {
    /// The hash of the next value; nothing if it is nested deeper than `depth`.
    fn value(&mut self, depth: usize) -> Option<u128> {
        match self.peek()? {
            b'{' => self.object(depth.checked_sub(1)?),
            b'[' => self.array(depth.checked_sub(1)?),
            _ => Some(self.scalar()),
        }
    }

    fn object(&mut self, depth: usize) -> Option<u128> {
        let mut members = Vec::new();
        self.skip(b'{');
        while self.peek()? != b'}' {
            let name = self.scalar();
            self.skip(b':');
            members.push([name, self.value(depth)?]);
            self.skip(b',');
        }
        self.skip(b'}');
        members.sort_unstable();
        Some(hash_all(Part::Object, members.into_iter().flatten()))
    }

    fn array(&mut self, depth: usize) -> Option<u128> {
        let mut items = Vec::new();
        self.skip(b'[');
        while self.peek()? != b']' {
            items.push(self.value(depth)?);
            self.skip(b',');
        }
        self.skip(b']');
        Some(hash_all(Part::Array, items))
    }

    /// The hash of the string, number or word that comes next, as it is written.
    fn scalar(&mut self) -> u128 {
        let length = match self.peek() {
            Some(b'"') => string_length(self.0),
            _ => self
                .0
                .iter()
                .take_while(|byte| !b",:]} \t\n\r".contains(byte))
                .count(),
        };
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        hash(Part::Scalar, text)
    }

    /// The first byte that is not white space, which is left behind.
    fn peek(&mut self) -> Option<u8> {
        self.0 = self.0.trim_ascii_start();
        self.0.first().copied()
    }

    /// Goes past this mark, if it comes next.
    fn skip(&mut self, mark: u8) {
        if self.peek() == Some(mark) {
            self.0 = &self.0[1..];
        }
    }
}

/// The length of the string that `text` begins with, its quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    let inside = |byte: &&u8| {
        let ends = **byte == b'"' && !escaped;
        escaped = **byte == b'\\' && !escaped;
        !ends
    };
    let length = text.iter().skip(1).take_while(inside).count() + 2;
    length.min(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        payload_key("k", one.as_bytes()) == payload_key("k", other.as_bytes())
    }

    #[test]
    fn white_space_and_the_order_of_members_do_not_count() {
        assert!(same(
            r#"{"a":1,"b":[true,{"x":"y","z":null}]}"#,
            " {\"b\" : [ true , {\"z\":null,\n\"x\":\"y\"} ],\t\"a\" :1 }\r\n"
        ));
        assert!(same("{}", " { } "));
        assert!(same("[]", "[ ]"));
    }

    #[test]
    fn everything_else_counts() {
        let all = [
            "",
            "null",
            "\"null\"",
            "{}",
            "[]",
            "[[]]",
            "[{}]",
            "[null]",
            "1",
            "1.0",
            "[1]",
            "[1,2]",
            "[2,1]",
            "[[1],2]",
            "[12]",
            "[123456789012345678901234567890]",
            "[123456789012345678901234567891]",
            r#"" a""#,
            r#""a""#,
            r#"["a","b"]"#,
            r#"["a,b"]"#,
            r#"["a\",\"b"]"#,
            r#"["a\\","b"]"#,
            r#"{"a":"b"}"#,
            r#"{"b":"a"}"#,
            r#"{"a":"b","a":"b"}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1} x"#,
            "not JSON",
            " not JSON",
        ];
        for (index, one) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                assert!(!same(one, other), "{one} and {other}");
            }
        }
        assert_ne!(payload_key("k", b"{}"), payload_key("l", b"{}"));
    }

    #[test]
    fn what_is_nested_too_deep_counts_as_bytes() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(same(&nested(DEPTH_MAX), &format!(" {}", nested(DEPTH_MAX))));
        assert!(!same(
            &nested(DEPTH_MAX + 1),
            &format!(" {}", nested(DEPTH_MAX + 1))
        ));
        assert!(!same(&nested(100_000), &format!(" {}", nested(100_000))));
    }

    #[test]
    fn a_key_of_a_payload_never_changes_from_version_to_version() {
        let key = payload_key("mail.welcome", br#"{"user": 7}"#);
        assert_eq!(key, "xxh3:a5976a5f3c9beab38808dba1be713fda");
    }
}
