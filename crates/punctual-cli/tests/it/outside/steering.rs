//! What users do to a schedule while servers fire it: edit it, hold it, let it go on, run it out of turn, and make up for what
//! was skipped.

use std::cell::Cell;
use std::collections::BTreeMap;

use jiff::Timestamp;
use punctual::JobId;
use serde_json::{Value, json};

use super::firing::{begin, ledger, nothing_is_live};
use super::nginx::Called;
use super::process::Process;
use super::server::{Place, grown, request, until};
use super::stores::{Sort, on_each_store, tell};

on_each_store!(what_users_do_to_a_schedule_that_fires_loses_no_instant_and_doubles_none);

/// So many calls are waited for after each thing that is done.
const CALLS: usize = 2;
const EDITS: usize = 4;
/// Longer than a run takes on a loaded machine, so that none is lost.
const LEASE: &str = "30s";

/// Two servers that fire, and the record of who called.
struct Scene {
    servers: [Process; 2],
    called: Called,
    asked: Cell<usize>,
}

fn what_users_do_to_a_schedule_that_fires_loses_no_instant_and_doubles_none(sort: Sort) {
    let (Some(store), Some(called)) = (sort.empty(), Called::noting()) else {
        return;
    };
    let place = Place::new();
    let scene = Scene {
        servers: [0, 1].map(|number| begin(&place, &store, number, LEASE)),
        called,
        asked: Cell::new(0),
    };
    scene.set("steered", "/first", "1s");
    scene.set("beat", "/beat", "1s");
    scene.goes_on("/first");
    scene.edit();
    scene.hold();
    scene.run_out_of_turn(store.url());
    let made = scene.make_up_for_what_was_skipped();
    scene.set("steered", "/third", "2s");
    scene.goes_on("/third");

    for name in ["steered", "beat"] {
        scene.ask("POST", &format!("/v1/schedules/{name}/pause"), &json!({}));
    }
    until("every job has ended", || {
        nothing_is_live(&scene.address()).then_some(())
    });
    let ledger = scene.ledger();
    each_instant_has_one_place(&ledger);
    let backfilled = ledger
        .iter()
        .filter(|entry| entry["cause"] == "backfilled")
        .count();
    assert_eq!(backfilled as u64, made);
    let triggered = ledger
        .iter()
        .filter(|entry| entry["cause"] == "triggered")
        .count();
    assert_eq!(triggered, 2);
    scene.each_was_called_once(&ledger);
    tell(
        sort.name(),
        &format!(
            "a schedule that was edited {} times, held, run out of turn and made up for: {} runs, each called once",
            EDITS + 1,
            ledger.len()
        ),
    );
}

/// Each second from the first on is fired, and from the last edit on each second one; what was held is made up for.
fn each_instant_has_one_place(ledger: &[Value]) {
    let planned = || ledger.iter().filter(|entry| entry["cause"] != "triggered");
    for entry in planned() {
        assert_eq!(
            (&entry["outcome"], &entry["count"]),
            (&json!("fired"), &json!(1)),
            "{entry}"
        );
    }
    let seconds: Vec<i64> = planned()
        .map(|entry| instant(&entry["nominal_at"]).as_second())
        .collect();
    let apart: Vec<i64> = seconds.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let edited = apart
        .iter()
        .position(|apart| *apart != 1)
        .expect("there are some of the last plan");
    assert!(apart[edited..].iter().all(|apart| *apart == 2), "{apart:?}");
    assert!(
        seconds[edited + 1..].iter().all(|second| second % 2 == 0),
        "{seconds:?}"
    );
}

fn instant(text: &Value) -> Timestamp {
    let text = text.as_str().expect("an instant");
    text.parse().expect("as RFC 3339 has it")
}

