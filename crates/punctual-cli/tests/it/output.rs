//! `punctual job output`.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use crate::house::{House, wait_until};

#[test]
fn output_is_followed_as_it_comes_until_the_run_is_over() {
    let house = House::open();
    for (place, go_on) in [(&[][..], "first"), (&["--store", "sqlite:punctual.db"], "second")] {
        let id = house.sh(&format!(
            "echo one; while ! [ -e {go_on} ]; do sleep 0.02; done; echo two"
        ));
        let mut followed = house
            .command(&[&["output", &id, "--follow"], place].concat())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut output = BufReader::new(followed.stdout.take().expect("it is piped"));
        let mut line = String::new();
        output.read_line(&mut line).expect("text");
        assert_eq!(line, "one\n");
        assert_eq!(house.state(&id), "running");

        house.write(go_on);
        let mut rest = String::new();
        output.read_to_string(&mut rest).expect("text");
        assert_eq!(rest, "two\n");
        assert!(followed.wait().expect("it is our child").success());
    }
}

#[test]
fn output_goes_to_a_program_byte_for_byte_and_steers_no_terminal() {
    let house = House::open();
    let id = house.sh("printf 'a\\377\\033[2Jb'");
    wait_until("the job has ended", || house.state(&id) == "succeeded");
    let read = house.command(&["output", &id]).output().expect("it starts");
    assert_eq!(read.stdout, b"a\xff\x1b[2Jb");

    let shown = std::process::Command::new("script")
        .args([
            "-qec",
            &format!("\"$PUNCTUAL\" job output {id} --follow"),
            "/dev/null",
        ])
        .env("PUNCTUAL", env!("CARGO_BIN_EXE_punctual"))
        .env("PUNCTUAL_SERVER", &house.address)
        .stdin(Stdio::null())
        .output()
        .expect("script is there");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("a\u{fffd}\u{fffd}[2Jb"), "{shown:?}");
}

#[test]
fn output_as_json_tells_the_run_and_where_it_ends_and_bytes_that_are_no_text() {
    let house = House::open();
    let id = house.sh("printf 'a\\304'; sleep 0.5; printf '\\215\\377'");
    let followed = house.job(&["output", &id, "--follow", "--json"]);
    assert_eq!(followed.code, 0, "{followed:?}");
    let run = house.json(&["show", &id, "--json"])["run"].clone();
    let pieces: Vec<Value> = followed
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is a document"))
        .collect();
    assert!(pieces.iter().all(|piece| piece["run"] == run), "{pieces:?}");
    assert_eq!(pieces.last().expect("a piece")["next"], 4);
    // However it came, no character is cut in two.
    assert_eq!(pieces[0]["output"].as_str().unwrap_or("a"), "a", "{pieces:?}");

    let whole = house.json(&["output", &id, "--json"]);
    assert_eq!(
        (&whole["output_base64"], &whole["next"]),
        (&"YcSN/w==".into(), &4.into())
    );
    let waiting = house.json(&["add", "mail", "--in", "1h", "--json"])["id"].clone();
    let nothing = house.json(&["output", waiting.as_str().expect("an id"), "--json"]);
    assert_eq!((&nothing["run"], &nothing["output"]), (&Value::Null, &"".into()));
}

#[test]
fn each_run_has_an_output_of_its_own() {
    let house = House::open();
    let id = house.sh("[ -e again ] && echo second || { touch again; echo first; }");
    let last = || house.job(&["output", &id]).stdout;
    wait_until("the job has ended", || house.state(&id) == "succeeded");
    assert_eq!(last(), "first\n");
    let run = house.json(&["show", &id, "--json"])["run"].to_string();
    assert_eq!(house.job(&["retry", &id]).code, 0);
    wait_until("the job has ended again", || house.state(&id) == "succeeded");
    assert_eq!(last(), "second\n");
    assert_eq!(house.job(&["output", &id, "--run", &run]).stdout, "first\n");
    assert!(house.job(&["attempts", &id]).stdout.contains(&run));
    for verb in [
        &["output", &id, "--run", "1"][..],
        &["output", &id, "--run", "1", "--follow"],
    ] {
        let never = house.job(verb);
        assert_eq!(never.code, 66, "{never:?}");
        assert!(
            never.stderr.contains("has had no run 1; ") && never.stderr.contains(&run),
            "{never:?}"
        );
    }
}
