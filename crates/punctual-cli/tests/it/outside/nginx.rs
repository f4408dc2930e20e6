//! A real nginx whose access log is a record of its own of who called.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(super) struct Nginx {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Nginx {
    /// Starts one; none if the run was asked to leave out what needs nginx.
    pub(super) fn start() -> Option<Nginx> {
        let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
        if without.split_whitespace().any(|server| server == "nginx") {
            return None;
        }
        // Between the look for a free port and its use, another may take it.
        (0..5).find_map(|_| Nginx::try_start())
    }

    fn try_start() -> Option<Nginx> {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        fs::write(folder.path().join("nginx.conf"), configuration(port)).expect("a file");
        let path = std::env::var("PATH").unwrap_or_default();
        let process = Command::new("nginx")
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .arg("-p")
            .arg(folder.path())
            .args(["-e", "error.log", "-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed (scripts/needs), or left out by PUNCTUAL_TEST_WITHOUT=nginx");
        let mut nginx = Nginx {
            process,
            port,
            folder,
        };
        nginx.wait_until_it_listens().then_some(nginx)
    }

    /// Whether it does: another may have taken its port.
    fn wait_until_it_listens(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if Instant::now() > deadline || !matches!(self.process.try_wait(), Ok(None)) {
                return false;
            }
            thread::sleep(Duration::from_millis(5));
        }
        true
    }

    /// The URL that a job calls.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The paths that were called, one a line.
    pub(super) fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(port: u16) -> String {
    format!(
        "daemon off; master_process off; pid nginx.pid;
         events {{ worker_connections 1024; }}
         http {{
             log_format call '$request_uri';
             access_log calls call;
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
             uwsgi_temp_path uwsgi; scgi_temp_path scgi;
             server {{
                 listen 127.0.0.1:{port};
                 keepalive_requests 1000000;
                 location / {{ return 204; }}
             }}
         }}"
    )
}
