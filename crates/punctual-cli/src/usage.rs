//! A wrong command line, told in one line: `clap` tells it in a paragraph or three, with the usage below.

use crate::print;

/// What is wrong, what was meant perhaps, and where help is.
pub(crate) fn line(error: &clap::Error) -> String {
    let said = error.render().to_string();
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    let mut line = String::new();
    for paragraph in said.split("\n\n") {
        if is_appendix(paragraph) {
            break;
        }
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        match words.strip_prefix("tip: ") {
            Some(tip) => line.push_str(&format!("; {tip}")),
            None => line.push_str(&words),
        }
    }
    format!("{}; see --help", print::plain(&line))
}

/// Whether this is the same below every error.
fn is_appendix(paragraph: &str) -> bool {
    let paragraph = paragraph.trim_start();
    paragraph.starts_with("Usage: ") || paragraph.starts_with("For more information")
}
