//! Output: what a run puts out while it goes on, its head and its tail, in pieces.

use bytes::Bytes;
use rusqlite::{Connection, params};

use super::fault::Fault;
use super::row::Columns;
use super::writing::{Writing, all, first};
use crate::run::RunId;
use crate::store::{Output, pieces};

pub(super) fn append(writing: &mut Writing<'_>, run: RunId, bytes: &[u8]) -> Result<bool, Fault> {
    let (job, number) = (run.job.0.as_bytes(), run.run.cast_signed());
    let held = first(
        writing.connection(),
        include_str!("output_held.sql"),
        params![job, number],
        |_| Ok(()),
    )?;
    if held.is_none() || bytes.is_empty() {
        return Ok(held.is_some());
    }
    let mut end = end(writing.connection(), run)?;
    for (at, piece) in pieces::cut(end, bytes) {
        write_piece(writing, run, at, piece)?;
        end = at + i64::try_from(piece.len()).unwrap_or(i64::MAX);
    }
    writing.execute(
        include_str!("output_drop.sql"),
        params![job, number, pieces::HALF, end - pieces::HALF],
    )?;
    Ok(true)
}

pub(super) fn output(connection: &Connection, run: RunId, from: u64) -> Result<Output, Fault> {
    let end = end(connection, run)?;
    let page = pieces::page(end, from);
    let (job, number) = (run.job.0.as_bytes(), run.run.cast_signed());
    let key = params![job, number, page.start, page.end];
    let found = all(connection, include_str!("output.sql"), key, |row| {
        let bytes = Columns { row, first: 0 }.bytes(1)?;
        Ok((row.get(0)?, bytes.unwrap_or_else(Bytes::new)))
    })?;
    Ok(Output {
        next: u64::try_from(page.end).unwrap_or(0),
        bytes: pieces::join(found, &page),
    })
}

/// How many bytes the run has ever put out.
fn end(connection: &Connection, run: RunId) -> Result<i64, Fault> {
    let key = params![run.job.0.as_bytes(), run.run.cast_signed()];
    let end = first(connection, include_str!("output_end.sql"), key, |row| {
        Ok(row.get(0)?)
    })?;
    Ok(end.unwrap_or(0))
}

/// Adds a piece at the end.
fn write_piece(writing: &Writing<'_>, run: RunId, at: i64, piece: &[u8]) -> Result<(), Fault> {
    let (job, number) = (run.job.0.as_bytes(), run.run.cast_signed());
    let joined = match pieces::joins_up_to(at, piece) {
        None => 0,
        Some(short) => writing.execute(
            include_str!("output_join.sql"),
            params![job, number, at, piece, short],
        )?,
    };
    if joined == 0 {
        writing.execute(include_str!("output_add.sql"), params![job, number, at, piece])?;
    }
    Ok(())
}
