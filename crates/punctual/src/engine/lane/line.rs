//! The line in front of a lane: who stands in it, and who comes along with the next flush.

use std::collections::VecDeque;

use crate::limits::{FLUSH_BYTES, FLUSH_ITEMS, FLUSH_ITEMS_OF_ONE};

/// Callers in the order of their turns, each with the items that it still has in the line.
pub(super) struct Line<T> {
    callers: VecDeque<VecDeque<T>>,
}

impl<T> Line<T> {
    pub(super) fn new() -> Line<T> {
        Line {
            callers: VecDeque::new(),
        }
    }

    /// Puts a caller with its items at the end of the line.
    pub(super) fn join(&mut self, items: VecDeque<T>) {
        if !items.is_empty() {
            self.callers.push_back(items);
        }
    }

    /// How many items stand in the line.
    pub(super) fn len(&self) -> usize {
        self.callers.iter().map(VecDeque::len).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.callers.is_empty()
    }

    /// Cuts the next flush off the line: at most [`FLUSH_ITEMS`] and [`FLUSH_BYTES`], but at least one item. Whoever
    /// is alone may have the whole flush; otherwise each has at most [`FLUSH_ITEMS_OF_ONE`] of it, and who has more
    /// goes to the end of the line with the rest.
    pub(super) fn cut(&mut self, bytes_of: impl Fn(&T) -> usize, mut put: impl FnMut(T)) {
        let share = match self.callers.len() {
            1 => FLUSH_ITEMS,
            _ => FLUSH_ITEMS_OF_ONE,
        };
        let (mut items, mut bytes) = (0, 0);
        for _ in 0..self.callers.len() {
            let Some(mut caller) = self.callers.pop_front() else {
                break;
            };
            let before = items;
            while let Some(size) = caller.front().map(&bytes_of) {
                let full = items == FLUSH_ITEMS || (bytes + size > FLUSH_BYTES && items > 0);
                if full || items - before == share {
                    break;
                }
                bytes += size;
                items += 1;
                caller.pop_front().map(&mut put);
            }
            if items == before {
                // The flush was full before it came to this caller, who is therefore the first of the next one.
                self.callers.push_front(caller);
                break;
            }
            self.join(caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: char, items: usize) -> VecDeque<char> {
        std::iter::repeat_n(name, items).collect()
    }

    fn flush(line: &mut Line<char>, bytes_of: impl Fn(&char) -> usize) -> Vec<char> {
        let mut flush = Vec::new();
        line.cut(bytes_of, |item| flush.push(item));
        flush
    }

    fn cut(line: &mut Line<char>, bytes: usize) -> (usize, usize) {
        let flush = flush(line, |_| bytes);
        let of_one = flush.iter().filter(|name| **name == 'a').count();
        (of_one, flush.len() - of_one)
    }

    #[test]
    fn who_is_alone_has_the_whole_flush() {
        let mut line = Line::new();
        line.join(caller('a', 2_500));
        assert_eq!(cut(&mut line, 1), (1_000, 0));
        assert_eq!(cut(&mut line, 1), (1_000, 0));
        assert_eq!(cut(&mut line, 1), (500, 0));
        assert!(line.is_empty());
    }

    #[test]
    fn a_bulk_caller_has_its_share_while_others_wait() {
        let mut line = Line::new();
        line.join(caller('a', 300));
        line.join(caller('b', 1));
        assert_eq!(cut(&mut line, 1), (100, 1));
        assert_eq!(cut(&mut line, 1), (200, 0));
    }

    #[test]
    fn a_thousand_others_do_not_starve_a_bulk_caller() {
        let mut line = Line::new();
        (0..950).for_each(|_| line.join(caller('b', 1)));
        line.join(caller('a', 150));
        (0..500).for_each(|_| line.join(caller('b', 1)));
        assert_eq!(cut(&mut line, 1), (50, 950));
        assert_eq!(cut(&mut line, 1), (100, 500));
        assert!(line.is_empty());
    }

    #[test]
    fn a_flush_keeps_within_its_bytes_unless_one_item_alone_is_larger() {
        let mut line = Line::new();
        line.join(caller('a', 10));
        assert_eq!(cut(&mut line, FLUSH_BYTES / 3), (3, 0));
        assert_eq!(cut(&mut line, FLUSH_BYTES * 2), (1, 0));
    }

    #[test]
    fn who_finds_the_flush_full_is_first_in_the_next() {
        let mut line = Line::new();
        line.join(caller('b', 1));
        line.join(caller('a', 1));
        let size = |name: &char| if *name == 'a' { FLUSH_BYTES } else { 1 };
        assert_eq!(flush(&mut line, size), ['b']);
        line.join(caller('b', 1));
        assert_eq!(flush(&mut line, size), ['a']);
    }
}
