//! Reads that share a connection do not wait for those that take long.

use std::sync::{Arc, Mutex, PoisonError};

use punctual::JobId;
use punctual::limits::{FLUSH_ITEMS, PIPELINED_ROWS};
use punctual::store::Store;

use super::server::{House, open};
use super::{insert, job};
use crate::rows::job_of;

/// Long rows, so that very many of them take a while.
const LONG: usize = 64 * 1024;

#[tokio::test]
async fn a_job_is_read_while_very_many_others_are() {
    let Some(house) = House::shared() else { return };
    let store = Arc::new(open(&house.next()).await);
    let many: Vec<JobId> = (0..FLUSH_ITEMS / 2)
        .map(|n| JobId::named(&format!("job {n}")))
        .collect();
    assert!(many.len() > PIPELINED_ROWS);
    for from in (0..many.len()).step_by(50) {
        let jobs: Vec<_> = (from..from + 50)
            .map(|n| job_of(&format!("job {n}"), LONG))
            .collect();
        insert(&*store, &jobs).await;
    }
    insert(&*store, &[job("one")]).await;
    let answered = Arc::new(Mutex::new(Vec::new()));
    let read = |ids: Vec<JobId>| {
        let (store, answered) = (Arc::clone(&store), Arc::clone(&answered));
        tokio::spawn(async move {
            let rows = store.fetch(&ids).await.expect("the store reads");
            assert!(rows.iter().all(Option::is_some));
            answered
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(ids.len());
        })
    };
    // Both have their connections by then.
    read(many.clone()).await.expect("it does not panic");
    read(vec![JobId::named("one")]).await.expect("it does not panic");
    answered.lock().unwrap_or_else(PoisonError::into_inner).clear();

    let (first, second) = (read(many.clone()), read(vec![JobId::named("one")]));
    first.await.expect("it does not panic");
    second.await.expect("it does not panic");
    let answered = answered.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*answered, [1, many.len()]);
}
