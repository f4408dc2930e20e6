//! One operation: a method at a path.

use serde_json::{Map, Value, json};

use super::named;
use crate::problem::MEDIA_TYPE;

/// What can become of any request: it cannot be read, its host or origin is refused, a fault of ours, no store.
const OF_ANY: [u16; 4] = [400, 403, 500, 503];
/// What can become of a request with a body: it comes too slowly, is too long, of another type, or does not fit.
const OF_A_BODY: [u16; 4] = [408, 413, 415, 422];

/// What an operation takes and answers.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: &'static str,
    id: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: Map<String, Value>,
    problems: Vec<u16>,
}

impl Operation {
    pub(super) fn new(
        method: &'static str,
        path: &'static str,
        id: &'static str,
        summary: &'static str,
    ) -> Operation {
        let mut operation = Operation {
            path,
            method,
            id,
            summary,
            parameters: Vec::new(),
            body: None,
            answers: Map::new(),
            problems: OF_ANY.to_vec(),
        };
        for (name, schema, missing) in [
            ("id", "Id", Some(404)),
            ("name", "Name", None),
            ("token", "Token", Some(404)),
        ] {
            if path.contains(&format!("{{{name}}}")) {
                operation.problems.extend(missing);
                operation.parameters.push(json!({
                    "name": name, "in": "path", "required": true, "schema": named(schema),
                }));
            }
        }
        operation
    }

    /// It takes a parameter in its query.
    pub(super) fn query(mut self, name: &str, description: &str, schema: Value) -> Operation {
        self.parameters.push(json!({
            "name": name, "in": "query", "description": description, "schema": schema,
        }));
        self
    }

    /// It must be given that parameter, which it was told of last.
    pub(super) fn required(mut self) -> Operation {
        if let Some(last) = self.parameters.last_mut() {
            last["required"] = json!(true);
        }
        self
    }

    /// It takes a header.
    pub(super) fn header(mut self, name: &str, description: &str, schema: Value) -> Operation {
        self.parameters.push(json!({
            "name": name, "in": "header", "description": description, "schema": schema,
        }));
        self
    }

    /// It compares the version that its caller has seen.
    pub(super) fn if_match(self) -> Operation {
        let description = "The ETag that was seen, or several, or *: 412 if it has moved on since.";
        let schema = json!({"type": "string", "pattern": r#"^(\*|"[0-9]{1,20}"(, "[0-9]{1,20}"){0,9})$"#});
        self.header("If-Match", description, schema).problems(&[412])
    }

    /// It takes a JSON body of this schema.
    pub(super) fn body(self, schema: &str) -> Operation {
        self.takes("application/json", named(schema), true)
    }

    /// The same, or no body.
    pub(super) fn optional_body(self, schema: &str) -> Operation {
        self.takes("application/json", named(schema), false)
    }

    /// It takes a body of this type.
    pub(super) fn takes(mut self, media_type: &str, schema: Value, required: bool) -> Operation {
        self.problems.extend(OF_A_BODY);
        self.body = Some(json!({"required": required, "content": {media_type: {"schema": schema}}}));
        self
    }

    /// It answers JSON of this schema.
    pub(super) fn json(self, status: u16, description: &str, schema: &str) -> Operation {
        self.answers(status, description, "application/json", named(schema))
    }

    /// It answers a page of these.
    pub(super) fn page(self, item: &str) -> Operation {
        let schema = super::answer(
            json!({
                "items": {"type": "array", "items": named(item)},
                "next": {"type": ["string", "null"], "description": "The cursor of the next page; null at the end."},
            }),
            &[],
        );
        self.answers(200, "One page.", "application/json", schema)
    }

    /// It answers something of this type.
    pub(super) fn answers(
        mut self,
        status: u16,
        description: &str,
        media_type: &str,
        schema: Value,
    ) -> Operation {
        let answer = json!({"description": description, "content": {media_type: {"schema": schema}}});
        self.answers.insert(status.to_string(), answer);
        self
    }

    /// It answers without a body.
    pub(super) fn nothing(mut self, description: &str) -> Operation {
        self.answers
            .insert("204".to_owned(), json!({"description": description}));
        self
    }

    /// Its answers with this status have this header.
    pub(super) fn with(mut self, statuses: &[u16], header: &str, description: &str) -> Operation {
        for status in statuses {
            if let Some(answer) = self.answers.get_mut(&status.to_string()) {
                answer["headers"][header] = json!({"description": description, "schema": {"type": "string"}});
            }
        }
        self
    }

    /// It can fail with these statuses, too.
    pub(super) fn problems(mut self, statuses: &[u16]) -> Operation {
        self.problems.extend(statuses);
        self
    }

    /// The operation as the document tells it.
    pub(super) fn told(self) -> Value {
        let mut responses = self.answers;
        for status in self.problems {
            let reason = http::StatusCode::from_u16(status)
                .ok()
                .and_then(|status| status.canonical_reason());
            responses.insert(
                status.to_string(),
                json!({
                    "description": reason.unwrap_or("A problem"),
                    "content": {MEDIA_TYPE: {"schema": named("Problem")}},
                }),
            );
        }
        let group = self
            .path
            .strip_prefix("/v1/")
            .and_then(|rest| rest.split('/').next());
        let mut told = json!({
            "operationId": self.id,
            "summary": self.summary,
            "tags": [group.unwrap_or("server")],
            "parameters": self.parameters,
            "responses": responses,
        });
        if let Some(body) = self.body {
            told["requestBody"] = body;
        }
        told
    }
}
