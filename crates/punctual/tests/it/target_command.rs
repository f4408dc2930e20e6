//! The `command` target with real processes.

mod asked;

use std::fs;
use std::path::Path;

use punctual::engine::Ending;
use punctual::job::{Backoff, State};
use punctual::run::AttemptOutcome;
use punctual::target::command::{Allow, CommandCall, CommandSettings, CommandTarget};
use punctual::{JobId, NewJob, milliseconds, seconds};
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::target_house::{House, eventually, once};

async fn house() -> House {
    house_that_allows(Allow::All).await
}

async fn house_that_allows(allow: Allow) -> House {
    let target = CommandTarget::new(CommandSettings { allow }).expect("settings");
    House::with(|worker| worker.handle(target)).await
}

fn shell(script: &str) -> CommandCall {
    CommandCall::new("sh").args(["-c", script])
}

/// An argument of `sleep` by which its process is found, and no other.
fn mark() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "1000.{}{:04}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// How many processes that still live were started with this argument alone.
fn living(mark: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let sleeps = processes.filter(|process| {
        let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
        arguments == format!("sleep\0{mark}\0").as_bytes()
    });
    sleeps.count()
}

async fn started(mark: &str, count: usize) {
    eventually(&format!("{count} processes sleep {mark}"), || {
        living(mark) == count
    })
    .await;
}

#[tokio::test]
async fn a_command_gets_its_arguments_as_they_stand_and_its_output_is_kept() {
    let house = house().await;
    let call = CommandCall::new("printf").args(["%s|", "two words", "$HOME", "*", "", "ñ\n"]);
    let answer = house.result(&call).await;
    assert_eq!(answer.stdout, "two words|$HOME|*||ñ\n|");
    assert_eq!(
        (answer.exit_code, answer.stderr.as_str(), answer.truncated),
        (0, "", false)
    );

    let answer = house
        .result(&shell("echo out; echo err >&2; printf '\\377' >&2"))
        .await;
    assert_eq!(
        (answer.stdout.as_str(), answer.stderr.as_str()),
        ("out\n", "err\n\u{fffd}")
    );
}

#[tokio::test]
async fn a_command_is_fed_its_input_and_runs_in_its_directory() {
    let house = house().await;
    let folder = tempfile::tempdir().expect("a folder");
    let input = "line\n".repeat(20_000);
    let call = shell("pwd; wc -l")
        .dir(folder.path().to_str().expect("UTF-8"))
        .stdin(&input);
    let said = house.result(&call).await.stdout;
    assert_eq!(said, format!("{}\n20000\n", folder.path().display()));

    // One that does not read its input is none the worse for it.
    assert_eq!(house.result(&shell("exec true").stdin(&input)).await.stdout, "");
    // And one without input reads none.
    assert_eq!(house.result(&shell("cat")).await.stdout, "");
}

#[tokio::test]
async fn a_command_is_given_a_clean_environment_and_the_name_of_its_run() {
    let house = house().await;
    let id = JobId::named("clean environment");
    let call = CommandCall::new("env").env("REGION", "eu").env("LANG", "mine");
    let ending = house.ending(once(&call).id(id)).await;
    let Ending::Succeeded(job, result) = ending else {
        panic!("{ending:?}")
    };
    let said: serde_json::Value = serde_json::from_slice(&result).expect("JSON");
    let mut variables: Vec<&str> = said["stdout"].as_str().expect("a text").lines().collect();
    variables.retain(|variable| {
        !["PATH=", "HOME=", "TZ="]
            .iter()
            .any(|name| variable.starts_with(name))
    });
    variables.sort_unstable();
    let (id, run) = (
        format!("PUNCTUAL_JOB_ID={id}"),
        format!("PUNCTUAL_RUN={}", job.status.run),
    );
    let queue = format!("PUNCTUAL_QUEUE={}", job.body.queue.as_str());
    assert_eq!(
        variables,
        ["LANG=mine", "PUNCTUAL_ATTEMPT=1", &id, &queue, &run, "REGION=eu"]
    );
}

