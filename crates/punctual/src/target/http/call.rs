//! A call: what an `http` job asks for, as a type and as the JSON of its payload.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Uri};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::answer::HttpAnswer;
use crate::error::Error;
use crate::job::Task;
use crate::limits::{HTTP_CONNECT_TIMEOUT, HTTP_CONNECT_TIMEOUT_MAX, HTTP_HEADERS};
use crate::target::fields::{Fields, pointer};
use crate::time::{format_length, parse_length};

/// An HTTP call: the task of kind `http`, whose result is an [`HttpAnswer`].
///
/// ```
/// use punctual::target::http::HttpCall;
/// use serde_json::json;
///
/// let call = HttpCall::post("https://example.com/hook")?
///     .header("x-tenant", "7")?
///     .json(&json!({"invoice": 17}))?
///     .accept("2xx")?
///     .accept("409")?;
/// assert_eq!(
///     serde_json::to_value(&call).unwrap(),
///     json!({
///         "method": "POST",
///         "url": "https://example.com/hook",
///         "headers": {"x-tenant": "7"},
///         "json": {"invoice": 17},
///         "accept": ["2xx", 409]
///     })
/// );
/// # Ok::<(), punctual::Error>(())
/// ```
///
/// The payload is read strictly: an unknown field, two bodies or a header that is not the caller's to set is an error with
/// a pointer to it ([`HttpCall::parse`]).
///
/// | field | is |
/// |---|---|
/// | `method` | in capitals; any but `CONNECT` and `TRACE` |
/// | `url` | `http` or `https`, without a user's name in it; a fragment is not sent |
/// | `headers` | an object of texts; not those that frame a message (`host`, `content-length`, `connection` …) and not `punctual-…` or `idempotency-key`, which Punctual sets |
/// | `body`, `json`, `base64` | at most one: a text, any JSON, or bytes |
/// | `accept` | the status codes that mean success, such as `204` or `"2xx"`; unset, `"2xx"` |
/// | `connect_timeout` | a length of time such as `"5s"`; unset, 10 s; at most a minute. The whole call has the job's `timeout` |
#[derive(Clone)]
pub struct HttpCall {
    pub(super) method: Method,
    pub(super) url: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) content: Content,
    pub(super) accept: Vec<Accepted>,
    connect_timeout: Option<Duration>,
}

impl Task for HttpCall {
    const KIND: &'static str = "http";
    type Output = HttpAnswer;
}

/// What is sent with a call.
#[derive(Clone)]
pub(super) enum Content {
    Nothing,
    Text(String),
    Json(Box<RawValue>),
    Bytes(Bytes),
}

impl Content {
    /// The bytes on the wire.
    pub(super) fn bytes(&self) -> Bytes {
        match self {
            Content::Nothing => Bytes::new(),
            Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
            Content::Json(json) => Bytes::copy_from_slice(json.get().as_bytes()),
            Content::Bytes(bytes) => bytes.clone(),
        }
    }

    /// The type that they are sent as, unless a header says otherwise.
    pub(super) fn media_type(&self) -> Option<(HeaderName, HeaderValue)> {
        let name = match self {
            Content::Nothing => return None,
            Content::Text(_) => "text/plain; charset=utf-8",
            Content::Json(_) => "application/json",
            Content::Bytes(_) => "application/octet-stream",
        };
        Some((CONTENT_TYPE, HeaderValue::from_static(name)))
    }
}

/// Status codes that mean success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// This one.
    Code(u16),
    /// All of a hundred: 2 stands for `2xx`.
    Class(u16),
}

impl Accepted {
    fn holds(self, status: u16) -> bool {
        match self {
            Accepted::Code(code) => code == status,
            Accepted::Class(class) => class == status / 100,
        }
    }
}

impl FromStr for Accepted {
    type Err = String;

    fn from_str(text: &str) -> Result<Accepted, String> {
        let refuse = || "it is a status code from 200 to 599, or a class such as \"2xx\"".to_owned();
        let (number, accepted): (&str, fn(u16) -> Accepted) = match text.strip_suffix("xx") {
            Some(class) => (class, Accepted::Class),
            None => (text, Accepted::Code),
        };
        let number: u16 = number.parse().map_err(|_| refuse())?;
        let accepted = accepted(number);
        let in_range = (200..600).any(|status| accepted.holds(status));
        if in_range { Ok(accepted) } else { Err(refuse()) }
    }
}

