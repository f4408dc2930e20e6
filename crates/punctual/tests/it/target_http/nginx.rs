//! A real nginx, with a folder of its own.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::target_house::eventually;

/// Between the choice of a free port and nginx's own bind, another test may take it; hardly so often.
const PORT_TRIES: usize = 5;

pub(super) struct Nginx {
    process: Child,
    port: u16,
    https_port: u16,
    folder: TempDir,
}

impl Nginx {
    /// Starts one; none if the run was asked to leave out what needs nginx.
    pub(super) async fn start() -> Option<Nginx> {
        let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
        if without.split_whitespace().any(|server| server == "nginx") {
            return None;
        }
        for _ in 0..PORT_TRIES {
            let mut nginx = Nginx::spawn().await;
            if nginx.listens().await {
                return Some(nginx);
            }
        }
        panic!("{PORT_TRIES} times somebody else took a port that had just been free");
    }

    async fn spawn() -> Nginx {
        let folder = tempfile::tempdir().expect("a folder");
        let (port, https_port) = (free_port().await, free_port().await);
        write_files(folder.path(), port, https_port);
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
            port,
            https_port,
            folder,
        }
    }

    /// Waits until it listens; not, if a port was taken before it could have it.
    async fn listens(&mut self) -> bool {
        let ports = [self.port, self.https_port];
        let mut ended = None;
        eventually("nginx listens on both ports, or has ended", || {
            ended = self.process.try_wait().expect("it is our child");
            let is_open = |port: &u16| TcpStream::connect(("127.0.0.1", *port)).is_ok();
            ended.is_some() || ports.iter().all(is_open)
        })
        .await;
        let Some(status) = ended else { return true };
        let log = fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
        assert!(
            log.contains("Address already in use"),
            "nginx ended with {status}:\n{log}"
        );
        false
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn https_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.https_port)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("its address").port()
}

fn write_files(folder: &Path, port: u16, https_port: u16) {
    let configuration = format!(
        "daemon off; master_process off; pid nginx.pid;
         events {{}}
         http {{
             access_log off;
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
             uwsgi_temp_path uwsgi; scgi_temp_path scgi;
             server {{
                 listen 127.0.0.1:{port};
                 listen 127.0.0.1:{https_port} ssl;
                 ssl_certificate certificate.pem;
                 ssl_certificate_key key.pem;
                 root files;
                 client_max_body_size 100k;
                 keepalive_requests 3;
             }}
         }}"
    );
    fs::create_dir(folder.join("files")).expect("a folder");
    for (file, text) in [
        ("nginx.conf", configuration.as_str()),
        ("certificate.pem", CERTIFICATE),
        ("key.pem", KEY),
        ("files/file", &"a line\n".repeat(100_000)),
        ("files/short", "short\n"),
    ] {
        fs::write(folder.join(file), text).expect("a file");
    }
}

/// A certificate for `localhost`, signed by itself, good for nothing but this test.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBnDCCAUGgAwIBAgIUFtokFq2sf5BnFdQ6aC5YNxHkPSIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAyNDU0NFoYDzIxMjYxMDI4
MDI0NTQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQouXGAXZ/9YbPNWxcXzjDVwmwthnK4WqPoVR7FKB+gQTxw1GvXTps2
YwBDId2cxOYDlve6aq2KS48ezODy/10fo28wbTAdBgNVHQ4EFgQUySxQpcV9DxKu
IwKMhAKJN9Nvv5kwHwYDVR0jBBgwFoAUySxQpcV9DxKuIwKMhAKJN9Nvv5kwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSQAwRgIhANWMmtubXz34ASDccV6EWnmpiL3B7gtwpVdClBwFoLZMAiEA
oD8U862BF/Gfb/dHlywuDn4CasdcieY+QRy48qj6vRQ=
-----END CERTIFICATE-----
";

/// Its key.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgzJjyvN4FTbhNYZUg
9qx+w+yrzGmB8N5wUemL1r1KIIOhRANCAAQouXGAXZ/9YbPNWxcXzjDVwmwthnK4
WqPoVR7FKB+gQTxw1GvXTps2YwBDId2cxOYDlve6aq2KS48ezODy/10f
-----END PRIVATE KEY-----
";
