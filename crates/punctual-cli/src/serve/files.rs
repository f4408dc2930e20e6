//! Files that this process may hold open: connections, pipes of commands and the store's own share one limit.

use punctual_http::limits::CONNECTIONS;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections get at most one of so many files; the rest is for what jobs run and call, and for the store.
const SHARE: u64 = 2;

/// Raises the limit of open files, and gives how many connections may be served at once.
pub(super) fn connections() -> usize {
    share(raise())
}

/// Raises the soft limit to the hard one, and gives it (unset, no limit). The soft limit is low (1,024 as a rule) for the sake
/// of programs that call `select(2)`, and a server is told to raise it
/// (<https://0pointer.net/blog/file-descriptor-limits.html>).
pub(super) fn raise() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            limit.current
        }
    }
}

/// What of so many files (unset, no limit) is for connections.
fn share(files: Option<u64>) -> usize {
    let share = files.map_or(usize::MAX, |files| {
        usize::try_from(files / SHARE).unwrap_or(usize::MAX)
    });
    share.clamp(1, CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_others() {
        assert_eq!(share(Some(1024)), 512);
        assert_eq!(share(Some(1)), 1);
        assert_eq!(share(Some(1 << 20)), CONNECTIONS);
        assert_eq!(share(None), CONNECTIONS);
    }
}
