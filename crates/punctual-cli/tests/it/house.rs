//! A server in a folder of its own, and commands that talk to it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The binary under test, in a clean environment.
pub(crate) fn punctual(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command
        .env_clear()
        .env("PATH", path)
        .env("TZ", "UTC")
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// A running `punctual serve --dev`, killed when dropped.
pub(crate) struct House {
    pub(crate) folder: TempDir,
    server: Child,
    pub(crate) address: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl House {
    pub(crate) fn open() -> House {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, address) = serve(folder.path());
        House {
            folder,
            server,
            address,
        }
    }

    /// Kills the server, and starts another one on the same file.
    pub(crate) fn kill_and_restart(&mut self) {
        self.server.kill().expect("it runs");
        self.server.wait().expect("it is gone");
        (self.server, self.address) = serve(self.folder.path());
    }

    /// Sends a signal to the server, and gives the code that it ends with.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let pid = self.server.id().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill is there");
        assert!(sent.success());
        self.server.wait().expect("it ends").code()
    }

    /// `punctual job …` with this server.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = punctual(self.folder.path());
        command
            .env("PUNCTUAL_SERVER", &self.address)
            .arg("job")
            .args(arguments);
        command
    }

    pub(crate) fn job(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().expect("it starts"))
    }

    /// As [`job`](House::job), for what is to succeed and print one JSON document.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let ended = self.job(arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }
}

/// Starts a server on a free port, and waits until it says where it listens.
fn serve(folder: &Path) -> (Child, String) {
    let mut server = punctual(folder)
        .args(["serve", "--dev", "--bind", "127.0.0.1:0", "--lease", "2s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(server.stdout.take().expect("it is piped")).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
        .expect("it says where it listens");
    (server, address)
}