impl Scene {
    /// Asks one server after the other.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let asked = self.asked.replace(self.asked.get() + 1);
        let address = self.servers[asked % self.servers.len()].address();
        let reply = request(&address, method, path, Some(&body.to_string()));
        assert!(
            (200..300).contains(&reply.status),
            "{method} {path}: {}",
            reply.body
        );
        reply.json()
    }

    fn set(&self, name: &str, path: &str, every: &str) {
        let plan = json!({
            "every": every,
            "overlap": "allow",
            "misfire": {"mode": "all", "max": 1_000},
            "job": {"kind": "http", "payload": {"method": "POST", "url": self.called.url(path)}},
        });
        self.ask("PUT", &format!("/v1/schedules/{name}"), &plan);
    }

    /// Has it call another path, and another one.
    fn edit(&self) {
        for path in ["/second", "/first"].iter().cycle().take(EDITS) {
            self.set("steered", path, "1s");
            self.goes_on(path);
        }
    }

    /// Pauses it, while another one fires for some time, and lets it go on.
    fn hold(&self) {
        let reason = json!({"reason": "the shop is closed"});
        self.ask("POST", "/v1/schedules/steered/pause", &reason);
        self.goes_on("/beat");
        self.goes_on("/beat");
        self.ask("POST", "/v1/schedules/steered/resume", &json!({}));
        self.goes_on("/first");
    }

    /// Triggers it twice, and once more by an id that was there.
    fn run_out_of_turn(&self, seed: &str) {
        for id in ["one", "one", "two"] {
            let id = JobId::named(&format!("{seed} {id}")).to_string();
            let made = self.ask("POST", "/v1/schedules/steered/trigger", &json!({"id": id}));
            assert_eq!(made["job"], id);
        }
        self.goes_on("/first");
    }

    /// Backfills what came due in the pause, and nothing the second time; answers how many jobs were made.
    fn make_up_for_what_was_skipped(&self) -> u64 {
        let skipped = self
            .ledger()
            .into_iter()
            .find(|entry| entry["reason"] == "paused");
        let skipped = skipped.expect("instants came due in the pause");
        let last = match &skipped["until"] {
            Value::Null => &skipped["nominal_at"],
            last => last,
        };
        let range = json!({"from": skipped["nominal_at"], "until": last});
        let count = skipped["count"].as_u64().expect("it stands for some");
        for made in [count, 0] {
            let done = self.ask("POST", "/v1/schedules/steered/backfill", &range);
            assert_eq!(
                (&done["made"], &done["next"]),
                (&json!(made), &Value::Null),
                "{done}"
            );
        }
        self.goes_on("/first");
        count
    }

    fn address(&self) -> String {
        self.servers[0].address()
    }

    fn ledger(&self) -> Vec<Value> {
        ledger(&self.address(), "steered")
    }

    /// Who called: path, job, and the instant that it was for.
    fn calls(&self) -> Vec<[String; 3]> {
        let lines = self.called.calls();
        let calls = lines.lines().map(|line| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            words.try_into().unwrap_or_else(|_| panic!("three words: {line}"))
        });
        calls.collect()
    }

    /// Waits until there are some more calls of this path.
    fn goes_on(&self, path: &str) {
        let count = || self.calls().iter().filter(|[called, ..]| called == path).count();
        grown("more instants are fired", count() + CALLS, count);
    }

    /// The target was called once for each job that the ledger tells of, and for the instant that it tells.
    fn each_was_called_once(&self, ledger: &[Value]) {
        let told: BTreeMap<&str, Timestamp> = ledger
            .iter()
            .map(|entry| {
                (
                    entry["job"].as_str().expect("it was fired"),
                    instant(&entry["nominal_at"]),
                )
            })
            .collect();
        assert_eq!(told.len(), ledger.len(), "each has a job of its own");
        let of_it = || self.calls().into_iter().filter(|[path, ..]| path != "/beat");
        grown("the record has every call", ledger.len(), || of_it().count());
        let calls: Vec<[String; 3]> = of_it().collect();
        let calls: Vec<(&str, Timestamp)> = calls
            .iter()
            .map(|[_, job, at]| (job.as_str(), at.parse().expect("as RFC 3339 has it")))
            .collect();
        assert_eq!(calls.len(), ledger.len(), "none is called twice");
        assert_eq!(calls.into_iter().collect::<BTreeMap<_, _>>(), told);
    }
}
