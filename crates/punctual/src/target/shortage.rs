//! Shortage: what the machine lacks for now, and the job cannot help.

use std::io;

use rustix::io::Errno;

/// Whether the call failed since this process or the system has no file descriptors or no memory left.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    short
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
