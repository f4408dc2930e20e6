//! The document of the API (OpenAPI 3.1): every route, what it takes and what it answers.
//!
//! It says what the readers of [`wire`](crate::wire) accept, which their Rust types do not: most texts are read by hand, so that all
//! that are wrong are told at once. Bounds come from the constants that the readers use.

use serde_json::{Map, Value, json};

mod answers;
mod operation;
mod routes;
mod schedules;
mod texts;
mod workers;
mod written;

use operation::Operation;

/// The whole document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for operation in routes::operations() {
        let Operation { path, method, .. } = operation;
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[method] = operation.told();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Punctual",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Durable jobs over HTTP. Unknown fields and parameters of a request are errors; a reader of an answer \
                            skips the fields that it does not know. Whatever does not happen is told by a problem document.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas()},
    })
}

fn schemas() -> Map<String, Value> {
    let all = [
        texts::schemas(),
        written::schemas(),
        workers::schemas(),
        schedules::schemas(),
        answers::schemas(),
    ];
    all.into_iter()
        .flatten()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect()
}

/// What has this name among the schemas.
fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// This, or null.
fn or_null(schema: impl Into<Value>) -> Value {
    json!({"anyOf": [schema.into(), {"type": "null"}]})
}

/// An object of a request, which has no other fields than these.
fn request(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

/// An object of an answer, which has all of these fields but for the ones that are `optional`.
fn answer(properties: Value, optional: &[&str]) -> Value {
    let names = properties.as_object().into_iter().flat_map(Map::keys);
    let required: Vec<&String> = names.filter(|name| !optional.contains(&name.as_str())).collect();
    json!({"type": "object", "required": required, "properties": properties})
}
