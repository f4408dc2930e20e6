//! A call: what an `http` job asks for, as a type and as the JSON of its payload.

mod content;
mod form;
mod read;
mod statuses;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Uri};

use self::content::{Content, read_content};
use self::read::{
    check_another, check_connect_timeout, check_follow, check_kept_body, check_kept_header,
    check_kept_headers, read_follow, read_header, read_kept_body, read_kept_headers, read_method, read_url,
};
use self::statuses::{Statuses, read_accept};
use super::answer::HttpAnswer;
use super::auth::{Auth, Credential};
use super::hop::write_call;
use crate::error::Error;
use crate::job::Task;
use crate::limits::{HTTP_ANSWER_BYTES, HTTP_CONNECT_TIMEOUT};
use crate::target::fields::{Fields, pointer};
use crate::target::verdict::{Codes, Table, Verdict};
use crate::time::parse_length;

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
/// | `auth` | `"none"`, `{"bearer": …}` or `{"basic": {"user": …, "password": …}}`, where … is a credential or the name of one: `{"secret": "billing"}` |
/// | `sign` | the secret to sign with, likewise: `whsec_` and 24 to 64 bytes in base64, see [the module](super#signatures) |
/// | `accept` | a list of status codes that mean success, such as `204` or `"2xx"`; unset, `"2xx"` |
/// | `answers` | an object of what other answers mean, such as `{"404": "done", "5xx": "fail"}`: a [`Verdict`] for a code or a class; codes go before classes |
/// | `follow` | how many redirects are followed, up to 10; unset, none |
/// | `keep_headers` | headers of the answer to keep besides the usual ones, up to 16 |
/// | `keep_body` | how many bytes of the answer's body are kept; unset, 45056, which is the most |
/// | `connect_timeout` | a length of time such as `"5s"`; unset, 10 s; at most a minute. The whole call has the job's `timeout` |
#[derive(Clone)]
pub struct HttpCall {
    pub(super) method: Method,
    pub(super) url: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) content: Content,
    pub(super) auth: Option<Auth>,
    pub(super) sign: Option<Credential>,
    accept: Vec<Statuses>,
    answers: Table<Statuses>,
    pub(super) follow: u8,
    pub(super) keep_headers: Vec<HeaderName>,
    keep_body: Option<usize>,
    connect_timeout: Option<Duration>,
}

impl Task for HttpCall {
    const KIND: &'static str = "http";
    type Output = HttpAnswer;
}

impl HttpCall {
    /// A call with this method, such as `PATCH`, of this URL. Fails, as the other steps do, with what is wrong and where it
    /// would stand in the payload.
    pub fn new(method: &str, url: &str) -> Result<HttpCall, Error> {
        let method = read_method(method).map_err(|why| at(&["method"], why))?;
        let url = read_url(url).map_err(|why| at(&["url"], why))?;
        Ok(HttpCall::plain(method, url))
    }

