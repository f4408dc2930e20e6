//! The keys, and the scripts.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::StreamExt;
use protocol::{Error, Job};
use redis::{AsyncConnectionConfig, Client, Script, aio::MultiplexedConnection};
use tokio::sync::Notify;

/// A job that is sent again is the same job. KEYS: the lines of the two priorities; ARGV: id, kind and payload, place of its line, due.
const INSERT: &str = "
    for i = 1, #ARGV, 4 do
        if redis.call('setnx', 'job:' .. ARGV[i], ARGV[i + 1]) == 1 then
            redis.call('zadd', KEYS[tonumber(ARGV[i + 2])], ARGV[i + 3], ARGV[i])
        end
    end
    redis.call('publish', 'inserted', '')";

/// Each priority's line, first due first. KEYS: the lines, the leases; ARGV: now, how many, the end of the lease.
const CLAIM: &str = "
    local claimed, most = {}, tonumber(ARGV[2])
    for line = 1, 2 do
        if #claimed < 2 * most then
            local ids = redis.call('zrangebyscore', KEYS[line], '-inf', ARGV[1], 'limit', 0, most - #claimed / 2)
            for _, id in ipairs(ids) do
                redis.call('zrem', KEYS[line], id)
                redis.call('zadd', KEYS[3], ARGV[3], id)
                claimed[#claimed + 1] = id
                claimed[#claimed + 1] = redis.call('get', 'job:' .. id)
            end
        end
    end
    return claimed";

/// KEYS: the leases, what has ended; ARGV: now, ids.
const FINISH: &str = "
    for i = 2, #ARGV do
        if redis.call('zrem', KEYS[1], ARGV[i]) == 1 then redis.call('zadd', KEYS[2], ARGV[1], ARGV[i]) end
    end";

const DELETE: &str = "
    for i = 2, #ARGV do
        if redis.call('zrem', KEYS[1], ARGV[i]) == 1 then redis.call('del', 'job:' .. ARGV[i]) end
    end";

/// One queue, and its priorities: urgent, ordinary.
const LINES: [&str; 2] = ["line:default:0", "line:default:5"];
const LEASES: &str = "leases";
const ENDED: &str = "ended:default";

const KIND: &str = "bench ";

const LEASE_MICROS: i64 = 30_000_000;

/// How long a script may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that many may use at once, and its scripts.
#[derive(Clone)]
pub(crate) struct Store {
    connection: MultiplexedConnection,
    scripts: Arc<Scripts>,
}

struct Scripts {
    insert: Script,
    claim: Script,
    finish: Script,
    delete: Script,
}

/// A claimed job.
pub(crate) struct Claimed {
    pub(crate) id: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Store {
    pub(crate) async fn open(url: &str) -> Result<Self, Error> {
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = Client::open(url)?
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let scripts = Arc::new(Scripts {
            insert: Script::new(INSERT),
            claim: Script::new(CLAIM),
            finish: Script::new(FINISH),
            delete: Script::new(DELETE),
        });
        Ok(Self { connection, scripts })
    }

    pub(crate) async fn is_durable(&self) -> Result<bool, Error> {
        let setting: Vec<String> = redis::cmd("CONFIG")
            .arg("GET")
            .arg("appendonly")
            .query_async(&mut self.connection())
            .await?;
        Ok(setting.last().is_some_and(|value| value == "yes"))
    }

    /// Inserts all of these jobs by one script.
    pub(crate) async fn insert(&self, jobs: impl Iterator<Item = &Job>) -> Result<(), Error> {
        let now = now();
        let mut call = self.scripts.insert.prepare_invoke();
        call.key(&LINES);
        for job in jobs {
            let due = job.due_micros().unwrap_or(now);
            let body = KIND.to_owned() + &serde_json::to_string(&job.payload)?;
            let line = 1 + usize::from(!job.urgent);
            call.arg(&fresh_id(now)[..]).arg(body).arg(line).arg(due);
        }
        Ok(call.invoke_async(&mut self.connection()).await?)
    }

    /// Claims up to `most` due jobs by one script.
    pub(crate) async fn claim(&self, most: usize) -> Result<Vec<Claimed>, Error> {
        let now = now();
        let mut call = self.scripts.claim.prepare_invoke();
        call.key(&LINES)
            .key(LEASES)
            .arg(now)
            .arg(most)
            .arg(now + LEASE_MICROS);
        let claimed: Vec<(Vec<u8>, Vec<u8>)> = call.invoke_async(&mut self.connection()).await?;
        let read = |(id, body): (Vec<u8>, Vec<u8>)| Claimed {
            id,
            payload: body[KIND.len()..].to_vec(),
        };
        Ok(claimed.into_iter().map(read).collect())
    }

    /// Completes these jobs by one script.
    pub(crate) async fn complete(&self, jobs: &[Claimed], delete: bool) -> Result<(), Error> {
        if jobs.is_empty() {
            return Ok(());
        }
        let script = if delete {
            &self.scripts.delete
        } else {
            &self.scripts.finish
        };
        let mut call = script.prepare_invoke();
        call.key(LEASES).key(ENDED).arg(now());
        for job in jobs {
            call.arg(&job.id[..]);
        }
        Ok(call.invoke_async(&mut self.connection()).await?)
    }

    /// How long until a job is due: nothing if one is, `None` if none waits.
    pub(crate) async fn until_due(&self) -> Result<Option<Duration>, Error> {
        let mut soonest: Option<i64> = None;
        for line in LINES {
            let first: Vec<(Vec<u8>, i64)> = redis::cmd("ZRANGE")
                .arg(line)
                .arg(0)
                .arg(0)
                .arg("WITHSCORES")
                .query_async(&mut self.connection())
                .await?;
            for (_, due) in first {
                soonest = Some(soonest.map_or(due, |other| other.min(due)));
            }
        }
        Ok(soonest.map(|due| Duration::from_micros(due.saturating_sub(now()).max(0) as u64)))
    }

    pub(crate) async fn is_drained(&self) -> Result<bool, Error> {
        let mut open: u64 = redis::cmd("ZCARD")
            .arg(LEASES)
            .query_async(&mut self.connection())
            .await?;
        for line in LINES {
            let due: u64 = redis::cmd("ZCOUNT")
                .arg(line)
                .arg("-inf")
                .arg(now())
                .query_async(&mut self.connection())
                .await?;
            open += due;
        }
        Ok(open == 0)
    }

    fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

/// Rings `bell` whenever a writer, here or in another process, has inserted.
pub(crate) async fn listen(url: &str, bell: Arc<Notify>) -> Result<(), Error> {
    let mut pubsub = Client::open(url)?.get_async_pubsub().await?;
    pubsub.subscribe("inserted").await?;
    tokio::spawn(async move {
        let mut messages = pubsub.into_on_message();
        while messages.next().await.is_some() {
            bell.notify_one();
        }
    });
    Ok(())
}

/// An id that no other process takes: the instant, this process, a number.
fn fresh_id(now: i64) -> [u8; 16] {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = u128::from(NUMBER.fetch_add(1, Ordering::Relaxed));
    ((now as u128) << 64 | number << 32 | u128::from(process::id())).to_be_bytes()
}

fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_micros() as i64
}
