//! What a [dispatch](crate::store::dispatch) asks of the store that keeps its rows, beside what everybody may ask.

use std::sync::Arc;

use super::claim_popped::claim_popped;
use super::gates::Settings;
use super::row::Columns;
use super::{PostgresStore, on_session};
use crate::error::Error;
use crate::job::JobId;
use crate::limits;
use crate::queue::QueueName;
use crate::run::{Claim, Claimed};
use crate::signals::Signal;
use crate::store::Answer;

impl PostgresStore {
    /// Claims from these queues those of `ids` that may start; nothing if the settings of a queue hold something back.
    pub(crate) fn claim_popped(
        &self,
        claim: Claim,
        queues: Vec<QueueName>,
        ids: Vec<JobId>,
    ) -> Answer<'static, Option<Claimed>> {
        let core = Arc::clone(&self.core);
        self.write(async move {
            on_session!(core.writes, session => claim_popped(&session, &core.known, &queues, &ids, &claim))
        })
    }

    /// Whether nothing holds jobs of these queues back, as far as the last claim knew.
    pub(crate) fn are_open(&self, queues: &[QueueName]) -> bool {
        self.core.known.of(queues).iter().all(Settings::is_open)
    }

    /// A name that no other store has.
    pub(crate) fn name(&self) -> Answer<'static, String> {
        let core = Arc::clone(&self.core);
        self.read(async move {
            let rows = on_session!(core.reads, session => session.read(include_str!("name.sql"), &[]))?;
            let row = rows
                .first()
                .ok_or_else(|| Error::internal("the namespace has lost its schema"))?;
            Ok(Columns::of(row).get(0)?)
        })
    }

    /// Sends hints of jobs that stand in lines already.
    pub(crate) fn tell_of_lined(&self, signals: &[Signal]) {
        self.signals.send_lined(signals);
    }

    /// Hears, before anybody else does, of what others did to jobs that may stand in no line. There is one who hears.
    pub(crate) fn hear_of_unlined(&self, hear: impl Fn(&Signal) + Send + Sync + 'static) {
        self.signals.hear_of_unlined(Box::new(hear));
    }
}
