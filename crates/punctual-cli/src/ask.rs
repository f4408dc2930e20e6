//! Asks whoever sits at the terminal, before much is done at once.

use std::io::{self, IsTerminal, Write};

use crate::failure::Failure;
use crate::print;

/// Whether somebody agrees to it. Where nobody can be asked nobody does, and the command line has to say it. Who does not agree
/// is told that nothing was done.
pub(crate) fn agrees(question: &str) -> Result<bool, Failure> {
    let mut terminal = io::stderr();
    if !(io::stdin().is_terminal() && terminal.is_terminal()) {
        return Err(Failure::usage(format!(
            "{question} There is no terminal to ask at; --yes agrees, and nothing was done"
        )));
    }
    write!(terminal, "{question} [y/N] ")?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    let agrees = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !agrees {
        print::note("nothing was done");
    }
    Ok(agrees)
}
