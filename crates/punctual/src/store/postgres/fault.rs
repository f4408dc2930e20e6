//! What can go wrong with a PostgreSQL server, in words that say what to do about it.
//!
//! `Unavailable` is promised only where nothing was written for sure. An error that the server tells has undone its
//! transaction. A connection that is lost in a commit leaves open whether it stands: [`Fault::Commit`].
//! PostgreSQL's codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use std::error::Error as _;

use tokio_postgres::error::SqlState;

use crate::error::{Error, Kind};

/// Why a verb, or a part of it, did not happen.
#[derive(Debug)]
pub(super) enum Fault {
    /// The driver, or the server behind it, says so.
    Database(tokio_postgres::Error),
    /// It says so of a transaction that may have been committed.
    Commit(tokio_postgres::Error),
    /// We say so.
    Told(Error),
}

impl Fault {
    /// Whether it lies in what a row holds, and not in how it could be read: other rows can be read in spite of it.
    pub(super) fn is_of_a_row(&self) -> bool {
        match self {
            Fault::Told(error) => error.kind() == Kind::Internal && !error.is_unknown(),
            Fault::Database(_) | Fault::Commit(_) => false,
        }
    }

    /// Whether the same statements may simply be tried again: somebody else was quicker, or a deadlock was broken.
    pub(super) fn may_pass_at_once(&self) -> bool {
        let passing = [
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::UNIQUE_VIOLATION,
        ];
        self.code().is_some_and(|code| passing.contains(code))
    }

    /// Whether a row, or a lock, of somebody else's was waited for in vain.
    pub(super) fn is_locked(&self) -> bool {
        self.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether a key was taken by somebody else meanwhile.
    pub(super) fn is_taken(&self) -> bool {
        self.code() == Some(&SqlState::UNIQUE_VIOLATION)
    }

    /// Whether the connection is of no use any more.
    pub(super) fn is_of_the_connection(&self) -> bool {
        match self {
            Fault::Told(_) => false,
            Fault::Database(error) | Fault::Commit(error) => {
                error.as_db_error().is_none() || self.is_farewell()
            }
        }
    }

    /// The same fault where it is not known whether the transaction stands.
    pub(super) fn of_commit(self) -> Fault {
        match self {
            Fault::Database(error) => Fault::Commit(error),
            fault => fault,
        }
    }

    fn code(&self) -> Option<&SqlState> {
        match self {
            Fault::Database(error) | Fault::Commit(error) => error.code(),
            Fault::Told(_) => None,
        }
    }

    /// Whether the server ends the connection with it.
    fn is_farewell(&self) -> bool {
        let farewells = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ];
        self.code().is_some_and(|code| farewells.contains(code))
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Fault {
        Fault::Database(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Told(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        match fault {
            Fault::Told(error) => error,
            // What the server tells as an error has undone the transaction.
            Fault::Commit(error) if error.as_db_error().is_none() => Error::unknown(format!(
                "it is not known whether this was stored, since the connection to PostgreSQL was lost: {}",
                story(&error)
            ))
            .caused_by(error),
            Fault::Database(error) | Fault::Commit(error) => match error.as_db_error().map(|told| told.code().clone()) {
                Some(code) if code == SqlState::LOCK_NOT_AVAILABLE => Error::locked(
                    "another transaction has locked what this would write, and has not ended within a quarter of a second; \
                     nothing was stored",
                )
                .caused_by(error),
                Some(code) => {
                    let (kind, message) = explain(&code, &story(&error));
                    Error::new(kind, message).caused_by(error)
                }
                None => Error::unavailable(format!(
                    "the connection to PostgreSQL was lost: {}",
                    story(&error)
                ))
                .caused_by(error),
            },
        }
    }
}

/// What an error says, with what caused it. The driver's own text tells the kind only.
pub(super) fn story(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(told), _) => told.message().to_owned(),
        (None, Some(cause)) => cause.to_string(),
        (None, None) => error.to_string(),
    }
}

fn explain(code: &SqlState, story: &str) -> (Kind, String) {
    let passing = |why: &str| (Kind::Unavailable, format!("{why} ({story})"));
    match code.code() {
        "57014" => passing("PostgreSQL ended a statement that took too long"),
        "57P01" | "57P02" | "57P03" => passing("PostgreSQL is stopping or starting"),
        "25P03" => passing("PostgreSQL ended a transaction in which nothing happened for too long"),
        "25006" => passing("this PostgreSQL takes no writes: it is a standby, or read-only by its settings"),
        "53100" => passing("the disk of PostgreSQL is full"),
        "40P01" | "40001" => passing("PostgreSQL ended a transaction that stood against another one"),
        "42501" => passing("PostgreSQL does not let this user do that"),
        "42P01" | "3F000" | "42703" => passing("the tables in PostgreSQL are gone, or are not ours any more"),
        "22021" => (
            Kind::Invalid,
            format!("PostgreSQL cannot keep this text, since it holds a zero byte or is no UTF-8: {story}"),
        ),
        "42P05" | "26000" => (
            Kind::Unavailable,
            format!(
                "there is a pooler before PostgreSQL that hands out connections for a transaction each ({story}): say \
                 ?pooled=true in the URL"
            ),
        ),
        code if code.starts_with("53") || code.starts_with("58") => {
            passing("PostgreSQL lacks something that it needs")
        }
        code if code.starts_with("08") => passing("the connection to PostgreSQL was lost"),
        code => (
            Kind::Internal,
            format!("a fault in the PostgreSQL store: {story} ({code})"),
        ),
    }
}
