//! Problem documents (RFC 9457): how the edge says that something did not happen.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use punctual::{Error, Kind};
use serde::{Deserialize, Serialize};

use crate::limits::RETRY_AFTER;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A problem document. Its `type` is always `about:blank`: the status tells a program all there is to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Always `about:blank`.
    #[serde(rename = "type", default = "about_blank")]
    pub type_uri: String,
    /// The status in words.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, and what is accepted.
    #[serde(default)]
    pub detail: String,
    /// Every place in the input that was wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// The id of the request, by which the server's log tells of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Box<str>>,
}

/// One place in the input that was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where in the body: a JSON pointer (RFC 6901) such as `/priority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Or which part of the address: a query parameter's name, or `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What was wrong and what is accepted.
    pub detail: String,
}

impl Problem {
    /// The problem with this status, told in `detail`.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem {
            type_uri: about_blank(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            errors: Vec::new(),
            request_id: None,
        }
    }

    /// The same, of the request with this id.
    pub fn with_request_id(self, id: impl Into<Box<str>>) -> Problem {
        let request_id = Some(id.into());
        Problem { request_id, ..self }
    }

    /// The document as it goes out.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        serde_json::to_vec(&self).expect("a problem has a JSON form")
    }

    /// A part of the address is wrong: 400.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Problem {
        let detail = detail.into();
        let mut problem = Problem::new(StatusCode::BAD_REQUEST, format!("{name}: {detail}"));
        problem.errors.push(Fault {
            pointer: None,
            parameter: Some(name.to_owned()),
            detail,
        });
        problem
    }

    /// The same of a part of a larger body: what stood at `/priority` of the part, or was its parameter `priority`, stands at
    /// `/priority` behind `place`.
    pub(crate) fn within(self, place: &str) -> Problem {
        if self.errors.is_empty() {
            return self;
        }
        let status = match self.errors.iter().any(|fault| fault.parameter.is_some()) {
            true => StatusCode::UNPROCESSABLE_ENTITY,
            false => self.status(),
        };
        let moved = |fault: Fault| {
            let parameter = fault.parameter.map(|name| format!("/{name}"));
            let pointer = parameter.or(fault.pointer).unwrap_or_default();
            Fault {
                pointer: Some(format!("{place}{pointer}")),
                parameter: None,
                detail: fault.detail,
            }
        };
        let errors: Vec<Fault> = self.errors.into_iter().map(moved).collect();
        let told = errors.iter().map(|fault| {
            let pointer = fault.pointer.as_deref().unwrap_or_default();
            format!("{pointer}: {}", fault.detail)
        });
        let detail = told.collect::<Vec<String>>().join("; ");
        Problem {
            errors,
            ..Problem::new(status, detail)
        }
    }

    /// The same problem where what stands at `from` in the library's documents stands at `to` in the body.
    pub(crate) fn renamed(mut self, from: &str, to: &str) -> Problem {
        for fault in &mut self.errors {
            if fault.pointer.as_deref() == Some(from) {
                fault.pointer = Some(to.to_owned());
                self.detail = self.detail.replacen(from, to, 1);
            }
        }
        self
    }

    /// The status, or 500 if the document holds no valid one.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What a program can do about it.
    pub fn kind(&self) -> Kind {
        match self.status() {
            StatusCode::NOT_FOUND => Kind::NotFound,
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => Kind::Conflict,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Kind::Denied,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Kind::Unavailable
            }
            status if status.is_client_error() => Kind::Invalid,
            _ => Kind::Internal,
        }
    }
}

fn about_blank() -> String {
    "about:blank".to_owned()
}

/// The status of each kind of error.
fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        if error.kind() == Kind::Internal {
            tracing::error!(?error, "a request failed for a fault of ours");
        }
        let mut problem = Problem::new(status_of(error.kind()), error.to_string());
        problem.errors = error
            .fields()
            .iter()
            .map(|field| Fault {
                pointer: Some(field.pointer.clone()),
                parameter: None,
                detail: field.message.clone(),
            })
            .collect();
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, self.clone().into_bytes()).into_response();
        // The server's outermost layer writes it anew, with the request's id.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER.as_secs()));
        }
        response
    }
}
