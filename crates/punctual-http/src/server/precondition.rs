//! `ETag` and `If-Match`: the version of a job, a schedule, a calendar, or a queue's settings, that its caller has seen (RFC
//! 9110, 13.1.1).

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, StatusCode, header};
use punctual::{Error, Kind};

use crate::problem::Problem;

/// The header that tells this version.
pub(super) fn etag(rev: u64) -> [(HeaderName, String); 1] {
    [(header::ETAG, format!("\"{rev}\""))]
}

/// The version that was looked up, and 0 where there is nothing of the name: whoever makes it expects so.
pub(super) fn or_none(rev: Result<u64, Error>) -> Result<u64, Error> {
    match rev {
        Err(error) if error.kind() == Kind::NotFound => Ok(0),
        rev => rev,
    }
}

/// The versions that a caller accepts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// Any: `*`, or no such header.
    Any,
    /// These. A tag that is weak, or none of ours, is not among them: it never matches.
    Revs(Vec<u64>),
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IfMatch, Problem> {
        IfMatch::of(&parts.headers)
    }
}

impl IfMatch {
    /// Reads every line of it. 400 if one is neither `*` nor a list of tags.
    fn of(headers: &HeaderMap) -> Result<IfMatch, Problem> {
        let lines: Vec<_> = headers.get_all(header::IF_MATCH).iter().collect();
        match lines.as_slice() {
            [] => return Ok(IfMatch::Any),
            [line] if line.as_bytes().trim_ascii() == b"*" => return Ok(IfMatch::Any),
            _ => {}
        }
        let mut revs = Vec::new();
        for line in lines {
            let read = line.to_str().ok().and_then(|line| tags(line, &mut revs));
            read.ok_or_else(|| {
                let detail = "If-Match takes ETags as they were given, such as \"1764000000000000\", or *";
                Problem::new(StatusCode::BAD_REQUEST, detail)
            })?;
        }
        Ok(IfMatch::Revs(revs))
    }

    /// The version for the engine to compare as it writes, or `None` if any will do. Only where the caller accepts several, or
    /// none that can be, is the one that is there looked up: 412 if it is not among them.
    pub(super) async fn expect(
        self,
        there: impl Future<Output = Result<u64, Error>>,
    ) -> Result<Option<u64>, Problem> {
        let revs = match self {
            IfMatch::Any => return Ok(None),
            IfMatch::Revs(revs) => revs,
        };
        if let [rev] = revs.as_slice() {
            return Ok(Some(*rev));
        }
        let rev = there.await?;
        match revs.contains(&rev) {
            true => Ok(Some(rev)),
            false => Err(moved_on(rev)),
        }
    }
}

/// The answer to a verb that was given a version to expect: 412 if the row moved on before it was written.
pub(super) fn problem(error: Error) -> Problem {
    match error.version_there() {
        Some(rev) => moved_on(rev),
        None => error.into(),
    }
}

/// 412: it is at this version now.
fn moved_on(rev: u64) -> Problem {
    let detail = match rev {
        0 => "nothing is set under this name, so that its rev is 0".to_owned(),
        rev => format!("it has moved on: its rev is {rev} now"),
    };
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
}

/// Adds the strong tags of a list that are versions of ours. `None` if it is no list.
fn tags(list: &str, revs: &mut Vec<u64>) -> Option<()> {
    let mut rest = list.trim();
    loop {
        let strong = !rest.starts_with("W/");
        let (tag, after) = rest
            .strip_prefix("W/")
            .unwrap_or(rest)
            .strip_prefix('"')?
            .split_once('"')?;
        if strong {
            revs.extend(tag.parse().ok().filter(|rev: &u64| rev.to_string() == tag));
        }
        match after.trim_start() {
            "" => return Some(()),
            after => rest = after.strip_prefix(',')?.trim_start(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&'static str]) -> Option<IfMatch> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::IF_MATCH, line.parse().expect("a header"));
        }
        IfMatch::of(&headers).ok()
    }

    #[test]
    fn any_member_of_any_line_counts_and_weak_or_foreign_tags_never_do() {
        assert_eq!(read(&[]), Some(IfMatch::Any));
        assert_eq!(read(&[" * "]), Some(IfMatch::Any));
        assert_eq!(
            read(&["\"1\", \"2\"", "\"3\""]),
            Some(IfMatch::Revs(vec![1, 2, 3]))
        );
        assert_eq!(read(&["W/\"1\",\"a,b\""]), Some(IfMatch::Revs(vec![])));
    }

    #[test]
    fn what_is_no_list_of_tags_is_refused() {
        for lines in [
            &["1"][..],
            &["\"1"],
            &[""],
            &["\"1\" \"2\""],
            &["\"1\",*"],
            &["*", "\"1\""],
        ] {
            assert_eq!(read(lines), None, "{lines:?}");
        }
    }
}
