//! The server: parses, calls the engine, answers.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use http::{Method, StatusCode, Uri};
use punctual::engine::Engine;
use punctual::{Error, Kind};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::limits::{BODY_DEADLINE, CONNECTIONS, HEADER_DEADLINE, SETTLE_DEADLINE, WORKERS, WRITE_DEADLINE};
use crate::problem::Problem;

mod accept;
mod access;
mod address;
mod body;
mod calendars;
mod docs;
mod events;
mod guard;
mod health;
mod jobs;
mod outgoing;
mod output;
mod patience;
mod precondition;
mod queues;
mod runs;
mod schedules;
mod unread;
mod wait;
mod worded;
mod workers;

/// A server that listens, and serves once it is [run](Server::run_until).
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    engine: Engine,
    settings: ServerSettings,
}

/// What a server bears from its clients.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// How long a request's headers may take; unset, [`HEADER_DEADLINE`]. A connection that nobody uses ends so, too.
    pub header_deadline: Duration,
    /// How long a request's body may take after its headers; unset, [`BODY_DEADLINE`].
    pub body_deadline: Duration,
    /// How long a client may take nothing of its answers; unset, [`WRITE_DEADLINE`].
    pub write_deadline: Duration,
    /// How many connections are served at once; unset, [`CONNECTIONS`]. Further ones wait for one of them to end.
    pub connections: usize,
    /// How many workers may wait in a claim, and how many may hear of cancels; unset, [`WORKERS`]. Further ones are refused.
    pub workers: usize,
}

impl Default for ServerSettings {
    fn default() -> ServerSettings {
        ServerSettings {
            header_deadline: HEADER_DEADLINE,
            body_deadline: BODY_DEADLINE,
            write_deadline: WRITE_DEADLINE,
            connections: CONNECTIONS,
            workers: WORKERS,
        }
    }
}

/// What every route is given.
#[derive(Clone)]
struct Rooms {
    engine: Engine,
    body_deadline: Duration,
    /// Cancelled when the server stops: whoever waits is answered at once.
    stopping: CancellationToken,
    /// What goes on without a connection: claims whose workers have left, and the jobs of those that are put back.
    tasks: TaskTracker,
    places: Places,
}

/// Places for those who stay for long.
#[derive(Clone)]
struct Places {
    claims: Arc<Semaphore>,
    cancels: Arc<Semaphore>,
}

impl Rooms {
    fn new(engine: Engine, settings: &ServerSettings) -> Rooms {
        Rooms {
            engine,
            body_deadline: settings.body_deadline,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
            places: Places {
                claims: Arc::new(Semaphore::new(settings.workers)),
                cancels: Arc::new(Semaphore::new(settings.workers)),
            },
        }
    }
}

/// An address that is listened on, before there is anything to serve: whoever comes meanwhile waits.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Refuses an address beyond loopback as `Denied`: there are no keys yet, and whoever reaches the server may run jobs.
    pub fn check(address: SocketAddr) -> Result<(), Error> {
        match address.ip().is_loopback() {
            true => Ok(()),
            false => Err(Error::new(
                Kind::Denied,
                format!(
                    "{address} can be reached from other machines, and there are no keys yet to tell who may; \
                     bind to a loopback address such as 127.0.0.1:{}",
                    address.port()
                ),
            )),
        }
    }

    /// Listens on `address`, which has to pass [`check`](Self::check); port 0 takes a free one. `Unavailable`: it is taken, or
    /// not ours.
    pub async fn bind(address: SocketAddr) -> Result<Listener, Error> {
        Listener::check(address)?;
        let cannot = |error: std::io::Error| {
            Error::unavailable(format!("cannot listen on {address}: {error}")).caused_by(error)
        };
        let socket = TcpListener::bind(address).await.map_err(cannot)?;
        let address = socket.local_addr().map_err(cannot)?;
        Ok(Listener { socket, address })
    }

    /// A server of this engine that listens here.
    pub fn serve(self, engine: Engine) -> Server {
        Server {
            listener: self.socket,
            address: self.address,
            engine,
            settings: ServerSettings::default(),
        }
    }
}

impl Server {
    /// Listens on `address`, as [`Listener::bind`] does, and answers for this engine.
    pub async fn bind(engine: Engine, address: SocketAddr) -> Result<Server, Error> {
        Ok(Listener::bind(address).await?.serve(engine))
    }

    /// With these settings instead of the usual ones.
    pub fn settings(mut self, settings: ServerSettings) -> Server {
        self.settings = settings;
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes, then answers whoever waits, lets other requests under way end for at most
    /// [`DRAIN`](crate::limits::DRAIN), puts back the jobs that nobody is there to take, and returns.
    pub async fn run_until(self, shutdown: impl Future<Output = ()>) {
        let clock = Arc::clone(self.engine.clock());
        let rooms = Rooms::new(self.engine, &self.settings);
        let (stopping, tasks) = (rooms.stopping.clone(), rooms.tasks.clone());
        let guard = guard::Guard::new(self.address);
        let access = access::Access {
            clock: Arc::clone(&clock),
        };
        let router = routes(rooms)
            .layer(axum::middleware::from_fn_with_state(guard, guard::check))
            .layer(axum::middleware::from_fn_with_state(access, access::log));
        let shutdown = async {
            shutdown.await;
            stopping.cancel();
        };
        accept::serve(self.listener, router, &self.settings, clock.as_ref(), shutdown).await;
        // While there is still an engine to do it with.
        tasks.close();
        if tokio::time::timeout(SETTLE_DEADLINE, tasks.wait()).await.is_err() {
            tracing::warn!("jobs that nobody was there to take were left to their leases");
        }
    }
}

/// The routes of a server that does not listen, for a client in this process. Nobody stands at its door, since no page of
/// another site can come to it.
pub(crate) fn near(engine: Engine) -> Router {
    routes(Rooms::new(engine, &ServerSettings::default()))
}

fn routes(rooms: Rooms) -> Router {
    table()
        .router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_method)
        .with_state(rooms)
}

