//! A hundred thousand calls from a file, by an import that is killed on its way.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::nginx::Called;
use super::server::{Place, Server};

const JOBS: usize = 100_000;
/// What the server may need at most, in KiB.
const MEMORY_KIB_MAX: u64 = 200 * 1024;
/// Longer than nothing at all happens on a loaded machine.
const STANDSTILL: Duration = Duration::from_secs(60);

#[test]
fn a_hundred_thousand_calls_are_made_once_each_though_their_import_was_killed() {
    let Some(nginx) = Called::open() else { return };
    let place = Place::new();
    fs::write(place.path("jobs.jsonl"), lines(&nginx)).expect("a file");
    let server = place.serve(&[]);

    let mut import = import(&place, &server);
    let length = fs::metadata(place.path("jobs.jsonl")).expect("it is there").len();
    poll_while_it_moves(|| place_in_file(&import), |place| place >= length as usize / 3);
    import.kill().expect("it runs");
    let killed = import.wait().expect("it ends");
    assert!(!killed.success(), "it was done before it could be killed");
    let again = self::import(&place, &server).wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.status.success(), "{told}");

    poll_while_it_moves(|| nginx.calls().lines().count(), |calls| calls >= JOBS);
    poll_while_it_moves(|| live(&server), |live| live == 0);
    let calls = nginx.calls();
    let mut called: Vec<&str> = calls.lines().collect();
    assert_eq!(called.len(), JOBS, "each job calls once");
    called.sort_unstable();
    called.dedup();
    assert_eq!(called.len(), JOBS, "no job is left out");

    let peak = server.peak_memory_kib();
    assert!(peak < MEMORY_KIB_MAX, "the server needed {peak} KiB");
}

fn lines(nginx: &Called) -> String {
    (0..JOBS).fold(String::new(), |mut lines, n| {
        let url = nginx.url(&format!("/{n}"));
        writeln!(
            lines,
            r#"{{"kind": "http", "payload": {{"method": "POST", "url": "{url}"}}}}"#
        )
        .expect("a text takes all");
        lines
    })
}

fn import(place: &Place, server: &Server) -> Child {
    Command::new(env!("CARGO_BIN_EXE_punctual"))
        .args(["job", "add", "-f", "jobs.jsonl"])
        .args(["--server", &format!("http://{}", server.address())])
        .current_dir(place.path("."))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// How many bytes of its file an import has read.
fn place_in_file(import: &Child) -> usize {
    let process = PathBuf::from(format!("/proc/{}", import.id()));
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    let ours = files.filter(|file| fs::read_link(file.path()).is_ok_and(|path| path.ends_with("jobs.jsonl")));
    let place = ours.filter_map(|file| {
        let about = fs::read_to_string(process.join("fdinfo").join(file.file_name())).ok()?;
        about.lines().next()?.strip_prefix("pos:")?.trim().parse().ok()
    });
    place.max().unwrap_or(0)
}

/// Jobs that have not ended, up to a thousand of each state.
fn live(server: &Server) -> usize {
    let of = |state: &str| {
        let listed = server.get(&format!("/v1/jobs?state={state}&limit=1000")).json();
        listed["items"].as_array().map_or(0, Vec::len)
    };
    of("waiting") + of("running")
}

/// Looks until it is as wanted; fails once nothing has moved for long.
fn poll_while_it_moves(mut look: impl FnMut() -> usize, wanted: impl Fn(usize) -> bool) {
    let mut seen = look();
    let mut deadline = Instant::now() + STANDSTILL;
    while !wanted(seen) {
        assert!(Instant::now() < deadline, "it stands still at {seen}");
        thread::sleep(Duration::from_millis(20));
        let now = look();
        if now != seen {
            seen = now;
            deadline = Instant::now() + STANDSTILL;
        }
    }
}
