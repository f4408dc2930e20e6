//! `punctual job add -f FILE`: a job for each line.
//!
//! A second run of the same import adds nothing twice, however the first one ended: the id of each job is computed from the
//! name of the import, the number of its line and what stands in it. So two equal lines are two jobs, a line that was mended is
//! another job, and so is one that has moved. The name is the file's own unless it is given; what comes through a pipe has
//! none, and is new each time.

use std::collections::VecDeque;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueHint};
use punctual::clock::{Clock, SystemClock};
use punctual::{JobId, Kind};
use punctual_http::Client;
use punctual_http::client::ClientError;
use punctual_http::limits::BODY_BYTES;
use punctual_http::problem::Problem;
use punctual_http::wire::{BatchItem, NewJob};
use serde::Serialize;

use crate::bar::Bar;
use crate::failure::Failure;
use crate::lines::{Chunk, Fault, Left, Line, Lines, cannot_read};
use crate::patience::Patience;
use crate::print;

mod line;

/// What an import takes.
#[derive(Args)]
#[command(next_help_heading = "A file of jobs")]
pub(super) struct FileArgs {
    /// Add a job for each line of this file, JSON as `POST /v1/jobs` takes it; - is the input. A second run adds none twice
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<String>,
    /// The name of this import: under another name, the same lines are other jobs [default: the file's path]
    #[arg(long, value_name = "NAME", requires = "file")]
    import: Option<String>,
    /// Go on behind a line that is refused; unset, stop there
    #[arg(long, requires = "file")]
    keep_going: bool,
    /// Print how many as JSON
    #[arg(long = "json", requires = "file")]
    json: bool,
}

/// How far the import has come.
#[derive(Default, Serialize)]
struct Tally {
    /// Jobs that were added.
    added: u64,
    /// Jobs that were there already: since an earlier run, or under the same unique key; and lines that are none.
    #[serde(flatten)]
    left: Left,
}

/// A job and the line that it stands in.
struct Numbered {
    line: u64,
    text: String,
    job: NewJob,
}

impl FileArgs {
    /// Adds the jobs of this file.
    pub(super) async fn run(self, client: &Client, file: &str) -> Result<ExitCode, Failure> {
        let import = Import {
            client,
            name: self.import.clone().unwrap_or_else(|| name_of(file)),
            file: if file == "-" { "input" } else { file },
            keep_going: self.keep_going,
        };
        let mut lines = Lines::open(file, BODY_BYTES)?;
        let bar = Bar::new(lines.length());
        let mut tally = Tally::default();
        let mut patience = Patience::none_yet();
        let done = loop {
            match lines.next().await {
                None => break Ok(()),
                Some(chunk) => {
                    let chunk = chunk.map_err(|error| cannot_read(file, &error))?;
                    let end = chunk.end;
                    if let Err(failure) = import.add(chunk, &mut patience, &mut tally, &bar).await {
                        break Err(failure);
                    }
                    bar.at(end, tally.jobs());
                }
            }
        };
        drop(bar);
        done?;
        print::if_read(if self.json {
            print::json(&tally)
        } else {
            print::line(&tally.told())
        })?;
        Ok(tally.left.exit_code())
    }
}

impl Tally {
    fn told(&self) -> String {
        self.left
            .told_after(format!("{} added", print::count(self.added, "job")))
    }

    /// Counts a job by the status of its answer.
    fn count(&mut self, status: u16) {
        match status {
            201 => self.added += 1,
            _ => self.left.there += 1,
        }
    }

    /// Jobs that are in.
    fn jobs(&self) -> u64 {
        self.added + self.left.there
    }
}

/// One import, under way.
struct Import<'a> {
    client: &'a Client,
    name: String,
    /// What its messages call the file.
    file: &'a str,
    keep_going: bool,
}

