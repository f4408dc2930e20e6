//! Tables for people: columns under headings, as many as fit the terminal.

use std::io::{self, IsTerminal};

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Row, Table, Width, presets};

use super::line;
use crate::failure::Failure;

/// Between two columns, in characters.
const GAP: u16 = 2;

/// The least room for text of some length, in characters: what is narrower cannot be read.
const TEXT: u16 = 30;

/// The least room for a name that may be clipped, in characters: enough to tell most names from each other.
const CLIPPED: u16 = 12;

/// The width of a terminal that does not know its own, in characters.
const WIDTH: u16 = 80;

/// A column, and how much it matters.
pub(crate) struct Column {
    heading: &'static str,
    /// Where the terminal is too narrow, columns are left out: the one with the highest number first, never one with 0.
    rank: u8,
    gives: Gives,
}

/// What becomes of what is too wide for the room that the other columns leave. One column of a table gives way at most.
#[derive(Clone, Copy, PartialEq)]
enum Gives {
    /// It is there whole, or its column is not there.
    Nothing,
    /// It goes on in further lines.
    Wraps,
    /// It ends with `…`.
    IsClipped,
}

/// A column that is always there.
pub(crate) const fn always(heading: &'static str) -> Column {
    column(0, heading, Gives::Nothing)
}

/// The last column, of text that may be long: it is always there, and wrapped to the room that the others leave.
pub(crate) const fn text(heading: &'static str) -> Column {
    column(0, heading, Gives::Wraps)
}

/// A column that is left out where there is no room: of several, the one with the highest `rank` goes first.
pub(crate) const fn spare(rank: u8, heading: &'static str) -> Column {
    column(rank, heading, Gives::Nothing)
}

/// The same, of names that are clipped rather than left out.
pub(crate) const fn clipped(rank: u8, heading: &'static str) -> Column {
    column(rank, heading, Gives::IsClipped)
}

const fn column(rank: u8, heading: &'static str, gives: Gives) -> Column {
    Column { heading, rank, gives }
}

/// Writes rows under headings. On a narrow terminal columns are left out rather than cut or wrapped, since what is in
/// most of them is there to be copied; whatever is no terminal gets them all, as they are.
pub(crate) fn table(columns: &[Column], rows: Vec<Vec<Cell>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let width = table.width().filter(|_| io::stdout().is_terminal());
    let width = width.map(|width| if width == 0 { WIDTH } else { width });
    table.set_header(columns.iter().map(|column| Cell::new(column.heading)));
    let is_clipped = width.is_some() && columns.iter().any(|column| column.gives == Gives::IsClipped);
    table.add_rows(rows.into_iter().map(|cells| {
        let mut row = Row::from(cells);
        if is_clipped {
            row.max_height(1);
        }
        row
    }));
    let widths = table.column_max_content_widths();
    let kept = fitting(columns, &widths, width);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        if !kept[index] {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if let (Some(least), Some(width)) = (columns[index].least(), width) {
            let room = room_left(columns, &widths, &kept, width).max(least);
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(room + GAP)));
        }
    }
    line(&table.trim_fmt())
}

impl Column {
    /// The least room that it gives way to, if it does.
    fn least(&self) -> Option<u16> {
        match self.gives {
            Gives::Nothing => None,
            Gives::Wraps => Some(TEXT),
            Gives::IsClipped => Some(CLIPPED),
        }
    }

    /// What it needs with the gap behind it, where its widest cell is so wide.
    fn needs(&self, width: u16) -> u32 {
        let least = self.least().map_or(width, |least| least.min(width));
        u32::from(least) + u32::from(GAP)
    }
}

/// What the columns that are shown and give no way leave of so many characters. The last column needs no gap behind it.
fn room_left(columns: &[Column], widths: &[u16], kept: &[bool], width: u16) -> u16 {
    let others = columns.iter().zip(widths).zip(kept);
    let others = others.filter(|((column, _), kept)| **kept && column.least().is_none());
    let taken = others.fold(0_u16, |taken, ((_, width), _)| {
        taken.saturating_add(*width).saturating_add(GAP)
    });
    width.saturating_sub(taken)
}

/// Which columns are shown in so many characters: those that are always there, and of the others each that fits beside those
/// that matter more.
fn fitting(columns: &[Column], widths: &[u16], width: Option<u16>) -> Vec<bool> {
    let Some(width) = width else {
        return vec![true; columns.len()];
    };
    let mut kept = vec![false; columns.len()];
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|index| columns[*index].rank);
    // The last column needs no gap behind it.
    let mut left = i64::from(width) + i64::from(GAP);
    for index in order {
        let needs = i64::from(columns[index].needs(widths[index]));
        if columns[index].rank == 0 || needs <= left {
            kept[index] = true;
            left -= needs;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_least_gives_way_first() {
        let columns = [always("A"), spare(2, "B"), spare(1, "C")];
        let kept = |width| fitting(&columns, &[10, 10, 10], width);
        assert_eq!(kept(None), [true, true, true]);
        assert_eq!(kept(Some(34)), [true, true, true]);
        assert_eq!(kept(Some(33)), [true, false, true]);
        assert_eq!(kept(Some(21)), [true, false, false]);
        assert_eq!(kept(Some(1)), [true, false, false]);
    }

    #[test]
    fn what_has_no_room_takes_nothing_with_it_that_matters_less() {
        let columns = [always("A"), spare(1, "B"), spare(2, "C")];
        assert_eq!(fitting(&columns, &[10, 40, 10], Some(30)), [true, false, true]);
    }

    #[test]
    fn long_text_hides_nothing_and_takes_the_room_that_is_left() {
        let columns = [always("A"), spare(1, "B"), text("C")];
        let widths = [10, 10, 1_000];
        let kept = |width| fitting(&columns, &widths, Some(width));
        assert_eq!(kept(54), [true, true, true]);
        assert_eq!(kept(53), [true, false, true]);
        assert_eq!(room_left(&columns, &widths, &kept(80), 80), 56);
    }

    #[test]
    fn a_long_name_is_clipped_rather_than_left_out() {
        let columns = [always("A"), clipped(1, "B"), spare(2, "C")];
        let widths = [10, 100, 10];
        let kept = |width| fitting(&columns, &widths, Some(width));
        assert_eq!(kept(36), [true, true, true]);
        assert_eq!(kept(35), [true, true, false]);
        assert_eq!(kept(23), [true, false, true]);
    }
}
