//! A namespace: the schema that a store keeps its tables in, and the text of the statements that name it.

use xxhash_rust::xxh3::xxh3_64;

use crate::error::Error;

/// The name that statements are written with, and the namespace of a store whose URL says nothing.
pub(super) const DEFAULT: &str = "punctual";
/// Longest name of a namespace, in bytes: PostgreSQL cuts names at 63, and that of its channel is longer.
const NAME_BYTES: usize = 48;

/// The name of a schema, which stands in statements and needs no quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Namespace(String);

impl Namespace {
    /// Takes a name that can stand in a statement as it is.
    pub(super) fn new(name: &str) -> Result<Namespace, Error> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if begins && name.len() <= NAME_BYTES && name.bytes().all(plain) && !name.starts_with("pg_") {
            return Ok(Namespace(name.to_owned()));
        }
        Err(Error::invalid(format!(
            "the namespace {name:?} is none: it has 1 to {NAME_BYTES} lower-case letters, digits and underscores, does not \
             begin with a digit, nor with pg_"
        )))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// A statement on this namespace's tables. They are named in full, so that nothing depends on a search path, which
    /// neither a pooled connection nor a caller's own transaction would keep.
    pub(super) fn statement(&self, written: &str) -> String {
        written.replace("punctual.", &format!("\"{}\".", self.0))
    }

    /// The channel on which hints of this namespace are sent.
    pub(super) fn channel(&self) -> String {
        format!("punctual_{}", self.0)
    }

    /// The number of the advisory lock for a thing of this namespace. Two things that share one wait for each other
    /// without need, and that is all.
    pub(super) fn lock(&self, what: &str, name: &str) -> i64 {
        xxh3_64(format!("punctual\0{}\0{what}\0{name}", self.0).as_bytes()).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_need_quotes_is_refused() {
        for name in ["", "A", "1a", "a b", "a\"b", "a.b", "pg_x", "ä", &"a".repeat(49)] {
            assert!(Namespace::new(name).is_err(), "{name}");
        }
        for name in ["a", "_1", "punctual_test", &"a".repeat(48)] {
            assert!(Namespace::new(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_statement_names_its_schema() {
        let namespace = Namespace::new("other").expect("it is one");
        let statement = namespace.statement("select * from punctual.jobs");
        assert_eq!(statement, "select * from \"other\".jobs");
    }
}
