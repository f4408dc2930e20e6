//! `punctual job add http`.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::JobOptions;
use crate::failure::Failure;
use crate::job::payload;

/// `punctual job add http METHOD URL`
#[derive(Args)]
pub(super) struct Http {
    /// GET, POST, PUT, PATCH, DELETE, …
    method: String,
    /// The URL to call
    url: String,
    /// The body, as JSON, or a file of it as @FILE, @- for the input
    #[arg(long, value_name = "JSON|@FILE", conflicts_with = "body")]
    json: Option<String>,
    /// The body, as text
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// A header, as 'name: value'; may be repeated with other names
    #[arg(long = "header", value_name = "HEADER", value_parser = header)]
    headers: Vec<(String, String)>,
    /// A status that means success, such as 204 or 2xx; may be repeated [default: 2xx]
    #[arg(long, value_name = "STATUS")]
    accept: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) print_json: bool,
    #[command(flatten)]
    pub(super) options: JobOptions,
}

#[derive(Serialize)]
struct Payload<'a> {
    method: &'a str,
    url: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    accept: &'a [String],
}

impl Http {
    pub(super) fn payload(&self) -> Result<Box<RawValue>, Failure> {
        let payload = Payload {
            method: &self.method,
            url: &self.url,
            headers: payload::by_name("--header", &self.headers)?,
            json: self
                .json
                .as_deref()
                .map(|text| payload::json("--json", text))
                .transpose()?,
            body: self.body.as_deref(),
            accept: &self.accept,
        };
        Ok(to_raw_value(&payload).map_err(std::io::Error::from)?)
    }
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as 'name: value'")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
