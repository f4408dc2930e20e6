//! What a job may ask of a command: what its exit codes mean, a shell, bytes to read, and which programs.

use std::fs;
use std::os::unix::fs::symlink;

use punctual::job::State;
use punctual::run::AttemptOutcome;
use punctual::target::Verdict;
use punctual::target::command::{Allow, CommandCall};
use punctual::{milliseconds, seconds};
use serde_json::json;

use super::{house, house_that_allows, shell};
use crate::target_house::once;

fn exits(code: u8) -> CommandCall {
    shell(&format!("echo said; exit {code}"))
}

#[tokio::test]
async fn a_table_says_what_an_exit_code_means_and_codes_go_before_ranges() {
    let house = house().await;
    let call = |code| {
        exits(code)
            .exit_code("0", Verdict::Fail)
            .and_then(|call| call.exit_code("3", Verdict::Done))
            .and_then(|call| call.exit_code("1-10", Verdict::Fail))
            .and_then(|call| call.exit_code("255", Verdict::Retry(None)))
            .expect("a table")
    };
    let answer = house.result(&call(3)).await;
    assert_eq!((answer.exit_code, answer.stdout.as_str()), (3, "said\n"));
    for (code, again) in [(0, false), (1, false), (10, false), (11, true), (255, true)] {
        let (said, tried_again) = house.failure(&call(code)).await;
        assert_eq!((said, tried_again), (format!("exit code {code}"), again));
    }
    let (said, again) = house
        .failure(
            &shell("kill -KILL $$")
                .exit_code("9", Verdict::Fail)
                .expect("a table"),
        )
        .await;
    assert_eq!((said.as_str(), again), ("signal 9 (SIGKILL)", true));
}

#[tokio::test]
async fn a_table_says_when_to_come_again() {
    let house = house().await;
    let later = exits(75)
        .exit_code("75", Verdict::Retry(Some(seconds(60))))
        .expect("a table");
    let job = house.engine.enqueue(later).await.expect("a job");
    let waits =
        |job: &punctual::job::Job| job.status.state == State::Waiting && !job.status.history.is_empty();
    let status = house.until(job.id(), waits).await.status;
    assert_eq!(status.due, status.history[0].ended_at + seconds(60));

    let folder = tempfile::tempdir().expect("a folder");
    let script = "echo >> tries; [ $(wc -l < tries) = 3 ] || exit 75";
    let call = shell(script)
        .dir(folder.path().to_str().expect("UTF-8"))
        .exit_code("75", Verdict::Snooze(milliseconds(1)))
        .expect("a table");
    let ending = house.ending(once(&call)).await;
    let status = &ending.job().status;
    assert_eq!((status.state, status.attempt), (State::Succeeded, 1));
    let snoozed = status
        .history
        .iter()
        .filter(|run| run.outcome == AttemptOutcome::Snoozed);
    assert_eq!(snoozed.count(), 2);
}

#[tokio::test]
async fn a_script_is_run_by_a_shell_that_is_asked_for_and_its_arguments_stay_what_they_are() {
    let house = house().await;
    let call = CommandCall::shell("echo $0; printf '%s|' \"$@\"; echo $((1 + 2)) | cat")
        .args(["two words", "$HOME; *"]);
    assert_eq!(house.result(&call).await.stdout, "sh\ntwo words|$HOME; *|3\n");
    let (said, again) = house.failure(&CommandCall::shell("exit 7")).await;
    assert_eq!((said.as_str(), again), ("exit code 7", true));

    let house = house_that_allows(Allow::Programs(vec!["cat".to_owned()])).await;
    let (said, again) = house.failure(&CommandCall::shell("true")).await;
    assert!(said.contains("targets.command.allow") && !again, "{said}");
}

#[tokio::test]
async fn a_command_is_fed_bytes_that_are_no_text() {
    let house = house().await;
    let call = CommandCall::new("od")
        .args(["-An", "-tx1"])
        .stdin_bytes(&b"\0\xff\n"[..]);
    assert_eq!(house.result(&call).await.stdout, " 00 ff 0a\n");
}

