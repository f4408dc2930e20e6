//! `punctual store import`: what an export holds, into another store.
//!
//! What is there already is left as it is, so that an import that was killed is begun again, and adds the rest.

use std::process::ExitCode;

use clap::{Args, ValueHint};
use punctual::engine::{Imported, Moved};
use punctual::{Engine, Error, Kind};
use punctual_http::limits::EXPORT_LINE_BYTES;
use punctual_http::problem::Problem;
use punctual_http::wire::{End, ExportLine, Header, KeptJob, KeptOccurrence, KeptRecord, KeptSchedule};
use serde::Serialize;

use crate::bar::Bar;
use crate::failure::Failure;
use crate::lines::{Fault, Left, Line, Lines, cannot_read};
use crate::store::counted;
use crate::{place, print};

mod schedules;

use schedules::Current;

/// `punctual store import FILE`
#[derive(Args)]
pub(super) struct Import {
    /// What `punctual store export` wrote; - is the input
    #[arg(value_hint = ValueHint::FilePath)]
    file: String,
    /// Go on behind a line that is refused; unset, stop there
    #[arg(long)]
    keep_going: bool,
    /// Print how much as JSON
    #[arg(long)]
    json: bool,
}

/// How far the import has come.
#[derive(Default, Serialize)]
struct Tally {
    /// Jobs that were added.
    jobs: u64,
    /// Records that were added.
    records: u64,
    /// Schedules that were added, each with its ledger.
    schedules: u64,
    /// Jobs, records and schedules that were there already, and lines that were refused.
    #[serde(flatten)]
    left: Left,
}

impl Import {
    pub(super) async fn run(self, url: &str) -> Result<ExitCode, Failure> {
        let mut lines = Lines::open(&self.file, EXPORT_LINE_BYTES)?;
        let engine = place::open_or_make(url).await?;
        let mut moving = Moving {
            engine: &engine,
            file: if self.file == "-" { "input" } else { &self.file },
            keep_going: self.keep_going,
            bar: Bar::new(lines.length()),
            stage: Stage::Begin,
            found: End::default(),
            jobs: Vec::new(),
            current: None,
            tally: Tally::default(),
        };
        while let Some(chunk) = lines.next().await {
            let chunk = chunk.map_err(|error| cannot_read(&self.file, &error))?;
            for line in chunk.lines {
                moving.take(line).await?;
            }
            moving.flush().await?;
            moving.bar.at(chunk.end, moving.found.jobs);
        }
        let Moving {
            tally, stage, found, ..
        } = moving;
        engine.close().await?;
        check_whole(&self.file, &stage, found, &tally)?;
        print::if_read(match self.json {
            true => print::json(&tally),
            false => print::line(&tally.told()),
        })?;
        Ok(tally.left.exit_code())
    }
}

impl Tally {
    fn told(&self) -> String {
        self.left.told_after(format!(
            "{} added",
            counted(self.jobs, self.records, self.schedules)
        ))
    }

    fn count(&mut self, imported: Imported, added: fn(&mut Tally) -> &mut u64) {
        match imported {
            Imported::Added => *added(self) += 1,
            Imported::There => self.left.there += 1,
        }
    }
}

/// Where in the file an import is.
#[derive(PartialEq)]
enum Stage {
    /// Before the line that says what the file is.
    Begin,
    Within,
    /// Behind the last line, which said this.
    End(End),
}

/// An import under way.
struct Moving<'a> {
    engine: &'a Engine,
    /// What its messages call the file.
    file: &'a str,
    keep_going: bool,
    bar: Bar,
    stage: Stage,
    /// How much was read so far.
    found: End,
    /// Jobs that are read and not yet imported.
    jobs: Vec<Numbered>,
    /// The schedule whose ledger is read.
    current: Option<Current>,
    tally: Tally,
}

/// A job and the line that it stands in.
struct Numbered {
    line: u64,
    text: String,
    moved: Moved,
}

/// What a line holds.
enum Thing {
    Header(Header),
    Record(KeptRecord),
    Job(Box<KeptJob>),
    Schedule(Box<KeptSchedule>),
    Occurrence(KeptOccurrence),
    End(End),
}

