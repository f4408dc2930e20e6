//! Where a server is, and what is said when nobody can get there.

use punctual::store::postgres::{PostgresOptions, PostgresStore};
use punctual::{Error, Kind};

use super::insert;
use super::job;
use super::server::{House, Server, open};

async fn refused(url: &str) -> Error {
    let store = PostgresStore::open(url, PostgresOptions::default()).await;
    let error = store.map(|_| ()).expect_err("the store must not open");
    let told = format!("{error} {error:?}");
    assert!(!told.contains("hunter2"), "the password is told: {told}");
    error
}

#[tokio::test]
async fn a_url_that_cannot_be_understood_is_refused_without_telling_its_password() {
    for (url, told) in [
        ("postgres://u:hunter2@h/d?sslmode=allow", "sslmode is"),
        ("postgres://u:hunter2@h/d?sslcert=x", "\"sslcert\""),
        ("postgres://u:hunter2@h/d?namespace=A", "lower-case"),
        ("postgres://u:hunter2@h/d?pooled=maybe", "true or false"),
        ("postgres://u:a@hunter2@h/d", "%40"),
        ("postgres://u:hunter2/x@h/d", "%2F"),
        ("postgres://u:hunter2#x@h/d", "%23"),
        ("postgres://u:hunter2@h:port/d", "cannot be read"),
        ("postgres:///d?password=hunter2", "names no host"),
        ("postgres://h/d?password=hunter2", "names no user"),
        (
            "postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/nowhere",
            "\"/nowhere\"",
        ),
    ] {
        let error = refused(url).await;
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test]
async fn whoever_cannot_get_in_is_told_why_and_never_the_password() {
    let Some(house) = House::shared() else { return };
    let (before, at) = house.url().rsplit_once('@').expect("it has a user");
    let user = before.rsplit_once(':').expect("it has a password").0;
    let (host, _) = at.split_once('/').expect("it has a database");
    for (url, told) in [
        (format!("{user}:hunter2@{at}"), "refused the password"),
        (
            format!("{before}@{host}/no_such_database"),
            "has no database \"no_such_database\"",
        ),
        (format!("{user}@{at}"), "the URL has none"),
        (format!("{}?sslmode=require", house.url()), "sslmode=disable"),
        (
            "postgres://u:hunter2@127.0.0.1:1/d".to_owned(),
            "127.0.0.1:1 cannot be reached",
        ),
        (
            "postgres://u:hunter2@no-such-host.invalid/d".to_owned(),
            "cannot be reached",
        ),
    ] {
        let error = refused(&url).await;
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        assert!(error.to_string().contains(told), "{error}");
    }
}

/// A certificate for `localhost` that signed itself, and its key, where a server can read them.
struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    fn make() -> Certificate {
        let folder = tempfile::tempdir().expect("a folder");
        let done = std::process::Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args([
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=DNS:localhost",
            ])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-keyout")
            .arg(folder.path().join("key"))
            .arg("-out")
            .arg(folder.path().join("certificate"))
            .output()
            .expect("openssl is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Certificate { folder }
    }

    fn path(&self) -> String {
        self.folder.path().join("certificate").display().to_string()
    }
}

#[tokio::test]
async fn a_server_is_trusted_as_far_as_sslmode_says() {
    let certificate = Certificate::make();
    let Some(server) = Server::start_with_tls(certificate.folder.path()) else {
        return;
    };
    let by_name = server.url().replace("127.0.0.1", "localhost");
    let with = |url: &str, parameters: &str| format!("{url}?namespace=tls&{parameters}");
    let roots = format!("sslrootcert={}", certificate.path());
    for url in [
        with(server.url(), "sslmode=disable"),
        with(server.url(), "sslmode=prefer"),
        with(server.url(), "sslmode=require"),
        with(server.url(), &format!("sslmode=verify-ca&{roots}")),
        with(&by_name, &format!("sslmode=verify-full&{roots}")),
    ] {
        let store = open(&url).await;
        insert(&store, &[job(&url)]).await;
    }
    for url in [
        with(server.url(), &format!("sslmode=verify-full&{roots}")),
        with(&by_name, "sslmode=verify-full"),
        with(&by_name, "sslmode=verify-ca"),
    ] {
        let error = refused(&url).await;
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}
