//! A wrong command line, told in one line: `clap` tells it in a paragraph or three, with the usage below.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::{print, schedule};

/// What is wrong, what was meant perhaps, and where help is.
pub(crate) fn line(error: &clap::Error) -> String {
    let words: Vec<String> = std::env::args_os()
        .filter_map(|word| word.into_string().ok())
        .collect();
    if let Some(slip) = slip(error, &words) {
        return format!("{}; see --help", print::plain(&slip));
    }
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

/// What was meant by one of the commonest slips.
fn slip(error: &clap::Error, words: &[String]) -> Option<String> {
    match (error.kind(), error.get(ContextKind::InvalidArg)?) {
        (ErrorKind::UnknownArgument, ContextValue::String(wrong)) => {
            let slips = [program, negative, plan];
            slips.iter().find_map(|slip| slip(wrong, words))
        }
        _ => None,
    }
}

/// `job add command echo hello`, `schedule set NAME --every 1h command echo hello`
fn program(wrong: &str, words: &[String]) -> Option<String> {
    let verbs = [["job", "add"], ["schedule", "set"]];
    let verb = 2 + words
        .windows(2)
        .position(|pair| verbs.iter().any(|verb| pair == verb))?;
    let options = 1 + verb + words[verb..].iter().position(|word| word == "command")?;
    if wrong.starts_with('-') || words.iter().any(|word| word == "--") {
        return None;
    }
    let at = options + words[options..].iter().position(|word| word == wrong)?;
    let (before, program) = (words[1..at].join(" "), words[at..].join(" "));
    Some(format!(
        "what to run stands after --, as in `punctual {before} -- {program}`"
    ))
}

/// `--in -5m`, of which `clap` takes `-5` for an option.
fn negative(wrong: &str, words: &[String]) -> Option<String> {
    wrong.strip_prefix('-')?.parse::<u8>().ok()?;
    let pair = words.windows(2).find(|pair| pair[1].starts_with(wrong))?;
    let (flag, word) = (&pair[0], pair[1].trim_start_matches('-'));
    let is_flag = flag.starts_with("--") && flag.len() > 2;
    is_flag.then(|| format!("{flag} takes nothing negative; write it as {flag} {word}"))
}

/// `schedule set NAME mail --every 1h`
fn plan(wrong: &str, words: &[String]) -> Option<String> {
    let sets = words.windows(2).any(|pair| pair == ["schedule", "set"]);
    let is_of_plan = wrong.strip_prefix("--").is_some_and(schedule::is_of_plan);
    (sets && is_of_plan).then(|| {
        format!(
            "{wrong} is about when, and stands before what is to run, as in `punctual schedule set NAME --every 1h KIND`"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_program_without_its_dashes_is_told_with_them() {
        let line = words("punctual job add command --wait echo hello");
        let told = program("echo", &line).expect("it is one");
        assert!(
            told.contains("`punctual job add command --wait -- echo hello`"),
            "{told}"
        );
        let line = words("punctual schedule set hello --every 1h command echo hello");
        let told = program("echo", &line).expect("it is one");
        assert!(
            told.contains("`punctual schedule set hello --every 1h command -- echo hello`"),
            "{told}"
        );
        assert_eq!(program("echo", &words("punctual job list echo")), None);
        assert_eq!(
            program("--wiat", &words("punctual job add command --wiat echo")),
            None
        );
    }

    #[test]
    fn what_is_negative_is_no_option() {
        let told = negative("-5", &words("punctual job add mail --in -5m")).expect("it is one");
        assert_eq!(told, "--in takes nothing negative; write it as --in 5m");
        assert_eq!(negative("-x", &words("punctual job add mail --in -x")), None);
    }
}
