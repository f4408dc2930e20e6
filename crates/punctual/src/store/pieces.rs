//! The live output of a run as stores keep it that have rows: in pieces, each under the place of its first byte in all
//! that was ever put out. Of too much the head and the tail stay, each half of what is kept.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use crate::limits;

/// Half of what is kept, in bytes: where the head ends.
pub(crate) const HALF: i64 = (limits::OUTPUT_BYTES / 2) as i64;
/// The longest page.
const PAGE: i64 = limits::OUTPUT_PAGE_BYTES as i64;

/// What comes behind `end` in pieces, each with its place. A piece lies in the head or behind it, never in both, so that it is
/// dropped or kept as a whole.
pub(crate) fn cut(end: i64, bytes: &[u8]) -> impl Iterator<Item = (i64, &[u8])> {
    let (head, rest) = bytes.split_at(usize::try_from(HALF - end).unwrap_or(0).min(bytes.len()));
    let mut at = end;
    let pieces = [head].into_iter().chain(rest.chunks(limits::OUTPUT_PAGE_BYTES));
    pieces.filter(|piece| !piece.is_empty()).map(move |piece| {
        let place = at;
        at += i64::try_from(piece.len()).unwrap_or(i64::MAX);
        (place, piece)
    })
}

/// How long the piece before may be at most that this one, which comes behind `end`, is to join; nothing if it stands for
/// itself. Lines come one by one and short, so a piece joins the one before while that is short.
pub(crate) fn joins_up_to(end: i64, piece: &[u8]) -> Option<i64> {
    let short = limits::OUTPUT_PIECE_BYTES as i64 - i64::try_from(piece.len()).unwrap_or(i64::MAX);
    (end != HALF && short > 0).then_some(short)
}

/// The bytes that a page from `from` on shows of all that was put out up to `end`. A page ends before the gap, and one asked
/// for in the gap begins behind it.
pub(crate) fn page(end: i64, from: u64) -> Range<i64> {
    let from = i64::try_from(from).unwrap_or(i64::MAX).min(end);
    let tail_from = HALF.max(end - HALF);
    let (from, to) = if from < HALF.min(end) {
        (from, if tail_from > HALF { HALF } else { end })
    } else {
        (from.max(tail_from.min(end)), end)
    };
    from..to.min(from + PAGE)
}

/// What these pieces, in their order, have of a page.
pub(crate) fn join(pieces: impl IntoIterator<Item = (i64, Bytes)>, page: &Range<i64>) -> Bytes {
    let mut bytes = BytesMut::new();
    for (at, piece) in pieces {
        let begin = usize::try_from(page.start - at).unwrap_or(0).min(piece.len());
        let end = usize::try_from(page.end - at).unwrap_or(0).min(piece.len());
        bytes.extend_from_slice(&piece[begin..end.max(begin)]);
    }
    bytes.freeze()
}
