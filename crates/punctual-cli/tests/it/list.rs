//! How much `punctual job list` gives.

use crate::house::House;

#[test]
fn a_program_is_given_every_job_and_a_person_is_told_that_there_are_more() {
    let house = House::open();
    // More than one page of the API.
    let lines = "{\"kind\": \"mail\", \"delay\": \"1h\"}\n".repeat(1_001);
    std::fs::write(house.folder.path().join("jobs.jsonl"), lines).expect("it is ours");
    assert_eq!(house.job(&["add", "-f", "jobs.jsonl"]).code, 0);
    let all = house.job(&["list", "--json"]);
    assert_eq!((all.stdout.lines().count(), all.stderr.as_str()), (1_001, ""));

    let some = house.job(&["list", "--json", "--limit", "7"]);
    assert_eq!(some.stdout.lines().count(), 7);
    assert!(some.stderr.contains("there are more than these 7"), "{some:?}");
    let one = house.job(&["list", "--limit", "1"]);
    assert!(one.stderr.contains("there are more than this one"), "{one:?}");
    let table = house.job(&["list"]);
    assert_eq!(table.stdout.lines().count(), 51, "with its heading");
    assert!(table.stderr.contains("there are more than these 50"), "{table:?}");
}
