//! An nginx that serves files, also over TLS.

use crate::nginx::Nginx;

pub(super) struct Site(Nginx<2>);

impl Site {
    /// None if the run was asked to leave out what needs nginx.
    pub(super) fn open() -> Option<Site> {
        let files = [
            ("certificate.pem", CERTIFICATE),
            ("key.pem", KEY),
            ("file", &"a line\n".repeat(100_000)),
            ("short", "short\n"),
        ];
        Nginx::start(servers, &files).map(Site)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.0.ports[0])
    }

    pub(super) fn https_url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.0.ports[1])
    }
}

fn servers([port, https_port]: [u16; 2]) -> String {
    format!(
        "access_log off;
         server {{
             listen 127.0.0.1:{port};
             listen 127.0.0.1:{https_port} ssl;
             ssl_certificate certificate.pem;
             ssl_certificate_key key.pem;
             root .;
             client_max_body_size 100k;
             keepalive_requests 3;
         }}"
    )
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
