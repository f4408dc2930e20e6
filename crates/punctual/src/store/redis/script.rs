//! Scripts, each a verb that happens wholly and alone on the server.

use std::sync::LazyLock;

use redis::Cmd;

/// The version of the layout of the keys, which every script expects.
pub(super) const SCHEMA: u32 = 2;

macro_rules! scripts {
    ($($name:ident = $file:literal;)*) => {$(
        pub(super) static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(concat!(include_str!("prelude.lua"), include_str!($file))));
    )*};
}

scripts! {
    INSERT = "insert.lua";
    CLAIM = "claim.lua";
    PUT_OFF = "put_off.lua";
    BEAT = "beat.lua";
    WORKERS = "workers.lua";
    APPLY = "apply.lua";
    HEADS = "heads.lua";
    CHANGE_RECORDS = "change_records.lua";
    CHANGE_SCHEDULES = "change_schedules.lua";
    SCHEDULES = "schedules.lua";
    APPEND_OUTPUT = "append_output.lua";
    OUTPUT = "output.lua";
    CHECK = "check.lua";
}

/// Makes the namespace, so it expects none.
pub(super) static PREPARE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("prepare.lua")));

/// A script, known to a server by its hash once it was sent whole.
pub(super) struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Script {
        Script {
            text,
            hash: redis::Script::new(text).get_hash().to_owned(),
        }
    }

    /// Runs it by its hash: NOSCRIPT, if the server does not know it.
    pub(super) fn by_hash(&self, namespace: &str, arguments: &Arguments) -> Cmd {
        self.call("EVALSHA", &self.hash, namespace, arguments)
    }

    /// Runs it, and lets the server know it from then on.
    pub(super) fn whole(&self, namespace: &str, arguments: &Arguments) -> Cmd {
        self.call("EVAL", self.text, namespace, arguments)
    }

    fn call(&self, command: &str, script: &str, namespace: &str, arguments: &Arguments) -> Cmd {
        let mut call = redis::cmd(command);
        call.arg(script).arg(1).arg(namespace);
        let mut begin = 0;
        for end in &arguments.ends {
            call.arg(&arguments.bytes[begin..*end]);
            begin = *end;
        }
        call
    }
}

/// The arguments of a script, one behind the other.
#[derive(Default)]
pub(super) struct Arguments {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Arguments {
    pub(super) fn bytes(&mut self, argument: impl AsRef<[u8]>) -> &mut Arguments {
        self.bytes.extend_from_slice(argument.as_ref());
        self.ends.push(self.bytes.len());
        self
    }

    pub(super) fn each(&mut self, arguments: impl Iterator<Item: AsRef<[u8]>>) {
        arguments.for_each(|argument| {
            self.bytes(argument);
        });
    }

    pub(super) fn number(&mut self, number: impl std::fmt::Display) -> &mut Arguments {
        self.bytes(number.to_string())
    }

    /// How many bytes they have.
    pub(super) fn size(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_expect_the_layout_that_is_prepared() {
        assert!(include_str!("prelude.lua").contains(&format!("schema ~= '{SCHEMA}'")));
    }
}
