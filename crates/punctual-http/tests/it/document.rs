//! The document of the API, and the page that shows it.
//!
//! After a change that is meant, run the test with `PUNCTUAL_TEST_BLESS=1` and read the difference.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::house::House;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/openapi.json");

#[tokio::test]
async fn the_document_is_as_it_was_blessed() {
    let told = House::in_memory().await.get("/openapi.json").await;
    assert_eq!(told.status, 200);
    assert_eq!(told.header("content-type"), Some("application/json"));
    if std::env::var_os("PUNCTUAL_TEST_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&told.body).expect("it is JSON");
        std::fs::write(GOLDEN, text + "\n").expect("the golden file is written");
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("the golden file is there");
    let golden: Value = serde_json::from_str(&golden).expect("the golden file is JSON");
    assert_eq!(told.body, golden, "bless it, if that is meant");
}

#[tokio::test]
async fn every_schema_that_is_named_is_there_and_used() {
    let document = House::in_memory().await.get("/openapi.json").await.body;
    let there = document["components"]["schemas"].as_object().expect("schemas");
    let there: BTreeSet<String> = there.keys().cloned().collect();
    let mut named = BTreeSet::new();
    references(&document, &mut named);
    assert_eq!(named, there);
}

#[tokio::test]
async fn bodies_of_requests_have_no_other_fields_and_every_error_is_a_problem_document() {
    let document = House::in_memory().await.get("/openapi.json").await.body;
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths
        .values()
        .flat_map(|path| path.as_object().expect("methods").values());
    for operation in operations {
        let id = &operation["operationId"];
        for (status, answer) in operation["responses"].as_object().expect("answers") {
            let is_problem = answer["content"]["application/problem+json"].is_object();
            assert_eq!(is_problem, status.as_str() >= "400", "{id} {status}");
        }
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = body.as_str().and_then(|path| path.rsplit('/').next()) else {
            continue;
        };
        let schema = &document["components"]["schemas"][name];
        let closed = schema["additionalProperties"] == false || schema["type"] == "array";
        assert!(closed, "{id}: {schema}");
    }
}

#[tokio::test]
async fn the_page_brings_all_it_needs_and_may_load_nothing_else() {
    let house = House::in_memory().await;
    for (path, media_type) in [
        ("/docs", "text/html"),
        ("/docs/page.js", "text/javascript"),
        ("/docs/page.css", "text/css"),
    ] {
        let asset = house.get(path).await;
        assert_eq!(asset.status, 200, "{path}");
        let found = asset.header("content-type").expect("a type");
        assert!(found.starts_with(media_type), "{path}: {found}");
        let policy = asset.header("content-security-policy").expect("a policy");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }
}

fn references(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            let name = fields.get("$ref").and_then(Value::as_str);
            named.extend(name.and_then(|path| path.rsplit('/').next()).map(str::to_owned));
            fields.values().for_each(|field| references(field, named));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, named)),
        _ => {}
    }
}
