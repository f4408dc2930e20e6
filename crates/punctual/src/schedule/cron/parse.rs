//! From the text of a pattern to its fields. A fault names the column where it stands and what is accepted there.

use crate::error::Error;
use crate::limits::CRON_BYTES;

use super::Pattern;
use super::days::{ALL_WEEKDAYS, Dates, Days, Weekdays};

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Names for whole patterns.
const NAMED: [(&str, &str); 7] = [
    ("@YEARLY", "0 0 1 1 *"),
    ("@ANNUALLY", "0 0 1 1 *"),
    ("@MONTHLY", "0 0 1 * *"),
    ("@WEEKLY", "0 0 * * 0"),
    ("@DAILY", "0 0 * * *"),
    ("@MIDNIGHT", "0 0 * * *"),
    ("@HOURLY", "0 * * * *"),
];

/// What a field counts.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    /// Names of its values, the first for `names_from`.
    names: &'static [&'static str],
    names_from: u32,
    accepts: &'static str,
}

const fn numbers(name: &'static str, least: u32, most: u32, accepts: &'static str) -> Field {
    Field {
        name,
        least,
        most,
        names: &[],
        names_from: 0,
        accepts,
    }
}

const SECOND: Field = numbers("second", 0, 59, "a second is 0 to 59");
const MINUTE: Field = numbers("minute", 0, 59, "a minute is 0 to 59");
const HOUR: Field = numbers("hour", 0, 23, "an hour is 0 to 23");
const DATE: Field = numbers(
    "day of the month",
    1,
    31,
    "a day of the month is 1 to 31, L (the last), L-3 (three before it), LW (the last from Monday to Friday) or 15W (the one from Monday to Friday nearest to the 15th)",
);
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &MONTHS,
    names_from: 1,
    accepts: "a month is 1 to 12 or JAN to DEC",
};
const WEEKDAY: Field = Field {
    name: "day of the week",
    least: 0,
    most: 6,
    names: &WEEKDAYS,
    names_from: 0,
    accepts: "a day of the week is 0 to 7 (0 and 7 are Sunday), SUN to SAT, FRI#2 (the second Friday) or FRIL (the last one)",
};

/// A piece of the text, and where it begins.
#[derive(Clone, Copy)]
struct Piece<'t> {
    text: &'t str,
    /// In characters, from 1.
    column: usize,
}

/// Reads a pattern.
pub(super) fn pattern(text: &str) -> Result<Pattern, Error> {
    if text.len() > CRON_BYTES {
        return Err(Error::invalid(format!(
            "a cron pattern has at most {CRON_BYTES} bytes, and this one has {}",
            text.len()
        )));
    }
    if let Some((at, stranger)) = text.char_indices().find(|(_, c)| !c.is_ascii()) {
        let piece = &text[at..at + stranger.len_utf8()];
        let column = text[..at].chars().count() + 1;
        return Err(Piece { text: piece, column }.fault("only letters, digits and * , - / # ? are accepted"));
    }
    let upper = text.to_ascii_uppercase();
    let whole = Piece {
        text: &upper,
        column: 1,
    };
    let fields = match whole.words().next() {
        Some(word) if word.text.starts_with('@') => return named(whole, word, text.trim()),
        _ => whole.words().collect::<Vec<_>>(),
    };
    let (second, rest) = match fields.len() {
        5 => (1, &fields[..]),
        6 => (set(fields[0], &SECOND)?, &fields[1..]),
        count => return Err(miscounted(count)),
    };
    let days = Days {
        months: u16::try_from(set(rest[3], &MONTH)?).expect("months end at bit 12"),
        dates: dates(rest[2])?,
        weekdays: weekdays(rest[4])?,
    };
    if !days.is_possible() {
        return Err(rest[2]
            .fault("there is no such day in the months that the pattern admits, so it would never fire"));
    }
    Ok(Pattern {
        text: text.trim().into(),
        seconds: second,
        minutes: set(rest[0], &MINUTE)?,
        hours: u32::try_from(set(rest[1], &HOUR)?).expect("hours end at bit 23"),
        days,
    })
}

