//! The query of a request.

use http::StatusCode;

use crate::problem::Problem;

/// The parameters of a request: each is known, and given once.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads a query as it stands in an address. A parameter that is not among `known` would be a slip that nobody notices:
    /// 400, as for one that is given twice.
    pub fn read(query: Option<&str>, known: &[&str]) -> Result<Query, Problem> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(query.unwrap_or("")).map_err(|error| {
                let detail = format!("the query cannot be read: {error}");
                Problem::new(StatusCode::BAD_REQUEST, detail)
            })?;
        for (place, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = match known {
                    [] => "known is none".to_owned(),
                    [only] => format!("known is {only}"),
                    known => format!("known are {}", known.join(", ")),
                };
                let detail = format!("there is no such parameter; {known}");
                return Err(Problem::parameter(name, detail));
            }
            if pairs[..place].iter().any(|(before, _)| before == name) {
                return Err(Problem::parameter(name, "it is given twice"));
            }
        }
        Ok(Query(pairs))
    }

    /// Takes the value of a parameter out.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(given, _)| given == name)?;
        Some(self.0.swap_remove(place).1)
    }
}
