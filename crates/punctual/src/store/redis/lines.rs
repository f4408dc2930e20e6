//! Lines of ids in Redis, for jobs whose rows are kept in another store: what a [dispatch](crate::store::dispatch) asks.
//!
//! Nothing here decides anything. A line may lack a job, or name one that has moved on, and whoever pops it asks the store
//! of the rows. What lines know beside ids is whether it is worth asking that store: it was looked at lately, and whatever
//! was stored since went into a line. That is called trust. It lasts for [`RESCAN`](limits::RESCAN) at most, so that what
//! was lost is found by then. Lines that nobody looks at any more go by themselves, after [`DISPATCH_IDLE`](limits::DISPATCH_IDLE).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use redis::Value;
use uuid::Uuid;

use super::address::Address;
use super::driver::Driver;
use super::link::Link;
use super::order::{UNSET, instant, read_instant};
use super::reply;
use super::script::{Arguments, Script};
use crate::error::Error;
use crate::job::{Body, JobId, State, Status};
use crate::limits;
use crate::queue::QueueName;
use crate::time::{Timestamp, micros};

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {$(
        static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(include_str!("lines/prelude.lua"), include_str!($file))));
    )*};
}

scripts! {
    PLACE = "lines/place.lua";
    POP = "lines/pop.lua";
    TRUST = "lines/trust.lua";
}

/// The lines of one store.
pub(crate) struct Lines {
    link: Link,
    /// What the names of its keys begin with, behind the namespace.
    prefix: String,
    /// Whether the last question was answered.
    reached: AtomicBool,
    _driver: Driver,
}

/// Where a job stands.
pub(crate) struct Place(Vec<u8>);

impl Place {
    /// The place of a job; nothing if it does not wait.
    pub(crate) fn of(body: &Body, status: &Status) -> Option<Place> {
        let deadline = status.alarm.map_or(UNSET, instant);
        let priority = [body.priority.min(limits::PRIORITY_MAX) + b'0'];
        let queue = body.queue.as_str().as_bytes();
        let place = || Place([&priority, &instant(status.due)[..], &deadline, queue].concat());
        (status.state == State::Waiting).then(place)
    }
}

/// What was taken out of lines.
#[derive(Default)]
pub(crate) struct Popped {
    pub(crate) ids: Vec<JobId>,
    /// When the next job is due, as far as the lines know.
    pub(crate) next_due: Option<Timestamp>,
    /// Whether there is nothing else that is due. Otherwise the store has to be asked.
    pub(crate) is_all: bool,
}

/// What a look at the store of the rows found.
pub(crate) struct Look<'a> {
    pub(crate) queues: &'a [QueueName],
    /// The store's time.
    pub(crate) now: Timestamp,
    /// Whether all that is due was taken.
    pub(crate) all: bool,
    pub(crate) next_due: Option<Timestamp>,
}

impl Lines {
    /// The lines of the store that has this name, which nobody connects to before they are needed.
    pub(crate) fn open(url: &str, store: &str) -> Result<Lines, Error> {
        let address = Address::read(url)?;
        let driver = Driver::start()?;
        let spawner = driver.spawner().clone();
        Ok(Lines {
            link: Link::with_patience(limits::DISPATCH_WAIT, address, spawner, Arc::new(|_| ())),
            prefix: format!("dispatch:{store}:"),
            reached: AtomicBool::new(true),
            _driver: driver,
        })
    }

    /// Whether Redis answered when it was last asked.
    pub(crate) fn are_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// Puts jobs where they stand, or takes them out. Answers how many stood in a line before.
    pub(crate) async fn place(&self, places: &[(JobId, Option<Place>)]) -> Result<usize, Error> {
        let mut known = 0;
        for places in places.chunks(limits::SCRIPT_ITEMS) {
            let mut arguments = self.arguments();
            arguments
                .number(limits::DISPATCH_LINE)
                .number(limits::DISPATCH_IDLE.as_secs());
            for (id, place) in places {
                let place = place.as_ref().map_or(&[][..], |place| &place.0);
                arguments.bytes(id.0.as_bytes()).bytes(place);
            }
            let answer = reply::number(self.run(&PLACE, arguments).await?)?;
            known += usize::try_from(answer).unwrap_or(0);
        }
        Ok(known)
    }