impl Moving<'_> {
    async fn take(&mut self, line: Line) -> Result<(), Failure> {
        let number = line.number;
        let text = match line.text {
            Ok(text) if text.is_empty() => return Ok(()),
            Ok(text) => text,
            Err(fault) => return self.refuse_next(number, fault).await,
        };
        let thing = match read(&text) {
            Ok(thing) => thing,
            Err(fault) => return self.refuse_next(number, fault).await,
        };
        match (thing, &self.stage) {
            (Thing::Header(header), Stage::Begin) if header.format <= Header::FORMAT => {
                self.stage = Stage::Within;
                Ok(())
            }
            (Thing::Header(header), Stage::Begin) => Err(Failure::usage(format!(
                "{} was written by version {} of Punctual, in a form that this one does not know: use that version, or a newer one",
                self.file, header.version
            ))),
            (_, Stage::Begin) => Err(self.is_no_export()),
            (_, Stage::End(_)) => {
                let fault = Fault::whole("it stands behind the line that ends the export");
                self.refuse_next(number, fault).await
            }
            (Thing::Header(_), Stage::Within) => {
                let fault = Fault::whole("another export begins here; import each from a file of its own");
                self.refuse_next(number, fault).await
            }
            (Thing::Record(record), Stage::Within) => self.take_record(number, &text, record).await,
            (Thing::Job(job), Stage::Within) => self.take_job(number, text, *job).await,
            (Thing::Schedule(schedule), Stage::Within) => self.take_schedule(number, text, *schedule).await,
            (Thing::Occurrence(entry), Stage::Within) => self.take_occurrence(number, &text, entry).await,
            (Thing::End(end), Stage::Within) => {
                self.finish_schedule().await?;
                self.stage = Stage::End(end);
                Ok(())
            }
        }
    }

    async fn take_record(&mut self, line: u64, text: &str, record: KeptRecord) -> Result<(), Failure> {
        self.flush().await?;
        self.found.records += 1;
        let imported = match record.read() {
            Ok((kind, name, document)) => self.engine.import_record(kind, &name, document).await,
            Err(error) => Err(error),
        };
        match imported {
            Ok(imported) => self.tally.count(imported, |tally| &mut tally.records),
            Err(error) => self.refuse_of(line, text, "", error)?,
        }
        Ok(())
    }

    async fn take_job(&mut self, line: u64, text: String, job: KeptJob) -> Result<(), Failure> {
        self.found.jobs += 1;
        match job.read() {
            Ok(moved) => {
                self.jobs.push(Numbered { line, text, moved });
                Ok(())
            }
            Err(error) => {
                self.flush().await?;
                self.refuse_of(line, &text, "/job", error)
            }
        }
    }

    /// Imports what is read.
    async fn flush(&mut self) -> Result<(), Failure> {
        self.flush_ledger().await?;
        let read = std::mem::take(&mut self.jobs);
        let jobs = read.iter().map(|numbered| numbered.moved.clone()).collect();
        for (numbered, imported) in read.iter().zip(self.engine.import(jobs).await) {
            match imported {
                Ok(imported) => self.tally.count(imported, |tally| &mut tally.jobs),
                Err(error) => self.refuse_of(numbered.line, &numbered.text, "/job", error)?,
            }
        }
        Ok(())
    }

    /// Tells of a line that is wrong, once those before it are in.
    async fn refuse_next(&mut self, line: u64, fault: Fault) -> Result<(), Failure> {
        if self.stage == Stage::Begin {
            return Err(self.is_no_export());
        }
        self.flush().await?;
        self.refuse(line, &fault, Kind::Invalid)
    }

    /// Tells why a thing cannot be imported; its fields' pointers begin with `within`. What is the fault of no line ends the
    /// import.
    fn refuse_of(&mut self, line: u64, text: &str, within: &str, error: Error) -> Result<(), Failure> {
        let kind = error.kind();
        if matches!(kind, Kind::Unavailable | Kind::Internal) {
            return Err(Failure::of(
                kind,
                format!(
                    "{error}; {}, and the same command again imports the rest",
                    self.tally.told()
                ),
            ));
        }
        let mut problem = Problem::from(error);
        for pointer in problem
            .errors
            .iter_mut()
            .filter_map(|fault| fault.pointer.as_mut())
        {
            pointer.insert_str(0, within);
        }
        self.refuse(line, &Fault::of_problem(text, problem), kind)
    }

    fn refuse(&mut self, line: u64, fault: &Fault, kind: Kind) -> Result<(), Failure> {
        let column = fault
            .column
            .map(|column| format!(":{column}"))
            .unwrap_or_default();
        let told = format!("{}:{line}{column}: {}", self.file, print::plain(&fault.story));
        if !self.keep_going {
            let told = format!("{told}; what stands before it is in; --keep-going passes such lines");
            return Err(Failure::of(kind, told));
        }
        self.tally.left.refused += 1;
        self.bar.aside(|| print::note(&told));
        Ok(())
    }

    fn is_no_export(&self) -> Failure {
        Failure::usage(format!(
            "{} is no export of a store; `punctual store export` writes one, and `punctual job add -f` takes lines of new jobs",
            self.file
        ))
    }
}

fn read(text: &str) -> Result<Thing, Fault> {
    let line: ExportLine = Fault::read(text)?;
    let things = [
        line.punctual_export.map(Thing::Header),
        line.record.map(Thing::Record),
        line.job.map(Thing::Job),
        line.schedule.map(Thing::Schedule),
        line.occurrence.map(Thing::Occurrence),
        line.end.map(Thing::End),
    ];
    let mut things = things.into_iter().flatten();
    match (things.next(), things.next()) {
        (Some(thing), None) => Ok(thing),
        _ => Err(Fault::whole(
            "a line is one of punctual_export, record, job, schedule, occurrence and end",
        )),
    }
}

/// Refuses a file of which some is missing, once all that is there is in.
fn check_whole(file: &str, stage: &Stage, found: End, tally: &Tally) -> Result<(), Failure> {
    let missing = match stage {
        Stage::Begin => "it is empty",
        Stage::Within => "the line that ends an export is missing, and so may be others",
        Stage::End(end) if *end != found && tally.left.refused == 0 => "some of its lines are missing",
        Stage::End(_) => return Ok(()),
    };
    Err(Failure::usage(format!(
        "{file} is not whole: {missing}; {}",
        tally.told()
    )))
}
