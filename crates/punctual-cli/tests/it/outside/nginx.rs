//! A real nginx: one whose access log is a record of its own of who called, and one before servers of ours.

#[path = "../../../../punctual/tests/it/nginx.rs"]
mod process;

use std::collections::BTreeMap;

use self::process::Nginx;

pub(super) struct Called(Nginx<1>);

impl Called {
    /// None if the run was asked to leave out what needs nginx.
    pub(super) fn open() -> Option<Called> {
        Nginx::start(|ports| server(ports, "", ""), &[]).map(Called)
    }

    /// The same that answers so many calls a second, and lets others wait for their turn.
    pub(super) fn open_at(rate: usize) -> Option<Called> {
        let zone = format!("limit_req_zone $server_port zone=pace:1m rate={rate}r/s;");
        Nginx::start(
            |ports| server(ports, &zone, "limit_req zone=pace burst=1000;"),
            &[],
        )
        .map(Called)
    }

    /// The same whose record tells the job, and for which instant it is, behind the path.
    pub(super) fn noting() -> Option<Called> {
        let http = |[port]: [u16; 1]| {
            format!(
                "log_format job '$request_uri $http_punctual_job_id $http_punctual_nominal_time';
                 access_log calls job;
                 server {{ listen 127.0.0.1:{port}; location / {{ return 204; }} }}"
            )
        };
        Nginx::start(http, &[]).map(Called)
    }

    /// One that defers every run that calls it, and whose record is of their tokens.
    pub(super) fn deferring() -> Option<Called> {
        let http = |[port]: [u16; 1]| {
            format!(
                "log_format token '$http_punctual_token';
                 access_log calls token;
                 server {{
                     listen 127.0.0.1:{port};
                     location / {{ add_header punctual-defer 10m always; return 202; }}
                 }}"
            )
        };
        Nginx::start(http, &[]).map(Called)
    }

    /// The URL that a job calls.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.0.ports[0])
    }

    /// What was called, one a line: the path, or the token.
    pub(super) fn calls(&self) -> String {
        self.0.read("calls")
    }

    /// How often each path was called.
    pub(super) fn counted(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for path in self.calls().lines() {
            *counts.entry(path.to_owned()).or_default() += 1;
        }
        counts
    }
}

/// A real nginx before servers of ours.
pub(super) struct Balancer(Nginx<1>);

impl Balancer {
    /// One that does at its port what this tells. None if the run was asked to leave out what needs nginx.
    pub(super) fn open(http: impl Fn(u16) -> String) -> Option<Balancer> {
        Nginx::start(|[port]| format!("access_log off;\n{}", http(port)), &[]).map(Balancer)
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.0.ports[0])
    }
}

fn server([port]: [u16; 1], zone: &str, pace: &str) -> String {
    // A call whose caller goes away before it is answered is in the record, too.
    format!(
        "log_format call '$request_uri';
         access_log calls call;
         {zone}
         server {{
             listen 127.0.0.1:{port};
             keepalive_requests 1000000;
             location / {{ {pace} try_files /nothing =204; }}
         }}"
    )
}
