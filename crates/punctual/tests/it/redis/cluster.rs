//! A cluster of three nodes: a namespace is in one slot, and so on one node.

use std::collections::BTreeSet;
use std::sync::Arc;

use punctual::store::Store;
use redis::Value;

use super::server::{Server, namespace};
use super::{claim, insert, job, open, success, tell, until, within_patience};

/// Slots of a cluster.
const SLOTS: u32 = 16_384;

/// Three nodes that share the slots.
async fn cluster() -> Option<Vec<Server>> {
    let lines = ["cluster-enabled yes", "cluster-require-full-coverage no"];
    let nodes = vec![
        Server::start(&lines)?,
        Server::start(&lines)?,
        Server::start(&lines)?,
    ];
    let share = SLOTS.div_ceil(3);
    for (node, first) in nodes.iter().zip((0..).step_by(share as usize)) {
        let last = (first + share).min(SLOTS) - 1;
        let range = ["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()];
        tell(node.url(), &range).await;
        let (port, bus) = ports(node).await;
        tell(nodes[0].url(), &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
    }
    for node in &nodes {
        until("the nodes find each other", async || knows_all(node).await).await;
    }
    Some(nodes)
}

/// The port of a node, and that on which nodes talk.
async fn ports(node: &Server) -> (String, String) {
    let configuration = std::fs::read_to_string(node.folder().join("redis.conf")).expect("it has one");
    let of = |name: &str| {
        let line = configuration.lines().find_map(|line| line.strip_prefix(name));
        line.expect("it names the port").trim().to_owned()
    };
    (of("port "), of("cluster-port "))
}

async fn knows_all(node: &Server) -> bool {
    let info = match tell(node.url(), &["CLUSTER", "INFO"]).await {
        Value::BulkString(text) => String::from_utf8_lossy(&text).into_owned(),
        Value::VerbatimString { text, .. } => text,
        other => panic!("no information: {other:?}"),
    };
    info.contains("cluster_state:ok") && info.contains(&format!("cluster_slots_ok:{SLOTS}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_redis_store_conforms_on_a_cluster() {
    let Some(nodes) = cluster().await else { return };
    // Each node is asked first by some, for namespaces that most often another one serves.
    let next = std::sync::atomic::AtomicUsize::new(0);
    punctual::testing::conformance::run(async || {
        let next = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let url = namespace(nodes[next % nodes.len()].url());
        Arc::new(open(&url).await) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn namespaces_of_a_cluster_spread_over_its_nodes_and_each_stays_on_one() {
    let Some(nodes) = cluster().await else { return };
    for number in 0..12 {
        let url = format!("{}?namespace=spread-{number}", nodes[0].url());
        let store = open(&url).await;
        let jobs: Vec<_> = (0..10).map(|job_number| job(&format!("{job_number}"))).collect();
        insert(&store, &jobs).await;
        let claimed = claim(&store, 10).await.expect("it claims").jobs;
        assert_eq!(claimed.len(), 10);
        let changes: Vec<_> = claimed.iter().map(success).collect();
        store.apply(&changes).await.expect("it settles");
    }
    let mut seen = BTreeSet::new();
    for node in &nodes {
        let Value::Array(keys) = tell(node.url(), &["KEYS", "*:schema"]).await else {
            panic!("a list of keys");
        };
        assert!(!keys.is_empty(), "a node serves no namespace");
        for key in keys {
            assert!(seen.insert(format!("{key:?}")), "two nodes serve one namespace");
        }
    }
    assert_eq!(seen.len(), 12);
}

#[tokio::test]
async fn a_slot_that_was_given_to_another_node_is_followed() {
    let Some(nodes) = cluster().await else { return };
    let url = format!("{},{}?namespace=moved", nodes[0].url(), host(&nodes[1]));
    let store = open(&url).await;
    let slot = match tell(nodes[0].url(), &["CLUSTER", "KEYSLOT", "{moved}"]).await {
        Value::Int(slot) => slot.to_string(),
        other => panic!("a slot: {other:?}"),
    };
    // It holds nothing that would have to be moved along but what the store makes anew.
    let mut ids = Vec::new();
    for node in &nodes {
        ids.push(match tell(node.url(), &["CLUSTER", "MYID"]).await {
            Value::BulkString(id) => String::from_utf8_lossy(&id).into_owned(),
            other => panic!("an id: {other:?}"),
        });
    }
    for (turn, id) in ids.iter().enumerate() {
        for node in &nodes {
            tell(node.url(), &["FLUSHALL"]).await;
        }
        // The new owner has to know it first.
        let owner_first = [turn, (turn + 1) % 3, (turn + 2) % 3];
        for place in owner_first {
            tell(nodes[place].url(), &["CLUSTER", "SETSLOT", &slot, "NODE", id]).await;
        }
        within_patience(super::until_answered(async || store.insert(&[job("a")]).await)).await;
        let claimed = super::until_answered(async || claim(&store, 1).await).await;
        assert_eq!(claimed.jobs.len(), 1);
    }
}

fn host(node: &Server) -> &str {
    node.url().split("//").nth(1).expect("a URL has a host")
}
