//! Lists in the order of names: of queues, schedules and calendars.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::list::{List, limit};
use super::query::Query;
use crate::limits::PAGE_ITEMS;
use crate::problem::Problem;

/// Where a list of names begins, and how far it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamesQuery {
    /// Items on the page.
    pub limit: usize,
    /// The last name of the page before.
    pub after: Option<String>,
}

impl NamesQuery {
    /// Reads a query as it stands in an address: `limit` and `cursor`.
    pub fn from_query(query: Option<&str>) -> Result<NamesQuery, Problem> {
        let mut given = Query::read(query, &["limit", "cursor"])?;
        let (size, after) = (given.take("limit"), given.take("cursor"));
        Ok(NamesQuery {
            limit: size.as_deref().map(limit).transpose()?.unwrap_or(PAGE_ITEMS),
            after: after.as_deref().map(name_of).transpose()?,
        })
    }

    /// The page that this query asks for, of all items in the order of their names.
    pub fn of<T>(&self, items: impl IntoIterator<Item = T>, name: impl Fn(&T) -> &str) -> List<T> {
        let after = self.after.as_deref();
        let behind = |item: &T| after.is_none_or(|after| name(item) > after);
        let mut behind = items.into_iter().filter(behind);
        let items: Vec<T> = behind.by_ref().take(self.limit).collect();
        let last = items.last().filter(|_| behind.next().is_some());
        List {
            next: last.map(|item| NamesQuery::cursor(name(item))),
            items,
        }
    }

    /// The cursor behind this name: a text that means nothing to its reader.
    pub fn cursor(name: &str) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(name)
    }
}

fn name_of(cursor: &str) -> Result<String, Problem> {
    let name = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let name = name.and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| {
        let detail = "it is not a cursor; send back `next` of the page before, unchanged";
        Problem::parameter("cursor", detail)
    })
}
