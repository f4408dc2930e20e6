//! The pool: a few long-lived sessions, each opened when it is first needed, and in one pair of hands at a time.
//!
//! What waits for a lock on one of them holds nobody else up. The one that was used last is used next, so that an idle
//! process keeps few connections, and what a rush opened is closed after it. A session that came to harm is not given back, and the next one is a new one.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::Connector;
use super::fault::Fault;
use super::session::Session;
use crate::error::Error;
use crate::limits;

pub(super) struct Pool {
    connector: Arc<Connector>,
    places: Arc<Semaphore>,
    idle: Mutex<Vec<Session>>,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>, size: usize) -> Arc<Pool> {
        Arc::new(Pool {
            connector,
            places: Arc::new(Semaphore::new(size)),
            idle: Mutex::default(),
        })
    }

    /// A session, as soon as one is free.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Taken, Error> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_| Error::unavailable("the store is closed"))?;
        let session = match self.idle_session() {
            Some(session) => session,
            None => self.connector.session().await?,
        };
        Ok(Taken {
            session,
            pool: Arc::clone(self),
            _place: place,
        })
    }

    fn idle_session(&self) -> Option<Session> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|session| !session.is_closed());
        idle.pop()
    }
}

/// A session in somebody's hands. Dropped, it is closed, since nobody knows in the middle of what; [`Taken::give_back`] keeps it.
pub(super) struct Taken {
    session: Session,
    pool: Arc<Pool>,
    _place: OwnedSemaphorePermit,
}

impl Taken {
    /// Gives it back after a verb came to its end, unless that ended the connection.
    pub(super) fn give_back<T>(self, done: Result<T, Fault>) -> Result<T, Fault> {
        let harmed = done.as_ref().is_err_and(Fault::is_of_the_connection);
        if !harmed && !self.session.is_closed() {
            let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
            // The last one used comes first, so that those left over are the ones that nobody needs.
            if idle.len() < limits::SESSIONS_KEPT {
                idle.push(self.session);
            }
        }
        done
    }
}

impl Deref for Taken {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
