//! A real nginx whose access log is a record of its own of who called.

#[path = "../../../../punctual/tests/it/nginx.rs"]
mod process;

use self::process::Nginx;

pub(super) struct Called(Nginx<1>);

impl Called {
    /// None if the run was asked to leave out what needs nginx.
    pub(super) fn open() -> Option<Called> {
        Nginx::start(server, &[]).map(Called)
    }

    /// The URL that a job calls.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.0.ports[0])
    }

    /// The paths that were called, one a line.
    pub(super) fn calls(&self) -> String {
        self.0.read("calls")
    }
}

fn server([port]: [u16; 1]) -> String {
    format!(
        "log_format call '$request_uri';
         access_log calls call;
         server {{
             listen 127.0.0.1:{port};
             keepalive_requests 1000000;
             location / {{ return 204; }}
         }}"
    )
}
