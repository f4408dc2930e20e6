//! The accept loop: a cap on connections, deadlines for headers and for readers, and a soft end.
//!
//! It is our own because `axum::serve` sets no such deadline: a client that sends half a header would hold a
//! connection for ever.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use punctual::clock::Clock;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::util::MapRequest;

use super::ServerSettings;
use super::access::Peer;
use super::outgoing::Outgoing;
use super::patience::Patient;
use super::unread::Unread;
use super::worded::Worded;
use crate::limits;

/// Serves connections until `shutdown` completes, then lets requests under way end for at most [`limits::DRAIN`].
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    settings: &ServerSettings,
    clock: &dyn Clock,
    shutdown: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(settings.connections));
    let graceful = GracefulShutdown::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            (stream, place) = next(&listener, &places, clock) => {
                spawn(stream, place, router.clone(), settings, &graceful);
            }
        }
    }
    drop(listener);
    if tokio::time::timeout(limits::DRAIN, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "requests under way were cut off: they did not end within {:?}",
            limits::DRAIN
        );
    }
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    clock: &dyn Clock,
) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places
        .clone()
        .acquire_owned()
        .await
        .expect("nobody closes the semaphore");
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                if !told {
                    tracing::warn!(%error, "cannot take a connection; trying again until it can");
                    told = true;
                }
                clock.sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
}

fn spawn(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    router: Router,
    settings: &ServerSettings,
    graceful: &GracefulShutdown,
) {
    // Answers are small and complete: waiting for more to send only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone before it was served");
        return;
    }
    let peer = match stream.peer_addr() {
        Ok(address) => Peer(address),
        Err(error) => return tracing::debug!(%error, "a connection was gone before it was served"),
    };
    let (unread, outgoing) = (Unread::default(), Outgoing::default());
    let stream = Patient::new(stream, settings.write_deadline, unread.clone(), outgoing.clone());
    let watch = move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(outgoing.clone());
        request.map(|body| unread.watch(body))
    };
    let service = MapRequest::new(router, watch);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_deadline)
        .max_header_size(limits::HEADER_BYTES)
        .serve_connection(
            TokioIo::new(Worded::new(stream)),
            TowerToHyperService::new(service),
        );
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
        drop(place);
    });
}
