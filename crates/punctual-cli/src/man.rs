//! `punctual man`: the manual, from the same description of the commands as `--help`.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};

use crate::failure::Failure;
use crate::print;

/// `punctual man [FOLDER]`
#[derive(Args)]
pub(crate) struct Manual {
    /// Write a page for each command to this folder; unset, print the first page
    folder: Option<PathBuf>,
}

impl Manual {
    pub(crate) fn run<C: CommandFactory>(self) -> Result<ExitCode, Failure> {
        match self.folder {
            Some(folder) => {
                fs::create_dir_all(&folder)?;
                clap_mangen::generate_to(C::command(), folder)?;
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(C::command()).render(&mut page)?;
                print::bytes(&page)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
