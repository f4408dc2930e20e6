//! Looks at all processes of the machine block: for milliseconds as a rule, and for as long as killing takes. They are made apart.

use std::sync::Arc;
use std::thread::Builder;

use tokio::sync::oneshot;

use super::tree::Tree;

/// Does something with a tree on a thread of its own: those that the runtime has for blocking work may all be taken, by handlers
/// that block and by look-ups of names, and a command must end all the same. Nothing comes back if that thread panics.
pub(super) async fn apart<T: Send + 'static>(tree: &Arc<Tree>, work: fn(&Tree) -> T) -> Option<T> {
    let (done, answer) = oneshot::channel();
    let far = Arc::clone(tree);
    let started = thread().spawn(move || {
        // Nobody listens when the run was dropped meanwhile.
        let _ = done.send(work(&far));
    });
    match started {
        Ok(_) => answer
            .await
            .inspect_err(|_| tracing::error!("a thread that looks after a command's processes panicked"))
            .ok(),
        // The system has no thread left; a moment's blocking is the lesser evil.
        Err(_) => Some(work(tree)),
    }
}

/// A thread for such a look.
pub(super) fn thread() -> Builder {
    Builder::new().name("punctual-kill".to_owned())
}
