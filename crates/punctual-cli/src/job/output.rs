//! `punctual job output`.

use std::process::ExitCode;

use clap::Args;
use futures_util::StreamExt;
use punctual_http::Client;

use crate::completion;
use crate::failure::Failure;
use crate::print::{self, Foreign};

/// `punctual job output ID`
#[derive(Args)]
pub(super) struct OutputArgs {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
    /// Go on as more comes, until the run is over
    #[arg(long, short)]
    follow: bool,
    /// Another run than the last, as `job attempts --json` numbers them
    #[arg(long, value_name = "RUN")]
    run: Option<u64>,
}

impl OutputArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        let mut foreign = Foreign::new();
        if self.follow {
            let mut pieces = client.follow_output(&self.id, self.run, 0).await?;
            while let Some(piece) = pieces.next().await {
                foreign.print(&piece?)?;
            }
        } else {
            let output = client.output(&self.id, self.run, 0).await?;
            if output.run.is_none() {
                print::note("it has not begun");
            }
            foreign.print(&output.bytes)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
