//! `punctual schedule import --crontab FILE`.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use clap::{Args, ValueHint};
use jiff::tz::TimeZone;
use punctual::schedule::Zone;
use punctual_http::Client;
use punctual_http::schedules::crontab::{Crontab, Reading};
use punctual_http::wire::Schedule;

use super::apply::{Apply, Wanted};
use super::{file, list};
use crate::failure::Failure;
use crate::print;

/// `punctual schedule import`
#[derive(Args)]
pub(super) struct ImportArgs {
    /// The crontab, such as a file that `crontab -l` filled; - is the input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    crontab: String,
    /// It is the system's, such as /etc/crontab, where each entry names a user: take the entries of this one
    #[arg(long, value_name = "USER")]
    system: Option<String>,
    /// The time zone of the machine that it is from, unless it names one itself [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    zone: Option<Zone>,
    /// Where its commands run, unless it names a directory itself [default: your home]
    #[arg(long, value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    home: Option<String>,
    /// Begin the name of each schedule so
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    prefix: String,
    /// Show what it would make, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON, one line a schedule
    #[arg(long)]
    json: bool,
}

impl ImportArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        let called = file::called(&self.crontab);
        let text = file::text(&self.crontab)?;
        let mut stored = list::all(client).await?;
        let mut crontab = Crontab::read(&text, &self.reading(&stored)?);
        for note in &crontab.notes {
            print::note(&format!("{called}:{}: {}", note.line, print::plain(&note.story)));
        }
        for written in &mut crontab.schedules {
            written.name.insert_str(0, &self.prefix);
        }
        let schedules = &crontab.schedules;
        let named: BTreeSet<&str> = schedules.iter().map(|written| written.name.as_str()).collect();
        let lines: BTreeMap<&str, usize> = schedules
            .iter()
            .map(|written| (written.name.as_str(), written.line))
            .collect();
        // Others are none of a crontab's business.
        stored.retain(|schedule| named.contains(schedule.head.name.as_str()));
        let wanted = Wanted {
            file: called,
            schedules,
            place: &|schedule, pointer, story| {
                let line = lines.get(schedule).copied().unwrap_or_default();
                let field = if pointer.is_empty() {
                    ""
                } else {
                    &format!("{pointer}: ")
                };
                format!("{called}:{line}: schedule {schedule}: {field}{story}")
            },
        };
        let apply = Apply {
            dry_run: self.dry_run,
            prune: false,
            yes: false,
            json: self.json,
        };
        apply.run(client, &wanted, &stored).await
    }

    fn reading(&self, stored: &[Schedule]) -> Result<Reading, Failure> {
        let zone = match &self.zone {
            Some(zone) => zone.clone(),
            None => zone_here()?,
        };
        Ok(Reading {
            zone,
            home: self.home.clone().or_else(|| env::var("HOME").ok()),
            system_user: self.system.clone(),
            stored: stored
                .iter()
                .filter_map(|schedule| schedule.head.name.strip_prefix(&self.prefix))
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// The zone of this machine.
fn zone_here() -> Result<Zone, Failure> {
    let here = TimeZone::system();
    let named = here.iana_name().and_then(|name| name.parse().ok());
    named.ok_or_else(|| {
        Failure::usage(
            "this machine does not say by name which time zone it is in; name the crontab's with --zone, such as \
             --zone Europe/Ljubljana",
        )
    })
}
