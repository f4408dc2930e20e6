//! When an entry runs: from cron's fields to a pattern that means the same.

use punctual::JobId;
use punctual::schedule::cron;

use super::is_blank;

/// Fields of an entry before its command.
const FIELDS: usize = 5;
/// The least and the most of each field.
const BOUNDS: [(u32, u32); FIELDS] = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)];
/// The place of the day of the week.
const WEEKDAY: usize = 4;
/// Fields in which `*/90` and `0` are the same: a day's field that begins with `*` is one that is not set.
const NOT_DAYS: [usize; 3] = [0, 1, 3];

/// What a line is that sets no variable.
const ENTRY: &str =
    "it sets no variable, and is no entry: five fields, or a name such as @daily, and then a command";

/// A pattern.
pub(super) struct Pattern {
    pub(super) pattern: cron::Pattern,
    /// What was chosen where cron would choose by chance.
    pub(super) chosen: Option<String>,
}

/// The fields of an entry, and what stands behind them.
pub(super) fn split(line: &str) -> Result<(&str, &str), String> {
    let fields = if line.starts_with('@') { 1 } else { FIELDS };
    let mut rest = line;
    for _ in 0..fields {
        let end = rest.find(is_blank).ok_or(ENTRY)?;
        rest = rest[end..].trim_start_matches(is_blank);
    }
    let when = line[..line.len() - rest.len()].trim_end_matches(is_blank);
    Ok((when, rest))
}

/// The pattern of these fields, for this command.
pub(super) fn read(when: &str, command: &str) -> Result<Pattern, String> {
    let mut chosen = Vec::new();
    let fields: Vec<String> = match when.starts_with('@') {
        true => vec![when.to_owned()],
        false => {
            let fields = when.split(is_blank).filter(|field| !field.is_empty());
            let each = fields.enumerate();
            each.map(|(place, field)| translate(field, place, command, &mut chosen))
                .collect()
        }
    };
    let pattern = fields
        .join(" ")
        .parse()
        .map_err(|why: punctual::Error| why.to_string())?;
    let chosen = (!chosen.is_empty()).then(|| {
        format!(
            "where cron chooses by chance, this is chosen once and for all: {}",
            chosen.join(", ")
        )
    });
    Ok(Pattern { pattern, chosen })
}

/// The field with what cron alone understands in other words.
fn translate(field: &str, place: usize, command: &str, chosen: &mut Vec<String>) -> String {
    let items = field.split(',').map(|item| {
        if let Some(value) = chance(item, place, command) {
            chosen.push(format!("{value} for {item}"));
            return value.to_string();
        }
        over_the_end(item, place)
            .or_else(|| to_sunday(item, place))
            .unwrap_or_else(|| item.to_owned())
    });
    items.collect::<Vec<_>>().join(",")
}

/// Of a range such as `0~59`, `~30` or `~`, one value: always the same for a command.
fn chance(item: &str, place: usize, command: &str) -> Option<u32> {
    let (from, to) = item.split_once('~')?;
    let (least, most) = BOUNDS[place];
    let end = |text: &str, unset: u32| match text {
        "" => Some(unset),
        text => text.parse().ok().filter(|value| (least..=most).contains(value)),
    };
    let (from, to) = (end(from, least)?, end(to, most)?);
    let values = u128::from(to.checked_sub(from)?) + 1;
    let JobId(dice) = JobId::named(&format!("{place} {item} {command}"));
    let thrown = u32::try_from(dice.as_u128() % values).ok()?;
    Some(from + thrown)
}

/// A step that leads beyond the end of its range at once, as in `*/60`: its first value alone.
fn over_the_end(item: &str, place: usize) -> Option<String> {
    let (range, step) = item.split_once('/')?;
    let (least, most) = BOUNDS[place];
    let step: u32 = step.parse().ok()?;
    let plain = NOT_DAYS.contains(&place) && step > most - least;
    match (range, range.split_once('-')) {
        _ if !plain => None,
        ("*", _) => Some(least.to_string()),
        (_, Some((first, _))) => Some(first.to_owned()),
        _ => None,
    }
}

/// A range of days of the week that ends on Sunday, as in `5-0`.
fn to_sunday(item: &str, place: usize) -> Option<String> {
    let (first, rest) = item.split_once('-')?;
    let behind = rest.strip_prefix('0')?;
    let reversed = place == WEEKDAY && first != "0" && (behind.is_empty() || behind.starts_with('/'));
    reversed.then(|| format!("{first}-7{behind}"))
}
