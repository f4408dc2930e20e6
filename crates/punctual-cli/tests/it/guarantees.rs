//! Every test that the pages of guarantees, of stores and of many nodes name is there.

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_a_promise_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |page| fs::read_to_string(root.join("docs").join(page)).expect("the page is there");
    let pages = ["guarantees.md", "many-nodes.md", "stores.md"].map(read).concat();
    let mut tests = String::new();
    for folder in ["punctual", "punctual-http", "punctual-cli"] {
        gather(&root.join("crates").join(folder).join("tests"), &mut tests);
    }
    let named: Vec<&str> = pages
        .lines()
        .filter_map(|line| line.strip_prefix("* `")?.strip_suffix('`'))
        .collect();
    assert!(named.len() > 20, "the pages name their tests, one a line");
    let missing: Vec<&&str> = named
        .iter()
        .filter(|name| !tests.contains(&format!("fn {name}(")))
        .collect();
    assert!(
        missing.is_empty(),
        "promises name tests that do not exist: {missing:?}"
    );
}

fn gather(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("the tests are there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            gather(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("a test is text"));
        }
    }
}
