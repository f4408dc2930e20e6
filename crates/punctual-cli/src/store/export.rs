//! `punctual store export`: all that a store keeps, a line each.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use punctual::change::RecordKind;
use punctual::limits::PAGE_ITEMS;
use punctual::{Engine, Kind};
use punctual_http::wire::{End, ExportLine, Header};

use crate::bar::Bar;
use crate::failure::{Failure, story};
use crate::store::counted;
use crate::{place, print};

/// `punctual store export FILE`
#[derive(Args)]
pub(super) struct Export {
    /// Where to, readable only by its owner; - is the output
    #[arg(value_hint = ValueHint::FilePath)]
    file: String,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Print how much as JSON
    #[arg(long)]
    json: bool,
}

impl Export {
    pub(super) async fn run(self, url: &str) -> Result<(), Failure> {
        let engine = place::open(url).await?;
        if self.file == "-" {
            let mut lines = Lines::new(io::stdout().lock(), Failure::unwritten);
            write_all(&engine, &mut lines, None).await?;
            return Ok(engine.close().await?);
        }
        let to = Path::new(&self.file);
        if !self.force && to.exists() {
            let told = format!(
                "{} is there already; it was left as it is; --force replaces a file",
                self.file
            );
            return Err(Failure::of(Kind::Conflict, told));
        }
        let part = PathBuf::from(format!("{}.part", self.file));
        let unwritten = |error: io::Error| unwritten(&self.file, &error);
        let file = create(&part).map_err(unwritten)?;
        let mut lines = Lines::new(file, unwritten);
        let bar = Bar::new(Some(jobs_of(&engine).await?));
        let written = write_all(&engine, &mut lines, Some(&bar)).await;
        drop(bar);
        let named = written.and_then(|end| {
            let whole = lines
                .file
                .get_ref()
                .sync_all()
                .and_then(|()| fs::rename(&part, to));
            whole.map(|()| end).map_err(unwritten)
        });
        let end = named.inspect_err(|_| {
            // What is not whole is of no use; should it stay, the next export begins it anew.
            let _ = fs::remove_file(&part);
        })?;
        engine.close().await?;
        if self.json {
            return print::json(&end);
        }
        print::line(&format!(
            "{} holds {}",
            print::plain(&self.file),
            counted(end.jobs, end.records, end.schedules)
        ))
    }
}

/// Where the lines go, and what is told when they cannot.
struct Lines<W: Write, F> {
    file: BufWriter<W>,
    fault: F,
}

impl<W: Write, F: Fn(io::Error) -> Failure> Lines<W, F> {
    fn new(file: W, fault: F) -> Lines<W, F> {
        Lines {
            file: BufWriter::new(file),
            fault,
        }
    }

    fn write(&mut self, line: &ExportLine) -> Result<(), Failure> {
        let written = serde_json::to_writer(&mut self.file, line).map_err(io::Error::from);
        let written = written.and_then(|()| self.file.write_all(b"\n"));
        written.map_err(&self.fault)
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.file.flush().map_err(&self.fault)
    }
}

async fn write_all<W: Write, F: Fn(io::Error) -> Failure>(
    engine: &Engine,
    lines: &mut Lines<W, F>,
    bar: Option<&Bar>,
) -> Result<End, Failure> {
    let mut end = End::default();
    let store = engine.check().await?.store;
    lines.write(&ExportLine::header(Header::of(store)))?;
    for kind in RecordKind::ALL {
        let mut after = None;
        loop {
            let page = engine.export_records(kind, after.as_deref()).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            end.records += page.len() as u64;
            page.iter()
                .try_for_each(|record| lines.write(&ExportLine::record(record)))?;
        }
    }
    let mut after = None;
    loop {
        let page = engine.export(after).await?;
        end.jobs += page.jobs.len() as u64;
        page.jobs
            .iter()
            .try_for_each(|moved| lines.write(&ExportLine::job(moved)))?;
        if let Some(bar) = bar {
            bar.at(end.jobs, end.jobs);
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    write_schedules(engine, lines, &mut end).await?;
    lines.write(&ExportLine::end(end))?;
    lines.finish()?;
    Ok(end)
}

/// Writes every schedule, and behind it its ledger.
async fn write_schedules<W: Write, F: Fn(io::Error) -> Failure>(
    engine: &Engine,
    lines: &mut Lines<W, F>,
    end: &mut End,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let page = engine.schedules(after, PAGE_ITEMS).await?;
        if let Some(unreadable) = page.unreadable.first() {
            return Err(Failure::of(
                Kind::Internal,
                format!(
                    "schedule {} cannot be read, and an export leaves none out: {}",
                    unreadable.name, unreadable.why
                ),
            ));
        }
        for schedule in &page.items {
            end.schedules += 1;
            lines.write(&ExportLine::schedule(schedule))?;
            let mut before = None;
            loop {
                let entries = engine.export_ledger(schedule.id, before).await?;
                let Some(last) = entries.last() else { break };
                before = Some(last.key());
                end.occurrences += entries.len() as u64;
                entries
                    .iter()
                    .try_for_each(|entry| lines.write(&ExportLine::occurrence(entry)))?;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// How many jobs there are about now.
async fn jobs_of(engine: &Engine) -> Result<u64, Failure> {
    let counted = engine.counts().await?;
    Ok(counted.queues.iter().flat_map(|counts| counts.jobs).sum())
}

/// A new file that its owner alone can read, for it holds secrets.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn unwritten(file: &str, error: &io::Error) -> Failure {
    Failure::io(format!("{file} cannot be written: {}", story(error)))
}
