//! Real Redis servers: the one that tests share, and those that a test restarts or sets up otherwise.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use uuid::Uuid;

/// The server that tests share; none if the run was asked to leave out what needs Redis.
pub(crate) fn shared() -> Option<String> {
    if is_left_out() {
        return None;
    }
    let url = std::env::var("PUNCTUAL_TEST_REDIS");
    Some(
        url.expect("scripts/test or scripts/with-servers starts a Redis and names it in PUNCTUAL_TEST_REDIS"),
    )
}

/// A namespace for one test alone, in the server of this URL.
pub(crate) fn namespace(url: &str) -> String {
    let between = if url.contains('?') { '&' } else { '?' };
    format!("{url}{between}namespace=test-{}", Uuid::now_v7().simple())
}

/// A namespace for one test alone, in the server that tests share.
pub(crate) fn shared_namespace() -> Option<String> {
    Some(namespace(&shared()?))
}

fn is_left_out() -> bool {
    let without = std::env::var("PUNCTUAL_TEST_WITHOUT").unwrap_or_default();
    without.split_whitespace().any(|server| server == "redis")
}

/// A server of a test's own, which ends with it.
pub(crate) struct Server {
    folder: TempDir,
    url: String,
}

impl Server {
    /// Starts one with these lines in its configuration; none if the run was asked to leave out what needs Redis.
    pub(crate) fn start(lines: &[&str]) -> Option<Server> {
        let folder = tempfile::tempdir().expect("a folder for the test");
        Server::start_in(folder, lines)
    }

    fn start_in(folder: TempDir, lines: &[&str]) -> Option<Server> {
        if is_left_out() {
            return None;
        }
        let mut server = Server {
            folder,
            url: String::new(),
        };
        server.url = server.script("start", lines).trim().to_owned();
        Some(server)
    }

    /// As [`start`](Self::start), speaking TLS only.
    pub(crate) fn start_with_tls() -> Option<Server> {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = |name: &str| folder.path().join(name).display().to_string();
        for (name, text) in [
            ("ca.pem", AUTHORITY),
            ("certificate.pem", CERTIFICATE),
            ("key.pem", KEY),
        ] {
            std::fs::write(path(name), text).expect("a file");
        }
        let lines = [
            format!("tls-ca-cert-file {}", path("ca.pem")),
            format!("tls-cert-file {}", path("certificate.pem")),
            format!("tls-key-file {}", path("key.pem")),
            "tls-auth-clients no".to_owned(),
        ];
        Server::start_in(folder, &lines.each_ref().map(String::as_str))
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it and starts it again on the same port.
    pub(crate) fn restart(&self) {
        self.script("restart", &[]);
    }

    pub(crate) fn kill(&self) {
        self.script("stop", &[]);
    }

    fn script(&self, action: &str, lines: &[&str]) -> String {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers/redis");
        let done = Command::new(script)
            .arg(action)
            .arg(self.folder.path())
            .args(lines)
            .output()
            .expect("scripts/servers/redis runs");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{action}: {said}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Who vouches for the certificate below, and for nothing else.
const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBljCCATygAwIBAgIUMERv955x01/tu7q2R+gQD13NGxIwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMTc0NDU1WhgPMjEy
NjEwMjgxNzQ0NTVaMBkxFzAVBgNVBAMMDnRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEf16epW6tWYGG4u77W9QrreIUPaKqyhlPwFVo6QpS
mk5gT7tk+pPV4AnmAQjDVCDc1HusjqLhDkihUNWdB2uoy6NgMF4wHQYDVR0OBBYE
FFhDh7HVs06aFWJLjyPW2xdlMB9JMB8GA1UdIwQYMBaAFFhDh7HVs06aFWJLjyPW
2xdlMB9JMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgIEMAoGCCqGSM49BAMC
A0gAMEUCIQDYIVRTTr/zxQgzjEw3QOLw/LX3bAAnDRxFjYNs8xrYLwIgH5n0Y9mk
Rb8jJ0pAe0pkgQkmcLtVoQFo8nCx7o8lly8=
-----END CERTIFICATE-----
";

/// A certificate for `localhost` and 127.0.0.1, good for nothing but tests.
const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----
MIIBnTCCAUOgAwIBAgIUF7xW1Fel1jyPV2lKBaauko+UKnIwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMTc0NDU2WhgPMjEy
NjEwMjgxNzQ0NTZaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABN432Fwglx8M2E+VJAzDNQPeCU9+sqfowTrCa+XxYTMafWSi
ltMf+ApzY2RC5uOCTFnPmZRAZdqQLjMvvL48E56jbDBqMBoGA1UdEQQTMBGCCWxv
Y2FsaG9zdIcEfwAAATAMBgNVHRMBAf8EAjAAMB0GA1UdDgQWBBQGXhRjCYA9jhoy
Sd4gjVKItpBhLjAfBgNVHSMEGDAWgBRYQ4ex1bNOmhViS48j1tsXZTAfSTAKBggq
hkjOPQQDAgNIADBFAiEA6hqoAA0IfFnLo/3pd+M4/14py2UQWtAwZ8lzrm/jmAkC
IHem6sDtvhz/d+JndSiWiHC+EHJENeyrNLS1oomhDTbt
-----END CERTIFICATE-----
";

/// Its key.
const KEY: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgF8mzmoTKMEqoNiMp
vWL1rMzWBqL+iTgvPr3jkSwdA+ChRANCAATeN9hcIJcfDNhPlSQMwzUD3glPfrKn
6ME6wmvl8WEzGn1kopbTH/gKc2NkQubjgkxZz5mUQGXakC4zL7y+PBOe
-----END PRIVATE KEY-----
";
