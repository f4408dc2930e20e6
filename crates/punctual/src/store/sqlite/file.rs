//! The database file: created so that only its owner can read it, recognised before it is touched, opened with the
//! settings that the promises rest on.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::fault::Fault;
use crate::error::Error;
use crate::limits;

/// `PRAGMA application_id` of our files: "Punc" in ASCII.
pub(super) const APPLICATION: i32 = 0x5075_6e63;

/// The steps of the schema, oldest first. `PRAGMA user_version` counts how many a file has had. A step that was ever
/// released never changes.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001.sql"),
    include_str!("migrations/0002.sql"),
    include_str!("migrations/0003.sql"),
];

/// The version of the schema that this library reads and writes.
pub(super) const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// Below it, a write-ahead log that was reset could damage the file (<https://www.sqlite.org/wal.html#walresetbug>).
const SQLITE_MIN: i32 = 3_051_003;

/// Prepared statements kept by a connection: all that there are.
const STATEMENTS: usize = 96;

/// Creates the file if need be, and brings its schema up to date. Answers the file's path, made absolute.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, Error> {
    if rusqlite::version_number() < SQLITE_MIN {
        return Err(Error::internal(format!(
            "SQLite 3.51.3 or newer is needed, since older ones may damage a write-ahead log; this is {}",
            rusqlite::version()
        )));
    }
    let path = std::path::absolute(path)
        .map_err(|error| Error::invalid("the database needs a path").caused_by(error))?;
    create(&path)?;
    let mut connection = connect(&path)?;
    migrate(&mut connection).map_err(|fault| at(&path, fault))?;
    Ok(path)
}

/// The version of the schema that the file has; 0 where there is none.
pub(super) fn schema(path: &Path) -> Result<u32, Error> {
    match path.try_exists() {
        Ok(false) => Ok(0),
        _ => version(&connect(path)?)
            .and_then(|version| version.ok_or_else(|| Fault::Told(foreign())))
            .map_err(|fault| at(path, fault)),
    }
}

/// Refuses a path where there is no file.
pub(super) fn expect_at(path: &Path) -> Result<(), Error> {
    match path.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => {
            let missing = format!("there is no database at {}", path.display());
            // The cause tells a file that is missing from one that cannot be read.
            Err(Error::unavailable(missing).caused_by(io::Error::from(ErrorKind::NotFound)))
        }
        Err(error) => Err(Error::unavailable(format!(
            "the database {} cannot be reached: {error}",
            path.display()
        ))
        .caused_by(error)),
    }
}

/// A connection for whoever writes.
pub(super) fn connect(path: &Path) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let kibibytes = limits::FILE_CACHE_BYTES / 1024;
    connection
        .execute_batch(&format!("pragma cache_size = -{kibibytes}"))
        .map_err(Fault::from)?;
    Ok(connection)
}

/// A connection that cannot write.
pub(super) fn connect_to_read(path: &Path) -> Result<Connection, Error> {
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
}

/// Refuses a connection whose main database is not ours, or of another version.
pub(super) fn recognise(connection: &Connection) -> Result<(), Fault> {
    match version(connection)? {
        Some(SCHEMA) => Ok(()),
        Some(other) => Err(Fault::Told(of_other_version(other))),
        None => Err(Fault::Told(foreign())),
    }
}

/// The log that SQLite keeps beside the file.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    PathBuf::from(log)
}

/// An empty file that only its owner can read; SQLite gives its log and index files the same mode.
fn create(path: &Path) -> Result<(), Error> {
    // Closing any descriptor of a file drops all locks that this process holds on it (fcntl(2)). A file that we
    // create can be open elsewhere in this process only after this returned, if nobody else here comes first.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::NotFound => "its folder does not exist".to_owned(),
                ErrorKind::PermissionDenied => "this process may not write in its folder".to_owned(),
                _ => error.to_string(),
            };
            Err(Error::unavailable(format!(
                "the database {} cannot be created: {why}",
                path.display()
            ))
            .caused_by(error))
        }
    }
}

fn open(path: &Path, access: OpenFlags) -> Result<Connection, Error> {
    // Each connection belongs to one thread; and without SQLITE_OPEN_URI a path is a path, whatever is in it.
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(configure);
    opened.map_err(|error| at(path, Fault::Database(error)))
}