impl HttpCall {
    /// A call with this method, such as `PATCH`, of this URL. Fails, as the other steps do, with what is wrong and where it
    /// would stand in the payload.
    pub fn new(method: &str, url: &str) -> Result<HttpCall, Error> {
        Ok(HttpCall {
            method: read_method(method).map_err(|why| at(&["method"], why))?,
            url: read_url(url).map_err(|why| at(&["url"], why))?,
            headers: Vec::new(),
            content: Content::Nothing,
            accept: Vec::new(),
            connect_timeout: None,
        })
    }

    /// A `GET` of this URL.
    pub fn get(url: &str) -> Result<HttpCall, Error> {
        HttpCall::new("GET", url)
    }

    /// A `POST` to this URL.
    pub fn post(url: &str) -> Result<HttpCall, Error> {
        HttpCall::new("POST", url)
    }

    /// A `PUT` to this URL.
    pub fn put(url: &str) -> Result<HttpCall, Error> {
        HttpCall::new("PUT", url)
    }

    /// A `DELETE` of this URL.
    pub fn delete(url: &str) -> Result<HttpCall, Error> {
        HttpCall::new("DELETE", url)
    }

    /// Adds a header; each name once.
    pub fn header(mut self, name: &str, value: &str) -> Result<HttpCall, Error> {
        let header = read_header(name, value).and_then(|header| check_another(&self.headers, header));
        self.headers
            .push(header.map_err(|why| at(&["headers", name], why))?);
        Ok(self)
    }

    /// Sends this as JSON, instead of any other body. Fails if it has no JSON form.
    pub fn json(mut self, value: &impl serde::Serialize) -> Result<HttpCall, Error> {
        let json = serde_json::value::to_raw_value(value);
        let json = json.map_err(|error| at(&["json"], format!("it has no JSON form: {error}")))?;
        self.content = Content::Json(json);
        Ok(self)
    }

    /// Sends this text, instead of any other body.
    pub fn text(mut self, text: impl Into<String>) -> HttpCall {
        self.content = Content::Text(text.into());
        self
    }

    /// Sends these bytes, instead of any other body.
    pub fn bytes(mut self, bytes: impl Into<Bytes>) -> HttpCall {
        self.content = Content::Bytes(bytes.into());
        self
    }

    /// Adds a status code such as `204`, or a class such as `2xx`, to those that mean success; the first one stands instead of
    /// `2xx`.
    pub fn accept(mut self, codes: &str) -> Result<HttpCall, Error> {
        self.accept
            .push(codes.parse().map_err(|why| at(&["accept"], why))?);
        Ok(self)
    }

    /// The longest time to get a connection, name look-up and TLS included. At most a minute.
    pub fn connect_timeout(mut self, length: Duration) -> Result<HttpCall, Error> {
        self.connect_timeout =
            Some(check_connect_timeout(length).map_err(|why| at(&["connect_timeout"], why))?);
        Ok(self)
    }

    /// Reads a payload. Fails with all that is wrong with it, each with a JSON pointer under `/payload`.
    pub fn parse(payload: &[u8]) -> Result<HttpCall, Error> {
        let mut fields = Fields::read(payload)?;
        let method = fields.required("method", "a method such as \"POST\"", |text: String| {
            read_method(&text)
        });
        let url = fields.required(
            "url",
            "a URL such as \"https://example.com/hook\"",
            |text: String| read_url(&text),
        );
        let mut headers = Vec::new();
        for header in fields.texts("headers", |name, value| read_header(name, &value)) {
            match check_another(&headers, header) {
                Ok(header) => headers.push(header),
                Err(why) => fields.refuse(&["headers"], why),
            }
        }
        let content = read_content(&mut fields);
        let accept = read_accept(&mut fields);
        let connect_timeout = fields.optional(
            "connect_timeout",
            "a length of time such as \"5s\"",
            |text: String| check_connect_timeout(parse_length(&text).map_err(|error| error.to_string())?),
        );
        let call = method.zip(url).map(|(method, url)| HttpCall {
            method,
            url,
            headers,
            content,
            accept,
            connect_timeout,
        });
        fields.finish(
            "method, url, headers, body, json, base64, accept and connect_timeout",
            call,
        )
    }

    /// Whether this status means success.
    pub(super) fn accepts(&self, status: u16) -> bool {
        let unset = Accepted::Class(2);
        let all = if self.accept.is_empty() {
            &[unset][..]
        } else {
            &self.accept
        };
        all.iter().any(|accepted| accepted.holds(status))
    }

    /// The time to get a connection.
    pub(super) fn time_to_connect(&self) -> Duration {
        self.connect_timeout.unwrap_or(HTTP_CONNECT_TIMEOUT)
    }
}

/// Tells whom it calls; the query, headers and body may hold secrets and stay out of logs.
impl fmt::Display for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.scheme_str().unwrap_or_default();
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        write!(f, "{} {scheme}://{host}{}", self.method, self.url.path())
    }
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpCall({self})")
    }
}