impl Import<'_> {
    /// Adds the jobs of a piece of the file. A line that is refused ends the import, once those before it are in, unless it is
    /// to keep going.
    async fn add(
        &self,
        chunk: Chunk,
        patience: &mut Patience,
        tally: &mut Tally,
        bar: &Bar,
    ) -> Result<(), Failure> {
        let mut jobs = Vec::new();
        let mut refused = VecDeque::new();
        for line in chunk.lines {
            let number = line.number;
            match self.read(line) {
                Ok(job) => jobs.extend(job),
                Err(fault) => {
                    refused.push_back((number, fault));
                    if !self.keep_going {
                        break;
                    }
                }
            }
        }
        let send = async || self.send(&jobs).await;
        let answers = patience.ask(send, |told| bar.aside(|| print::note(told))).await;
        let answers = answers.map_err(|error| interrupted(error, tally))?;
        for (numbered, item) in jobs.iter().zip(answers) {
            let Some(problem) = item.problem else {
                tally.count(item.status);
                continue;
            };
            while refused
                .front()
                .is_some_and(|(earlier, _)| *earlier < numbered.line)
            {
                let earlier = refused.pop_front();
                earlier.map_or(Ok(()), |refused| self.refuse(&refused, tally, bar))?;
            }
            let fault = Fault::of_item(&numbered.text, problem);
            self.refuse(&(numbered.line, fault), tally, bar)?;
        }
        refused
            .iter()
            .try_for_each(|refused| self.refuse(refused, tally, bar))
    }

    /// The job that a line tells; none if there is nothing in it.
    fn read(&self, line: Line) -> Result<Option<Numbered>, Fault> {
        let text = line.text?;
        if text.is_empty() {
            return Ok(None);
        }
        let mut job = line::read(&text)?;
        let named = || JobId::named(&format!("{}\n{}\n{text}", self.name, line.number)).to_string();
        job.id.get_or_insert_with(named);
        Ok(Some(Numbered {
            line: line.number,
            text,
            job,
        }))
    }

    /// Sends jobs, and gives the answer for each, unless the server could not take one for no fault of the job's.
    async fn send(&self, jobs: &[Numbered]) -> Result<Vec<BatchItem>, ClientError> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let batch: Vec<NewJob> = jobs.iter().map(|numbered| numbered.job.clone()).collect();
        let items = self.client.enqueue_all(&batch).await?;
        let fault = |item: &BatchItem| item.problem.clone().filter(is_its_own);
        match items.iter().find_map(fault) {
            Some(problem) => Err(ClientError::Refused(problem)),
            None => Ok(items),
        }
    }

    /// Tells of a line that was refused, and ends the import there unless it is to keep going.
    fn refuse(&self, (line, fault): &(u64, Fault), tally: &mut Tally, bar: &Bar) -> Result<(), Failure> {
        let column = fault
            .column
            .map(|column| format!(":{column}"))
            .unwrap_or_default();
        let told = format!("{}:{line}{column}: {}", self.file, print::plain(&fault.story));
        if !self.keep_going {
            return Err(Failure::usage(format!(
                "{told}; the jobs before it are in: mend the line in its place and run this again, or pass such lines with \
                 --keep-going"
            )));
        }
        tally.left.refused += 1;
        bar.aside(|| print::note(&told));
        Ok(())
    }
}

/// Whether it is the server's fault and not the job's.
fn is_its_own(problem: &Problem) -> bool {
    matches!(problem.kind(), Kind::Unavailable | Kind::Internal)
}

/// The name of an import: the file's own, wherever one stands; for a pipe, one that no other import has.
fn name_of(file: &str) -> String {
    match file {
        "-" => SystemClock::new().fresh_id().to_string(),
        file => match Path::new(file).canonicalize() {
            Ok(path) => path.to_string_lossy().into_owned(),
            // Opening it tells why.
            Err(_) => file.to_owned(),
        },
    }
}

/// The import ends for no fault of a line's.
fn interrupted(error: ClientError, tally: &Tally) -> Failure {
    let (kind, jobs) = (error.kind(), tally.jobs());
    let Failure::Said(_, told) = Failure::from(error) else {
        return Failure::of(kind, String::new());
    };
    let told = match jobs {
        0 => told,
        jobs => format!(
            "{told}; at least {} added by now, and the same command again adds the rest",
            print::count(jobs, "job")
        ),
    };
    Failure::of(kind, told)
}
