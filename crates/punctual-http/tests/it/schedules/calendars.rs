//! Calendars, and previews, which go by them.

use macro_rules_attribute::apply;
use punctual_http::wire::NewCalendar;
use serde_json::{Value, json};

use super::nightly;
use crate::house::{Answer, House};
use crate::stores::{Place, on_each_store};

async fn put_calendar(house: &House, name: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("Content-Type", "application/json"));
    let path = format!("/v1/calendars/{name}");
    house
        .ask("PUT", &path, &headers, body.to_string().as_bytes())
        .await
}

#[apply(on_each_store)]
async fn a_calendar_is_set_shown_listed_and_deleted(place: Place) {
    let house = House::open(&place).await;
    let dates = json!({"dates": ["2026-12-26", "2026-12-25"]});
    let made = put_calendar(&house, "si%2Fpraznik", &[], &dates).await;
    assert_eq!(
        (made.status, made.header("etag")),
        (201, Some("\"1\"")),
        "{made:?}"
    );
    let told = json!({"name": "si/praznik", "rev": 1, "dates": ["2026-12-25", "2026-12-26"]});
    assert_eq!(made.body, told);
    let shown = house.get("/v1/calendars/si%2Fpraznik").await;
    assert_eq!((shown.body, shown.status), (told, 200));

    let seen = [("If-Match", "\"1\"")];
    let fewer = json!({"dates": []});
    let set = put_calendar(&house, "si%2Fpraznik", &seen, &fewer).await;
    assert_eq!(
        (set.status, &set.body["rev"], &set.body["dates"]),
        (200, &json!(2), &json!([]))
    );
    put_calendar(&house, "si%2Fpraznik", &seen, &dates)
        .await
        .problem(412);

    put_calendar(&house, "a", &[], &dates).await;
    let first = house.get("/v1/calendars?limit=1").await.body;
    assert_eq!(first["items"], json!([{"name": "a", "rev": 1}]));
    let client = house.client();
    let second = client.calendars(first["next"].as_str()).await.expect("a page");
    assert_eq!((second.items[0].name.as_str(), second.next), ("si/praznik", None));

    client.delete_calendar("a", Some(1)).await.expect("it is deleted");
    house.get("/v1/calendars/a").await.problem(404);
    house
        .ask("DELETE", "/v1/calendars/a", &[], b"")
        .await
        .problem(404);
}

#[apply(on_each_store)]
async fn what_is_wrong_with_a_calendar_is_pointed_at(place: Place) {
    let house = House::open(&place).await;
    for (body, places) in [
        (
            json!({"dates": ["2026-12-25", "Xmas", "2026-02-30"]}),
            vec!["/dates/1", "/dates/2"],
        ),
        (json!({}), vec!["/dates"]),
        (json!({"dates": 7}), vec!["/dates"]),
        (json!({"dates": [], "color": 1}), vec!["/color"]),
    ] {
        assert_eq!(
            put_calendar(&house, "a", &[], &body).await.problem(422),
            places,
            "{body}"
        );
    }
    let many: Vec<String> = (0..4_001).map(|n| format!("{:04}-01-01", 1000 + n)).collect();
    let many = json!({"dates": many});
    assert_eq!(
        put_calendar(&house, "a", &[], &many).await.problem(422),
        ["/dates"]
    );
    let long = "x".repeat(129);
    for name in [long.as_str(), "no%20name"] {
        let refused = put_calendar(&house, name, &[], &json!({"dates": []})).await;
        assert_eq!(refused.problem(400), ["name"]);
    }
    house.get("/v1/calendars/a").await.problem(404);
}

#[apply(on_each_store)]
async fn schedules_rest_on_the_dates_of_their_calendars(place: Place) {
    let house = House::open(&place).await;
    let client = house.client();
    let calendar = NewCalendar {
        dates: Some(vec!["2027-03-28".to_owned()]),
    };
    client
        .set_calendar("change", &calendar, None)
        .await
        .expect("it is set");
    let mut preview = nightly();
    preview["exclude"] = json!({"calendars": ["change", "unknown"]});
    preview["from"] = json!("2027-03-27T12:00:00Z");
    preview["count"] = json!(1);
    let told = house.post("/v1/schedules/preview", preview.to_string()).await;
    assert_eq!(
        told.body["items"][0]["local"], "2027-03-29T02:30:00+02:00",
        "{told:?}"
    );
}

#[apply(on_each_store)]
async fn a_preview_tells_what_the_clocks_do_to_a_schedule_that_nobody_stored(place: Place) {
    let house = House::open(&place).await;
    let mut preview = nightly();
    preview["from"] = json!("2027-03-27T12:00:00Z");
    preview["count"] = json!(2);
    let told = house.post("/v1/schedules/preview", preview.to_string()).await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(told.body["description"], "every day at 02:30, Europe/Ljubljana");
    assert_eq!(
        told.body["items"],
        json!([
            {
                "at": "2027-03-28T01:00:00.000000Z", "local": "2027-03-28T03:00:00+02:00", "outcome": "fires",
                "clocks": "shifted", "note": "02:30 does not exist on this day; it fires at 03:00"
            },
            {
                "at": "2027-03-29T00:30:00.000000Z", "local": "2027-03-29T02:30:00+02:00", "outcome": "fires",
                "clocks": "plain", "note": null
            }
        ])
    );
    assert_eq!(house.get("/v1/schedules").await.body["items"], json!([]));

    for (field, value, places) in [
        ("count", json!(0), vec!["/count"]),
        ("count", json!(1001), vec!["/count"]),
        ("from", json!("noon"), vec!["/from"]),
        ("cron", json!("0 0 31 2 *"), vec!["/cron"]),
        ("job", json!({"kind": "no name"}), vec!["/job/kind"]),
        ("overlap", json!("maybe"), vec!["/overlap"]),
        ("end", json!("2027-03-01T00:00:00Z"), vec![]),
    ] {
        let mut wrong = preview.clone();
        wrong[field] = value;
        let refused = house.post("/v1/schedules/preview", wrong.to_string()).await;
        assert_eq!(refused.problem(422), places, "{wrong}");
    }
    let zero = house.post("/v1/schedules/preview", r#"{"every": "0s"}"#).await;
    assert_eq!(zero.problem(422), ["/every"]);
}
