//! What a server says of a request, told of the flags that the request was made of.

use punctual_http::client::ClientError;
use punctual_http::problem::Fault;

use crate::failure::Failure;

/// A refusal of a job that was made of flags.
pub(crate) fn of_job(error: ClientError) -> Failure {
    told(error, job_flag)
}

/// A refusal of a job or an edit whose payload was given as JSON.
pub(crate) fn of_payload(error: ClientError) -> Failure {
    told(error, payload_flag)
}

/// A refusal of a schedule that was made of flags, or of what is asked of one; whether its payload was given as JSON.
pub(crate) fn of_schedule(error: ClientError, payload_is_json: bool) -> Failure {
    told(error, |pointer| match pointer.strip_prefix("/job") {
        Some(within) if payload_is_json => payload_flag(within),
        Some(within) => job_flag(within),
        None => schedule_flag(pointer),
    })
}

/// A refusal of a calendar.
pub(crate) fn of_calendar(error: ClientError) -> Failure {
    told(error, |pointer| {
        let number = pointer
            .strip_prefix("/dates/")
            .and_then(|n| n.parse::<usize>().ok());
        number.map_or_else(|| "DATE".to_owned(), |n| format!("DATE {}", n + 1))
    })
}

/// A refusal of a filter.
pub(crate) fn of_filter(error: ClientError) -> Failure {
    told(error, |pointer| {
        named(pointer.strip_prefix("/filter").unwrap_or(pointer))
    })
}

fn told(error: ClientError, flag: impl Fn(&str) -> String) -> Failure {
    let ClientError::Refused(mut problem) = error else {
        return error.into();
    };
    let place = |fault: &Fault| match (&fault.pointer, &fault.parameter) {
        (Some(pointer), _) if !pointer.is_empty() => Some(flag(pointer)),
        (_, Some(parameter)) if parameter == "name" => Some("NAME".to_owned()),
        (_, Some(parameter)) if parameter != "id" => Some(flag(&format!("/{parameter}"))),
        _ => None,
    };
    let places: Option<Vec<String>> = problem.errors.iter().map(place).collect();
    if let Some(places) = places.filter(|places| !places.is_empty()) {
        let told = places.iter().zip(&problem.errors);
        let told = told.map(|(place, fault)| format!("{}: {}", place.trim_end(), fault.detail));
        problem.detail = told.collect::<Vec<_>>().join("; ");
    }
    ClientError::Refused(problem).into()
}

/// Where what stands in a request does not have the name of its flag.
const FLAGS: [(&str, &str); 17] = [
    ("/payload/method", "METHOD"),
    ("/payload/url", "URL"),
    ("/payload/headers", "--header"),
    ("/payload/base64", "--body"),
    ("/payload/answers", "--answer"),
    ("/payload/keep_headers", "--keep-header"),
    ("/payload/auth/basic", "--basic-secret"),
    ("/payload/auth", "--bearer-secret"),
    ("/payload/sign", "--sign-secret"),
    ("/payload/program", "PROGRAM"),
    ("/payload/args", "PROGRAM"),
    ("/payload/exit_codes", "--exit-code"),
    ("/payload/stdin_base64", "--stdin"),
    ("/kind", "KIND"),
    ("/run_at", "--at"),
    ("/delay", "--in"),
    ("/tags", "--tag"),
];

/// What is said of the parts of a schedule, which have other names than their flags.
const SCHEDULE_FLAGS: [(&str, &str); 6] = [
    ("/exclude/dates", "--exclude-date"),
    ("/exclude/weekdays", "--exclude-weekday"),
    ("/exclude/calendars", "--exclude-calendar"),
    ("/misfire/mode", "--misfire"),
    ("/misfire/grace", "--grace"),
    ("/misfire/max", "--misfire-max"),
];

fn schedule_flag(pointer: &str) -> String {
    let found = SCHEDULE_FLAGS
        .iter()
        .find(|(place, _)| pointer.starts_with(place));
    match found {
        Some((_, flag)) => (*flag).to_owned(),
        None => named(pointer.strip_suffix("/0").unwrap_or(pointer)),
    }
}

fn payload_flag(pointer: &str) -> String {
    match pointer.strip_prefix("/payload") {
        Some(within) => format!("--payload {within}"),
        None => job_flag(pointer),
    }
}

fn job_flag(pointer: &str) -> String {
    let found = FLAGS.iter().find_map(|(place, flag)| {
        let within = pointer.strip_prefix(place)?;
        (within.is_empty() || within.starts_with('/'))
            .then(|| format!("{flag} {}", within.trim_start_matches('/')))
    });
    found.unwrap_or_else(|| match pointer.strip_prefix("/unique/") {
        Some(field) if field != "on_conflict" => named(&format!("/unique-{field}")),
        Some(field) => named(&format!("/{field}")),
        None => named(pointer.strip_prefix("/payload").unwrap_or(pointer)),
    })
}

/// `--max-attempts` for `/max_attempts`, and `--backoff base` for `/backoff/base`.
fn named(pointer: &str) -> String {
    let path = pointer.trim_start_matches('/');
    let (field, within) = path.split_once('/').unwrap_or((path, ""));
    format!("--{} {within}", field.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_flag() {
        for (pointer, flag) in [
            ("/payload/url", "URL"),
            ("/payload/exit_codes/256", "--exit-code 256"),
            ("/payload/connect_timeout", "--connect-timeout"),
            ("/max_attempts", "--max-attempts"),
            ("/unique/window", "--unique-window"),
            ("/unique/on_conflict", "--on-conflict"),
            ("/backoff/base", "--backoff base"),
            ("/id", "--id"),
        ] {
            assert_eq!(job_flag(pointer).trim_end(), flag, "{pointer}");
        }
        assert_eq!(named("/due_before").trim_end(), "--due-before");
    }
}
