//! A session: one connection, and how statements are run on it.
//!
//! A session of our own keeps its statements prepared and its settings set. Behind a pooler that hands out a connection
//! for each transaction it keeps neither: then every transaction sets what it needs, and statements have no names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join3;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};

use super::fault::Fault;
use super::namespace::Namespace;
use crate::limits;

/// A parameter of a statement and its type.
pub(super) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// What keeps a session from harm, and its plans good where nothing is known about the tables yet: every statement is written
/// for one index, and reads no table whole. `{scope}` is `session` or `local`.
const SETTINGS: &str = "
    set {scope} statement_timeout = {statement};
    set {scope} lock_timeout = {lock};
    set {scope} idle_in_transaction_session_timeout = {idle};
    set {scope} enable_seqscan = off;
    set {scope} enable_bitmapscan = off;
    set {scope} enable_hashjoin = off;
    set {scope} enable_mergejoin = off;
    set {scope} max_parallel_workers_per_gather = 0;
    set {scope} jit = off;
    set {scope} plan_cache_mode = force_generic_plan;
    select set_config('synchronous_commit', 'on', {is_local}) where current_setting('synchronous_commit') = 'off';";

/// What a session's own settings are besides, where it has any.
const OWN_SETTINGS: &str = "
    set session default_transaction_isolation = 'read committed';
    set session default_transaction_read_only = off;
    set session default_transaction_deferrable = off;";

const BEGIN: &str = "begin isolation level read committed read write;";

/// The settings of a session of our own.
pub(super) fn settings() -> String {
    OWN_SETTINGS.to_owned() + &settings_in("session", "false")
}

fn settings_in(scope: &str, is_local: &str) -> String {
    SETTINGS
        .replace("{scope}", scope)
        .replace("{is_local}", is_local)
        .replace("{statement}", &limits::STATEMENT_TIME.as_millis().to_string())
        .replace("{lock}", &limits::LOCK_WAIT.as_millis().to_string())
        .replace("{idle}", &limits::TRANSACTION_IDLE.as_millis().to_string())
}

/// A connection to work on.
pub(super) struct Session {
    client: Client,
    namespace: Arc<Namespace>,
    /// What was prepared on it; nothing where it is pooled.
    prepared: Option<Prepared>,
}

#[derive(Default)]
struct Prepared(Mutex<BTreeMap<&'static str, Statement>>);

impl Session {
    pub(super) fn new(client: Client, namespace: Arc<Namespace>, pooled: bool) -> Session {
        Session {
            client,
            namespace,
            prepared: (!pooled).then(Prepared::default),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn link(&self) -> Link<'_> {
        Link {
            client: &self.client,
            namespace: &self.namespace,
            prepared: self.prepared.as_ref(),
        }
    }

    /// Runs a statement that only reads.
    pub(super) async fn read(&self, written: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        match self.prepared {
            Some(_) => self.link().query(written, params).await,
            None => self.alone("", written, params).await,
        }
    }

    /// Runs a statement that is a transaction by itself.
    pub(super) async fn write(&self, written: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        self.read(written, params).await.map_err(Fault::of_commit)
    }

    /// Runs a statement in a transaction that begins with these `locks`. All of it is sent at once.
    pub(super) async fn write_locked(
        &self,
        locks: &str,
        written: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Fault> {
        self.link().prepare(written, params).await?;
        self.alone(locks, written, params).await.map_err(Fault::of_commit)
    }

    async fn alone(
        &self,
        locks: &str,
        written: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let first = self.opening() + locks;
        let link = self.link();
        // They are sent in this order. After an error the commit is a rollback.
        let (begun, rows, committed) = join3(
            self.client.batch_execute(&first),
            link.query(written, params),
            self.client.batch_execute("commit"),
        )
        .await;
        begun?;
        let rows = rows?;
        committed?;
        Ok(rows)
    }

    /// Begins a transaction with these `locks`. Whoever began it brings it to its [`end`](Self::end).
    pub(super) async fn begin(&self, locks: &str) -> Result<Link<'_>, Fault> {
        let begun = self.client.batch_execute(&(self.opening() + locks)).await;
        if let Err(error) = begun {
            // The locks were not to be had; what was begun ends here.
            let _ = self.client.batch_execute("rollback").await;
            return Err(error.into());
        }
        Ok(self.link())
    }

    /// Commits what was done, or undoes it if it failed.
    pub(super) async fn end<T>(&self, done: Result<T, Fault>) -> Result<T, Fault> {
        match done {
            Ok(done) => {
                let committed = self.client.batch_execute("commit").await;
                committed.map_err(Fault::Commit)?;
                Ok(done)
            }
            Err(fault) => {
                // Where even that fails, the connection is lost, and its transaction with it.
                let _ = self.client.batch_execute("rollback").await;
                Err(fault)
            }
        }
    }

    fn opening(&self) -> String {
        match self.prepared {
            Some(_) => BEGIN.to_owned(),
            None => BEGIN.to_owned() + &settings_in("local", "true"),
        }
    }

    /// Runs statements that answer nothing.
    pub(super) async fn run(&self, statements: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(statements).await?)
    }
}

/// What statements are run on: a session, or a caller's own transaction.
#[derive(Clone, Copy)]
pub(super) struct Link<'a> {
    client: &'a Client,
    namespace: &'a Namespace,
    prepared: Option<&'a Prepared>,
}

impl<'a> Link<'a> {
    /// The transaction of a caller, in whose session nothing is left behind.
    pub(super) fn within(client: &'a Client, namespace: &'a Namespace) -> Link<'a> {
        Link {
            client,
            namespace,
            prepared: None,
        }
    }

    pub(super) fn namespace(&self) -> &'a Namespace {
        self.namespace
    }

    /// Runs a statement, and answers its rows.
    pub(super) async fn query(self, written: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Fault> {
        match self.prepare(written, params).await? {
            Some(statement) => {
                let values: Vec<&(dyn ToSql + Sync)> = params.iter().map(|(value, _)| *value).collect();
                Ok(self.client.query(&statement, &values).await?)
            }
            None => {
                let text = self.namespace.statement(written);
                Ok(self.client.query_typed(&text, params).await?)
            }
        }
    }

    /// Runs statements that answer nothing.
    pub(super) async fn run(self, statements: &str) -> Result<(), Fault> {
        Ok(self.client.batch_execute(statements).await?)
    }

    /// The prepared statement, where there may be one.
    async fn prepare(self, written: &'static str, params: &[Param<'_>]) -> Result<Option<Statement>, Fault> {
        let Some(Prepared(statements)) = self.prepared else {
            return Ok(None);
        };
        let known = statements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(written)
            .cloned();
        if known.is_some() {
            return Ok(known);
        }
        let types: Vec<Type> = params.iter().map(|(_, kind)| kind.clone()).collect();
        let text = self.namespace.statement(written);
        let statement = self.client.prepare_typed(&text, &types).await?;
        let mut statements = statements.lock().unwrap_or_else(PoisonError::into_inner);
        statements.insert(written, statement.clone());
        Ok(Some(statement))
    }
}
