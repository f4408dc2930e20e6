//! Reads the parts of a call, each of which is what is accepted or an error that says so.

use std::time::Duration;

use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};
use serde_json::Value;

use super::super::mask::{MASK, SECRET_HEADERS};
use crate::limits::{
    HTTP_ANSWER_BYTES, HTTP_CONNECT_TIMEOUT_MAX, HTTP_HEADERS, HTTP_KEPT_HEADERS, HTTP_REDIRECTS,
};
use crate::target::fields::Fields;
use crate::time::format_length;

pub(super) fn read_method(text: &str) -> Result<Method, String> {
    let method = Method::from_bytes(text.as_bytes()).ok();
    let method = method.filter(|_| !text.bytes().any(|byte| byte.is_ascii_lowercase()));
    match method {
        Some(Method::CONNECT | Method::TRACE) => Err(format!("{text} is no call that a job can make")),
        Some(method) => Ok(method),
        None => Err("it is a method in capitals, such as GET or POST".to_owned()),
    }
}

pub(super) fn read_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| match text.contains("://") {
        true => format!(
            "it is no URL: {error}; write one such as https://example.com/hook, with other characters percent-encoded"
        ),
        false => "it is no URL: http:// or https:// is missing at its beginning".to_owned(),
    })?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err("it is a URL that begins with http:// or https://".to_owned());
    }
    let (Some(host), Some(authority)) = (url.host().filter(|host| !host.is_empty()), url.authority()) else {
        return Err("it names no host".to_owned());
    };
    if authority.as_str().contains('@') {
        return Err("it holds a user's name or password; send them in a header".to_owned());
    }
    let names_a_port = authority.as_str().len() > host.len();
    if names_a_port && url.port_u16().is_none_or(|port| port == 0) {
        return Err("its port is a number from 1 to 65535".to_owned());
    }
    Ok(url)
}

/// Headers that say how a message is framed or how a connection is used, which is not the caller's to say.
const FRAMING: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(super) fn read_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name: HeaderName = name
        .parse()
        .map_err(|_| "a header's name is letters, digits and -".to_owned())?;
    if FRAMING.contains(&name.as_str()) {
        return Err(format!("{name} follows from the call and is not set by a job"));
    }
    if name.as_str().starts_with("punctual-") || name == "idempotency-key" {
        return Err(format!("{name} is set by Punctual"));
    }
    if value == MASK && SECRET_HEADERS.contains(&name.as_str()) {
        return Err(format!(
            "{MASK:?} stands where a secret is not told; write the secret"
        ));
    }
    let value = HeaderValue::from_str(value)
        .map_err(|_| "a header's value is visible ASCII characters, spaces and tabs".to_owned())?;
    Ok((name, value))
}

pub(super) fn check_another(
    headers: &[(HeaderName, HeaderValue)],
    header: (HeaderName, HeaderValue),
) -> Result<(HeaderName, HeaderValue), String> {
    if headers.iter().any(|(name, _)| *name == header.0) {
        return Err(format!(
            "{} is given twice; a list of values is one header with commas",
            header.0
        ));
    }
    if headers.len() == HTTP_HEADERS {
        return Err(format!("a call has at most {HTTP_HEADERS} headers"));
    }
    Ok(header)
}

pub(super) fn check_connect_timeout(length: Duration) -> Result<Duration, String> {
    if length.is_zero() || length > HTTP_CONNECT_TIMEOUT_MAX {
        let max = format_length(HTTP_CONNECT_TIMEOUT_MAX);
        return Err(format!("it is more than 0 and at most {max}"));
    }
    Ok(length)
}

/// Takes the headers of the answer that are to be kept, if they are given.
pub(super) fn read_kept_headers(fields: &mut Fields) -> Vec<HeaderName> {
    const LIST: &str = "a list of headers' names, such as [\"x-total\"]";
    let names = fields.optional("keep_headers", LIST, |names: Vec<String>| {
        let names = names.iter().map(|name| check_kept_header(name));
        check_kept_headers(names.collect::<Result<_, _>>()?)
    });
    names.unwrap_or_default()
}

pub(super) fn check_kept_header(name: &str) -> Result<HeaderName, String> {
    name.parse()
        .map_err(|_| format!("{name:?} is no header's name: that is letters, digits and -"))
}

pub(super) fn check_kept_headers(names: Vec<HeaderName>) -> Result<Vec<HeaderName>, String> {
    match names.len() > HTTP_KEPT_HEADERS {
        true => Err(format!("at most {HTTP_KEPT_HEADERS} headers may be asked for")),
        false => Ok(names),
    }
}

/// Takes how many bytes of the answer's body are kept, if that is given.
pub(super) fn read_kept_body(fields: &mut Fields) -> Option<usize> {
    let accepted = format!("a number of bytes, 0 to {HTTP_ANSWER_BYTES}");
    fields.optional("keep_body", &accepted, |bytes: Value| {
        let bytes = bytes.as_u64().and_then(|bytes| usize::try_from(bytes).ok());
        bytes.map_or_else(|| Err(format!("it must be {accepted}")), check_kept_body)
    })
}

pub(super) fn check_kept_body(bytes: usize) -> Result<usize, String> {
    match bytes <= HTTP_ANSWER_BYTES {
        true => Ok(bytes),
        false => Err(format!("it must be at most {HTTP_ANSWER_BYTES} bytes")),
    }
}

/// Takes how many redirects are followed, if that is given.
pub(super) fn read_follow(fields: &mut Fields) -> u8 {
    let accepted = format!("how many redirects are followed, 0 to {HTTP_REDIRECTS}");
    let follow = fields.optional("follow", &accepted, |hops: Value| {
        let hops = hops.as_u64().and_then(|hops| u8::try_from(hops).ok());
        hops.map_or_else(|| Err(format!("it must be {accepted}")), check_follow)
    });
    follow.unwrap_or_default()
}

pub(super) fn check_follow(hops: u8) -> Result<u8, String> {
    match hops <= HTTP_REDIRECTS {
        true => Ok(hops),
        false => Err(format!("it must be at most {HTTP_REDIRECTS}")),
    }
}
