//! What a server promises: whether it may forget jobs, and what it keeps when its power fails.

use std::collections::BTreeMap;

use super::link::Link;
use super::reply;
use crate::error::Error;

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) version: String,
    pub(super) keeps: Keeps,
    /// How it makes room when its memory is full.
    eviction: String,
}

/// What survives a loss of power, the strongest promise first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// Everything that was acknowledged.
    All,
    /// All but the last second or two.
    AllButASecond,
    /// What the operating system happened to write.
    WhatWasWritten,
    /// An append-only file, of which nobody may know how often it is synced.
    Unsaid,
    /// The state of the last snapshot.
    Snapshot,
    /// Nothing.
    Nothing,
}

impl Keeps {
    /// What is to be told of it, a sentence.
    pub(super) fn note(self) -> &'static str {
        match self {
            Keeps::All => "Every write is synced to the disk (appendonly yes, appendfsync always).",
            Keeps::AllButASecond => {
                "A loss of power, or of Redis while its disk is slow, may take about the last second of acknowledged writes \
                 with it (appendfsync everysec); appendfsync always keeps all."
            }
            Keeps::WhatWasWritten => {
                "A loss of power may take acknowledged writes of half a minute with it (appendfsync no); appendfsync \
                 always keeps all."
            }
            Keeps::Unsaid => {
                "Writes go to an append-only file, but this user may not read how often it is synced (CONFIG GET \
                 appendfsync): a loss of power may take acknowledged writes with it."
            }
            Keeps::Snapshot => {
                "Only snapshots are kept: a crash of Redis, or a loss of power, takes everything since the last one \
                 with it; appendonly yes keeps it."
            }
            Keeps::Nothing => {
                "Nothing is kept on a disk: when Redis stops, every job is gone; appendonly yes keeps them."
            }
        }
    }
}

impl Promise {
    pub(super) async fn read(link: &Link) -> Result<Promise, Error> {
        let info = reply::bytes(link.ask(redis::cmd("INFO")).await?)?;
        let info = read_info(&String::from_utf8_lossy(&info));
        let of = |name: &str| info.get(name).cloned().unwrap_or_default();
        let keeps = match of("aof_enabled").as_str() {
            "1" => match setting(link, "appendfsync").await.as_deref() {
                Some("always") => Keeps::All,
                Some("everysec") => Keeps::AllButASecond,
                Some(_) => Keeps::WhatWasWritten,
                None => Keeps::Unsaid,
            },
            _ => match setting(link, "save").await.as_deref() {
                Some("") => Keeps::Nothing,
                _ => Keeps::Snapshot,
            },
        };
        Ok(Promise {
            version: of("redis_version"),
            keeps,
            eviction: of("maxmemory_policy"),
        })
    }

    /// Refuses a server that may throw jobs away, or is too old.
    pub(super) fn accept(&self, at: &str) -> Result<(), Error> {
        let major = self
            .version
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok());
        if major.is_none_or(|major| major < OLDEST) {
            return Err(Error::invalid(format!(
                "Redis at {at} has the version {:?}; Punctual needs {OLDEST}.0 or newer",
                self.version
            )));
        }
        if self.eviction != "noeviction" {
            return Err(Error::invalid(format!(
                "Redis at {at} throws keys away when its memory is full (maxmemory-policy {}), and a job is no cache: set \
                 maxmemory-policy to noeviction",
                self.eviction
            )));
        }
        Ok(())
    }
}

/// The first version whose scripts cannot fail half-way for want of memory, and on which the tests run.
const OLDEST: u32 = 7;

/// A setting, if the user may read it.
async fn setting(link: &Link, name: &str) -> Option<String> {
    let mut get = redis::cmd("CONFIG");
    get.arg("GET").arg(name);
    let settings = reply::map(link.ask(get).await.ok()?).ok()?;
    let (_, value) = settings.into_iter().next()?;
    String::from_utf8(value).ok()
}

/// Reads the lines `name:value` of INFO.
fn read_info(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}
