//! Makes the schedules that are stored those that somebody wrote: tells what differs, and then does it.

use punctual::Kind;
use punctual_http::Client;
use punctual_http::client::ClientError;
use punctual_http::schedules::{Becomes, Difference, Step, Written};
use punctual_http::wire::{NewPreview, Schedule, Upsert};
use serde::Serialize;

use crate::failure::Failure;
use crate::{ask, print};

/// How often a step is tried whose schedule moves on meanwhile, as one that fires each second does.
const TRIES: usize = 10;

/// What somebody wrote.
pub(super) struct Wanted<'a> {
    /// What messages call the file.
    pub(super) file: &'a str,
    /// The schedules.
    pub(super) schedules: &'a [Written],
    /// Tells what is wrong with one, by its name and a JSON pointer, where it stands.
    pub(super) place: &'a dyn Fn(&str, &str, &str) -> String,
}

/// How it is done.
pub(super) struct Apply {
    /// Only tells what differs.
    pub(super) dry_run: bool,
    /// Deletes what nobody wrote.
    pub(super) prune: bool,
    /// Deletes without asking.
    pub(super) yes: bool,
    /// Tells it as JSON.
    pub(super) json: bool,
}

/// A step as JSON.
#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    description: &'a str,
    becomes: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<ToldField<'a>>,
}

/// A field that changes: what it was and becomes, as JSON texts.
#[derive(Serialize)]
struct ToldField<'a> {
    field: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

impl Apply {
    /// Tells what differs, and does it, once nothing of it is wrong.
    pub(super) async fn run(
        &self,
        client: &Client,
        wanted: &Wanted<'_>,
        stored: &[Schedule],
    ) -> Result<(), Failure> {
        let difference = Difference::new(wanted.schedules, stored, self.prune);
        wanted.check(client, &difference).await?;
        self.tell(&difference)?;
        if self.dry_run || !self.is_agreed_to(&difference)? {
            return Ok(());
        }
        let steps = difference.steps.iter();
        let steps: Vec<&Step> = steps.filter(|step| is_written(&step.becomes)).collect();
        let mut done = 0;
        let mut failed = Vec::new();
        for step in &steps {
            match self.take(client, wanted, step).await {
                Ok(()) => done += 1,
                Err(error) => {
                    let kind = error.kind();
                    failed.push((kind, wanted.told(&step.name, error).join("; ")));
                    // Whom this step does not reach, the next one does not either.
                    if kind == Kind::Unavailable {
                        break;
                    }
                }
            }
        }
        finish(&failed, done, steps.len())
    }

    fn tell(&self, difference: &Difference) -> Result<(), Failure> {
        match self.json {
            true => difference
                .steps
                .iter()
                .map(Told::of)
                .try_for_each(|told| print::json(&told)),
            false => difference
                .to_string()
                .lines()
                .try_for_each(|line| print::line(&print::plain(line))),
        }
    }

    /// Whether somebody agrees to what is deleted, if anything is.
    fn is_agreed_to(&self, difference: &Difference) -> Result<bool, Failure> {
        let deleted = |step: &&Step| step.becomes == Becomes::Deleted;
        match difference.steps.iter().filter(deleted).count() {
            0 => Ok(true),
            _ if self.yes => Ok(true),
            some => ask::agrees(&format!("delete {}?", print::count(some as u64, "schedule"))),
        }
    }

    /// Takes a step, unless its schedule is no more what the step was found by. One that has merely fired meanwhile is.
    async fn take(&self, client: &Client, wanted: &Wanted<'_>, step: &Step) -> Result<(), ClientError> {
        let written = wanted.of(&step.name);
        let mut rev = step.rev;
        for _ in 1..TRIES {
            match write(client, written, step, rev).await {
                Err(error) if error.kind() == Kind::Conflict => {
                    let now = there(client, &step.name).await?;
                    if now.is_none() && step.becomes == Becomes::Deleted {
                        return Ok(());
                    }
                    match self.again(written, now).filter(|again| again.is_as_before(step)) {
                        Some(again) => rev = again.rev,
                        None => return Err(error),
                    }
                }
                done => return done,
            }
        }
        write(client, written, step, rev).await
    }

    /// The step of a schedule as it is now.
    fn again(&self, written: Option<&Written>, now: Option<Schedule>) -> Option<Step> {
        let written: Vec<Written> = written.cloned().into_iter().collect();
        let now: Vec<Schedule> = now.into_iter().collect();
        Difference::new(&written, &now, self.prune)
            .steps
            .into_iter()
            .next()
    }
}

