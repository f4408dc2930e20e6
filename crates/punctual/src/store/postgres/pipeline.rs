//! A pipeline: one long-lived session in many hands at once, for reads that are over soon.
//!
//! Each sends its statement without waiting for the answers to those before it, and the server answers one after the other. So a
//! server far away costs each of them one round trip, however many ask at the same time. What may take long (a list, a
//! count, very many rows) has sessions of its own in the [pool](super::pool), and holds nobody up here.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::Connector;
use super::fault::Fault;
use super::session::Session;
use crate::error::Error;

pub(super) struct Pipeline {
    connector: Arc<Connector>,
    hands: Arc<Semaphore>,
    current: Mutex<Option<Opening>>,
}

/// A session that is open, or being opened for all who wait for it: they share a failure, too.
type Opening = Shared<BoxFuture<'static, Result<Arc<Session>, Error>>>;

impl Pipeline {
    /// Opens its session when it is first needed, and gives it into so many hands at once.
    pub(super) fn new(connector: Arc<Connector>, hands: usize) -> Arc<Pipeline> {
        Arc::new(Pipeline {
            connector,
            hands: Arc::new(Semaphore::new(hands)),
            current: Mutex::default(),
        })
    }

    /// The session, as soon as a hand is free.
    pub(super) async fn take(self: &Arc<Self>) -> Result<Hand, Error> {
        let hand = Arc::clone(&self.hands).acquire_owned().await;
        let hand = hand.map_err(|_| Error::unavailable("the store is closed"))?;
        let session = self.opening().await?;
        Ok(Hand {
            session,
            pipeline: Arc::clone(self),
            is_over: false,
            _hand: hand,
        })
    }

    /// Gives this session to nobody any more.
    fn part_with(&self, session: &Arc<Session>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_this =
            |opening: &Opening| matches!(opening.peek(), Some(Ok(other)) if Arc::ptr_eq(other, session));
        if current.as_ref().is_some_and(is_this) {
            *current = None;
        }
    }

    fn opening(&self) -> Opening {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let is_of_use = |opening: &&Opening| match opening.peek() {
            None => true,
            Some(Ok(session)) => !session.is_closed(),
            Some(Err(_)) => false,
        };
        if let Some(opening) = current.as_ref().filter(is_of_use) {
            return opening.clone();
        }
        let connector = Arc::clone(&self.connector);
        let opening = async move { connector.session().await.map(Arc::new) };
        let opening = opening.boxed().shared();
        *current = Some(opening.clone());
        opening
    }
}

/// The session in one of many hands. A read that is given up was not answered in time: others do not begin on such a session.
pub(super) struct Hand {
    session: Arc<Session>,
    pipeline: Arc<Pipeline>,
    is_over: bool,
    _hand: OwnedSemaphorePermit,
}

impl Drop for Hand {
    fn drop(&mut self) {
        if !self.is_over {
            self.pipeline.part_with(&self.session);
        }
    }
}

impl Hand {
    /// Lets go of it after a verb came to its end.
    pub(super) fn give_back<T>(mut self, done: Result<T, Fault>) -> Result<T, Fault> {
        self.is_over = true;
        done
    }
}

impl Deref for Hand {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}
