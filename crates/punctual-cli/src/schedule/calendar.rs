//! `punctual schedule calendar`: dates with a name, on which schedules rest that name them.

use clap::{Args, Subcommand};
use comfy_table::Cell;
use punctual_http::Client;
use punctual_http::wire::{Calendar, CalendarHead, NewCalendar};

use super::delete::Deleted;
use crate::failure::Failure;
use crate::print::always;
use crate::{ask, completion, flags, print};

/// `punctual schedule calendar …`
#[derive(Args)]
pub(super) struct CalendarArgs {
    #[command(subcommand)]
    command: CalendarCommand,
}

#[derive(Subcommand)]
enum CalendarCommand {
    /// Set the dates of a calendar, all of them, and make it if there is none of this name
    Set(SetArgs),
    /// List calendars
    List(ListArgs),
    /// Show the dates of a calendar
    Show(OneArgs),
    /// Delete a calendar; schedules that name it rest on none of its dates any more
    Delete(DeleteArgs),
}

/// `punctual schedule calendar set NAME DATE…`
#[derive(Args)]
struct SetArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Its dates, such as 2026-12-25
    #[arg(required = true, value_name = "DATE")]
    dates: Vec<String>,
}

/// `punctual schedule calendar list`
#[derive(Args)]
struct ListArgs {
    /// Print JSON, one line a calendar
    #[arg(long)]
    json: bool,
}

/// `punctual schedule calendar show NAME`
#[derive(Args)]
struct OneArgs {
    /// The calendar
    #[arg(add = completion::calendars())]
    name: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// `punctual schedule calendar delete NAME`
#[derive(Args)]
struct DeleteArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Delete without asking
    #[arg(long, short)]
    yes: bool,
}

impl CalendarArgs {
    pub(super) async fn run(self, client: &Client) -> Result<(), Failure> {
        match self.command {
            CalendarCommand::Set(SetArgs { one, dates }) => {
                let calendar = NewCalendar { dates: Some(dates) };
                let set = client.set_calendar(&one.name, &calendar, None).await;
                let calendar = set.map_err(flags::of_calendar)?;
                match one.json {
                    true => print::json(&calendar),
                    false => print::line(&format!(
                        "calendar {} has {}",
                        print::plain(&calendar.head.name),
                        print::count(calendar.dates.len() as u64, "date")
                    )),
                }
            }
            CalendarCommand::List(list) => list.run(client).await,
            CalendarCommand::Show(one) => show(&client.calendar(&one.name).await?, one.json),
            CalendarCommand::Delete(delete) => delete.run(client).await,
        }
    }
}

fn show(calendar: &Calendar, json: bool) -> Result<(), Failure> {
    match json {
        true => print::json(calendar),
        false => calendar
            .dates
            .iter()
            .try_for_each(|date| print::line(&print::plain(date))),
    }
}

impl ListArgs {
    async fn run(&self, client: &Client) -> Result<(), Failure> {
        let mut calendars: Vec<CalendarHead> = Vec::new();
        let mut cursor = None;
        loop {
            let page = client.calendars(cursor.as_deref()).await?;
            calendars.extend(page.items);
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        if self.json {
            return calendars.iter().try_for_each(print::json);
        }
        if calendars.is_empty() {
            print::note("no calendars");
            return Ok(());
        }
        let row = |calendar: &CalendarHead| -> Vec<Cell> { vec![print::cell(&calendar.name)] };
        print::table(&[always("CALENDAR")], calendars.iter().map(row).collect())
    }
}

impl DeleteArgs {
    async fn run(&self, client: &Client) -> Result<(), Failure> {
        let name = &self.one.name;
        let told = print::plain(name);
        if !self.yes {
            client.calendar(name).await?;
            if !ask::agrees(&format!("delete calendar {told}?"))? {
                return Ok(());
            }
        }
        client.delete_calendar(name, None).await?;
        match self.one.json {
            true => print::json(&Deleted { name, deleted: true }),
            false => print::line(&format!("calendar {told} is deleted")),
        }
    }
}
