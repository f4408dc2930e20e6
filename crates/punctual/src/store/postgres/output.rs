//! Output: what a run puts out while it goes on, its head and its tail, in pieces.

use bytes::Bytes;
use tokio_postgres::types::Type;

use super::fault::Fault;
use super::row::Columns;
use super::session::{Link, Param, Session};
use crate::run::RunId;
use crate::store::{Output, pieces};

pub(super) async fn append(session: &Session, run: RunId, bytes: &[u8]) -> Result<bool, Fault> {
    let link = session.begin("").await?;
    let done = append_in(link, run, bytes).await;
    session.end(done).await
}

pub(super) async fn output(session: &Session, run: RunId, from: u64) -> Result<Output, Fault> {
    let (job, number) = (run.job.0, run.run.cast_signed());
    let key: [Param<'_>; 2] = [(&job, Type::UUID), (&number, Type::INT8)];
    let rows = session.read(include_str!("output_end.sql"), &key).await?;
    let page = pieces::page(read_end(&rows)?, from);
    let mut params = key.to_vec();
    params.extend([(&page.start as _, Type::INT8), (&page.end as _, Type::INT8)]);
    let rows = session.read(include_str!("output.sql"), &params).await?;
    let read = |row| {
        let column = Columns::of(row);
        Ok((column.get(0)?, column.bytes(1)?.unwrap_or_default()))
    };
    let found: Vec<(i64, Bytes)> = rows.iter().map(read).collect::<Result<_, Fault>>()?;
    Ok(Output {
        next: u64::try_from(page.end).unwrap_or(0),
        bytes: pieces::join(found, &page),
    })
}

async fn append_in(link: Link<'_>, run: RunId, bytes: &[u8]) -> Result<bool, Fault> {
    let (job, number) = (run.job.0, run.run.cast_signed());
    let key: [Param<'_>; 2] = [(&job, Type::UUID), (&number, Type::INT8)];
    let held = link.query(include_str!("output_held.sql"), &key).await?;
    if held.is_empty() || bytes.is_empty() {
        return Ok(!held.is_empty());
    }
    let mut end = read_end(&link.query(include_str!("output_end.sql"), &key).await?)?;
    let (mut places, mut added) = (Vec::new(), Vec::new());
    for (at, piece) in pieces::cut(end, bytes) {
        end = at + i64::try_from(piece.len()).unwrap_or(i64::MAX);
        if !(added.is_empty() && joins(link, &key, at, piece).await?) {
            places.push(at);
            added.push(piece);
        }
    }
    let mut params = key.to_vec();
    params.extend([(&places as _, Type::INT8_ARRAY), (&added as _, Type::BYTEA_ARRAY)]);
    link.query(include_str!("output_add.sql"), &params).await?;
    let (head, tail) = (pieces::HALF, end - pieces::HALF);
    if tail > head {
        let mut params = key.to_vec();
        params.extend([(&head as _, Type::INT8), (&tail as _, Type::INT8)]);
        link.query(include_str!("output_drop.sql"), &params).await?;
    }
    Ok(true)
}

/// Whether a piece could join the one before.
async fn joins(link: Link<'_>, key: &[Param<'_>; 2], at: i64, piece: &[u8]) -> Result<bool, Fault> {
    let Some(short) = pieces::joins_up_to(at, piece).filter(|_| at > 0) else {
        return Ok(false);
    };
    let mut params = key.to_vec();
    params.extend([
        (&at as _, Type::INT8),
        (&piece as _, Type::BYTEA),
        (&short as _, Type::INT8),
    ]);
    let joined = link.query(include_str!("output_join.sql"), &params).await?;
    Ok(!joined.is_empty())
}

fn read_end(rows: &[tokio_postgres::Row]) -> Result<i64, Fault> {
    rows.first().map_or(Ok(0), |row| Columns::of(row).get(0))
}
