//! Plans: no statement passes rows that it does not need.

use std::fs;
use std::path::Path;

use rusqlite::config::DbConfig;

use super::{connect, folder, open};

/// Statements over few rows: a counter row for each queue and state, a row for each living worker.
const SMALL: [&str; 4] = ["counts.sql", "workers.sql", "beat_forget.sql", "records.sql"];

#[tokio::test]
async fn every_statement_goes_along_an_index_and_sorts_nothing() {
    let folder = folder();
    let path = folder.path().join("jobs.db");
    drop(open(&path).await);
    let connection = connect(&path);
    // As the store does, so that no plan depends on a value.
    let stable = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true);
    assert_eq!(stable, Ok(true));
    let statements = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sqlite");
    let mut explained = 0;
    for file in fs::read_dir(statements).expect("the statements are there") {
        let file = file.expect("the folder can be read").path();
        let name = file
            .file_name()
            .expect("a file has a name")
            .to_string_lossy()
            .into_owned();
        if !name.ends_with(".sql") || SMALL.contains(&name.as_str()) {
            continue;
        }
        let sql = fs::read_to_string(&file).expect("a statement can be read");
        for step in plan(&connection, &sql) {
            let walks =
                step.starts_with("SCAN") && !["SCAN line", "SCAN CONSTANT ROW"].contains(&step.as_str());
            let sorts = step.contains("TEMP B-TREE");
            assert!(!walks && !sorts, "{name}: {step}");
        }
        explained += 1;
    }
    assert!(explained > 20, "the statements were not found");
}

fn plan(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("explain query plan {sql}"))
        .expect("the statement is right");
    let unset = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(unset), |row| row.get(3));
    let steps = steps.expect("a statement has a plan");
    steps.collect::<Result<_, _>>().expect("a plan is text")
}
