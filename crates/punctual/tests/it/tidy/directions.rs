//! Directions: which room may use which, and where drivers and statements may stand.

use super::items::{self, Name};
use super::rooms::{self, LIBRARY, PURE, STORES, in_rooms};
use super::source::{self, Source};
use super::{Finding, find, hold, name_words, paths, words};

#[test]
fn every_file_of_the_library_has_its_room() {
    let homeless = |source: &Source| match rooms::module(source) {
        Some(module) if rooms::room(&module).is_none() => vec![Finding::at(source, 1, module)],
        _ => Vec::new(),
    };
    hold(
        "each file stands in the order of rooms (tidy/rooms.rs)",
        find(homeless),
    );
}

#[test]
fn a_room_uses_only_what_stands_above_it_in_the_list() {
    let is_wrong = |user: &str, used: &str| {
        let (Some((own, room)), Some((other, used_room))) = (rooms::room(user), rooms::room(used)) else {
            return rooms::room(user).is_some_and(|(_, room)| room != "lib");
        };
        // A seam's file opens its folder: it names what stands in it, to declare and export it.
        other > own && !rooms::within(used_room, room)
    };
    hold(
        "a room uses what stands above it in the list of rooms, and nothing below",
        wrong_uses(is_wrong),
    );
}

#[test]
fn words_and_rules_are_pure() {
    const WORDS: [&str; 3] = ["async", "await", "Instant"];
    const PATHS: [&str; 11] = [
        "tokio",
        "tokio_util",
        "futures_util",
        "tracing",
        "rand",
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
    ];
    const READERS: [&str; 3] = ["now", "now_v7", "new_v4"];
    let impure = |source: &Source| {
        if !in_rooms(source, &PURE) {
            return Vec::new();
        }
        let reads = items::names(source).into_iter().filter(|name| {
            let last = name
                .segments
                .last()
                .is_some_and(|last| READERS.contains(&last.as_str()));
            last && !source.is_test(name.line)
        });
        let reads = reads.map(|name| Finding::at(source, name.line, name.segments.join("::")));
        reads
            .chain(words(source, &WORDS))
            .chain(paths(source, &PATHS))
            .collect()
    };
    hold(
        "words and rules know no async, no I/O, no clock and no chance",
        find(impure),
    );
}

#[test]
fn stores_use_neither_rules_nor_each_other() {
    let is_wrong = |user: &str, used: &str| {
        let Some(own) = STORES.iter().find(|store| rooms::within(user, store)) else {
            return false;
        };
        let other = STORES
            .iter()
            .any(|store| store != own && rooms::within(used, store));
        other || rooms::within(used, "rules")
    };
    hold("stores use neither rules nor each other", wrong_uses(is_wrong));
}

#[test]
fn only_the_engine_brings_rules_and_a_store_together() {
    let may_decide = |user: &str| {
        ["rules", "engine", "testing", "lib"]
            .iter()
            .any(|room| rooms::within(user, room))
    };
    let is_wrong = |user: &str, used: &str| rooms::within(used, "rules") && !may_decide(user);
    hold("only the engine uses rules", wrong_uses(is_wrong));
}

#[test]
fn nobody_but_the_opener_knows_which_stores_there_are() {
    let knows = |user: &str| {
        ["store", "testing", "lib"]
            .iter()
            .any(|room| rooms::within(user, room))
    };
    let is_wrong =
        |user: &str, used: &str| !knows(user) && STORES.iter().any(|store| rooms::within(used, store));
    let mut findings = wrong_uses(is_wrong);
    findings.extend(find(|source| {
        let stranger = rooms::module(source).is_some_and(|module| !knows(&module));
        let named = |name: &str| {
            name_words(name).any(|word| ["sqlite", "postgres", "redis"].contains(&word.as_str()))
        };
        let names = source
            .tokens
            .iter()
            .filter(|t| stranger && t.is_name() && !source.is_test(t.line));
        names
            .filter(|t| named(&t.text))
            .map(|t| Finding::at(source, t.line, &t.text))
            .collect()
    }));
    hold("no store is named outside the stores", findings);
}

#[test]
fn the_worker_knows_a_source_and_handlers_only() {
    let is_wrong = |user: &str, used: &str| {
        rooms::within(user, "worker") && (rooms::within(used, "engine") || rooms::within(used, "store"))
    };
    let mut findings = wrong_uses(is_wrong);
    findings.extend(find(|source| {
        if in_rooms(source, &["worker"]) {
            words(source, &["Store", "Engine"])
        } else {
            Vec::new()
        }
    }));
    hold("the worker names neither Store nor Engine", findings);
}

