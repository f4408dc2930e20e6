//! `punctual store migrate`: the schema of a store, brought up to date.

use clap::Args;
use punctual::Engine;
use serde::Serialize;

use crate::failure::Failure;
use crate::print;

/// `punctual store migrate`
#[derive(Args)]
pub(super) struct Migrate {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Migrated {
    from: u32,
    to: u32,
}

impl Migrate {
    pub(super) async fn run(self, url: &str) -> Result<(), Failure> {
        let migrated = Engine::migrate(url).await?;
        let (from, to) = (migrated.from, migrated.to);
        if self.json {
            return print::json(&Migrated { from, to });
        }
        print::line(&match from {
            0 => format!("a new store was made, with version {to} of the schema"),
            from if from == to => format!("the schema has version {to}, the newest; nothing was to be done"),
            from => format!("the schema had version {from}, and has version {to} now"),
        })
    }
}
