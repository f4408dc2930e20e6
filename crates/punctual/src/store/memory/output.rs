//! The live output of one run: all of it, or its head and its tail.

use bytes::Bytes;

use crate::limits;
use crate::run::HeadTail;
use crate::store::Output;

#[derive(Debug, Default)]
pub(super) struct Kept(HeadTail<{ limits::OUTPUT_BYTES / 2 }>);

impl Kept {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    pub(super) fn read(&self, from: u64) -> Output {
        let HeadTail { head, tail, left_out } = &self.0;
        let tail_from = head.len() + left_out;
        let total = tail_from + tail.len();
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(total);
        let begin = if from < head.len() {
            from
        } else {
            from.max(tail_from)
        };
        let first = head.iter().skip(begin);
        // Behind a gap, a page begins anew: no page hides that something is missing.
        let gap = begin < head.len() && tail_from > head.len();
        let last = tail.iter().skip(begin.saturating_sub(tail_from));
        let bytes: Bytes = first
            .chain(last.take(if gap { 0 } else { usize::MAX }))
            .take(limits::OUTPUT_PAGE_BYTES)
            .copied()
            .collect();
        let next = begin + bytes.len();
        Output {
            bytes,
            next: u64::try_from(next).unwrap_or(u64::MAX),
        }
    }
}
