//! Tables for people: columns under headings, as many as fit the terminal.

use std::io::{self, IsTerminal};

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::line;
use crate::failure::Failure;

/// Between two columns, in characters.
const GAP: u16 = 2;

/// The least room for text of some length, in characters: what is narrower cannot be read.
const TEXT: u16 = 30;

/// A column, and how much it matters.
pub(crate) struct Column {
    heading: &'static str,
    /// Where the terminal is too narrow, columns are left out: the one with the highest number first, never one with 0.
    rank: u8,
    is_text: bool,
}

/// A column that is always there.
pub(crate) const fn always(heading: &'static str) -> Column {
    Column {
        heading,
        rank: 0,
        is_text: false,
    }
}

/// The last column, of text that may be long: it is always there, and wrapped to the room that the others leave.
pub(crate) const fn text(heading: &'static str) -> Column {
    Column {
        heading,
        rank: 0,
        is_text: true,
    }
}

/// A column that is left out where there is no room: of several, the one with the highest `rank` goes first.
pub(crate) const fn spare(rank: u8, heading: &'static str) -> Column {
    Column {
        heading,
        rank,
        is_text: false,
    }
}

/// Writes rows under headings. On a narrow terminal columns are left out rather than cut or wrapped, since what is in
/// them is there to be copied; whatever is no terminal gets them all, as they are.
pub(crate) fn table(columns: &[Column], rows: Vec<Vec<Cell>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    let width = table.width().filter(|_| io::stdout().is_terminal());
    table.set_header(columns.iter().map(|column| Cell::new(column.heading)));
    table.add_rows(rows);
    let widths = table.column_max_content_widths();
    let kept = fitting(columns, &widths, width);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        if !kept[index] {
            column.set_constraint(ColumnConstraint::Hidden);
        } else if let (true, Some(width)) = (columns[index].is_text, width) {
            let room = room_for_text(columns, &widths, &kept, width);
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(room)));
        }
    }
    line(&table.trim_fmt())
}

/// What the other columns that are shown leave of so many characters, with the gap behind it.
fn room_for_text(columns: &[Column], widths: &[u16], kept: &[bool], width: u16) -> u16 {
    let others = columns.iter().zip(widths).zip(kept);
    let others = others.filter(|((column, _), kept)| **kept && !column.is_text);
    let taken = others.fold(0_u16, |taken, ((_, width), _)| {
        taken.saturating_add(*width).saturating_add(GAP)
    });
    width.saturating_sub(taken).max(TEXT).saturating_add(GAP)
}

/// Which columns are shown in so many characters.
fn fitting(columns: &[Column], widths: &[u16], width: Option<u16>) -> Vec<bool> {
    let mut kept = vec![true; columns.len()];
    let Some(width) = width else { return kept };
    loop {
        let shown = columns.iter().zip(widths).zip(&kept).filter(|(_, kept)| **kept);
        let least = |(column, width): (&Column, &u16)| match column.is_text {
            true => TEXT.min(*width),
            false => *width,
        };
        let needed: u32 = shown
            .map(|(column, _)| u32::from(least(column)) + u32::from(GAP))
            .sum();
        let spare = columns.iter().enumerate().filter(|(index, _)| kept[*index]);
        let next = spare.max_by_key(|(_, column)| column.rank);
        match next {
            // The last column needs no gap behind it.
            Some((index, column)) if needed > u32::from(width) + u32::from(GAP) && column.rank > 0 => {
                kept[index] = false;
            }
            _ => return kept,
        }
    }
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
    fn long_text_hides_nothing_and_takes_the_room_that_is_left() {
        let columns = [always("A"), spare(1, "B"), text("C")];
        let widths = [10, 10, 1_000];
        let kept = |width| fitting(&columns, &widths, Some(width));
        assert_eq!(kept(54), [true, true, true]);
        assert_eq!(kept(53), [true, false, true]);
        assert_eq!(room_for_text(&columns, &widths, &kept(80), 80), 56 + GAP);
        assert_eq!(room_for_text(&columns, &widths, &kept(20), 20), TEXT + GAP);
    }
}