    /// Takes up to `max` ids of jobs that are due out of the lines of these queues, in their order.
    pub(crate) async fn pop(
        &self,
        queues: &[QueueName],
        max: usize,
        now: Timestamp,
    ) -> Result<Popped, Error> {
        let mut arguments = self.arguments();
        arguments
            .bytes(instant(now))
            .number(max.min(limits::SCRIPT_ITEMS));
        arguments.each(queues.iter().map(QueueName::as_str));
        let [is_all, next_due, ids] = reply::parts(self.run(&POP, arguments).await?)?;
        let next_due = reply::bytes(next_due)?;
        let ids = reply::list(ids)?.into_iter();
        Ok(Popped {
            ids: ids
                .map(|id| Ok(JobId(Uuid::from_bytes(reply::fixed(&id)?))))
                .collect::<Result<_, Error>>()?,
            next_due: match next_due.is_empty() {
                true => None,
                false => Some(read_instant(reply::fixed(&next_due)?)),
            },
            is_all: reply::number(is_all)? == 1,
        })
    }

    /// Trusts the lines of these queues from now on, after a look at the store of the rows.
    pub(crate) async fn trust(&self, look: &Look<'_>) -> Result<(), Error> {
        let mut arguments = self.arguments();
        arguments
            .bytes(instant(look.now))
            .bytes(instant(look.now + limits::RESCAN))
            .number(micros(limits::RESCAN))
            .number(limits::DISPATCH_IDLE.as_secs())
            .number(u8::from(look.all))
            .bytes(look.next_due.map_or(Vec::new(), |due| instant(due).to_vec()));
        arguments.each(look.queues.iter().map(QueueName::as_str));
        self.run(&TRUST, arguments).await.map(drop)
    }

    /// Trusts the lines of these queues no more, until the store of the rows was looked at again.
    pub(crate) async fn doubt(&self, queues: impl IntoIterator<Item = &QueueName>) -> Result<(), Error> {
        let mut doubt = redis::cmd("HDEL");
        doubt.arg(self.key("trust"));
        let mut some = false;
        for queue in queues {
            doubt.arg(queue.as_str());
            some = true;
        }
        match some {
            true => self.ask(doubt).await.map(drop),
            false => Ok(()),
        }
    }

    /// Trusts no line any more.
    pub(crate) async fn doubt_all(&self) -> Result<(), Error> {
        let mut doubt = redis::cmd("DEL");
        doubt.arg(self.key("trust"));
        self.ask(doubt).await.map(drop)
    }

    /// Asks the server for a sign of life.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        self.ask(redis::cmd("PING")).await.map(drop)
    }

    /// Where they are, without anything that is secret.
    pub(crate) fn at(&self) -> String {
        self.link.address().to_string()
    }

    fn key(&self, name: &str) -> Vec<u8> {
        self.link.key_of(&self.prefix, name.as_bytes())
    }

    fn arguments(&self) -> Arguments {
        let mut arguments = Arguments::default();
        arguments.bytes(&self.prefix);
        arguments
    }

    /// Runs a script. None of them has to be told apart from one that only reads: no script is sent again once it may have run, and
    /// nothing is wrong with one that did run though its answer was lost. Places and trust are as they were to be. Ids that were
    /// popped for nobody are missing in their lines as those of a process that popped them and died, which is made up for.
    async fn run(&self, script: &'static Script, arguments: Arguments) -> Result<Value, Error> {
        self.noted(self.link.read(script, arguments).await)
    }

    async fn ask(&self, command: redis::Cmd) -> Result<Value, Error> {
        self.noted(self.link.ask(command).await)
    }

    fn noted(&self, answer: Result<Value, Error>) -> Result<Value, Error> {
        self.reached.store(answer.is_ok(), Ordering::Relaxed);
        answer
    }
}