/// The routes, and their paths, which a router does not tell.
struct Table {
    router: Router<Rooms>,
    #[cfg_attr(not(test), allow(dead_code, reason = "compared with the document"))]
    paths: Vec<&'static str>,
}

impl Table {
    fn route(mut self, path: &'static str, methods: MethodRouter<Rooms>) -> Table {
        self.router = self.router.route(path, methods);
        self.paths.push(path);
        self
    }
}

fn table() -> Table {
    let empty = Table {
        router: Router::new(),
        paths: Vec::new(),
    };
    empty
        .route("/v1/jobs", get(jobs::list).post(jobs::post))
        .route("/v1/jobs/batch", post(jobs::batch))
        .route("/v1/jobs/cancel", post(jobs::cancel_all))
        .route("/v1/jobs/retry", post(jobs::retry_all))
        .route("/v1/jobs/delete", post(jobs::delete_all))
        .route(
            "/v1/jobs/{id}",
            get(jobs::show).patch(jobs::edit).delete(jobs::delete),
        )
        .route("/v1/jobs/{id}/cancel", post(jobs::cancel))
        .route("/v1/jobs/{id}/retry", post(jobs::retry))
        .route("/v1/jobs/{id}/run", post(jobs::run))
        .route("/v1/jobs/{id}/result", get(jobs::result))
        .route("/v1/jobs/{id}/attempts", get(jobs::attempts))
        .route("/v1/runs/{token}", post(runs::settle))
        .route("/v1/runs/{token}/beat", post(runs::beat))
        .route("/v1/jobs/{id}/output", get(output::show).post(output::add))
        .route("/v1/events", get(events::stream))
        .route("/v1/queues", get(queues::list))
        .route("/v1/queues/{name}", get(queues::show).put(queues::put))
        .route("/v1/queues/{name}/pause", post(queues::pause))
        .route("/v1/queues/{name}/resume", post(queues::resume))
        .route("/v1/queues/{name}/purge", post(queues::purge))
        .route("/v1/schedules", get(schedules::list))
        .route("/v1/schedules/preview", post(schedules::preview))
        .route(
            "/v1/schedules/{name}",
            get(schedules::show).put(schedules::put).delete(schedules::delete),
        )
        .route("/v1/schedules/{name}/pause", post(schedules::pause))
        .route("/v1/schedules/{name}/resume", post(schedules::resume))
        .route("/v1/schedules/{name}/trigger", post(schedules::trigger))
        .route("/v1/schedules/{name}/backfill", post(schedules::backfill))
        .route("/v1/schedules/{name}/explain", get(schedules::explain))
        .route("/v1/schedules/{name}/occurrences", get(schedules::occurrences))
        .route("/v1/calendars", get(calendars::list))
        .route(
            "/v1/calendars/{name}",
            get(calendars::show).put(calendars::put).delete(calendars::delete),
        )
        .route("/v1/workers", get(workers::list))
        .route("/v1/workers/claim", post(workers::claim))
        .route("/v1/workers/beat", post(workers::beat))
        .route("/v1/workers/settle", post(workers::settle))
        .route("/v1/workers/cancels", get(workers::cancels))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/openapi.json", get(docs::json))
        .route("/docs", get(docs::page))
        .route("/docs/page.js", get(docs::script))
        .route("/docs/page.css", get(docs::style))
}

async fn unknown_route(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!(
            "there is nothing at {}; /docs shows what there is",
            beginning(uri.path())
        ),
    )
}

async fn unknown_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{} does not take {method}; the header Allow says what it takes",
        beginning(uri.path())
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// As much of a path as tells which one it is.
fn beginning(path: &str) -> String {
    path.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::Body;
    use http::{Request, header};
    use tower::ServiceExt;

    use super::*;

    /// The methods that a path takes, as the router tells whoever uses another one.
    async fn methods(router: &Router, path: &str) -> BTreeSet<String> {
        let request = Request::builder()
            .method("BREW")
            .uri(path.replace(['{', '}'], ""));
        let request = request.body(Body::empty()).expect("a request");
        let answer = router
            .clone()
            .oneshot(request)
            .await
            .expect("a router does not fail");
        let allowed = answer.headers()[header::ALLOW]
            .to_str()
            .expect("a list of methods");
        let methods = allowed.split(',').map(str::to_lowercase);
        methods.filter(|method| method != "head").collect()
    }

    #[tokio::test]
    async fn the_document_has_every_route_and_no_other() {
        let router = near(Engine::open("memory:").await.expect("memory opens"));
        let mut routes = BTreeSet::new();
        for path in table().paths {
            for method in methods(&router, path).await {
                routes.insert((path.to_owned(), method));
            }
        }
        let document = crate::document::document();
        let mut told = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for method in methods.as_object().expect("methods").keys() {
                told.insert((path.clone(), method.clone()));
            }
        }
        assert_eq!(routes, told);
    }
}
