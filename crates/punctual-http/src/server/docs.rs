//! `/openapi.json`, and `/docs`, a page that shows it.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header;

use crate::document::document;

/// The page runs nothing but its own script, and talks to nobody but this server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// `GET /openapi.json`.
pub(super) async fn json() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

/// `GET /docs`.
pub(super) async fn page() -> Response {
    asset("text/html; charset=utf-8", include_str!("docs/page.html"))
}

/// `GET /docs/page.js`.
pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("docs/page.js"))
}

/// `GET /docs/page.css`.
pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("docs/page.css"))
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // After an update the page and its script have to fit each other.
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
