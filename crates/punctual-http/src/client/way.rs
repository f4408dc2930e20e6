//! The way to the one who answers: a server behind a socket, or the server's own routes in this process.

use std::error::Error as StdError;
use std::fmt;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::Service;

use crate::limits;

/// Where requests go. Clones share what there is to share.
#[derive(Clone)]
pub(super) enum Way {
    /// To this server, over HTTP.
    Far(Uri, Pool<HttpConnector, Full<Bytes>>),
    /// Into the routes of a server that does not listen.
    Near(Router),
}

impl Way {
    /// To the server at this address. Nothing is connected before something is asked.
    pub(super) fn far(server: Uri) -> Way {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(limits::CONNECT_DEADLINE));
        connector.set_nodelay(true);
        connector.set_keepalive(Some(limits::PROBE));
        connector.set_keepalive_interval(Some(limits::PROBE));
        connector.set_keepalive_retries(Some(limits::PROBES));
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::CONNECTION_KEPT)
            .build(connector);
        Way::Far(server, pool)
    }

    /// To the same, by no connection of this one.
    pub(super) fn apart(&self) -> Way {
        match self {
            Way::Far(server, _) => Way::far(server.clone()),
            Way::Near(routes) => Way::Near(routes.clone()),
        }
    }

    /// The answer to a request whose address is a path; or in a few words why there is none.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Response<Body>, String> {
        match self {
            Way::Far(server, pool) => {
                let request = addressed(request, server).map_err(|error| error.to_string())?;
                let answer = pool.request(request).await;
                answer
                    .map(|answer| answer.map(Body::new))
                    .map_err(|error| innermost(&error))
            }
            Way::Near(routes) => {
                let answer = routes.clone().call(request).await;
                answer.map_err(|never| match never {})
            }
        }
    }

    /// Who answers, as people write it.
    pub(super) fn address(&self) -> String {
        match self {
            Way::Far(server, _) => server.to_string().trim_end_matches('/').to_owned(),
            Way::Near(_) => "the store".to_owned(),
        }
    }
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Way").field(&self.address()).finish()
    }
}

/// The request with the server's address before its path.
fn addressed(mut request: Request<Full<Bytes>>, server: &Uri) -> Result<Request<Full<Bytes>>, http::Error> {
    let mut parts = server.clone().into_parts();
    parts.path_and_query = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from_parts(parts)?;
    Ok(request)
}

/// The story at the bottom: "connection refused" rather than "client error (Connect)" or "os error 111".
fn innermost(error: &dyn StdError) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let story = error.to_string();
    let words = story.split(" (os error").next().unwrap_or(&story);
    words.to_lowercase()
}