/// As the payload that [`HttpCall::parse`] reads.
impl Serialize for HttpCall {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("method", self.method.as_str())?;
        map.serialize_entry("url", &self.url.to_string())?;
        if !self.headers.is_empty() {
            map.serialize_entry("headers", &Headers(&self.headers))?;
        }
        match &self.content {
            Content::Nothing => {}
            Content::Text(text) => map.serialize_entry("body", text)?,
            Content::Json(json) => map.serialize_entry("json", json)?,
            Content::Bytes(bytes) => map.serialize_entry("base64", &BASE64.encode(bytes))?,
        }
        if !self.accept.is_empty() {
            map.serialize_entry("accept", &self.accept)?;
        }
        if let Some(length) = self.connect_timeout {
            map.serialize_entry("connect_timeout", &format_length(length))?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for HttpCall {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HttpCall, D::Error> {
        let payload = Box::<RawValue>::deserialize(deserializer)?;
        HttpCall::parse(payload.get().as_bytes()).map_err(D::Error::custom)
    }
}

struct Headers<'a>(&'a [(HeaderName, HeaderValue)]);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let texts = self
            .0
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap_or_default()));
        serializer.collect_map(texts)
    }
}

impl Serialize for Accepted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Accepted::Code(code) => serializer.serialize_u16(*code),
            Accepted::Class(class) => serializer.collect_str(&format_args!("{class}xx")),
        }
    }
}

fn at(path: &[&str], why: String) -> Error {
    Error::invalid_field(pointer(path), why)
}

fn read_method(text: &str) -> Result<Method, String> {
    let method = Method::from_bytes(text.as_bytes()).ok();
    let method = method.filter(|_| !text.bytes().any(|byte| byte.is_ascii_lowercase()));
    match method {
        Some(Method::CONNECT | Method::TRACE) => Err(format!("{text} is no call that a job can make")),
        Some(method) => Ok(method),
        None => Err("it is a method in capitals, such as GET or POST".to_owned()),
    }
}

fn read_url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| {
        format!("it is no URL: {error}; write one such as https://example.com/hook, with other characters percent-encoded")
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

fn read_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let name: HeaderName = name
        .parse()
        .map_err(|_| "a header's name is letters, digits and -".to_owned())?;
    if FRAMING.contains(&name.as_str()) {
        return Err(format!("{name} follows from the call and is not set by a job"));
    }
    if name.as_str().starts_with("punctual-") || name == "idempotency-key" {
        return Err(format!("{name} is set by Punctual"));
    }
    let value = HeaderValue::from_str(value)
        .map_err(|_| "a header's value is visible ASCII characters, spaces and tabs".to_owned())?;
    Ok((name, value))
}

fn check_another(
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

fn read_content(fields: &mut Fields) -> Content {
    // Of these, only `json` has a value that is null.
    let json = fields.value("json").map(Content::Json);
    let all = [
        ("body", fields.has("body")),
        ("json", json.is_some()),
        ("base64", fields.has("base64")),
    ];
    let given: Vec<&str> = all
        .iter()
        .filter(|(_, given)| *given)
        .map(|(name, _)| *name)
        .collect();
    for name in given.iter().skip(1) {
        fields.refuse(
            &[name],
            format!("{} is given as well; a call has one body", given[0]),
        );
    }
    let text = fields.optional("body", "a text", |text: String| Ok(Content::Text(text)));
    let bytes = fields.optional("base64", "a text in base64", |text: String| {
        let bytes = BASE64
            .decode(text)
            .map_err(|error| format!("it is no base64: {error}"))?;
        Ok(Content::Bytes(bytes.into()))
    });
    text.or(json).or(bytes).unwrap_or(Content::Nothing)
}

fn read_accept(fields: &mut Fields) -> Vec<Accepted> {
    const LIST: &str = "a list of status codes and classes, such as [\"2xx\", 404]";
    let accept = fields.optional("accept", LIST, |list: Vec<serde_json::Value>| {
        let texts = list.iter().map(|item| match item {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        let accept: Vec<Accepted> = texts.map(|text| text.parse()).collect::<Result<_, _>>()?;
        if accept.is_empty() {
            Err(format!("it must be {LIST}"))
        } else {
            Ok(accept)
        }
    });
    accept.unwrap_or_default()
}

fn check_connect_timeout(length: Duration) -> Result<Duration, String> {
    if length.is_zero() || length > HTTP_CONNECT_TIMEOUT_MAX {
        let max = format_length(HTTP_CONNECT_TIMEOUT_MAX);
        return Err(format!("it is more than 0 and at most {max}"));
    }
    Ok(length)
}
