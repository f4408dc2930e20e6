//! Schedules as they cross the wire, and on a server.

use serde_json::{Value, json};

use crate::house::{Answer, House};

mod calendars;
mod crontabs;
mod differences;
mod documents;
mod files;
mod plans;
mod runs;
mod served;
mod slips;

/// Every day at a time that one day in the year does not have.
fn nightly() -> Value {
    let job = json!({"kind": "http", "payload": {"method": "POST", "url": "https://example.com/hook"}});
    json!({"cron": "30 2 * * *", "zone": "Europe/Ljubljana", "job": job})
}

async fn put(house: &House, name: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", "application/json"));
    let path = format!("/v1/schedules/{name}");
    house
        .ask("PUT", &path, &headers, body.to_string().as_bytes())
        .await
}
