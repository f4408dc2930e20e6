//! `punctual schedule`, on a server and on a store.

use serde_json::Value;

use crate::house::{Ended, House};

mod file;
mod import;
mod one;
mod running;
mod wrong;

impl House {
    fn schedule(&self, arguments: &[&str]) -> Ended {
        self.punctual(&[&["schedule"], arguments].concat())
    }

    /// What a command prints that is to succeed.
    #[track_caller]
    fn schedule_prints(&self, arguments: &[&str]) -> String {
        let ended = self.schedule(arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.stdout
    }

    /// The JSON lines that a command prints that is to succeed.
    #[track_caller]
    fn schedule_lines(&self, arguments: &[&str]) -> Vec<Value> {
        let printed = self.schedule_prints(&[arguments, &["--json"]].concat());
        let lines = printed.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().expect("each is JSON")
    }

    /// The JSON that a command prints that is to succeed.
    #[track_caller]
    fn schedule_json(&self, arguments: &[&str]) -> Value {
        let mut lines = self.schedule_lines(arguments);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    /// What there is at all, by name.
    #[track_caller]
    fn schedule_names(&self) -> Vec<String> {
        let listed = self.schedule_lines(&["list"]).into_iter();
        listed
            .map(|schedule| schedule["name"].as_str().expect("a name").to_owned())
            .collect()
    }
}
