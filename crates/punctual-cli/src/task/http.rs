//! What `http METHOD URL` takes: the call of a job of the HTTP target.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use punctual::time::format_length;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::meaning::meaning;
use super::payload;
use crate::failure::Failure;
use crate::when;

/// `http METHOD URL`
#[derive(Args)]
pub(crate) struct HttpCall {
    /// GET, POST, PUT, PATCH, DELETE, …
    method: String,
    /// The URL to call
    url: String,
    /// The body, as JSON, or a file of it as @FILE, @- for the input
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "body")]
    json: Option<String>,
    /// The body, as it stands: a text, or a file as @FILE, @- for the input
    #[arg(long, value_name = "TEXT|@FILE")]
    body: Option<String>,
    /// A header, as 'name: value'; may be repeated with other names
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// A status that means success, such as 204 or 2xx; may be repeated [default: 2xx]
    #[arg(long, value_name = "STATUS")]
    accept: Vec<String>,
    /// What another answer means, such as 404=done, 409=retry:30s, 425=snooze:5m or 5xx=fail; may be repeated
    #[arg(long = "answer", value_name = "STATUS=WHAT", value_parser = meaning)]
    answers: Vec<(String, Value)>,
    /// Send the secret of this name, which the runner keeps, as a bearer token
    #[arg(long, value_name = "SECRET", conflicts_with = "basic_secret")]
    bearer_secret: Option<String>,
    /// Log in as this user, with the secret of this name, which the runner keeps, as the password
    #[arg(long, value_name = "USER:SECRET", value_parser = user_and_secret)]
    basic_secret: Option<(String, String)>,
    /// Sign the call with the secret of this name, which the runner keeps
    #[arg(long, value_name = "SECRET")]
    sign_secret: Option<String>,
    /// Follow up to so many redirects [default: 0]
    #[arg(long, value_name = "N")]
    follow: Option<u32>,
    /// A header of the answer to keep besides the usual ones; may be repeated
    #[arg(long = "keep-header", value_name = "NAME")]
    keep_headers: Vec<String>,
    /// Keep so many bytes of the answer's body [default: 45056]
    #[arg(long, value_name = "N")]
    keep_body: Option<u32>,
    /// The longest that connecting may take [default: 10s]
    #[arg(long, value_name = "LENGTH", value_parser = when::length)]
    connect_timeout: Option<Duration>,
}

#[derive(Serialize)]
struct Payload<'a> {
    method: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'a str, &'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    accept: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    answers: BTreeMap<&'a str, &'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<Auth<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    follow: Option<u32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    keep_headers: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_body: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect_timeout: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Auth<'a> {
    Bearer(Named<'a>),
    Basic { user: &'a str, password: Named<'a> },
}

/// A secret by its name. One that stands on a command line is no secret: whoever lists processes reads it.
#[derive(Serialize)]
struct Named<'a> {
    secret: &'a str,
}

impl HttpCall {
    /// The payload of a job that makes this call.
    pub(crate) fn payload(&self) -> Result<Box<RawValue>, Failure> {
        let body = payload::content("--body", self.body.as_deref())?;
        let payload = Payload {
            method: &self.method,
            url: &self.url,
            headers: payload::by_name("--header", &self.headers)?,
            json: self
                .json
                .as_deref()
                .map(|text| payload::json("--json", text))
                .transpose()?,
            body: body.text,
            base64: body.base64,
            accept: &self.accept,
            answers: payload::by_name("--answer", &self.answers)?,
            auth: self.auth(),
            sign: self.sign_secret.as_deref().map(|secret| Named { secret }),
            follow: self.follow,
            keep_headers: &self.keep_headers,
            keep_body: self.keep_body,
            connect_timeout: self.connect_timeout.map(format_length),
        };
        Ok(to_raw_value(&payload).map_err(std::io::Error::from)?)
    }

    fn auth(&self) -> Option<Auth<'_>> {
        let bearer = self.bearer_secret.as_deref();
        let bearer = bearer.map(|secret| Auth::Bearer(Named { secret }));
        bearer.or_else(|| {
            let (user, secret) = self.basic_secret.as_ref()?;
            let password = Named { secret };
            Some(Auth::Basic { user, password })
        })
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn user_and_secret(text: &str) -> Result<(String, String), String> {
    let (user, secret) = text.split_once(':').ok_or("write it as USER:SECRET")?;
    Ok((user.to_owned(), secret.to_owned()))
}
