//! Logs: to standard error, as text for people or as JSON for programs, each module from a level of its own.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use crate::config::Settings;
use crate::config::given::Given;
use crate::config::key::{Key, Room, always};
use crate::print;

pub(crate) static ROOM: Room = Room {
    heading: Some("Logs"),
    keys: &[&LEVEL, &FORMAT],
    agree: always,
};

pub(crate) static LEVEL: Key<Targets> = Key::with_default("log.level", || Given::new("info"), level)
    .flag("log-level", "LEVELS")
    .about(
        "What is logged, from which level on: off, error, warn, info, debug or trace, \
             and for modules others, as in info,punctual_http=debug",
    );
pub(crate) static FORMAT: Key<Format> = Key::with_default(
    "log.format",
    || Given::new("text"),
    |given| given.as_one_of(&FORMATS),
)
.flag("log-format", "FORMAT")
.about("How logs are written to standard error: text, or json, one document a line");

/// How a log is written.
#[derive(Clone, Copy)]
pub(crate) enum Format {
    Text,
    Json,
}

const FORMATS: [(&str, Format); 2] = [("text", Format::Text), ("json", Format::Json)];

/// The logs of this process, whose levels may change.
pub(crate) struct Logs {
    levels: reload::Handle<Targets, Registry>,
}

impl Logs {
    /// Writes logs from now on.
    pub(crate) fn begin(settings: &Settings) -> Logs {
        let (levels, handle) = reload::Layer::new(settings.get(&LEVEL));
        let registry = tracing_subscriber::registry().with(levels);
        registry.with(writer(settings.get(&FORMAT))).init();
        Logs { levels: handle }
    }

    /// Goes by these levels from now on.
    pub(crate) fn reload(&self, settings: &Settings) {
        // It fails only once nobody logs any more.
        let _ = self.levels.reload(settings.get(&LEVEL));
    }
}

type Writer<S> = Box<dyn Layer<S> + Send + Sync>;

fn writer<S>(format: Format) -> Writer<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    let colours = io::stderr().is_terminal() && print::colours_wanted();
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(colours)
        // It would say so on the same standard error, and panic: a terminal that is gone takes neither.
        .log_internal_errors(false);
    match format {
        Format::Text => layer.boxed(),
        Format::Json => layer.json().flatten_event(true).with_ansi(false).boxed(),
    }
}

/// Reads levels: one for all, and others for modules and what is in them.
fn level(given: &Given) -> Result<Targets, String> {
    let accepted = "write a level such as \"info\", or levels of modules, as in \"info,punctual_http=debug\"";
    let mut targets = Targets::new();
    for part in given.as_text(accepted)?.split(',').map(str::trim) {
        let (module, word) = match part.split_once('=') {
            Some((module, word)) => (Some(module.trim()), word.trim()),
            None => (None, part),
        };
        let found = LEVELS.iter().find(|(level, _)| level.eq_ignore_ascii_case(word));
        let Some((_, level)) = found else {
            let levels = LEVELS.map(|(level, _)| level).join(", ");
            return Err(format!("{word:?} is no level, which are {levels}; {accepted}"));
        };
        targets = match module {
            None => targets.with_default(*level),
            Some("") => return Err(format!("{part:?} names no module; {accepted}")),
            Some(module) => targets.with_target(module, *level),
        };
    }
    Ok(targets)
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];
