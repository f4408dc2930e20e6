//! `punctual job output`.

use std::process::ExitCode;

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use punctual::Kind;
use punctual::limits::HISTORY_ATTEMPTS;
use punctual_http::Client;
use punctual_http::client::{ClientError, Output};

use self::written::Written;
use crate::completion;
use crate::failure::Failure;
use crate::patience::Patience;
use crate::print;

mod written;

/// `punctual job output ID`
#[derive(Args)]
pub(super) struct OutputArgs {
    /// The job's id
    #[arg(add = completion::jobs())]
    id: String,
    /// Go on as more comes, until the run is over
    #[arg(long, short)]
    follow: bool,
    /// Another run than the last, by the number that `job attempts` shows
    #[arg(long, value_name = "RUN")]
    run: Option<u64>,
    /// Print JSON; with --follow, one line a piece
    #[arg(long)]
    json: bool,
}

impl OutputArgs {
    pub(super) async fn run(self, client: &Client) -> Result<ExitCode, Failure> {
        if let Some(run) = self.run {
            expect_run(client, &self.id, run).await?;
        }
        let mut written = Written::new(self.json);
        if self.follow {
            let mut following = Following {
                client,
                id: &self.id,
                run: self.run,
                next: 0,
            };
            following.print(&mut written).await?;
        } else {
            let output = client.output(&self.id, self.run, 0).await?;
            if output.run.is_none() && !self.json {
                print::note("it has not begun");
            }
            written.print(&output)?;
        }
        written.finish()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Refuses a run that the job never had, as far as its attempts tell: of those before the last [`HISTORY_ATTEMPTS`] nobody knows.
async fn expect_run(client: &Client, id: &str, run: u64) -> Result<(), Failure> {
    let attempts = client.attempts(id).await?.items;
    let known: Vec<u64> = attempts.iter().map(|attempt| attempt.run).collect();
    let is_forgotten = known.len() >= HISTORY_ATTEMPTS && known.first().is_some_and(|first| run < *first);
    if known.contains(&run) || is_forgotten {
        return Ok(());
    }
    let had = match known.as_slice() {
        [] => "it has not begun".to_owned(),
        runs => {
            let numbers: Vec<String> = runs.iter().map(u64::to_string).collect();
            format!("`job attempts` numbers its runs: {}", numbers.join(", "))
        }
    };
    Err(Failure::of(
        Kind::NotFound,
        format!("job {} has had no run {run}; {had}", print::plain(id)),
    ))
}

type Pieces = BoxStream<'static, Result<Output, ClientError>>;

/// A run whose output is followed, also over connections that break off.
struct Following<'a> {
    client: &'a Client,
    id: &'a str,
    /// The run, once it is known.
    run: Option<u64>,
    /// Where to go on.
    next: u64,
}

impl Following<'_> {
    /// Prints it until the run is over.
    async fn print(&mut self, written: &mut Written) -> Result<(), Failure> {
        let mut patience = Patience::none_yet();
        while let Err(broken) = self.one_stream(written, &mut patience).await? {
            patience.wait(broken, print::note).await?;
        }
        Ok(())
    }

    /// Prints what comes over one connection; to the end, or until it breaks off.
    async fn one_stream(
        &mut self,
        written: &mut Written,
        patience: &mut Patience,
    ) -> Result<Result<(), ClientError>, Failure> {
        let mut pieces = match self.open().await {
            Ok(pieces) => pieces,
            Err(error) => return Ok(Err(error)),
        };
        patience.renew();
        while let Some(piece) = pieces.next().await {
            let piece = match piece {
                Ok(piece) => piece,
                Err(error) => return Ok(Err(error)),
            };
            patience.renew();
            written.print(&piece)?;
            self.next = piece.next;
            self.run = self.run.or(piece.run);
        }
        Ok(Ok(()))
    }

    async fn open(&mut self) -> Result<Pieces, ClientError> {
        if self.run.is_none() && self.next > 0 {
            // It had not begun when it was asked for, so that what came was of its first run.
            let attempts = self.client.attempts(self.id).await?.items;
            self.run = attempts.first().map(|first| first.run);
        }
        self.client.follow_output(self.id, self.run, self.next).await
    }
}
