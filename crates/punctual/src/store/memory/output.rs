//! The live output of one run: all of it, or its head and its tail.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits;
use crate::store::Output;

/// Half of what is kept, in bytes.
const HALF: usize = limits::OUTPUT_BYTES / 2;

#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The first bytes, at most [`HALF`].
    head: Vec<u8>,
    /// The last bytes, at most [`HALF`].
    tail: VecDeque<u8>,
    /// How many bytes there ever were.
    total: usize,
}

impl Kept {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HALF - self.head.len()));
        self.head.extend_from_slice(head);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(HALF);
        self.tail.drain(..surplus);
        self.total += bytes.len();
    }

    pub(super) fn read(&self, from: u64) -> Output {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.total);
        let tail_from = self.total - self.tail.len();
        let begin = if from < self.head.len() {
            from
        } else {
            from.max(tail_from)
        };
        let head = self.head.iter().skip(begin);
        // Behind a gap, a page begins anew: no page hides that something is missing.
        let gap = begin < self.head.len() && tail_from > self.head.len();
        let tail = self.tail.iter().skip(begin.saturating_sub(tail_from));
        let bytes: Bytes = head
            .chain(tail.take(if gap { 0 } else { usize::MAX }))
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
