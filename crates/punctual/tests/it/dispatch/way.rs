//! A way to PostgreSQL on which answers are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A way to a server of PostgreSQL on which an answer can be lost.
pub(super) struct Way {
    /// The next commit is made, and its answer lost with its connection.
    pub(super) loses_commit: Arc<AtomicBool>,
    pub(super) url: String,
}

impl Way {
    pub(super) async fn to(url: &str) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it has one").port();
        let (scheme, rest) = url.split_once("://").expect("it is a URL");
        let (authority, path) = rest.split_once('/').expect("it names a database");
        let (user, host) = authority.split_once('@').unwrap_or(("", authority));
        let loses_commit = Arc::new(AtomicBool::new(false));
        let way = Way {
            url: format!("{scheme}://{user}@127.0.0.1:{port}/{path}"),
            loses_commit: Arc::clone(&loses_commit),
        };
        let host = host.to_owned();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&host).await.expect("the server is there");
                tokio::spawn(carry(client, server, Arc::clone(&loses_commit)));
            }
        });
        way
    }
}

/// Carries what both say, until one of them ends or an answer is to be lost.
async fn carry(client: TcpStream, server: TcpStream, loses_commit: Arc<AtomicBool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = async {
        let mut answer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from_server.read(&mut answer).await {
            let answer = &answer[..length];
            let commits = answer.windows(7).any(|bytes| bytes == b"COMMIT\0");
            if commits && loses_commit.swap(false, Ordering::Relaxed) {
                return;
            }
            if to_client.write_all(answer).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        biased;
        () = answers => {}
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
    }
}
