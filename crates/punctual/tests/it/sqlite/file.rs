//! The file: who may read it, and which one is opened.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use punctual::error::Error;
use punctual::store::sqlite::{SqliteOptions, SqliteStore};
use punctual::store::{Depth, Store};
use punctual::{Engine, Kind, seconds};

use super::{connect, folder, insert, is_there, job, open};
use crate::rows::{looks, make, schedule};

async fn refusal(path: &Path) -> Error {
    SqliteStore::open(path, SqliteOptions::default())
        .await
        .expect_err("it is refused")
}

#[tokio::test]
async fn only_its_owner_can_read_a_new_file_and_its_log() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    insert(&store, &[job("a")]).await;
    for file in ["jobs.db", "jobs.db-wal", "jobs.db-shm"] {
        let mode = fs::metadata(folder.path().join(file))
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[tokio::test]
async fn the_mode_of_a_file_that_exists_is_left_as_it_is() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    fs::write(&path, "").expect("the folder takes files");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("the file is ours");
    open(&path).await;
    let mode = fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}

#[tokio::test]
async fn a_folder_that_does_not_exist_is_named() {
    let folder = folder();
    let error = refusal(&folder.path().join("nowhere/jobs.db")).await;
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.to_string().contains("nowhere/jobs.db"), "{error}");
    assert!(error.to_string().contains("folder does not exist"), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_as_it_is() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    drop(open(&path).await);
    connect(&path)
        .pragma_update(None, "user_version", 1_000)
        .expect("it is ours");
    let before = fs::read(&path).expect("it can be read");
    let error = refusal(&path).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("version 1000"), "{error}");
    assert_eq!(fs::read(&path).expect("it can be read"), before);
}

#[tokio::test]
async fn somebody_elses_database_is_refused_and_left_as_it_is() {
    let folder = folder();
    let path = folder.path().join("notes.db");
    connect(&path)
        .execute_batch("create table notes (text)")
        .expect("it is empty");
    let before = fs::read(&path).expect("it can be read");
    let error = refusal(&path).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().contains("not one of Punctual's"), "{error}");
    assert_eq!(fs::read(&path).expect("it can be read"), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_is() {
    let folder = folder();
    let path = folder.path().join("letter.txt");
    let text = "Dear Sir or Madam, ".repeat(500);
    fs::write(&path, &text).expect("the folder takes files");
    let error = refusal(&path).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert_eq!(fs::read_to_string(&path).expect("it can be read"), text);
}

#[tokio::test]
async fn a_strange_path_is_taken_as_it_is() {
    let folder = folder();
    for name in ["50%25 ?mode=memory&x#y.db", "file:jobs.db", ":memory:"] {
        let path = folder.path().join(name);
        insert(&open(&path).await, &[job("a")]).await;
        assert!(path.is_file(), "{name}");
        assert!(is_there(&open(&path).await, "a").await, "{name}");
    }
}

#[tokio::test]
async fn a_store_that_is_dropped_lets_go_of_its_file() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    let listener = store.signals().listen();
    insert(&store, &[job("a")]).await;
    drop(store);
    // Whoever closes last copies the log and removes it.
    assert!(!folder.path().join("jobs.db-wal").exists());
    drop(listener);
    assert!(is_there(&open(&path).await, "a").await);
}

#[tokio::test]
async fn a_file_of_the_first_schema_is_brought_up_to_date_with_what_is_in_it() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let database = connect(&path);
    database
        .execute_batch(include_str!("../../../src/store/sqlite/migrations/0001.sql"))
        .expect("it is a new file");
    database
        .execute_batch(
            "insert into workers values ('w', 'here', 1, null, 1, 0, 0, 0, 9000000000000000);
             pragma application_id = 0x50756e63; pragma user_version = 1;",
        )
        .expect("it takes rows");
    drop(database);
    let migrated = Engine::migrate(&format!("sqlite:{}", path.display())).await;
    let migrated = migrated.expect("the file is ours");
    assert!(migrated.from == 1 && migrated.to > 1, "{migrated:?}");
    let store = open(&path).await;
    let workers = store.workers().await.expect("it answers");
    assert_eq!((workers.len(), workers[0].lease), (1, seconds(30)));
}

#[tokio::test]
async fn a_file_that_had_no_schedules_takes_them_beside_the_jobs_that_are_in_it() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let store = open(&path).await;
    insert(&store, &[job("a")]).await;
    drop(store);
    connect(&path)
        .execute_batch("drop table schedules; drop table occurrences; pragma user_version = 2")
        .expect("it is ours");
    let store = open(&path).await;
    assert!(is_there(&store, "a").await);
    make(&store, &[schedule("nightly")]).await;
    assert_eq!(looks(&store).await.items, [schedule("nightly")]);
}

#[tokio::test]
async fn a_file_that_is_up_to_date_is_migrated_by_doing_nothing() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    let first = SqliteStore::migrate(&path).await.expect("a new file is made");
    let store = open(&path).await;
    insert(&store, &[job("a")]).await;
    assert_eq!(SqliteStore::migrate(&path).await, Ok(first));
    assert_eq!(store.check(Depth::Quick).await.expect("it answers").schema, first);
    assert!(is_there(&store, "a").await);
}