#[tokio::test]
async fn a_command_of_a_schedule_is_told_for_which_instant_it_runs() {
    let house = house().await;
    let call = shell(r#"echo "$PUNCTUAL_SCHEDULE $PUNCTUAL_NOMINAL_TIME $PUNCTUAL_MISSED""#);
    let ending = house.triggered(&call).await;
    let Ending::Succeeded(job, result) = ending else {
        panic!("{ending:?}")
    };
    let said: serde_json::Value = serde_json::from_slice(&result).expect("JSON");
    let origin = job.body.origin.as_ref().expect("a schedule made it");
    assert_eq!(said["stdout"], format!("nightly {} 0\n", origin.nominal_at));
}

#[tokio::test]
async fn another_exit_code_or_a_signal_asks_for_another_attempt_and_says_why() {
    let house = house().await;
    let (said, again) = house
        .failure(&shell("echo first >&2; echo the disk is full >&2; exit 3"))
        .await;
    assert_eq!(
        (said.as_str(), again),
        ("exit code 3: first\nthe disk is full", true)
    );
    let (said, again) = house.failure(&shell("kill -SEGV $$")).await;
    assert_eq!((said.as_str(), again), ("signal 11 (SIGSEGV)", true));

    let job = NewJob::task(&shell("[ $PUNCTUAL_ATTEMPT = 3 ]")).expect("JSON");
    let ending = house.ending(job.backoff(Backoff::Fixed(milliseconds(0)))).await;
    assert!(
        matches!(&ending, Ending::Succeeded(job, _) if job.status.attempt == 3),
        "{ending:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_started_fails_at_once() {
    let house = house().await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "no program").expect("a file");
    let file = file.to_str().expect("UTF-8");
    for (call, why) in [
        (CommandCall::new("no-such-program"), "there is no program"),
        (CommandCall::new(file), "not executable"),
        (CommandCall::new("/"), "not executable"),
        (
            CommandCall::new("true").dir("/no/such/folder"),
            "no directory \"/no/such/folder\"",
        ),
    ] {
        let (said, again) = house.failure(&call).await;
        assert!(said.contains(why) && !again, "{said}");
    }
}

#[tokio::test]
async fn only_what_the_settings_allow_is_run() {
    let house = house_that_allows(Allow::None).await;
    let (said, again) = house.failure(&CommandCall::new("true")).await;
    assert!(
        said.contains("targets.command.allow (--allow-command)") && !again,
        "{said}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("echo");
    fs::copy("/bin/sh", &script).expect("a program");
    let path = script.to_str().expect("UTF-8");
    let house = house_that_allows(Allow::Programs(vec!["echo".to_owned(), "/bin/sh".to_owned()])).await;
    assert_eq!(
        house.result(&CommandCall::new("echo").arg("a")).await.stdout,
        "a\n"
    );
    assert_eq!(
        house
            .result(&CommandCall::new("/bin/sh").args(["-c", "echo b"]))
            .await
            .stdout,
        "b\n"
    );
    let beside = format!("{}/../bin/sh", folder.path().display());
    for call in [
        CommandCall::new("env"),
        CommandCall::new(path),
        CommandCall::new("./echo").dir(folder.path().to_str().expect("UTF-8")),
        CommandCall::new("echo/../env"),
        CommandCall::new(beside),
        // A job's own PATH does not decide which program its name stands for.
        CommandCall::new("ls").env("PATH", folder.path().to_str().expect("UTF-8")),
    ] {
        let (said, again) = house.failure(&call).await;
        assert!(!again, "{said}");
        assert!(
            said.contains("targets.command.allow") || said.contains("there is no program"),
            "{said}"
        );
    }

    let bad = CommandSettings {
        allow: Allow::Programs(vec!["bin/x".to_owned()]),
    };
    assert!(CommandTarget::new(bad).is_err());
}

#[tokio::test]
async fn a_flood_is_drained_and_its_head_and_tail_are_kept() {
    let house = house().await;
    let answer = house
        .result(&shell("echo first; yes | head -c 50000000; echo last"))
        .await;
    assert!(
        answer.truncated && answer.stdout.starts_with("first\ny\n") && answer.stdout.ends_with("y\nlast\n")
    );
    assert!(answer.stdout.contains("bytes left out"));
}

#[tokio::test]
async fn nothing_is_left_of_a_command_that_ignores_being_asked_to_end() {
    let house = house().await;
    let mark = mark();
    let grandchildren = format!(
        "trap '' TERM; sleep {mark} & \
         sh -c 'trap \"\" TERM; sleep {mark} & sleep {mark}' & \
         setsid sh -c 'sleep {mark} & wait' & \
         (setsid sleep {mark} >/dev/null 2>&1 &) ; \
         setsid env -i sleep {mark} & \
         while :; do sleep 1; done"
    );
    let job = once(&shell(&grandchildren)).timeout(seconds(1));
    let job = house.engine.enqueue(job).await.expect("a job");
    started(&mark, 6).await;
    let ending = job.ending(crate::target_house::PATIENCE).await.expect("an end");
    assert_eq!(living(&mark), 0, "what it started outlives the run");
    assert_eq!(ending.job().status.history[0].outcome, AttemptOutcome::TimedOut);
    let said = ending.job().status.history[0].error.clone().unwrap_or_default();
    assert!(
        said.starts_with("timed out after 1s: it was stopped (timeout) and ended with signal 9"),
        "{said}"
    );
}

#[tokio::test]
async fn what_a_command_leaves_behind_is_killed_and_a_pipe_it_holds_is_not_waited_for() {
    let house = house().await;
    let mark = mark();
    let script = format!(
        "sleep {mark} & (setsid sleep {mark} >/dev/null 2>&1 &); setsid nohup sleep {mark} & echo done"
    );
    let answer = house.result(&shell(&script)).await;
    assert_eq!(answer.stdout, "done\n");
    assert_eq!(living(&mark), 0, "what it left behind outlives the run");
}

#[tokio::test]
async fn what_a_command_writes_can_be_followed_while_it_runs() {
    let house = house().await;
    let folder = tempfile::tempdir().expect("a folder");
    let go_on = folder.path().join("go on");
    let script =
        "echo first; echo second >&2; until [ -e \"$GO_ON\" ]; do sleep 0.01; done; echo last; exit 3";
    let call = shell(script).env("GO_ON", go_on.to_str().expect("it is text"));
    let id = house
        .engine
        .enqueue(once(&call))
        .await
        .expect("it is stored")
        .id();
    let mut follower = house.engine.follow(id, None, 0).expect("there is room");
    let mut read = Vec::new();
    while read != b"first\nsecond\n" {
        let page = follower.next().await.expect("it answers");
        read.extend(page.expect("the command goes on").bytes);
    }
    fs::write(&go_on, "").expect("the folder is there");
    while let Some(page) = follower.next().await.expect("it answers") {
        read.extend(page.bytes);
    }
    assert_eq!(String::from_utf8_lossy(&read), "first\nsecond\nlast\n");
    let row = house.engine.fetch(id).await.expect("it is kept");
    assert_eq!(row.status.state, State::Failed);
}

#[tokio::test]
async fn output_that_comes_just_after_the_command_itself_is_kept() {
    let house = house().await;
    let answer = house.result(&shell("(sleep 0.1; echo late) & echo early")).await;
    assert_eq!(answer.stdout, "early\nlate\n");
}

#[tokio::test]
async fn a_cancelled_command_is_asked_to_end_and_has_the_time_to() {
    let house = house().await;
    let folder = tempfile::tempdir().expect("a folder");
    let (mark, file) = (mark(), folder.path().join("tidied"));
    let script = format!(
        "trap 'sleep 0.2; echo yes > {}; exit 0' TERM; sleep {mark} & wait",
        file.display()
    );
    let job = house.engine.enqueue(once(&shell(&script))).await.expect("a job");
    started(&mark, 1).await;
    job.cancel("no longer wanted").await.expect("it runs");
    let ending = job.ending(crate::target_house::PATIENCE).await.expect("an end");
    assert!(
        matches!(&ending, Ending::Cancelled(_, reason) if reason == "no longer wanted"),
        "{ending:?}"
    );
    assert_eq!(
        fs::read_to_string(&file).expect("it had the time to tidy up"),
        "yes\n"
    );
    assert_eq!(living(&mark), 0);
}

#[tokio::test]
async fn a_command_that_ends_well_only_because_it_was_stopped_is_not_done() {
    let house = house().await;
    let mark = mark();
    let script = format!("trap 'exit 0' TERM; echo half >&2; sleep {mark} & wait");
    let ending = house
        .ending(once(&shell(&script)).timeout(milliseconds(300)))
        .await;
    assert_eq!(ending.job().status.state, State::Failed);
    let attempt = &ending.job().status.history[0];
    assert_eq!(attempt.outcome, AttemptOutcome::TimedOut);
    let said = attempt.error.clone().unwrap_or_default();
    assert_eq!(
        said,
        "timed out after 300ms: it was stopped (timeout) and ended with exit code 0: half"
    );
    assert_eq!(living(&mark), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_run_is_dropped_is_killed_with_all_that_came_of_it() {
    let house = house().await;
    let mark = mark();
    let script = format!("trap '' TERM; sleep {mark} & setsid sleep {mark} & (setsid sleep {mark} &) ; wait");
    house.engine.enqueue(once(&shell(&script))).await.expect("a job");
    started(&mark, 3).await;
    house.drop_worker().await;
    eventually("all of it is gone", || living(&mark) == 0).await;
}

#[tokio::test]
async fn no_zombie_is_left() {
    let house = house().await;
    for _ in 0..3 {
        house.result(&shell("sleep 0.01 & exec true")).await;
    }
    let own = std::process::id();
    let is_child_shell = |path: &Path| {
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        stat.contains("(true) Z") && stat.contains(&format!(") Z {own} "))
    };
    eventually("no command is left unreaped", || {
        let processes = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
        processes
            .filter(|process| is_child_shell(&process.path()))
            .count()
            == 0
    })
    .await;
}

#[test]
fn a_command_ends_though_no_thread_for_blocking_work_is_free() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .max_blocking_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (release, released) = std::sync::mpsc::channel::<()>();
        let taken = tokio::task::spawn_blocking(move || released.recv());
        let house = house().await;
        let answer = house
            .result(&shell("sleep 1000 >/dev/null 2>&1 & echo done"))
            .await;
        assert_eq!(answer.stdout, "done\n");
        release.send(()).expect("the thread waits");
        taken.await.expect("it does not panic").expect("it was told");
    });
}

/// Waits until the job has an attempt behind it.
async fn until_begun(house: &House, id: JobId) {
    house.until(id, |job| !job.status.history.is_empty()).await;
}

/// The test starts itself anew, since a limit holds for all of a process.
#[test]
fn a_want_of_file_descriptors_costs_neither_an_attempt_nor_the_grace() {
    const INSIDE: &str = "PUNCTUAL_TEST_SHORTAGE";
    if std::env::var_os(INSIDE).is_none() {
        let name = "target_command::a_want_of_file_descriptors_costs_neither_an_attempt_nor_the_grace";
        let own = std::env::current_exe().expect("a test is a program");
        let mut again = std::process::Command::new(own);
        again.args(["--exact", name, "--nocapture"]).env(INSIDE, "1");
        assert!(again.status().expect("it starts").success());
        return;
    }
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit).expect("less is always allowed");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let house = house().await;
        let folder = tempfile::tempdir().expect("a folder");
        let (mark, file) = (mark(), folder.path().join("tidied"));
        let script = format!(
            "trap 'sleep 0.2; echo yes > {}; exit 0' TERM; sleep {mark} & wait",
            file.display()
        );
        let job = house.engine.enqueue(once(&shell(&script))).await.expect("a job");
        started(&mark, 1).await;
        let taken: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        job.cancel("no longer wanted").await.expect("it runs");
        job.ending(crate::target_house::PATIENCE).await.expect("an end");

        // What the first command held is free again, and might do for the next one.
        let taken_again: Vec<_> = std::iter::from_fn(|| fs::File::open("/dev/null").ok()).collect();
        let next = house.engine.enqueue(once(&shell("true"))).await.expect("a job");
        let put_off = tokio::time::timeout(crate::target_house::PATIENCE, until_begun(&house, next.id()));
        put_off.await.expect("it is put off");
        drop((taken, taken_again));
        let status = house.engine.fetch(next.id()).await.expect("it is there").status;
        assert_eq!(status.history[0].outcome, AttemptOutcome::Snoozed);
        assert_eq!(fs::read_to_string(&file).expect("it had the time"), "yes\n");
        assert_eq!(living(&mark), 0);
    });
}

