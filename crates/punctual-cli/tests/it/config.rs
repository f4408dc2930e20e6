//! `punctual config`, and how settings are read.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::house::{Ended, punctual};

fn config(folder: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = punctual(folder.path());
    command
        .arg("config")
        .args(arguments)
        .envs(variables.iter().copied());
    Ended::of(command.output().expect("it starts"))
}

fn folder_with(file: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("punctual.toml"), file).expect("the folder is there");
    folder
}

/// What is in force: values and places, by key.
#[track_caller]
fn shown(folder: &TempDir, flags: &[&str], variables: &[(&str, &str)]) -> BTreeMap<String, (Value, String)> {
    let arguments: Vec<&str> = ["show", "--json"].iter().chain(flags).copied().collect();
    let ended = config(folder, &arguments, variables);
    assert_eq!(ended.code, 0, "{ended:?}");
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("each line is a document");
        let text = |field: &str| line[field].as_str().expect("it is text").to_owned();
        (text("key"), (line["value"].clone(), text("place")))
    };
    ended.stdout.lines().map(line).collect()
}

#[test]
fn the_sample_file_sets_everything_to_its_default() {
    let empty = tempfile::tempdir().expect("a folder");
    let sample = config(&empty, &["show", "--defaults"], &[]);
    assert_eq!(sample.code, 0, "{sample:?}");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/config/defaults.toml");
    if std::env::var_os("PUNCTUAL_TEST_BLESS").is_some() {
        fs::write(&golden, &sample.stdout).expect("it is ours");
    }
    let before = fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(sample.stdout, before, "the sample file says something else now");

    let full = folder_with(&sample.stdout);
    let defaults = shown(&empty, &[], &[]);
    assert!(defaults.values().all(|(_, place)| place == "default"));
    let set = shown(&full, &[], &[]);
    assert!(set.values().all(|(_, place)| place.starts_with("punctual.toml:")));
    let values = |shown: BTreeMap<String, (Value, String)>| {
        let value = |(key, (value, _)): (String, (Value, String))| (key, value);
        shown.into_iter().map(value).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(values(set), values(defaults));

    let examples: String = sample.stdout.lines().map(as_example).collect();
    // Only what is in PostgreSQL can be dispatched.
    let store = [("PUNCTUAL_STORE", "postgres://me@localhost/app")];
    let ended = config(&folder_with(&examples), &["check"], &store);
    assert_eq!(ended.code, 0, "the examples are accepted, too: {ended:?}");
}

/// The line, or what it sets if it shows an example, but for what belongs to other types of backoff and for files that are not
/// there.
fn as_example(line: &str) -> String {
    let other = ["delay", "delays", "billing_file", "sign"];
    let example = line.strip_prefix("# ").filter(|rest| {
        let name = rest.split_once(" = ").map_or(" ", |(name, _)| name);
        !name.contains(' ') && !other.contains(&name)
    });
    format!("{}\n", example.unwrap_or(line))
}

#[test]
fn flags_win_over_variables_over_the_file_over_defaults() {
    let folder = folder_with("[runner]\nconcurrency = 1\nprefetch = 1\nlease = \"10s\"\n");
    let variables = [
        ("PUNCTUAL_RUNNER__CONCURRENCY", "2"),
        ("PUNCTUAL_RUNNER__PREFETCH", "2"),
        ("PUNCTUAL_LOG__LEVEL", ""),
    ];
    let shown = shown(&folder, &["--concurrency", "3"], &variables);
    let is = |key: &str| {
        let (value, place) = &shown[key];
        (value.to_string(), place.clone())
    };
    let pair = |value: &str, place: &str| (value.to_owned(), place.to_owned());
    assert_eq!(is("runner.concurrency"), pair("3", "--concurrency"));
    assert_eq!(is("runner.prefetch"), pair("2", "PUNCTUAL_RUNNER__PREFETCH"));
    assert_eq!(is("runner.lease"), pair("\"10s\"", "punctual.toml:4"));
    assert_eq!(is("log.level"), pair("\"info\"", "default"));
}

#[test]
fn what_is_in_force_is_shown_as_a_file_that_says_the_same() {
    let folder = folder_with("store = \"sqlite:a.db\"\nrunner.queues = [\"a\", \"b\"]\n");
    let flags = ["show", "--default-timeout", "90s", "--concurrency", "7"];
    let first = config(&folder, &flags, &[]);
    assert_eq!(first.code, 0, "{first:?}");
    let again = config(&folder_with(&first.stdout), &["show"], &[]);
    let values = |ended: &Ended| -> Vec<String> {
        let value = |line: &str| {
            line.split("  # ")
                .next()
                .unwrap_or_default()
                .trim_end()
                .to_owned()
        };
        ended.stdout.lines().map(value).collect()
    };
    assert_eq!(values(&again), values(&first));
    assert!(first.stdout.contains("# --default-timeout"), "{first:?}");
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_what_is_accepted() {
    let cases: [(&str, &[&str]); 21] = [
        (
            "[runner]\n\nconcurency = 3",
            &[
                "punctual.toml:3",
                "runner.concurency",
                "nearest one is runner.concurrency",
            ],
        ),
        (
            "concurrency = 3",
            &["punctual.toml:1", "nearest one is runner.concurrency"],
        ),
        (
            "[runer]\nlease = \"1s\"",
            &["punctual.toml:2", "nearest one is runner.lease"],
        ),
        ("[retain]", &["punctual.toml:1", "there is no setting retain"]),
        ("[store]\nurl = \"x\"", &["punctual.toml:1", "store: a table"]),
        (
            "store = \"jobs.db\"",
            &["punctual.toml:1: store: \"jobs.db\"", "sqlite:jobs.db"],
        ),
        ("store = \"sqlite:a.db?mode=ro\"", &["store: ", "\"mode\""]),
        ("runner = 3", &["punctual.toml:1", "there is no setting runner"]),
        (
            "\"runner.lease\" = \"1s\"",
            &["punctual.toml:1", "there is no setting"],
        ),
        (
            "\n\nrunner.concurrency = 0",
            &["punctual.toml:3: runner.concurrency: 0", "from 1 to 10000"],
        ),
        (
            "runner.concurrency = \"8\"",
            &["punctual.toml:1", "a whole number"],
        ),
        ("runner.concurrency = 99999999999999999999", &["punctual.toml:1"]),
        (
            "runner.lease = 30",
            &["punctual.toml:1: runner.lease", "30", "\"30s\""],
        ),
        (
            "runner.lease = \"10ms\"",
            &["runner.lease: \"10ms\" is too short; the shortest is 1s"],
        ),
        ("bind = \"0.0.0.0:1\"", &["punctual.toml:1: bind: ", "loopback"]),
        ("runner.queues = \"a\"", &["runner.queues", "[\"a\", \"b\"]"]),
        ("runner.queues = [\"a\", \"a\"]", &["runner.queues", "twice"]),
        (
            "targets.http.allow = [\"10.0.0.0/99\"]",
            &["punctual.toml:1: targets.http.allow: \"10.0.0.0/99\""],
        ),
        (
            "log.level = \"inof\"",
            &["log.level: \"inof\"", "info, debug, trace"],
        ),
        ("log.format = \"xml\"", &["log.format: \"xml\"", "text or json"]),
        ("a = 1\nb = ", &["punctual.toml:2: this is no TOML"]),
    ];
    for (file, said) in cases {
        let ended = config(&folder_with(file), &["check"], &[]);
        assert_eq!(ended.code, 64, "{file}: {ended:?}");
        for said in said {
            assert!(ended.stderr.contains(said), "{file}: {said}: {ended:?}");
        }
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let folder = folder_with("stoer = \"x\"\nbind = \"nowhere\"\n");
    let variables = [("PUNCTUAL_RUNNER__PREFETCH", "many"), ("PUNCTUAL_STOER", "x")];
    let ended = config(&folder, &["check", "--lease", "soon"], &variables);
    assert_eq!(ended.code, 64, "{ended:?}");
    for place in [
        "punctual.toml:1: there is no setting stoer; the nearest one is store",
        "punctual.toml:2: bind: \"nowhere\"",
        "PUNCTUAL_RUNNER__PREFETCH: \"many\"",
        "there is no variable PUNCTUAL_STOER; the nearest one is PUNCTUAL_STORE",
        "--lease: \"soon\"",
    ] {
        let line = format!("punctual: {place}");
        assert!(
            ended.stderr.lines().any(|told| told.starts_with(&line)),
            "{place}: {ended:?}"
        );
    }
    assert_eq!(ended.stderr.lines().count(), 5, "{ended:?}");
}

#[test]
fn settings_of_one_type_of_backoff_are_refused_beside_another() {
    let cases = [
        ("type = \"fixed\"\ndelay = \"5s\"", 0, ""),
        ("type = \"list\"\ndelays = [\"1s\", \"1m\"]", 0, ""),
        ("base = \"2s\"\nfactor = 3\nmax = \"1m\"", 0, ""),
        (
            "type = \"fixed\"\nfactor = 3.0",
            64,
            "punctual.toml:3: defaults.backoff.factor",
        ),
        ("type = \"list\"", 64, "defaults.backoff.delays"),
        ("base = \"2h\"", 64, "longer than defaults.backoff.max"),
    ];
    for (file, code, said) in cases {
        let file = format!("[defaults.backoff]\n{file}\n");
        let ended = config(&folder_with(&file), &["check"], &[]);
        assert_eq!(ended.code, code, "{file}: {ended:?}");
        assert!(ended.stderr.contains(said), "{file}: {ended:?}");
    }
}

#[test]
fn another_file_may_be_named_and_must_be_there() {
    let folder = folder_with("log.level = \"debug\"\n");
    fs::write(folder.path().join("other.toml"), "log.level = \"warn\"\n").expect("the folder is there");
    let level =
        |flags: &[&str], variables: &[(&str, &str)]| shown(&folder, flags, variables)["log.level"].1.clone();
    assert_eq!(level(&[], &[]), "punctual.toml:1");
    assert_eq!(level(&["--config", "other.toml"], &[]), "other.toml:1");
    assert_eq!(level(&[], &[("PUNCTUAL_CONFIG", "other.toml")]), "other.toml:1");
    let ended = config(&folder, &["check", "--config", "gone.toml"], &[]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(
        ended.stderr.contains("gone.toml: there is no such file"),
        "{ended:?}"
    );
}

#[test]
fn the_laptop_mode_refuses_settings_of_targets_from_wherever_they_come() {
    let folder = folder_with("\n[targets]\nhttp.allow = [\"10.0.0.0/8\"]\n");
    let mut serve = punctual(folder.path());
    let ended = Ended::of(serve.args(["serve", "--dev"]).output().expect("it starts"));
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(
        ended.stderr.contains("punctual.toml:3: targets.http.allow"),
        "{ended:?}"
    );
}

#[test]
fn the_laptop_mode_signs_calls_as_any_other() {
    let key = "secrets.hooks = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"";
    let folder = folder_with(&format!("{key}\ntargets.http.sign = \"hooks\"\n"));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it listens").to_string();
    let mut serve = punctual(folder.path());
    let serve = serve.args(["serve", "--dev", "--bind", &address]);
    let ended = Ended::of(serve.output().expect("it starts"));
    // That its address is taken is all that is wrong.
    assert_eq!(ended.code, 69, "{ended:?}");
}

#[test]
fn secrets_are_never_shown_and_may_stand_in_files_of_their_own() {
    let folder = folder_with("[secrets]\nbilling = \"open\"\ncrm_file = \"crm.key\"\n");
    fs::write(folder.path().join("crm.key"), "sesame\n").expect("the folder is there");
    let variable = [("PUNCTUAL_SECRETS__BILLING_FILE", "crm.key")];
    for variables in [&[][..], &variable] {
        let json = config(&folder, &["show", "--json"], variables);
        let text = config(&folder, &["show"], variables);
        for ended in [&json, &text] {
            assert_eq!(ended.code, 0, "{ended:?}");
            assert!(
                !ended.stdout.contains("open") && !ended.stdout.contains("sesame"),
                "{ended:?}"
            );
        }
        assert!(text.stdout.contains("secrets.crm = \"***\""), "{text:?}");
    }
    let place = &shown(&folder, &[], &variable)["secrets.billing"].1;
    assert_eq!(place, "PUNCTUAL_SECRETS__BILLING_FILE");
}

#[test]
fn a_secret_that_cannot_be_read_is_told_without_it() {
    let cases = [
        (
            "secrets.a_file = \"gone\"",
            "punctual.toml:1: secrets.a_file: gone: there is no such file",
        ),
        (
            "secrets.a_file = \"empty\"",
            "secrets.a_file: a secret is not empty",
        ),
        (
            "secrets.a = \"sesame\"\nsecrets.a_file = \"empty\"",
            "it is set twice",
        ),
        ("secrets.a = 12345", "secrets.a: "),
        ("targets.http.sign = \"hooks\"", "there is no secrets.hooks"),
        (
            "targets.http.sign = \"hooks\"\nsecrets.hooks = \"sesame\"",
            "the secret \"hooks\", and the secret to sign with is not whsec_",
        ),
        ("secrets.A = \"sesame\"", "there is no setting secrets.A"),
    ];
    for (file, said) in cases {
        let folder = folder_with(file);
        fs::write(folder.path().join("empty"), "\n").expect("the folder is there");
        let ended = config(&folder, &["check"], &[]);
        assert_eq!(ended.code, 64, "{file}: {ended:?}");
        assert!(ended.stderr.contains(said), "{file}: {ended:?}");
        assert!(
            !ended.stderr.contains("sesame") && !ended.stderr.contains("12345"),
            "{file}: {ended:?}"
        );
    }
}
