//! A server that answers as it is told, byte by byte, and remembers what it was sent.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    told: Arc<Told>,
    serving: JoinHandle<()>,
}

struct Told {
    answer: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    open: AtomicUsize,
}

#[derive(Clone)]
pub(super) struct Request {
    pub(super) head: String,
    pub(super) body: String,
}

pub(super) enum Reply {
    /// These bytes; the connection stays open.
    Says(Vec<u8>),
    /// These bytes, and then the connection is closed.
    Breaks(&'static str),
    /// A body that never ends.
    Endless,
    /// The same, not accepted: it begins, and then nothing more comes.
    EndlessRefusal,
    /// Nothing.
    Never,
}

impl Reply {
    /// A whole answer, with these further headers.
    pub(super) fn says(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
        let length = body.as_ref().len();
        let mut bytes =
            format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(body.as_ref());
        Reply::Says(bytes)
    }
}

impl Request {
    pub(super) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines.filter(|(given, _)| given.eq_ignore_ascii_case(name));
        values.next().map(|(_, value)| value.to_owned())
    }
}

impl Server {
    pub(super) async fn that(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let told = Arc::new(Told {
            answer: Box::new(answer),
            requests: Mutex::new(Vec::new()),
            connections: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let serving = tokio::spawn(serve(listener, told.clone()));
        Server {
            address,
            told,
            serving,
        }
    }

    /// An address where nobody listens.
    pub(super) async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        listener.local_addr().expect("its address")
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.told.requests.lock().expect("nobody panics with it").clone()
    }

    /// How many connections were ever made.
    pub(super) fn connections(&self) -> usize {
        self.told.connections.load(Ordering::SeqCst)
    }

    /// How many of them are open.
    pub(super) fn open(&self) -> usize {
        self.told.open.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, told: Arc<Told>) {
    loop {
        let (stream, _) = listener.accept().await.expect("a connection");
        told.connections.fetch_add(1, Ordering::SeqCst);
        told.open.fetch_add(1, Ordering::SeqCst);
        let told = told.clone();
        tokio::spawn(async move {
            // A client that goes away is no failure of the server.
            let _ = converse(stream, &told).await;
            told.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn converse(mut stream: TcpStream, told: &Told) -> std::io::Result<()> {
    let mut received = Vec::new();
    while let Some(request) = receive(&mut stream, &mut received).await? {
        let reply = (told.answer)(&request);
        told.requests.lock().expect("nobody panics with it").push(request);
        match reply {
            Reply::Says(bytes) => stream.write_all(&bytes).await?,
            Reply::Breaks(bytes) => return stream.write_all(bytes.as_bytes()).await,
            Reply::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
                loop {
                    stream.write_all(&[b'x'; 4_096]).await?;
                }
            }
            Reply::EndlessRefusal => {
                stream
                    .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 1000000\r\n\r\n")
                    .await?;
                stream.write_all(&[b'x'; 4_096]).await?;
                stream.read_u8().await?;
            }
            Reply::Never => {
                stream.read_u8().await?;
            }
        }
    }
    Ok(())
}

/// The next request; none when the client is through.
async fn receive(stream: &mut TcpStream, received: &mut Vec<u8>) -> std::io::Result<Option<Request>> {
    loop {
        if let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let request = Request {
                head: String::from_utf8_lossy(&received[..end]).into_owned(),
                body: String::new(),
            };
            let length: usize = request
                .header("content-length")
                .map_or(0, |text| text.parse().expect("a length"));
            let whole = end + 4 + length;
            if received.len() >= whole {
                let body = String::from_utf8_lossy(&received[end + 4..whole]).into_owned();
                received.drain(..whole);
                return Ok(Some(Request { body, ..request }));
            }
        }
        if stream.read_buf(received).await? == 0 {
            return Ok(None);
        }
    }
}
