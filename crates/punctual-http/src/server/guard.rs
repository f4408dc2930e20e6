//! Keeps web pages out. A browser on this machine reaches loopback for any page that asks, also through a name that
//! the page's owner points at 127.0.0.1 (DNS rebinding); but it tells the truth in `Host` and `Origin`.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, StatusCode, Uri, header};

use crate::problem::Problem;

/// Knows by which names the server may be called.
#[derive(Clone, Copy)]
pub(super) struct Guard {
    bound: SocketAddr,
}

impl Guard {
    /// The guard of a server that listens there.
    pub(super) fn new(bound: SocketAddr) -> Guard {
        Guard { bound }
    }

    fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        if !self.is_host_ours(uri, headers) {
            return Err(refuse(
                "Host",
                "it must be localhost, 127.0.0.1, [::1] or the address it listens on",
            ));
        }
        let origins = headers.get_all(header::ORIGIN);
        if origins
            .iter()
            .any(|origin| !self.is_origin_ours(origin.as_bytes()))
        {
            return Err(refuse("Origin", "web pages of others may not call this server"));
        }
        Ok(())
    }

    /// Exactly one `Host`, and it is ours; so is the one in the request line, if there is any.
    fn is_host_ours(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts
            .next()
            .and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let named = uri.authority().is_none_or(|authority| self.is_ours(authority));
        hosts.next().is_none() && named && host.is_some_and(|host| self.is_ours(&host))
    }

    /// A page that this server served itself.
    fn is_origin_ours(&self, origin: &[u8]) -> bool {
        let Ok(origin) = Uri::try_from(origin) else {
            return false;
        };
        let port = origin.port_u16().unwrap_or(80);
        origin.scheme() == Some(&Scheme::HTTP)
            && port == self.bound.port()
            && origin
                .authority()
                .is_some_and(|authority| self.is_ours(authority))
    }

    fn is_ours(&self, authority: &Authority) -> bool {
        if authority.as_str().contains('@') {
            return false;
        }
        let host = authority.host();
        let address = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost")
            || address.is_ok_and(|address| {
                address == self.bound.ip()
                    || address == IpAddr::from([127, 0, 0, 1])
                    || address == IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])
            })
    }
}

/// Lets a request pass that comes from a program, or from a page of this server.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.admit(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn refuse(header: &str, accepted: &str) -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        format!("the header {header} is refused: {accepted}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        Guard::new("127.0.0.1:7373".parse().expect("an address"))
    }

    fn admits(host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        }
        guard().admit(&Uri::from_static("/v1/jobs"), &headers).is_ok()
    }

    #[test]
    fn programs_on_this_machine_pass_by_any_of_its_names() {
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:7373", "[::1]:80"] {
            assert!(admits(host, None), "{host}");
        }
    }

    #[test]
    fn names_of_others_are_refused() {
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "x@localhost",
            "10.0.0.1",
            "",
        ] {
            assert!(!admits(host, None), "{host}");
        }
        assert!(guard().admit(&Uri::from_static("/"), &HeaderMap::new()).is_err());
    }

    #[test]
    fn pages_of_others_are_refused() {
        assert!(admits("localhost:7373", Some("http://localhost:7373")));
        for origin in [
            "http://evil.example",
            "null",
            "https://localhost:7373",
            "http://localhost:8080",
            "",
        ] {
            assert!(!admits("localhost:7373", Some(origin)), "{origin}");
        }
    }
}
