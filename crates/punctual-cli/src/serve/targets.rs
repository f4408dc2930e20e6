//! The targets that the runner serves, and what they may do. That may change while they run.

use std::collections::BTreeMap;

use punctual::Error;
use punctual::target::command::{Allow, CommandSettings, CommandTarget, Supervisor};
use punctual::target::http::{HttpSettings, HttpTarget};
use punctual::target::{Secret, Secrets};
use punctual::worker::Worker;

use super::current::Current;
use crate::config::Settings;
use crate::config::given::Given;
use crate::config::key::{Key, Room, Setting};
use crate::failure::Failure;

pub(crate) static ROOM: Room = Room {
    heading: None,
    keys: &[&PROGRAMS, &NETS, &SIGN, &SECRETS],
    agree: sign_is_a_key,
};
static PROGRAMS: Key<CommandSettings> = Key::new(
    "targets.command.allow",
    "[\"date\", \"/usr/local/bin/report\"]",
    programs,
)
.flags("allow-command", "PROGRAM")
.about("The programs that jobs may run, by name or path; may be repeated. Unset, none");
static NETS: Key<HttpSettings> = Key::new("targets.http.allow", "[\"10.0.0.0/8\"]", nets)
    .flags("allow-net", "CIDR")
    .about("Addresses that jobs may call though they are private, as CIDR; may be repeated. Unset, none");

static SIGN: Key<String> = Key::new("targets.http.sign", "\"webhooks\"", |given| {
    Ok(given.as_text("write the name of a secret")?.to_owned())
})
.about("The secret that calls are signed with unless their job names another one. Unset, none is signed");
static SECRETS: Key<String> = Key::new("secrets.NAME", "billing_file = \"/run/secrets/billing\"", secret)
    .secret()
    .about(
        "Credentials that jobs refer to by name, as in {\"bearer\": {\"secret\": \"billing\"}}. \
         NAME = \"…\" is one itself, NAME_file the file that holds it. What is signed with NAME is signed with \
         NAME_previous, too, if there is one",
    );
/// How the name of a secret ends that another one takes the place of.
const PREVIOUS: &str = "_previous";

/// The handlers of targets.
#[derive(Clone)]
pub(super) struct Targets {
    http: Current<HttpTarget>,
    command: Current<CommandTarget>,
    supervisor: Supervisor,
    allowed: Allowed,
}

/// What jobs may call and run.
#[derive(Clone, Copy, PartialEq)]
enum Allowed {
    /// Every program, and loopback and private addresses; cloud metadata never.
    EverythingHere,
    /// The programs, and the networks beside the public ones, that the settings name.
    WhatIsSet,
}

impl Targets {
    /// Every program, and loopback and private addresses; cloud metadata never. Refuses settings that allow anything else.
    pub(super) fn everything_here(settings: &Settings, supervisor: Supervisor) -> Result<Targets, Failure> {
        nothing_allowed(settings).map_err(Failure::usage)?;
        Ok(Targets::new(settings, Allowed::EverythingHere, supervisor)?)
    }

    /// The programs, and the networks beside the public ones, that the settings allow.
    pub(super) fn allowed(settings: &Settings, supervisor: Supervisor) -> Result<Targets, Failure> {
        Ok(Targets::new(settings, Allowed::WhatIsSet, supervisor)?)
    }

    fn new(settings: &Settings, allowed: Allowed, supervisor: Supervisor) -> Result<Targets, Error> {
        Ok(Targets {
            http: Current::new(http(settings, allowed)?),
            command: Current::new(command(settings, allowed, supervisor)?),
            supervisor,
            allowed,
        })
    }

    /// Goes by these settings from now on, or says why not. What runs goes on by those that it began with.
    pub(super) fn reload(&self, settings: &Settings) -> Result<(), String> {
        if self.allowed == Allowed::EverythingHere {
            nothing_allowed(settings)?;
        }
        let said = |error: Error| error.to_string();
        let http = http(settings, self.allowed).map_err(said)?;
        let command = command(settings, self.allowed, self.supervisor).map_err(said)?;
        self.http.replace(http);
        self.command.replace(command);
        Ok(())
    }

    /// The worker with a handler for each target.
    pub(super) fn handle(&self, worker: Worker) -> Worker {
        worker.handle(self.http.clone()).handle(self.command.clone())
    }
}

/// Refuses what somebody allowed beside `--dev`.
fn nothing_allowed(settings: &Settings) -> Result<(), String> {
    let allowed = [PROGRAMS.facts().name, NETS.facts().name];
    let set = allowed.map(|name| settings.origin(name).map(|origin| (name, origin)));
    match set.into_iter().flatten().next() {
        None => Ok(()),
        Some((name, origin)) => Err(format!(
            "{origin}: {name} cannot be set beside --dev, which allows everything; leave out one of them"
        )),
    }
}

fn http(settings: &Settings, allowed: Allowed) -> Result<HttpTarget, Error> {
    let nets = match allowed {
        Allowed::EverythingHere => HttpSettings::dev(),
        Allowed::WhatIsSet => settings.given(&NETS).unwrap_or_default(),
    };
    let target = HttpTarget::new(nets)?.secrets(Secrets::new(secrets(settings)));
    Ok(match settings.given(&SIGN) {
        Some(name) => target.signed_with(name),
        None => target,
    })
}

fn command(settings: &Settings, allowed: Allowed, supervisor: Supervisor) -> Result<CommandTarget, Error> {
    let programs = match allowed {
        Allowed::EverythingHere => CommandSettings::dev(),
        Allowed::WhatIsSet => settings.given(&PROGRAMS).unwrap_or_default(),
    };
    Ok(CommandTarget::new(programs)?.supervised_by(supervisor))
}

/// The secrets by name.
fn secrets(settings: &Settings) -> BTreeMap<String, Secret> {
    let texts = settings.family(&SECRETS);
    let secret = |(name, text): (&String, &String)| {
        let secret = Secret::new(text);
        let secret = match texts.get(&format!("{name}{PREVIOUS}")) {
            Some(previous) => secret.previous(previous),
            None => secret,
        };
        (name.clone(), secret)
    };
    texts.iter().map(secret).collect()
}

/// Refuses to sign with a secret that is not there, or is no key.
fn sign_is_a_key(settings: &Settings) -> Result<(), String> {
    let Some(name) = settings.given(&SIGN) else {
        return Ok(());
    };
    match secrets(settings).get(&name) {
        None => Err(format!(
            "targets.http.sign names the secret {name:?}, and there is no secrets.{name}"
        )),
        Some(secret) => secret
            .check_signing()
            .map_err(|error| format!("targets.http.sign names the secret {name:?}, and {error}")),
    }
}

fn programs(given: &Given) -> Result<CommandSettings, String> {
    let programs = given.as_texts()?;
    let settings = CommandSettings {
        allow: match programs.is_empty() {
            true => Allow::None,
            false => Allow::Programs(programs),
        },
    };
    settings.check().map_err(|error| error.to_string())?;
    Ok(settings)
}

fn nets(given: &Given) -> Result<HttpSettings, String> {
    let settings = HttpSettings {
        allow: given.as_texts()?,
    };
    settings.check().map_err(|error| error.to_string())?;
    Ok(settings)
}

fn secret(given: &Given) -> Result<String, String> {
    // What is no text is not told back either: a number may be the secret.
    match given
        .as_text("")
        .map_err(|_| "a secret is text; write it in quotes")?
    {
        "" => Err("a secret is not empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}
