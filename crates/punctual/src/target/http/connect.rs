//! Connections: resolves a name, refuses each address that may not be called, and connects to one of the rest.

mod lookup;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use tokio::net::TcpStream;
use tower::Service;

use self::lookup::Lookups;
use super::address::{Addresses, Refused};
use crate::error::Error;
use crate::limits::{HTTP_ADDRESS_TIME, HTTP_ADDRESSES, HTTP_CONNECT_TIMEOUT_MAX, HTTP_CONNECTIONS_KEPT};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes connections, with TLS where the URL asks for it.
#[derive(Clone)]
pub(super) struct Connector(HttpsConnector<Dialer>);

impl Connector {
    /// One that calls these addresses only, and trusts Mozilla's certificate authorities.
    pub(super) fn new(addresses: Addresses) -> Result<Connector, Error> {
        let https = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(aws_lc_rs::default_provider())
            .map_err(|error| Error::internal("TLS cannot be set up").caused_by(error))?;
        let dialer = Dialer {
            addresses: Arc::new(addresses),
            lookups: Lookups::new(),
            open: Arc::new(AtomicUsize::new(0)),
        };
        Ok(Connector(
            https.https_or_http().enable_http1().wrap_connector(dialer),
        ))
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Dialed>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        // Callers have their own, shorter times; this one ends what goes on after its caller was served by another
        // connection.
        let connecting = tokio::time::timeout(HTTP_CONNECT_TIMEOUT_MAX, self.0.call(url));
        async move { connecting.await? }.boxed()
    }
}

/// Makes plain connections.
#[derive(Clone)]
struct Dialer {
    addresses: Arc<Addresses>,
    lookups: Lookups,
    open: Arc<AtomicUsize>,
}

impl Dialer {
    async fn dial(self, url: Uri) -> Result<Dialed, DialError> {
        let host = url.host().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("https") {
            443
        } else {
            80
        });

        let found = self.lookups.find(host, port).await.map_err(DialError::Lookup)?;
        let (mut callable, mut refused) = (Vec::new(), None);
        for address in found {
            match self.addresses.check(address.ip()) {
                Ok(()) => callable.push(address),
                Err(why) => refused = refused.or(Some(why)),
            }
        }
        match (callable.is_empty(), refused) {
            (true, Some(why)) => Err(DialError::Refused(host.to_owned(), why)),
            _ => self.connect(&callable).await,
        }
    }

    /// Tries the addresses in turn, each but the last for a moment only, since the next one may be quicker.
    async fn connect(self, addresses: &[SocketAddr]) -> Result<Dialed, DialError> {
        let mut failed = DialError::Nowhere;
        let last = addresses.len().min(HTTP_ADDRESSES);
        for (at, address) in addresses.iter().enumerate().take(last) {
            let is_last = at + 1 == last;
            let time = if is_last {
                HTTP_CONNECT_TIMEOUT_MAX
            } else {
                HTTP_ADDRESS_TIME
            };
            let error = match tokio::time::timeout(time, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    return Dialed::new(stream, self.open)
                        .map_err(|error| DialError::Connect(*address, error));
                }
                Ok(Err(error)) => error,
                Err(_) => io::ErrorKind::TimedOut.into(),
            };
            failed = DialError::Connect(*address, error);
        }
        Err(failed)
    }
}

impl Service<Uri> for Dialer {
    type Response = Dialed;
    type Error = DialError;
    type Future = BoxFuture<'static, Result<Dialed, DialError>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), DialError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        self.clone().dial(url).boxed()
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum DialError {
    /// All addresses of this host are refused; the first of them for this reason.
    Refused(String, Refused),
    Lookup(io::Error),
    Connect(SocketAddr, io::Error),
    Nowhere,
}

impl fmt::Display for DialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DialError::Refused(host, why) if why.is_of(host) => write!(f, "{why}"),
            DialError::Refused(host, why) => write!(f, "{host} may not be called: {why}"),
            DialError::Lookup(error) => write!(f, "the host was not found: {error}"),
            DialError::Connect(address, error) => write!(f, "no connection to {address}: {error}"),
            DialError::Nowhere => f.write_str("the host has no address"),
        }
    }
}

impl std::error::Error for DialError {}

/// An open connection, counted among the others.
pub(super) struct Dialed {
    stream: TokioIo<TcpStream>,
    open: Arc<AtomicUsize>,
}

impl Dialed {
    fn new(stream: TcpStream, open: Arc<AtomicUsize>) -> io::Result<Dialed> {
        stream.set_nodelay(true)?;
        open.fetch_add(1, Ordering::Relaxed);
        Ok(Dialed {
            stream: TokioIo::new(stream),
            open,
        })
    }
}

impl Drop for Dialed {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Connection for Dialed {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.open.load(Ordering::Relaxed) > HTTP_CONNECTIONS_KEPT {
            // It serves its call and is then closed instead of kept.
            connected.poison();
        }
        connected
    }
}

impl Read for Dialed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl Write for Dialed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
}
