//! Every `console` snippet of the README and the book, run from top to bottom in an empty folder.
//!
//! Lines that begin with `$ ` are commands, those that begin with `> ` go on with one; the others are what it prints. `…`
//! stands for any text within a line, and a line of its own for any lines. A command that serves is the server of
//! its page, on a free port instead of the one in the text; a page without such a command is given one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::outside::server::{Place, Server};

/// Separates what the commands of a page print.
const MARK: &str = "\u{1e}";

/// One command of a page and what the page says that it prints.
struct Step {
    command: String,
    prints: Vec<String>,
}

#[test]
fn every_console_snippet_prints_what_its_page_says() {
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page is text");
        let steps = steps(&text);
        if !steps.is_empty() {
            check(&page, &steps);
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let book = fs::read_dir(root.join("docs")).expect("the book is there");
    let mut pages: Vec<PathBuf> = book
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    pages.retain(|page| page.extension().is_some_and(|extension| extension == "md"));
    pages.push(root.join("README.md"));
    pages.sort();
    pages
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                command: command.to_owned(),
                prints: Vec::new(),
            });
        } else {
            let step = steps.last_mut().expect("a snippet begins with a command");
            match line.strip_prefix("> ") {
                Some(more) if step.prints.is_empty() => step.command.push_str(&format!("\n{more}")),
                _ => step.prints.push(line.to_owned()),
            }
        }
    }
    steps
}

fn check(page: &Path, steps: &[Step]) {
    let place = Place::new();
    let server = place.serve(&[]);
    let here = |text: &str| text.replace("127.0.0.1:7373", server.address());
    let (serving, run): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| serves(&step.command));
    for step in serving {
        agree(page, step, &server.told(), &here);
    }
    let printed = run_all(&place, &server, &run, &here);
    assert_eq!(
        printed.len(),
        run.len(),
        "{}: the shell ended early: {printed:?}",
        page.display()
    );
    for (step, printed) in run.iter().zip(printed) {
        agree(page, step, &printed, &here);
    }
}

fn serves(command: &str) -> bool {
    command.contains("punctual serve") || command.contains("cargo run --release -- serve")
}

/// Runs the commands in one shell, so that a variable set by one is there for the next.
fn run_all(place: &Place, server: &Server, steps: &[&Step], here: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut script = String::from("exec 2>&1 </dev/null\n");
    for step in steps {
        script.push_str(&format!("printf '{MARK}'\n{}\n", here(&step.command)));
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_punctual"))
        .parent()
        .expect("it is in a folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(place.path("."))
        .env("PATH", format!("{}:{path}", binary.display()))
        .env("PUNCTUAL_SERVER", format!("http://{}", server.address()))
        .output()
        .expect("bash is there");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split(MARK).skip(1).map(str::to_owned).collect()
}

fn agree(page: &Path, step: &Step, printed: &str, here: &dyn Fn(&str) -> String) {
    let expected: Vec<String> = step.prints.iter().map(|line| here(line)).collect();
    // A page may show the usual address as such, as a default: then it stands on both sides.
    let printed = here(printed);
    let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
    let expected: Vec<&str> = expected.iter().map(|line| line.trim_end()).collect();
    assert!(
        lines_match(&expected, &printed),
        "{}: `{}` printed\n{}\nand the page says\n{}",
        page.display(),
        step.command,
        printed.join("\n"),
        expected.join("\n"),
    );
}

fn lines_match(expected: &[&str], printed: &[&str]) -> bool {
    match expected {
        [] => printed.is_empty(),
        ["…", rest @ ..] => (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..])),
        [line, rest @ ..] => printed
            .split_first()
            .is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others)),
    }
}

fn line_matches(expected: &str, printed: &str) -> bool {
    let (expected, printed) = (before_distance(expected), before_distance(printed));
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|start| printed.strip_prefix(start)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A line up to where it says how far its instant is from now: on a busy machine that is a second less than was asked for.
fn before_distance(line: &str) -> &str {
    match line.rsplit_once(" (in ") {
        Some((before, distance)) if distance.ends_with(')') => before,
        _ => line,
    }
}