impl Wanted<'_> {
    /// Whether there can be each schedule that is made or changed: asked of the server before the first of them is written.
    async fn check(&self, client: &Client, difference: &Difference) -> Result<(), Failure> {
        let mut wrong = Vec::new();
        let steps = difference.steps.iter();
        let planned = steps.filter(|step| matches!(step.becomes, Becomes::Created | Becomes::Changed(_)));
        for written in planned.filter_map(|step| self.of(&step.name)) {
            let look = NewPreview {
                schedule: written.schedule.clone(),
                count: Some(1),
                ..NewPreview::default()
            };
            match client.preview(&look).await {
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Invalid => wrong.extend(self.told(&written.name, error)),
                Err(error) => return Err(error.into()),
            }
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(refused(self.file, &wrong)),
        }
    }

    fn of(&self, name: &str) -> Option<&Written> {
        self.schedules.iter().find(|written| written.name == name)
    }

    /// What went wrong with a schedule, each told where it stands.
    fn told(&self, name: &str, error: ClientError) -> Vec<String> {
        let place = |pointer: &str, story: &str| match self.of(name) {
            Some(_) => (self.place)(name, pointer, story),
            None => format!("schedule {name}: {story}"),
        };
        let faults = error.faults().iter();
        let places: Vec<String> = faults
            .map(|fault| place(fault.pointer.as_deref().unwrap_or_default(), &fault.detail))
            .collect();
        match (places.is_empty(), Failure::from(error)) {
            (false, _) => places,
            (true, Failure::Said(_, told)) => vec![place("", &told)],
            (true, _) => vec![name.to_owned()],
        }
    }
}

/// Tells each place that is wrong in a file of which nothing was set.
pub(super) fn refused(file: &str, places: &[String]) -> Failure {
    for place in places {
        print::note(&print::plain(place));
    }
    let places = match places.len() {
        1 => "one place is wrong".to_owned(),
        many => format!("{many} places are wrong"),
    };
    Failure::usage(format!("{file}: {places}, and nothing was set"))
}

/// The schedule of this name, if there is one.
async fn there(client: &Client, name: &str) -> Result<Option<Schedule>, ClientError> {
    match client.schedule(name).await {
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        answered => answered.map(Some),
    }
}

/// Whether the step is one of the server's, too. Secrets are told to nobody: whether they are those that were written, only
/// the server knows.
fn is_written(becomes: &Becomes) -> bool {
    match becomes {
        Becomes::Created | Becomes::Changed(_) | Becomes::Deleted => true,
        Becomes::Unchanged { secrets } => *secrets,
        Becomes::LeftAlone => false,
    }
}

async fn write(
    client: &Client,
    written: Option<&Written>,
    step: &Step,
    rev: Option<u64>,
) -> Result<(), ClientError> {
    let Some(written) = written else {
        return match client.delete_schedule(&step.name, rev).await {
            // Somebody else did.
            Err(error) if error.kind() == Kind::NotFound => Ok(()),
            deleted => deleted,
        };
    };
    let expect = Some(rev.unwrap_or(0));
    let set = client.set_schedule(&step.name, &written.schedule, expect).await?;
    if matches!(step.becomes, Becomes::Unchanged { .. }) && set.upsert == Upsert::Changed {
        print::note(&format!(
            "{}: its secrets were others, and are changed",
            step.name
        ));
    }
    Ok(())
}

/// Tells what went wrong with some steps, if anything did, and how far the others have come.
fn finish(failed: &[(Kind, String)], done: usize, of: usize) -> Result<(), Failure> {
    let Some(((kind, last), others)) = failed.split_last() else {
        return Ok(());
    };
    for (_, told) in others {
        print::note(&print::plain(told));
    }
    let then = match kind {
        Kind::Invalid => ": mend it, and the same command again does the rest",
        _ => ", and the same command again does the rest",
    };
    let (last, steps) = (print::plain(last), print::count(of as u64, "step"));
    Err(Failure::of(
        *kind,
        format!("{last}; {done} of {steps} done{then}"),
    ))
}

impl Told<'_> {
    fn of(step: &Step) -> Told<'_> {
        let (becomes, fields) = match &step.becomes {
            Becomes::Created => ("created", &[][..]),
            Becomes::Changed(fields) => ("changed", &fields[..]),
            Becomes::Unchanged { .. } => ("unchanged", &[][..]),
            Becomes::Deleted => ("deleted", &[][..]),
            Becomes::LeftAlone => ("left_alone", &[][..]),
        };
        let fields = fields.iter().map(|changed| ToldField {
            field: &changed.field,
            from: changed.from.as_deref(),
            to: changed.to.as_deref(),
        });
        Told {
            name: &step.name,
            description: &step.description,
            becomes,
            fields: fields.collect(),
        }
    }
}
