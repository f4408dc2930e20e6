//! Hops: the requests of one attempt. The first is what the job asks for; each further one is where an answer led.

use std::fmt;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use url::Url;

use super::mask::Masks;

/// One request.
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Headers that go along to another origin: what describes the message, and nothing that may let its reader in.
const TRAVELLING: [HeaderName; 6] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
];
/// Punctual's own that do as well: they name the run, and are no secret.
const TRAVELLING_OURS: [&str; 7] = [
    "idempotency-key",
    "punctual-attempt",
    "punctual-job-id",
    "punctual-missed",
    "punctual-nominal-time",
    "punctual-run",
    "punctual-schedule",
];

impl Hop {
    pub(super) fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.url.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// The request that an answer leads to, or why it is not followed.
    pub(super) fn led_by(
        mut self,
        status: u16,
        location: &HeaderValue,
        masks: &Masks,
    ) -> Result<Hop, String> {
        let url = self.resolve(location, masks)?;
        if !is_one_origin(&self.url, &url) {
            let travels =
                |name: &HeaderName| TRAVELLING.contains(name) || TRAVELLING_OURS.contains(&name.as_str());
            self.headers = std::mem::take(&mut self.headers)
                .into_iter()
                .filter_map(|(name, value)| Some((name.filter(travels)?, value)))
                .collect();
        }
        // As browsers and curl do, and RFC 9110, section 15.4, allows.
        let becomes_get = match status {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.body = Bytes::new();
            for name in [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LANGUAGE] {
                self.headers.remove(name);
            }
            for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
                self.headers.remove(name);
            }
        }
        self.url = url;
        Ok(self)
    }

    fn resolve(&self, location: &HeaderValue, masks: &Masks) -> Result<Uri, String> {
        let said = String::from_utf8_lossy(location.as_bytes());
        let refuse = |why: &str| format!("leads to {:?}, which {why}", masks.head(location.as_bytes()));
        let base = Url::parse(&self.url.to_string()).map_err(|_| refuse("cannot be resolved"))?;
        let mut url = base.join(&said).map_err(|_| refuse("is no URL"))?;
        url.set_fragment(None);
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(refuse("cannot be called"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("holds a user's name or password"));
        }
        if base.scheme() == "https" && url.scheme() == "http" {
            return Err(refuse("gives up encryption"));
        }
        url.as_str().parse().map_err(|_| refuse("cannot be called"))
    }
}

/// Tells whom it calls; the query, headers and body may hold secrets and stay out of logs.
impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_call(f, &self.method, &self.url)
    }
}

pub(super) fn write_call(f: &mut fmt::Formatter<'_>, method: &Method, url: &Uri) -> fmt::Result {
    let scheme = url.scheme_str().unwrap_or_default();
    let host = url.authority().map_or("", |authority| authority.as_str());
    write!(f, "{method} {scheme}://{host}{}", url.path())
}

/// Whether both have the same scheme, host and port (RFC 6454).
fn is_one_origin(one: &Uri, other: &Uri) -> bool {
    let port = |url: &Uri| {
        url.port_u16().unwrap_or(if url.scheme_str() == Some("https") {
            443
        } else {
            80
        })
    };
    let host = |url: &Uri| url.host().map(str::to_ascii_lowercase);
    one.scheme_str() == other.scheme_str() && host(one) == host(other) && port(one) == port(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(from: &str, location: &str) -> Result<String, String> {
        let hop = Hop {
            method: Method::GET,
            url: from.parse().expect("a URL"),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let location = HeaderValue::from_str(location).expect("a header's value");
        hop.led_by(307, &location, &Masks::default())
            .map(|hop| hop.url.to_string())
    }

    #[test]
    fn a_location_counts_from_the_url_that_was_called() {
        for (location, leads_to) in [
            ("http://b/x", "http://b/x"),
            ("//b:8/x", "http://b:8/x"),
            ("/x?y", "http://a/x?y"),
            ("x", "http://a/c/x"),
            ("../x#f", "http://a/x"),
            ("?z", "http://a/c/d?z"),
            ("", "http://a/c/d?q"),
        ] {
            assert_eq!(
                led("http://a/c/d?q", location).as_deref(),
                Ok(leads_to),
                "{location}"
            );
        }
    }

    #[test]
    fn a_location_that_must_not_be_called_is_refused() {
        for location in [
            "ftp://b/",
            "javascript:1",
            "http://u:p@b/",
            "http://",
            "file:///etc/passwd",
        ] {
            assert!(led("http://a/", location).is_err(), "{location}");
        }
        assert!(led("https://a/", "http://a/").is_err());
        assert!(led("http://a/", "https://a/").is_ok());
    }
}