#[test]
fn a_bad_payload_is_refused_with_pointers_to_all_that_is_wrong() {
    let refused = |payload: &str| {
        let error = CommandCall::parse(payload.as_bytes()).expect_err(payload);
        error
            .fields()
            .iter()
            .map(|field| field.pointer.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(refused("[]"), ["/payload"]);
    assert_eq!(refused("{}"), ["/payload/program"]);
    assert_eq!(refused(r#"{"program": "a", "program": "b"}"#), ["/payload"]);
    assert_eq!(refused(r#"{"program": ""}"#), ["/payload/program"]);
    assert_eq!(
        refused(
            r#"{"program": 7, "args": ["a", 1], "env": {"A/B=": "x", "PUNCTUAL_RUN": "1", "C": 2}, "dir": "\u0000", "shell": true}"#
        ),
        [
            "/payload/program",
            "/payload/shell",
            "/payload/args",
            "/payload/env/A~1B=",
            "/payload/env/PUNCTUAL_RUN",
            "/payload/env/C",
            "/payload/dir"
        ]
    );
    assert_eq!(
        refused(r#"{"program": "a", "args": ["\u0000"]}"#),
        ["/payload/args"]
    );

    let call = CommandCall::new("a").arg("b").env("C", "d").dir("/e").stdin("f");
    let payload = serde_json::to_vec(&call).expect("JSON");
    assert!(CommandCall::parse(&payload).expect("what is written reads back") == call);
}
