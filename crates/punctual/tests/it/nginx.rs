//! A real nginx in a folder of its own. The tests of the command line include this file, too.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Between the choice of a free port and nginx's own bind, another test may take it; hardly so often.
const PORT_TRIES: usize = 5;
/// nginx is given 20 s to listen, and looked at so often.
const LOOKS: usize = 4_000;
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Killed when it is dropped.
pub(crate) struct Nginx<const PORTS: usize> {
    process: Child,
    pub(crate) ports: [u16; PORTS],
    folder: TempDir,
}

impl<const PORTS: usize> Nginx<PORTS> {
    /// Starts one on free ports, in a folder with these files; `http` tells what it is to do there. None if the run was asked to
    /// leave out what needs nginx.
    pub(crate) fn start(http: impl Fn([u16; PORTS]) -> String, files: &[(&str, &str)]) -> Option<Self> {
        let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
        if without.split_whitespace().any(|server| server == "nginx") {
            return None;
        }
        for _ in 0..PORT_TRIES {
            let mut nginx = Nginx::spawn(&http, files);
            if nginx.wait_until_it_listens() {
                return Some(nginx);
            }
        }
        panic!("{PORT_TRIES} times somebody else took a port that had just been free");
    }

    fn spawn(http: impl Fn([u16; PORTS]) -> String, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ports = [(); PORTS].map(|()| free_port());
        let configuration = format!(
            "daemon off; master_process off; pid nginx.pid;
             events {{ worker_connections 1024; }}
             http {{
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                 {}
             }}",
            http(ports)
        );
        for (file, text) in files.iter().chain(&[("nginx.conf", configuration.as_str())]) {
            fs::write(folder.path().join(file), text).expect("a file");
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let process = Command::new("nginx")
            .env("PATH", format!("{path}:/usr/sbin:/sbin"))
            .arg("-p")
            .arg(folder.path())
            .args(["-e", "error.log", "-c", "nginx.conf"])
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx is installed (scripts/needs), or left out by PUNCTUAL_TEST_WITHOUT=nginx");
        Nginx {
            process,
            ports,
            folder,
        }
    }

    /// Whether it does: somebody else may have taken a port before it could have it.
    fn wait_until_it_listens(&mut self) -> bool {
        let is_open = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
        for _ in 0..LOOKS {
            if let Some(status) = self.process.try_wait().expect("it is our child") {
                let log = self.read("error.log");
                let taken = log.contains("Address already in use");
                assert!(taken, "nginx ended with {status}:\n{log}");
                return false;
            }
            if self.ports.iter().all(is_open) {
                return true;
            }
            thread::sleep(LOOK_PAUSE);
        }
        panic!("nginx neither listens nor ends:\n{}", self.read("error.log"));
    }

    /// What one of the files in its folder holds by now.
    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join(file)).unwrap_or_default()
    }
}

impl<const PORTS: usize> Drop for Nginx<PORTS> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
