//! Output: what a run puts out while it goes on, its head and its tail.

use bytes::Bytes;

use super::link::Link;
use super::reply;
use super::script::{APPEND_OUTPUT, Arguments, OUTPUT};
use crate::error::Error;
use crate::limits;
use crate::run::RunId;
use crate::store::Output;

/// Half of what is kept, in bytes.
const HALF: usize = limits::OUTPUT_BYTES / 2;

pub(super) async fn append(link: &Link, run: RunId, bytes: &[u8]) -> Result<bool, Error> {
    let mut arguments = of(run);
    arguments.number(HALF).bytes(bytes);
    let held = link.write(&APPEND_OUTPUT, arguments).await?;
    Ok(reply::number(held)? != 0)
}

pub(super) async fn output(link: &Link, run: RunId, from: u64) -> Result<Output, Error> {
    let mut arguments = of(run);
    arguments
        .number(from)
        .number(HALF)
        .number(limits::OUTPUT_PAGE_BYTES);
    let [next, bytes] = reply::parts(link.read(&OUTPUT, arguments).await?)?;
    Ok(Output {
        next: u64::try_from(reply::number(next)?).unwrap_or(0),
        bytes: Bytes::from(reply::bytes(bytes)?),
    })
}

fn of(run: RunId) -> Arguments {
    let mut arguments = Arguments::default();
    arguments.bytes(run.job.0.as_bytes()).bytes(run.run.to_be_bytes());
    arguments
}