/// What is wrong with this file.
fn at(path: &Path, fault: Fault) -> Error {
    let error = Error::from(fault);
    Error::new(error.kind(), format!("{}: {error}", path.display())).caused_by(error)
}

fn configure(mut connection: Connection) -> rusqlite::Result<Connection> {
    wait_for_locks(&mut connection)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // A plan is made once: without this, SQLite compiles a statement anew for each new value of its limit.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // FULL: a commit is on the disk before it is answered. Checkpoints are the business of a thread of their own. What
    // the log grew to in a rush is given back to the disk.
    connection.execute_batch(&format!(
        "pragma synchronous = full;
         pragma wal_autocheckpoint = 0;
         pragma journal_size_limit = {};
         pragma temp_store = memory;",
        u64::from(limits::FILE_LOG_PAGES_IN_A_RUSH) * u64::from(limits::FILE_PAGE_BYTES),
    ))?;
    Ok(connection)
}

/// Lets a connection wait for locks that others hold, with the patience of a transaction.
pub(super) fn wait_for_locks(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(wait_for_lock))
}

/// Waits a little, unless it has waited long enough. SQLite's own handler doubles its waits, and loses every race
/// against a process that writes without a pause.
fn wait_for_lock(waits: i32) -> bool {
    let waited = limits::FILE_LOCK_PAUSE.saturating_mul(waits.unsigned_abs());
    let patient = waited < limits::FILE_LOCK_WAIT;
    if patient {
        thread::park_timeout(limits::FILE_LOCK_PAUSE);
    }
    patient
}

/// Brings the schema up to date. Safe for several processes at once: who comes second finds nothing left to do.
fn migrate(connection: &mut Connection) -> Result<(), Fault> {
    // One transaction, so that a file which another process is just making is not taken for somebody else's.
    let found = version(&*connection.transaction()?)?;
    match found {
        Some(newer) if newer > SCHEMA => return Err(Fault::Told(of_other_version(newer))),
        None => return Err(Fault::Told(foreign())),
        Some(_) => keep_a_log(connection)?,
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done = version(&transaction)?.unwrap_or(0);
    for step in MIGRATIONS
        .iter()
        .skip(usize::try_from(done).unwrap_or(usize::MAX))
    {
        transaction.execute_batch(step)?;
    }
    if done < SCHEMA {
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", SCHEMA)?;
    }
    Ok(transaction.commit()?)
}

/// Turns on write-ahead logging, which the file remembers, as it does the size of the pages it was made with.
fn keep_a_log(connection: &Connection) -> Result<(), Fault> {
    connection.pragma_update(None, "page_size", limits::FILE_PAGE_BYTES)?;
    let turn_on = || connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
    let mut mode: rusqlite::Result<String> = turn_on();
    for waits in 0.. {
        // SQLite asks no busy handler here, and several processes may be making the file at once.
        let is_busy = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
        if !mode.as_ref().is_err_and(is_busy) || !wait_for_lock(waits) {
            break;
        }
        mode = turn_on();
    }
    let mode = mode?;
    if mode == "wal" {
        return Ok(());
    }
    Err(Fault::Told(Error::unavailable(format!(
        "the database's file system cannot keep a write-ahead log (the journal mode stays {mode}); use a local disk"
    ))))
}

/// How many steps of the schema the file has had; nothing for a file that is somebody else's.
fn version(connection: &Connection) -> Result<Option<u32>, Fault> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    if application == APPLICATION {
        return Ok(Some(version.unsigned_abs()));
    }
    let things: i64 = connection.query_row("select count(*) from sqlite_schema", [], |row| row.get(0))?;
    Ok((application == 0 && version == 0 && things == 0).then_some(0))
}

fn foreign() -> Error {
    Error::invalid("the file is a SQLite database, but not one of Punctual's; it was left as it is")
}

fn of_other_version(version: u32) -> Error {
    Error::invalid(format!(
        "the database has version {version} of the schema, and this program knows version {SCHEMA}: use the program \
         that belongs to it, or let `migrate` bring an older database up to date; it was left as it is"
    ))
}
