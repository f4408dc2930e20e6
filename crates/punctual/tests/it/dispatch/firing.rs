//! Jobs that a schedule makes.

use std::sync::atomic::Ordering;

use punctual::change::{ScheduleApplied, ScheduleChange};

use super::way::Way;
use super::{JobId, Store, claim_from, job, open, servers};
use crate::rows::{making, schedule};

/// The firing of one job by a new schedule.
fn firing(name: &str) -> ScheduleChange {
    ScheduleChange {
        jobs: vec![job(name)],
        ..making(&schedule(name))
    }
}

#[tokio::test]
async fn what_a_schedule_makes_is_found_in_its_line() {
    let Some((house, redis)) = servers() else { return };
    let url = house.next();
    let (store, other) = (open(&url, &redis).await, open(&url, &redis).await);
    for number in 0..10 {
        assert_eq!(claim_from(&other, &["default"], 5).await, []);
        let name = format!("fired-{number}");
        let fired = store.change_schedules(&[firing(&name)]).await;
        assert_eq!(fired, Ok(vec![ScheduleApplied::Applied]));
        assert_eq!(claim_from(&other, &["default"], 5).await, [JobId::named(&name)]);
    }
}

#[tokio::test]
async fn what_a_schedule_made_without_an_answer_is_found_at_once() {
    let Some((house, redis)) = servers() else { return };
    let way = Way::to(&house.next()).await;
    let store = open(&way.url, &redis).await;
    for number in 0..10 {
        assert_eq!(claim_from(&store, &["default"], 5).await, []);
        let name = format!("fired-{number}");
        way.loses_commit.store(true, Ordering::Relaxed);
        let error = store.change_schedules(&[firing(&name)]).await;
        let error = error.expect_err("its answer is lost");
        assert!(error.is_unknown(), "{error:?}");
        assert_eq!(claim_from(&store, &["default"], 5).await, [JobId::named(&name)]);
    }
}
