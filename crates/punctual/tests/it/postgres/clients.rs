//! Clients in other languages: what `docs/transactions.md` shows of them is run as it stands there.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use punctual::store::Store;

use super::claim;
use super::server::{Server, is_left_out, open};

/// A snippet of the page: its language, and its text.
fn snippets() -> Vec<(&'static str, String)> {
    let page = include_str!("../../../../../docs/transactions.md");
    let mut snippets: Vec<(&str, String)> = Vec::new();
    let mut language = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), language) {
            (Some(begins), None) => {
                language = Some(begins);
                snippets.push((begins, String::new()));
            }
            (Some(_), Some(_)) => language = None,
            (None, Some(_)) => {
                let (_, text) = snippets.last_mut().expect("one has begun");
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    snippets
}

/// Runs a program that reads `text` as its script, and answers what it prints.
fn run(command: &mut Command, text: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/needs installs it"));
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{command:?} failed at:\n{text}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn psql(url: &str, text: &str) -> String {
    let mut psql = Command::new("psql");
    psql.args(["--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", url]);
    run(&mut psql, text)
}

fn python(url: &str, text: &str) -> String {
    // Debian's own, whose packages `scripts/needs` installs.
    let mut python = Command::new("/usr/bin/python3");
    run(python.arg("-").env("DATABASE_URL", url), text)
}

fn node(url: &str, text: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/node-pg");
    let packages = run(&mut Command::new(script), "");
    let mut node = Command::new("node");
    node.arg("-")
        .env("DATABASE_URL", url)
        .env("NODE_PATH", packages.trim());
    run(&mut node, text)
}

/// The jobs that can be claimed, as kind and payload.
async fn claimed(store: &dyn Store) -> Vec<(String, String)> {
    let jobs = claim(store, 10).await.jobs.into_iter();
    jobs.map(|job| {
        let payload = String::from_utf8_lossy(&job.body.payload).into_owned();
        (job.body.kind.clone(), payload)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_book_shows_psql_python_and_node_enqueueing_in_their_own_transactions() {
    // Roles and the namespace `punctual` are as the page names them, so that the server has to be this test's own.
    let Some(server) = Server::start(&[]) else { return };
    let store = open(server.url()).await;
    let shown = [
        ("sql", Some(r#"{"order": 7}"#)),
        ("sql", None),
        ("python", Some(r#"{"order": 8}"#)),
        ("js", Some(r#"{"order":9}"#)),
        ("sql", None),
    ];
    let mut snippets = snippets();
    snippets.retain(|(language, _)| ["sql", "python", "js"].contains(language));
    assert_eq!(snippets.len(), shown.len(), "the page shows one snippet for each");
    for ((language, text), (expected, payload)) in snippets.iter().zip(shown) {
        assert_eq!(*language, expected, "{text}");
        match *language {
            "sql" => psql(server.url(), text),
            "python" => python(server.url(), text),
            _ if is_left_out("node") => continue,
            _ => node(server.url(), text),
        };
        let due = payload.map(|payload| ("order.ship".to_owned(), payload.to_owned()));
        assert_eq!(claimed(&store).await, Vec::from_iter(due), "{text}");
    }

    // The last of them made a role that may enqueue, and nothing else.
    let as_shop = server.url().replace("punctual:secret@", "shop:secret@");
    let answer = psql(
        &as_shop,
        "select punctual.enqueue('order.ship', '10') is not null as enqueued",
    );
    assert!(answer.contains('t'), "{answer}");
    let ship = ("order.ship".to_owned(), "10".to_owned());
    assert_eq!(claimed(&store).await, [ship]);
    let waiting = psql(
        server.url(),
        "select 'waits: ' || kind from punctual.jobs_readable where state = 'waiting'",
    );
    assert!(waiting.contains("waits: order.remind"), "{waiting}");
}
