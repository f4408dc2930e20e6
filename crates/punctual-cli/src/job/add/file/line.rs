//! One line of a file of jobs.

use punctual_http::wire::NewJob;

use crate::lines::Fault;

/// The job that a line tells, with everything checked that can be without a server.
pub(super) fn read(text: &str) -> Result<NewJob, Fault> {
    let job: NewJob = Fault::read(text)?;
    let read = job.clone().read();
    read.map_err(|error| Fault::of_problem(text, error.into()))?;
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (Option<usize>, String) {
        let fault = read(text).expect_err(text);
        (fault.column, fault.story)
    }

    #[test]
    fn a_fault_is_told_with_its_column() {
        let (column, story) = wrong(r#"{"kind": "mail", "priority": "high"}"#);
        assert_eq!(column, Some(30), "{story}");
        assert!(story.contains("/priority"), "{story}");

        let (column, story) = wrong(r#"{"kind": "mail""#);
        assert_eq!(column, Some(15), "{story}");
        assert!(story.contains("not JSON"), "{story}");

        let (column, story) = wrong(r#"{"kind": "ä", "colour": 1}"#);
        assert_eq!(column, Some(25), "{story}");
        assert!(story.contains("colour"), "{story}");

        assert_eq!(wrong(r#"{"kind": "mail", "delay": "soon"}"#).0, Some(27));
        assert_eq!(wrong("[]").0, Some(1));
        // Nothing stands where it is missing: the object around it is told.
        assert_eq!(wrong("  {}").0, Some(3));
    }
}