#[test]
fn single_flight_uses_nothing_of_the_house() {
    hold(
        "flight uses nothing of the house",
        wrong_uses(|user, used| user == "flight" && used != "flight"),
    );
}

#[test]
fn server_and_command_line_know_neither_rules_nor_stores() {
    let knows = |source: &Source| {
        let outside = ["crates/punctual-http/", "crates/punctual-cli/"];
        if !outside.iter().any(|edge| source.path.starts_with(edge)) {
            return Vec::new();
        }
        [
            paths(source, &["punctual::rules", "punctual::store"]),
            words(source, &["Store", "rusqlite"]),
        ]
        .concat()
    };
    hold(
        "server and command line call the engine: no rules, no store",
        find(knows),
    );
}

#[test]
fn statements_are_written_in_stores_only() {
    let says_sql = |text: &str| {
        let text = text.to_lowercase();
        [
            ("insert into ", ""),
            ("delete from ", ""),
            ("create table ", ""),
            ("select ", " from "),
            ("update ", " set "),
        ]
        .iter()
        .any(|(first, second)| text.contains(first) && text.contains(second))
    };
    let statements = |source: &Source| {
        let stray = !in_rooms(source, &["store", "testing"]);
        let literals = source
            .tokens
            .iter()
            .filter(|t| stray && t.is_literal() && !source.is_test(t.line));
        literals
            .filter(|t| says_sql(&t.text))
            .map(|t| Finding::at(source, t.line, &t.text))
            .collect()
    };
    hold("SQL is written in the stores' folders only", find(statements));
}

#[test]
fn drivers_stay_behind_their_rooms() {
    const HOMES: [(&str, &str); 10] = [
        ("rusqlite", "store/sqlite"),
        ("inotify", "store/sqlite"),
        ("tokio_postgres", "store/postgres"),
        ("redis", "store/redis"),
        ("lapin", "target/amqp"),
        ("hyper", "target/http"),
        ("hyper_util", "target/http"),
        ("hyper_rustls", "target/http"),
        ("rustls", "target/http"),
        ("rustls", "store/postgres"),
    ];
    let strays = |source: &Source| {
        let Some(file) = source.path.strip_prefix(LIBRARY) else {
            return Vec::new();
        };
        let at_home = |driver: &str| {
            let mut homes = HOMES.iter().filter(|(other, _)| *other == driver);
            homes.any(|(_, home)| file.starts_with(home))
        };
        let away = HOMES
            .iter()
            .map(|(driver, _)| *driver)
            .filter(|driver| !at_home(driver));
        paths(source, &away.collect::<Vec<_>>())
    };
    hold("a driver is named in its own room only", find(strays));
}

#[test]
fn no_driver_type_is_promised() {
    const DRIVERS: [&str; 7] = [
        "rusqlite",
        "tokio_postgres",
        "redis",
        "lapin",
        "inotify",
        "hyper",
        "axum",
    ];
    const MAY: [&str; 4] = ["open", "open_in", "insert_in", "settle_in"];
    let promised = |source: &Source| {
        let names = items::names(source);
        let driven = names
            .iter()
            .filter(|n| n.imported && DRIVERS.contains(&n.segments[0].as_str()));
        let imported: Vec<_> = driven.filter_map(|name| name.segments.last()).collect();
        let is_driver = |text: &String| DRIVERS.contains(&text.as_str()) || imported.contains(&text);
        let promises = items::promises(source).into_iter().filter(|promise| {
            let may = promise
                .windows(2)
                .any(|pair| pair[0].text == "fn" && MAY.contains(&pair[1].text.as_str()));
            // A store's module is named after its server.
            let module = promise.iter().any(|token| token.text == "mod");
            !may && !module && !source.is_test(promise[0].line)
        });
        let hits = promises.filter_map(|promise| promise.iter().find(|token| is_driver(&token.text)));
        hits.map(|token| Finding::at(source, token.line, &token.text))
            .collect()
    };
    hold(
        "no driver's type is public, but in open, insert_in and settle_in",
        find(promised),
    );
}

/// What the library's files use of the library where `is_wrong(user, used)` says so.
fn wrong_uses(is_wrong: impl Fn(&str, &str) -> bool) -> Vec<Finding> {
    let sources = source::all();
    let exports: Vec<Name> = rooms::exports(sources);
    let wrong = |source: &Source| {
        let user = rooms::module(source).unwrap_or_default();
        let uses = rooms::uses(source, &exports)
            .into_iter()
            .filter(|(_, used)| is_wrong(&user, used));
        uses.map(|(line, used)| Finding::at(source, line, used))
            .collect::<Vec<_>>()
    };
    sources
        .iter()
        .filter(|source| source.path.starts_with(LIBRARY))
        .flat_map(wrong)
        .collect()
}
