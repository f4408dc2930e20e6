//! Why somebody holds or ends something: a flag that commands have in common.

use clap::Args;

/// `--reason TEXT`
#[derive(Args)]
pub(crate) struct Reason {
    /// Why, for people
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) reason: String,
}
