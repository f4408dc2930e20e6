//! With every hint lost, what happens in one process the other one finds out by itself here, too.

use crate::engine::deaf;
use crate::stores::Place;

macro_rules! on_a_dispatch {
    ($($test:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $test() {
            if let Some(place) = Place::dispatched() {
                deaf::$test(place).await;
            }
        }
    )+};
}

on_a_dispatch!(
    a_job_that_was_enqueued_elsewhere_is_claimed,
    a_job_that_was_made_due_elsewhere_is_claimed,
    a_result_of_a_run_that_ended_elsewhere_is_given_to_who_waits,
    a_run_that_was_cancelled_elsewhere_is_told_to_its_worker_until_it_ends,
);
