//! What a job's runs put out, read whole and written whole.

use std::collections::BTreeSet;

use bytes::BytesMut;

use crate::error::Error;
use crate::job::{Job, JobId};
use crate::limits::{IMPORT_LEFT_OUT, OUTPUT_BYTES, OUTPUT_PAGE_BYTES};
use crate::run::RunId;

use super::super::Core;
use super::Kept;

/// What stands for the bytes that were left out, until they are left out again.
static LEFT_OUT: [u8; OUTPUT_PAGE_BYTES] = [0; OUTPUT_PAGE_BYTES];

/// Reads of one run's output: more only if it goes on putting out meanwhile.
const READS: usize = 2 * OUTPUT_BYTES.div_ceil(OUTPUT_PAGE_BYTES) + 2;

impl Core {
    /// What the runs put out that the row knows of.
    pub(super) async fn export_output(&self, job: &Job) -> Result<Vec<Kept>, Error> {
        let ended = job.status.history.iter().map(|attempt| attempt.run);
        let runs: BTreeSet<u64> = ended.chain([job.status.run]).filter(|run| *run > 0).collect();
        let mut output = Vec::new();
        for run in runs {
            let kept = self.read_whole(RunId { job: job.id(), run }).await?;
            output.extend((!kept.head.is_empty()).then_some(kept));
        }
        Ok(output)
    }

    async fn read_whole(&self, run: RunId) -> Result<Kept, Error> {
        let (mut head, mut tail) = (BytesMut::new(), BytesMut::new());
        let (mut left_out, mut end) = (0, 0);
        for _ in 0..READS {
            let page = self.store.output(run, end).await?;
            if page.bytes.is_empty() {
                break;
            }
            let gap = page.next.saturating_sub(end + page.bytes.len() as u64);
            if gap > 0 {
                // What came before a second gap has been dropped since.
                left_out += gap + tail.len() as u64;
                tail.clear();
            }
            let part = if left_out > 0 { &mut tail } else { &mut head };
            part.extend_from_slice(&page.bytes);
            end = page.next;
        }
        Ok(Kept {
            run: run.run,
            head: head.freeze(),
            left_out,
            tail: tail.freeze(),
        })
    }

    /// Adds what is missing of a run's output, while the run is held. An earlier import may have added some of it.
    pub(super) async fn restore(&self, job: JobId, kept: &Kept) -> Result<(), Error> {
        let run = RunId { job, run: kept.run };
        let mut there = self.store.output(run, u64::MAX).await?.next;
        for piece in pieces(kept) {
            let known = usize::try_from(there).unwrap_or(usize::MAX).min(piece.len());
            there -= known as u64;
            if known < piece.len() {
                self.store.append_output(run, &piece[known..]).await?;
            }
        }
        Ok(())
    }
}

/// The output piece by piece, with something in the place of what was left out.
fn pieces(kept: &Kept) -> impl Iterator<Item = &[u8]> {
    let left_out = kept.left_out.min(IMPORT_LEFT_OUT);
    let fill = (0..left_out).step_by(OUTPUT_PAGE_BYTES).map(move |at| {
        let length = usize::try_from(left_out - at).unwrap_or(OUTPUT_PAGE_BYTES);
        &LEFT_OUT[..length.min(OUTPUT_PAGE_BYTES)]
    });
    kept.head
        .chunks(OUTPUT_PAGE_BYTES)
        .chain(fill)
        .chain(kept.tail.chunks(OUTPUT_PAGE_BYTES))
}
