//! The commonest slips, and what they are answered with.

use crate::house::House;

#[test]
fn a_slip_is_told_by_what_was_typed_and_what_to_type() {
    let house = House::open();
    for (arguments, told) in [
        (
            &["add", "command", "echo", "hello"][..],
            "what to run stands after --, as in `punctual job add command -- echo hello`",
        ),
        (
            &["add", "command", "--wait", "ls", "-la"],
            "`punctual job add command --wait -- ls -la`",
        ),
        (
            &["add", "mail", "--in", "-5m"],
            "--in takes nothing negative; write it as --in 5m",
        ),
        (
            &["add", "http", "GET", "127.0.0.1:1/"],
            "URL: it is no URL: http:// or https:// is missing",
        ),
        (
            &["add", "command", "--exit-code", "256=done", "--", "true"],
            "--exit-code 256: ",
        ),
        (&["add", "mail", "--id", "17"], "--id: "),
        (
            &["retry", "--all", "--yes"],
            "--state: say which of the ended jobs",
        ),
        (
            &["cancel", "--state", "asleep", "--yes"],
            "--state: write one of ",
        ),
        (&["list", "--state", "asleep"], "--state: write one of "),
    ] {
        let ended = house.job(arguments);
        assert_eq!(ended.code, 64, "{arguments:?}: {ended:?}");
        assert!(ended.stderr.contains(told), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}
