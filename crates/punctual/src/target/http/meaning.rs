//! Meaning: what an answer means for the job.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use jiff::fmt::rfc2822::DateTimeParser;

use super::call::HttpCall;
use super::mask::Masks;
use crate::limits::RETRY_AFTER_MAX;
use crate::target::verdict::Verdict;
use crate::time::parse_length;

/// The header by which a server says that the run goes on there.
const DEFER: &str = "punctual-defer";

/// What an answer means for the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// What the verdict says; a delay that the server asks for is in it.
    Is(Verdict),
    /// The run goes on elsewhere, for so long.
    Deferred(Duration),
}

/// What an answer means: first what the job says of this status, then what it says of its class, then what is usual.
pub(super) fn meaning(
    call: &HttpCall,
    status: u16,
    headers: &HeaderMap,
    masks: &Masks,
) -> Result<Meaning, String> {
    if status == 202
        && let Some(value) = headers.get(DEFER)
    {
        let text = String::from_utf8_lossy(value.as_bytes());
        let length = parse_length(text.trim()).ok().filter(|length| !length.is_zero());
        return length.map(Meaning::Deferred).ok_or_else(|| {
            let text = masks.head(value.as_bytes());
            format!("{DEFER}: {text:?}, which is no length of time such as 10m")
        });
    }
    let verdict = match call.says(status) {
        Some(Verdict::Retry(length)) => Verdict::Retry(retry_after(headers).or(length)),
        Some(Verdict::Snooze(length)) => Verdict::Snooze(retry_after(headers).unwrap_or(length)),
        Some(verdict) => verdict,
        None => usual(status, headers),
    };
    Ok(Meaning::Is(verdict))
}

/// Whether an answer that is no success may pass: 408, 425, 429 and all of 5xx may, and 429 and 503 may say when (RFC 9110,
/// sections 15.5.9, 15.6 and 10.2.3; RFC 6585, section 4; RFC 8470, section 5.2).
fn usual(status: u16, headers: &HeaderMap) -> Verdict {
    match status {
        429 | 503 => Verdict::Retry(retry_after(headers)),
        408 | 425 | 500..=599 => Verdict::Retry(None),
        _ => Verdict::Fail,
    }
}

/// How long the server asks to be left alone, if it does so readably. Instants count from the server's own `date`, so that no
/// difference between its clock and ours matters. One that asks for no time at all leaves it to the job's backoff, so that a
/// busy server is not called again twenty times at once.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let length = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let now = headers.get(DATE)?.to_str().ok()?;
            let (then, now) = (instant(text)?, instant(now.trim())?);
            Duration::try_from(then.duration_since(now)).unwrap_or_default()
        }
    };
    Some(length.min(RETRY_AFTER_MAX)).filter(|length| !length.is_zero())
}

/// An HTTP date, as servers write it today (IMF-fixdate, RFC 9110, section 5.6.7): a case of an e-mail's date.
fn instant(text: &str) -> Option<jiff::Timestamp> {
    // The date decides; a weekday that does not go with it is the server's slip.
    DateTimeParser::new()
        .relaxed_weekday(true)
        .parse_timestamp(text)
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry_after: &str, date: Option<&str>) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry_after.parse().expect("a header's value"));
        if let Some(date) = date {
            headers.insert(DATE, date.parse().expect("a header's value"));
        }
        usual(503, &headers)
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_and_is_capped() {
        let passing = |seconds| Verdict::Retry(Some(Duration::from_secs(seconds)));
        let noon = Some("Sun, 06 Nov 1994 12:00:00 GMT");
        assert_eq!(asked("120", None), passing(120));
        assert_eq!(asked("99999999", None), passing(3_600));
        assert_eq!(asked("Sun, 06 Nov 1994 12:01:30 GMT", noon), passing(90));
        assert_eq!(asked("Mon, 06 Nov 2094 12:00:00 GMT", noon), passing(3_600));
        for (unreadable, date) in [
            ("soon", noon),
            ("-1", noon),
            ("0", noon),
            ("Sun, 06 Nov 1994 11:00:00 GMT", noon),
            ("Sun, 06 Nov 1994 12:01:30 GMT", None),
        ] {
            assert_eq!(asked(unreadable, date), Verdict::Retry(None), "{unreadable}");
        }
    }
}
