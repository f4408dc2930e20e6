//! Lines that are wrong.

use punctual::job::Job;
use punctual::time::Timestamp;
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;

use super::{JobId, Store, claim_from, in_queue, insert, job, open, servers, success, until};

/// Somebody who writes into lines by hand.
pub(super) struct Liar {
    connection: MultiplexedConnection,
    /// What the keys begin with.
    prefix: Vec<u8>,
}

impl Liar {
    /// In the namespace of this URL, once lines are kept there.
    pub(super) async fn new(through: &str) -> Option<Liar> {
        let (url, namespace) = through.split_once("?namespace=").unwrap_or((through, "punctual"));
        let client = redis::Client::open(url).expect("it is a URL");
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut scan = redis::cmd("KEYS");
        scan.arg(format!("{{{namespace}}}:dispatch:*:places"));
        let keys: Vec<Vec<u8>> = scan.query_async(&mut connection).await.ok()?;
        let places = keys.into_iter().next()?;
        let prefix = places[..places.len() - b"places".len()].to_vec();
        Some(Liar { connection, prefix })
    }

    pub(super) fn key(&self, name: &str) -> Vec<u8> {
        [&self.prefix, name.as_bytes()].concat()
    }

    /// Fails only where the server is away.
    pub(super) async fn ask<T: FromRedisValue>(&mut self, command: &redis::Cmd) -> Option<T> {
        command.query_async(&mut self.connection).await.ok()
    }

    /// Takes a job out of all that lines consist of.
    pub(super) async fn lose(&mut self, id: JobId, priority: u8, queue: &str) {
        let mut remove = redis::cmd("ZREM");
        remove
            .arg(self.key(&format!("line:{priority}:{queue}")))
            .arg(entry(id));
        assert_eq!(self.ask(&remove).await, Some(1), "it stands in this line");
        let mut forget = redis::cmd("HDEL");
        forget.arg(self.key("places")).arg(id.0.as_bytes());
        assert_eq!(self.ask(&forget).await, Some(1), "its place is known");
    }

    /// How many entries a line has.
    pub(super) async fn length(&mut self, line: &str) -> Option<usize> {
        let mut count = redis::cmd("ZCARD");
        count.arg(self.key(&format!("line:{line}")));
        self.ask(&count).await
    }

    /// Fails only where the server is away.
    pub(super) async fn add(&mut self, line: &str, entry: &[u8]) -> Option<()> {
        let mut add = redis::cmd("ZADD");
        add.arg(self.key(&format!("line:{line}"))).arg(0).arg(entry);
        self.ask(&add).await
    }

    /// Says of a job that it stands there, in all that lines consist of.
    pub(super) async fn claim_to_stand(&mut self, id: JobId, priority: u8, queue: &str) -> Option<()> {
        let place = [
            b"0123456789"[usize::from(priority)..][..1].to_vec(),
            due(),
            vec![0; 8],
        ]
        .concat();
        let mut set = redis::cmd("HSET");
        set.arg(self.key("places"))
            .arg(id.0.as_bytes())
            .arg([&place, queue.as_bytes()].concat());
        self.ask::<()>(&set).await?;
        self.add(&format!("{priority}:{queue}"), &entry(id)).await
    }

    pub(super) async fn flush(&mut self) -> Option<()> {
        self.ask(&redis::cmd("FLUSHALL")).await
    }
}

/// The instant at which jobs of tests are due, as lines write it.
fn due() -> Vec<u8> {
    let micros = Timestamp::EPOCH.as_micros().cast_unsigned() ^ (1 << 63);
    micros.to_be_bytes().to_vec()
}

pub(super) fn entry(id: JobId) -> Vec<u8> {
    [due(), id.0.as_bytes().to_vec()].concat()
}

#[tokio::test]
async fn a_line_that_names_a_job_of_another_queue_does_not_give_it_to_a_worker_of_its_own() {
    let Some((house, redis)) = servers() else { return };
    let store = open(&house.next(), &redis).await;
    let moved = in_queue("a", "there");
    insert(&store, std::slice::from_ref(&moved)).await;
    let mut liar = Liar::new(&redis).await.expect("there are lines");
    for queues in [&["here"][..], &["here", "there"]] {
        // Only what is trusted can deceive.
        assert_eq!(claim_from(&store, &["here"], 1).await, []);
        liar.claim_to_stand(moved.id(), 5, "here").await;
        let claimed = claim_from(&store, queues, 5).await;
        assert_eq!(claimed, [moved.id()][..queues.len() - 1]);
    }
}

#[tokio::test]
async fn entries_that_are_wrong_or_doubled_are_thrown_away() {
    let Some((house, redis)) = servers() else { return };
    let store = open(&house.next(), &redis).await;
    let jobs: Vec<Job> = (0..50).map(|number| job(&format!("job {number}"))).collect();
    insert(&store, &jobs).await;
    let mut liar = Liar::new(&redis).await.expect("there are lines");
    for job in &jobs {
        liar.add("3:default", &entry(job.id())).await;
        liar.add("7:default", &entry(job.id())).await;
    }
    for number in 0..300 {
        let id = JobId::named(&format!("nobody {number}"));
        liar.claim_to_stand(id, 0, "default").await;
        liar.add("9:default", &entry(id)).await;
    }
    for garbage in [&b""[..], b"x", &[0; 23], &[255; 24], &[0; 40]] {
        liar.add("4:default", garbage).await;
    }
    let mut ran = Vec::new();
    until("every job ran", async || {
        let claimed = claim_from(&store, &["default"], 7).await;
        let rows = store.fetch(&claimed).await.expect("it reads");
        let ended: Vec<_> = rows.iter().flatten().map(success).collect();
        store.apply(&ended).await.expect("it takes changes");
        ran.extend(claimed);
        ran.len() >= jobs.len()
    })
    .await;
    ran.sort_unstable();
    let mut expected: Vec<JobId> = jobs.iter().map(Job::id).collect();
    expected.sort_unstable();
    assert_eq!(ran, expected);
    assert_eq!(claim_from(&store, &["default"], 7).await, []);
}