fn named(whole: Piece<'_>, word: Piece<'_>, text: &str) -> Result<Pattern, Error> {
    if let Some((_, meaning)) = NAMED.iter().find(|(name, _)| *name == word.text) {
        return match whole.words().nth(1) {
            Some(more) => Err(more.fault(format!("nothing follows {}", word.text.to_ascii_lowercase()))),
            None => Ok(Pattern {
                text: text.into(),
                ..pattern(meaning)?
            }),
        };
    }
    Err(match word.text {
        "@REBOOT" => word
            .fault("a schedule knows no reboot; let the machine start the command, by systemd for example"),
        "@EVERY" => word.fault("an interval is no cron pattern; say every = \"15m\" instead"),
        _ => {
            let names = NAMED.map(|(name, _)| name.to_ascii_lowercase());
            word.fault(format!("the names are {}", names.join(", ")))
        }
    })
}

fn miscounted(count: usize) -> Error {
    let hint = match count {
        7 => "; a year, as in Quartz, is not supported: bound the schedule by its end",
        _ => "",
    };
    Error::invalid(format!(
        "a cron pattern has 5 fields (minute, hour, day of the month, month, day of the week) or 6 (with the second before them), and this one has {count}{hint}"
    ))
}

/// The values of a field without special forms.
fn set(field: Piece<'_>, of: &Field) -> Result<u64, Error> {
    field.items().try_fold(0, |all, item| Ok(all | values(item, of)?))
}

fn dates(field: Piece<'_>) -> Result<Dates, Error> {
    let mut dates = Dates {
        starred: field.is_starred(),
        ..Dates::default()
    };
    for item in field.items() {
        let back = item.strip_prefix("L-");
        let near = item.strip_suffix("W");
        match (item.text, back, near) {
            ("?", ..) if field.text == "?" => dates.plain = u32::MAX - 1,
            ("L", ..) => dates.from_last |= 1,
            ("LW", ..) => dates.last_working_day = true,
            (_, Some(days), _) => dates.from_last |= 1 << days.number(1, 30, "L-1 to L-30 are accepted")?,
            (_, _, Some(day)) => dates.nearest |= 1 << day.number(1, 31, "1W to 31W are accepted")?,
            _ => dates.plain |= u32::try_from(values(item, &DATE)?).expect("days end at bit 31"),
        }
    }
    Ok(dates)
}

fn weekdays(field: Piece<'_>) -> Result<Weekdays, Error> {
    let mut weekdays = Weekdays {
        starred: field.is_starred(),
        ..Weekdays::default()
    };
    for item in field.items() {
        let nth = item.split_once('#');
        let last = item.strip_suffix("L");
        match (item.text, nth, last) {
            ("?", ..) if field.text == "?" => weekdays.plain = ALL_WEEKDAYS,
            ("L", ..) => {
                return Err(item.fault("say which weekday is meant: FRIL is the last Friday of the month"));
            }
            (_, Some((day, nth)), _) => {
                let nth = nth.number(1, 5, "#1 to #5 are accepted")?;
                weekdays.nth[nth as usize - 1] |= 1 << (value(day, &WEEKDAY)? % 7);
            }
            (_, _, Some(day)) => weekdays.last |= 1 << (value(day, &WEEKDAY)? % 7),
            _ => {
                let days = values(item, &WEEKDAY)?;
                weekdays.plain |=
                    u8::try_from((days | days >> 7) & u64::from(ALL_WEEKDAYS)).expect("it is masked");
            }
        }
    }
    Ok(weekdays)
}

/// `*`, `5`, `1-5`, each perhaps with a step such as `/2`; `5/2` goes on to the end of the field.
fn values(item: Piece<'_>, of: &Field) -> Result<u64, Error> {
    let (range, step) = match item.split_once('/') {
        Some((range, step)) => (range, Some(self::step(step, of)?)),
        None => (item, None),
    };
    let (first, last) = if range.text == "*" {
        (of.least, of.most)
    } else if let Some((first, last)) = range.split_once('-') {
        ends(first, last, of)?
    } else {
        let only = value(range, of)?;
        (only, if step.is_some() { of.most.max(only) } else { only })
    };
    if first > last {
        return Err(range.fault(format!(
            "a range runs from the smaller to the larger value; write one that goes over the end as two: {}",
            wrapped(range.text, of)
        )));
    }
    let step = step.unwrap_or(1) as usize;
    Ok((first..=last)
        .step_by(step)
        .fold(0, |all, value| all | 1 << value))
}