#[tokio::test]
async fn a_program_is_known_by_its_name_in_its_folder_wherever_links_to_the_folder_stand() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::create_dir(path("real")).expect("a folder");
    fs::copy("/bin/echo", path("real/say")).expect("a program");
    symlink(path("real"), path("link")).expect("a link");
    symlink("say", path("real/alias")).expect("a link");
    let house = house_that_allows(Allow::Programs(vec![path("link/say"), "echo".to_owned()])).await;
    for program in [
        path("real/say"),
        path("link/say"),
        path("link/../real/say"),
        "/bin/echo".to_owned(),
    ] {
        let answer = house.result(&CommandCall::new(&program).arg("hello")).await;
        assert_eq!(answer.stdout, "hello\n", "{program}");
    }
    // A program may be many by the name it is called by, so that a link to it is another one.
    for program in [path("real/alias"), path("link/alias")] {
        let (said, again) = house.failure(&CommandCall::new(&program)).await;
        assert!(said.contains("targets.command.allow") && !again, "{said}");
    }
}

#[tokio::test]
async fn a_list_of_programs_is_not_got_round_by_variables() {
    let house = house_that_allows(Allow::Programs(vec!["env".to_owned()])).await;
    for variable in [
        "LD_PRELOAD",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "BASH_ENV",
        "BASH_FUNC_ls%%",
        "PYTHONPATH",
    ] {
        let call = CommandCall::new("env").env(variable, "/tmp/any.so");
        let (said, again) = house.failure(&call).await;
        assert!(said.contains(variable) && !again, "{said}");
    }
    let innocent = CommandCall::new("env").env("BASH_ENVIRONMENT", "test");
    assert!(
        house
            .result(&innocent)
            .await
            .stdout
            .contains("BASH_ENVIRONMENT=test\n")
    );
    let house = super::house().await;
    let all = CommandCall::new("env").env("LD_BIND_NOW", "1");
    assert!(house.result(&all).await.stdout.contains("LD_BIND_NOW=1\n"));
}

#[test]
fn a_command_is_written_as_it_is_read() {
    for payload in [
        json!({
            "program": "./report.sh", "args": ["a"], "env": {"A": "b"}, "dir": "/srv", "stdin": "text",
            "exit_codes": {"1": "done", "75": {"retry": "30s"}, "64-78": "fail", "80-90": {"snooze": "5m"}}
        }),
        json!({"shell": "cat", "stdin_base64": "AP8="}),
    ] {
        let call = CommandCall::parse(payload.to_string().as_bytes()).expect("a command");
        assert_eq!(serde_json::to_value(&call).expect("JSON"), payload);
    }
}

#[test]
fn a_bad_choice_is_refused_where_it_is_wrong() {
    for (payload, pointer) in [
        (json!({"program": "a", "shell": "b"}), "/payload/shell"),
        (json!({"shell": ""}), "/payload/shell"),
        (json!({"shell": ["ls"]}), "/payload/shell"),
        (
            json!({"program": "a", "stdin": "", "stdin_base64": ""}),
            "/payload/stdin_base64",
        ),
        (
            json!({"program": "a", "stdin_base64": "%"}),
            "/payload/stdin_base64",
        ),
        (
            json!({"program": "a", "exit_codes": {"256": "done"}}),
            "/payload/exit_codes/256",
        ),
        (
            json!({"program": "a", "exit_codes": {"+3": "done"}}),
            "/payload/exit_codes/+3",
        ),
        (
            json!({"program": "a", "exit_codes": {"9-3": "done"}}),
            "/payload/exit_codes/9-3",
        ),
        (
            json!({"program": "a", "exit_codes": {"3": "ignore"}}),
            "/payload/exit_codes/3",
        ),
        (
            json!({"program": "a", "exit_codes": {"1-5": "done", "5-9": "fail"}}),
            "/payload/exit_codes/5-9",
        ),
    ] {
        let error = CommandCall::parse(payload.to_string().as_bytes()).expect_err("it is bad");
        let pointers: Vec<_> = error
            .fields()
            .iter()
            .map(|field| field.pointer.as_str())
            .collect();
        assert_eq!(pointers, [pointer], "{payload}");
    }
}
