//! Of output that may be too long: its head and its tail, and how much is missing between them.

use std::collections::VecDeque;

/// The first `HALF` bytes of what was pushed, and the last `HALF` of what came behind them.
#[derive(Debug, Default)]
pub(crate) struct HeadTail<const HALF: usize> {
    pub(crate) head: Vec<u8>,
    pub(crate) tail: VecDeque<u8>,
    /// How many bytes are missing between the two.
    pub(crate) left_out: usize,
}

impl<const HALF: usize> HeadTail<HALF> {
    /// Takes what came next.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(HALF - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(HALF);
        self.tail.drain(..surplus);
        self.left_out += surplus;
    }
}