/// How a range that goes over the end is written.
fn wrapped(range: &str, of: &Field) -> String {
    let name = |value: u32| match of.names.get((value - of.names_from) as usize) {
        Some(name) if !range.starts_with(|c: char| c.is_ascii_digit()) => (*name).to_owned(),
        _ => value.to_string(),
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let side = |from: String, to: String| if from == to { from } else { format!("{from}-{to}") };
    format!(
        "{},{}",
        side(first.to_owned(), name(of.most)),
        side(name(of.least), last.to_owned())
    )
}

fn step(step: Piece<'_>, of: &Field) -> Result<u32, Error> {
    let most = of.most - of.least;
    let too_long = format!(
        "a step in the field of the {} is 1 to {most}; for longer ones there are intervals, such as every = \"90m\"",
        of.name
    );
    step.number(1, most, &too_long)
}

/// The ends of a range. Sunday comes before Monday and after Saturday.
fn ends(first: Piece<'_>, last: Piece<'_>, of: &Field) -> Result<(u32, u32), Error> {
    let (first, last_is_sunday) = (value(first, of)?, of.most == WEEKDAY.most && last.text == "SUN");
    let last = value(last, of)?;
    Ok(match (first, last) {
        (1..=6, _) if last_is_sunday => (first, 7),
        (7, ..=6) => (0, last),
        ends => ends,
    })
}

fn value(piece: Piece<'_>, of: &Field) -> Result<u32, Error> {
    let named = of
        .names
        .iter()
        .position(|name| piece.text.eq_ignore_ascii_case(name));
    if let Some(index) = named {
        return Ok(of.names_from + u32::try_from(index).expect("there are at most twelve"));
    }
    // 7 is Sunday too.
    let most = if of.most == WEEKDAY.most { 7 } else { of.most };
    piece.number(of.least, most, of.accepts)
}

impl<'t> Piece<'t> {
    /// What stands between white space.
    fn words(self) -> impl Iterator<Item = Piece<'t>> {
        let white = |c: char| c.is_ascii_whitespace();
        self.split(white).filter(|word| !word.text.is_empty())
    }

    /// What stands between commas.
    fn items(self) -> impl Iterator<Item = Piece<'t>> {
        self.split(|c| c == ',')
    }

    fn split(self, at: fn(char) -> bool) -> impl Iterator<Item = Piece<'t>> {
        self.text.split(at).scan(self.column, |column, text| {
            let piece = Piece {
                text,
                column: *column,
            };
            *column += text.len() + 1;
            Some(piece)
        })
    }

    fn split_once(self, at: char) -> Option<(Piece<'t>, Piece<'t>)> {
        let (before, after) = self.text.split_once(at)?;
        let column = self.column + before.len() + 1;
        Some((Piece { text: before, ..self }, Piece { text: after, column }))
    }

    fn strip_prefix(self, prefix: &str) -> Option<Piece<'t>> {
        let text = self.text.strip_prefix(prefix)?;
        let column = self.column + prefix.len();
        Some(Piece { text, column })
    }

    fn strip_suffix(self, suffix: &str) -> Option<Piece<'t>> {
        let text = self.text.strip_suffix(suffix)?;
        Some(Piece { text, ..self })
    }

    /// Whether the field is not set, as cronie has it: also `*/2` is not.
    fn is_starred(self) -> bool {
        self.text.starts_with('*') || self.text == "?"
    }

    fn number(self, least: u32, most: u32, accepts: &str) -> Result<u32, Error> {
        let digits = !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = self.text.parse::<u32>().ok().filter(|_| digits);
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.fault(accepts))
    }

    fn fault(self, why: impl std::fmt::Display) -> Error {
        let what = match self.text {
            "" => "something is missing".to_owned(),
            text => format!("{text:?} is not understood"),
        };
        Error::invalid(format!(
            "{what} at column {} of the cron pattern: {why}",
            self.column
        ))
    }
}
