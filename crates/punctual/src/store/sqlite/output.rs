//! Output: what a run puts out while it goes on, its head and its tail, in pieces.

use bytes::{Bytes, BytesMut};
use rusqlite::{Connection, params};

use super::fault::Fault;
use super::row::Columns;
use super::writing::{Writing, all, first};
use crate::limits;
use crate::run::RunId;
use crate::store::Output;

/// Half of what is kept, in bytes.
const HALF: i64 = (limits::OUTPUT_BYTES / 2) as i64;

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
    // A piece lies in the head or behind it, never in both, so that it is dropped or kept as a whole.
    let (head, rest) = bytes.split_at(usize::try_from(HALF - end).unwrap_or(0).min(bytes.len()));
    for piece in [head].into_iter().chain(rest.chunks(limits::OUTPUT_PAGE_BYTES)) {
        end += write_piece(writing, run, end, piece)?;
    }
    writing.execute(
        include_str!("output_drop.sql"),
        params![job, number, HALF, end - HALF],
    )?;
    Ok(true)
}

pub(super) fn output(connection: &Connection, run: RunId, from: u64) -> Result<Output, Fault> {
    let end = end(connection, run)?;
    let from = i64::try_from(from).unwrap_or(i64::MAX).min(end);
    let tail_from = HALF.max(end - HALF);
    // A page ends before the gap, and one asked for in the gap begins behind it.
    let (from, to) = if from < HALF.min(end) {
        let to = if tail_from > HALF { HALF } else { end };
        (from, to)
    } else {
        (from.max(tail_from.min(end)), end)
    };
    let to = to.min(from + limits::OUTPUT_PAGE_BYTES as i64);
    let bytes = read_between(connection, run, from, to)?;
    Ok(Output {
        next: u64::try_from(to).unwrap_or(0),
        bytes,
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

/// Adds a piece at the end, and answers how long it is. Lines come one by one and short, so a piece joins the one
/// before while that is short.
fn write_piece(writing: &Writing<'_>, run: RunId, at: i64, piece: &[u8]) -> Result<i64, Fault> {
    let (job, number) = (run.job.0.as_bytes(), run.run.cast_signed());
    let length = i64::try_from(piece.len()).unwrap_or(i64::MAX);
    if length > 0 {
        let short = limits::OUTPUT_PIECE_BYTES as i64 - length;
        let joined = match at {
            HALF => 0,
            _ => writing.execute(
                include_str!("output_join.sql"),
                params![job, number, at, piece, short],
            )?,
        };
        if joined == 0 {
            writing.execute(include_str!("output_add.sql"), params![job, number, at, piece])?;
        }
    }
    Ok(length)
}

fn read_between(connection: &Connection, run: RunId, from: i64, to: i64) -> Result<Bytes, Fault> {
    let (job, number) = (run.job.0.as_bytes(), run.run.cast_signed());
    let mut bytes = BytesMut::new();
    let key = params![job, number, from, to];
    let pieces = all(connection, include_str!("output.sql"), key, |row| {
        Ok((
            row.get::<_, i64>(0)?,
            Columns { row, first: 0 }.bytes(1)?.unwrap_or_default(),
        ))
    })?;
    for (at, piece) in pieces {
        let begin = usize::try_from(from - at).unwrap_or(0).min(piece.len());
        let end = usize::try_from(to - at).unwrap_or(0).min(piece.len());
        bytes.extend_from_slice(&piece[begin..end.max(begin)]);
    }
    Ok(bytes.freeze())
}
