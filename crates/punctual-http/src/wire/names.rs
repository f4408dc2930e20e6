//! Lists in the order of names: of queues.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::list::limit;
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
    /// Reads the pairs of a query: `limit` and `cursor`, each at most once.
    pub fn read(pairs: Vec<(String, String)>) -> Result<NamesQuery, Problem> {
        let (mut size, mut after) = (None, None);
        for (name, value) in pairs {
            let slot = match name.as_str() {
                "limit" => &mut size,
                "cursor" => &mut after,
                _ => {
                    let known = "there is no such parameter; known are limit, cursor";
                    return Err(Problem::parameter(&name, known));
                }
            };
            if slot.replace(value).is_some() {
                return Err(Problem::parameter(&name, "it is given twice"));
            }
        }
        Ok(NamesQuery {
            limit: size.as_deref().map(limit).transpose()?.unwrap_or(PAGE_ITEMS),
            after: after.as_deref().map(name_of).transpose()?,
        })
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
