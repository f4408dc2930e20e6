//! Makes the schedules that are stored those that somebody wrote: tells what differs, and then does it.

use punctual::Kind;
use punctual_http::Client;
use punctual_http::client::ClientError;
use punctual_http::schedules::{Becomes, Difference, Step, Written};
use punctual_http::wire::{Schedule, Upsert};
use serde::Serialize;

use crate::failure::Failure;
use crate::{ask, print};

/// How often a step is tried whose schedule moves on meanwhile, as one that fires each second does.
const TRIES: usize = 10;

/// What somebody wrote.
pub(super) struct Wanted<'a> {
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
    /// Tells what differs, and does it.
    pub(super) async fn run(
        &self,
        client: &Client,
        wanted: &Wanted<'_>,
        stored: &[Schedule],
    ) -> Result<(), Failure> {
        let difference = Difference::new(wanted.schedules, stored, self.prune);
        self.tell(&difference)?;
        if self.dry_run || !self.is_agreed_to(&difference)? {
            return Ok(());
        }
        let steps = difference.steps.iter();
        let steps: Vec<&Step> = steps.filter(|step| is_written(&step.becomes)).collect();
        for (done, step) in steps.iter().enumerate() {
            let taken = self.take(client, wanted, step).await;
            taken.map_err(|error| interrupted(error, wanted, step, done, steps.len()))?;
        }
        Ok(())
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
        let written = wanted.schedules.iter().find(|written| written.name == step.name);
        let mut rev = step.rev;
        for _ in 1..TRIES {
            match write(client, written, step, rev).await {
                Err(error) if error.kind() == Kind::Conflict => {
                    match self.look_again(client, written, step).await? {
                        Some(now) => rev = now.rev,
                        None => return Err(error),
                    }
                }
                done => return done,
            }
        }
        write(client, written, step, rev).await
    }

    /// The same step of the schedule as it is now, if it is the same.
    async fn look_again(
        &self,
        client: &Client,
        written: Option<&Written>,
        step: &Step,
    ) -> Result<Option<Step>, ClientError> {
        let now = match client.schedule(&step.name).await {
            Err(error) if error.kind() == Kind::NotFound => None,
            answered => Some(answered?),
        };
        let difference = Difference::new(
            &written.cloned().into_iter().collect::<Vec<_>>(),
            &now.into_iter().collect::<Vec<_>>(),
            self.prune,
        );
        let again = difference.steps.into_iter().next();
        Ok(again.filter(|again| again.becomes == step.becomes && again.description == step.description))
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
        return client.delete_schedule(&step.name, rev).await;
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

/// What went wrong with a step, and how far it has come.
fn interrupted(error: ClientError, wanted: &Wanted<'_>, step: &Step, done: usize, of: usize) -> Failure {
    let kind = error.kind();
    let places: Vec<String> = error
        .faults()
        .iter()
        .map(|fault| {
            let pointer = fault.pointer.as_deref().unwrap_or_default();
            (wanted.place)(&step.name, pointer, &fault.detail)
        })
        .collect();
    let told = match (places.is_empty(), Failure::from(error)) {
        (false, _) => places.join("; "),
        (true, Failure::Said(_, told)) => (wanted.place)(&step.name, "", &told),
        (true, _) => step.name.clone(),
    };
    let then = match kind {
        Kind::Invalid => ": mend it, and the same command again does the rest",
        _ => ", and the same command again does the rest",
    };
    Failure::of(
        kind,
        format!(
            "{}; {done} of {} done{then}",
            print::plain(&told),
            print::count(of as u64, "step")
        ),
    )
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