    fn plain(method: Method, url: Uri) -> HttpCall {
        HttpCall {
            method,
            url,
            headers: Vec::new(),
            content: Content::Nothing,
            auth: None,
            sign: None,
            accept: Vec::new(),
            answers: Table::default(),
            follow: 0,
            keep_headers: Vec::new(),
            keep_body: None,
            connect_timeout: None,
        }
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

    /// Says what an answer means that is named by its code, such as `404`, or its class, such as `5xx`.
    pub fn answer(mut self, codes: &str, verdict: Verdict) -> Result<HttpCall, Error> {
        let added = self.answers.add(codes, verdict);
        added.map_err(|why| at(&["answers", codes], why))?;
        match self.said_twice() {
            Some((path, why)) => Err(at(&[&path[0], &path[1]], why)),
            None => Ok(self),
        }
    }

    /// Sends this token (RFC 6750).
    pub fn bearer(mut self, token: Credential) -> Result<HttpCall, Error> {
        let auth = Auth::Bearer(token).sendable();
        self.auth = Some(auth.map_err(|why| at(&["auth", "bearer"], why))?);
        Ok(self)
    }

    /// Sends this user's name and password (RFC 7617).
    pub fn basic(mut self, user: impl Into<String>, password: Credential) -> Result<HttpCall, Error> {
        let user = user.into();
        let auth = Auth::Basic { user, password }.sendable();
        self.auth = Some(auth.map_err(|why| at(&["auth", "basic"], why))?);
        Ok(self)
    }

    /// Signs the call with this secret, see [the module](super#signatures).
    pub fn sign(mut self, secret: Credential) -> HttpCall {
        self.sign = Some(secret);
        self
    }

    /// Follows up to so many redirects; at most 10.
    pub fn follow(mut self, hops: u8) -> Result<HttpCall, Error> {
        self.follow = check_follow(hops).map_err(|why| at(&["follow"], why))?;
        Ok(self)
    }

    /// Keeps this header of the answer, too.
    pub fn keep_header(mut self, name: &str) -> Result<HttpCall, Error> {
        let refuse = |why| at(&["keep_headers"], why);
        self.keep_headers.push(check_kept_header(name).map_err(refuse)?);
        self.keep_headers = check_kept_headers(self.keep_headers).map_err(refuse)?;
        Ok(self)
    }

    /// Keeps so many bytes of the answer's body; unset, 44 KiB, which is the most.
    pub fn keep_body(mut self, bytes: usize) -> Result<HttpCall, Error> {
        self.keep_body = Some(check_kept_body(bytes).map_err(|why| at(&["keep_body"], why))?);
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
        let headers = read_headers(&mut fields);
        let content = read_content(&mut fields);
        let auth = Auth::read(&mut fields);
        let sign = read_sign(&mut fields);
        let accept = read_accept(&mut fields);
        let answers = Table::read(&mut fields, "answers");
        let follow = read_follow(&mut fields);
        let keep_headers = read_kept_headers(&mut fields);
        let keep_body = read_kept_body(&mut fields);
        let connect_timeout = fields.optional(
            "connect_timeout",
            "a length of time such as \"5s\"",
            |text: String| check_connect_timeout(parse_length(&text).map_err(|error| error.to_string())?),
        );
        let call = method.zip(url).map(|(method, url)| HttpCall {
            headers,
            content,
            auth,
            sign,
            accept,
            answers,
            follow,
            keep_headers,
            keep_body,
            connect_timeout,
            ..HttpCall::plain(method, url)
        });
        if let Some(call) = &call {
            call.agree(&mut fields);
        }
        fields.finish(
            "method, url, headers, body, json, base64, auth, sign, accept, answers, follow, keep_headers, keep_body and connect_timeout",
            call,
        )
    }

    /// Refuses parts that contradict each other.
    fn agree(&self, fields: &mut Fields) {
        if let Some((path, why)) = self.said_twice() {
            fields.refuse(&[&path[0], &path[1]], why);
        }
        let sets = |name: &str| self.headers.iter().any(|(set, _)| set.as_str() == name);
        if self.auth.is_some() && sets("authorization") {
            fields.refuse(&["auth"], "the header authorization is given as well");
        }
        if self.sign.is_some() && sets("webhook-signature") {
            fields.refuse(&["sign"], "the header webhook-signature is given as well");
        }
    }

    /// Where codes that mean success are told to mean something else, or the same again.
    fn said_twice(&self) -> Option<([String; 2], String)> {
        let twice = self.accept.iter().find(|codes| self.answers.names(**codes))?;
        let why = "accept says something of the same codes".to_owned();
        Some((["answers".to_owned(), twice.to_string()], why))
    }

    /// What the job says of an answer with this status, itself or by saying nothing.
    pub(super) fn says(&self, status: u16) -> Option<Verdict> {
        let accepted = |one: bool| {
            let mut codes = self.accept.iter();
            let found = codes.any(|codes| codes.is_one() == one && codes.holds(status));
            found.then_some(Verdict::Done)
        };
        let unset = (self.accept.is_empty() && (200..300).contains(&status)).then_some(Verdict::Done);
        let of_one = self.answers.of_one(status).or_else(|| accepted(true));
        of_one
            .or_else(|| self.answers.of_several(status))
            .or_else(|| accepted(false))
            .or(unset)
    }

    /// How many bytes of the answer's body are kept.
    pub(super) fn body_to_keep(&self) -> usize {
        self.keep_body.unwrap_or(HTTP_ANSWER_BYTES)
    }

    /// The time to get a connection.
    pub(super) fn time_to_connect(&self) -> Duration {
        self.connect_timeout.unwrap_or(HTTP_CONNECT_TIMEOUT)
    }
}

/// Tells whom it calls; the query, headers and body may hold secrets and stay out of logs.
impl fmt::Display for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_call(f, &self.method, &self.url)
    }
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpCall({self})")
    }
}

fn at(path: &[&str], why: String) -> Error {
    Error::invalid_field(pointer(path), why)
}

fn read_headers(fields: &mut Fields) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for header in fields.texts("headers", |name, value| read_header(name, &value)) {
        match check_another(&headers, header) {
            Ok(header) => headers.push(header),
            Err(why) => fields.refuse(&["headers"], why),
        }
    }
    headers
}

fn read_sign(fields: &mut Fields) -> Option<Credential> {
    const ACCEPTED: &str = "a secret to sign with, or {\"secret\": \"name\"}";
    let value = fields.optional("sign", ACCEPTED, Ok::<serde_json::Value, String>)?;
    match Credential::read(&value) {
        Ok(secret) => Some(secret),
        Err(wrong) => {
            wrong.tell(fields, "sign", ACCEPTED);
            None
        }
    }
}
