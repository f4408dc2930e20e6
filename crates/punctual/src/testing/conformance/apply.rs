//! Decided writes and their fences.

use std::sync::Arc;

use bytes::Bytes;

use super::subject::{Subject, done, refused, run_of};
use super::{Case, case};
use crate::change::{Applied, Change, Holder, Inserted};
use crate::job::{Job, State};
use crate::limits;
use crate::testing::sample::{Draft, NOW, full, id, job, jobs, shuffled};
use crate::time::{hours, seconds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            "a change writes the whole status, and leaves the body",
            whole_status,
        ),
        case("a change may edit the body of a job that waits", edits_the_body),
        case("an edit moves a job in its line", moves_in_line),
        case(
            "a change of a row that moved on is stale, tells the row and writes nothing",
            stale,
        ),
        case(
            "a settle that a beat made stale is still right by its run",
            stale_by_rev_right_by_run,
        ),
        case("a change of a row that is not there says so", missing),
        case(
            "a deletion takes the row and gives back its id and its key",
            deletion,
        ),
        case(
            "of two changes of one rev in one batch the first one wins",
            twice_in_a_batch,
        ),
        case("changes of one batch follow each other", chain_in_a_batch),
        case(
            "a change that would take another's key is refused with its holder",
            held,
        ),
        case("a row may keep its key, change it and give it back", own_key),
        case(
            "a later change takes a key that an earlier one gave back",
            handed_on,
        ),
        case("jobs that follow are inserted with the change", follow),
        case(
            "a job that follows may take the key that the row gives back",
            follow_takes_key,
        ),
        case(
            "when a job that follows finds its key held, nothing is written",
            follow_held,
        ),
        case(
            "when a job that follows finds its id taken, nothing is written",
            follow_exists,
        ),
        case(
            "when jobs that follow stand in each other's way, nothing is written",
            follow_each_other,
        ),
        case(
            "a change that was refused does not stop the next one",
            refused_and_next,
        ),
        case("changes answer in the order of the batch", order_of_answers),
        case(
            "a full batch of changes is made, a larger one refused as a whole",
            full_batch,
        ),
        case("what no rule makes is refused as a whole", what_no_rule_makes),
    ]
}

/// The change that ends a job well.
fn success(job: &Job) -> Change {
    let ended = job.clone().ended(State::Succeeded, NOW).status(|status| {
        status.result = Some(Bytes::from_static(b"\"done\""));
        status.unique_key = None;
    });
    Change::to(job, ended.status)
}

/// The change that keeps a job as it is, but for this key.
fn with_key(job: &Job, key: Option<&str>) -> Change {
    let mut status = job.status.clone();
    status.unique_key = key.map(str::to_owned);
    Change::to(job, status)
}

/// The row after its change.
fn changed(job: &Job, change: &Change) -> Job {
    Job {
        body: change.body.as_ref().unwrap_or(&job.body).clone(),
        status: change.becomes.clone().expect("it is no deletion"),
    }
}

async fn whole_status(store: Subject) {
    let mut row = job(1);
    store.has(std::slice::from_ref(&row)).await;
    for state in State::ALL {
        let change = Change::to(&row, full(1, state).status);
        assert_eq!(store.apply_one(change.clone()).await, Applied::Applied);
        row = changed(&row, &change);
        assert_eq!(store.there(1).await, row);
    }
    // And back: what is unset is unset again.
    let change = Change::to(&row, job(1).status);
    assert_eq!(store.apply_one(change.clone()).await, Applied::Applied);
    assert_eq!(store.there(1).await, changed(&row, &change));
}

async fn edits_the_body(store: Subject) {
    store.has(&[job(1)]).await;
    let change = Change {
        body: Some(
            full(1, State::Waiting)
                .queue("other")
                .priority(0)
                .kind("new")
                .body,
        ),
        ..Change::to(&job(1), job(1).due(NOW - hours(1)).status)
    };
    assert_eq!(store.apply_one(change.clone()).await, Applied::Applied);
    assert_eq!(store.there(1).await, changed(&job(1), &change));
}

async fn moves_in_line(store: Subject) {
    store.has(&jobs(1..=4)).await;
    let first = Change {
        body: Some(job(3).priority(0).body),
        ..Change::to(&job(3), job(3).status)
    };
    let elsewhere = Change {
        body: Some(job(2).queue("elsewhere").body),
        ..Change::to(&job(2), job(2).status)
    };
    let later = Change::to(&job(1), job(1).due(NOW + seconds(1)).status);
    assert_eq!(
        done(store.apply(&[first, elsewhere, later]).await),
        vec![Applied::Applied; 3]
    );
    let claimed = store.claim_at(9, NOW).await;
    assert_eq!(
        claimed.jobs.iter().map(Job::id).collect::<Vec<_>>(),
        [id(3), id(4)]
    );
    assert_eq!(claimed.next_due, Some(NOW + seconds(1)));
    assert_eq!(store.claims(&["elsewhere"], 9, NOW).await, [2]);
}

async fn stale(store: Subject) {
    store.has(&[job(1)]).await;
    let old = success(&job(1));
    let deletion = Change::delete(&job(1));
    let running = store.claim_at(1, NOW).await.jobs.remove(0);
    for mut change in [old, deletion] {
        change.then = vec![job(2)];
        let answer = store.apply_one(change).await;
        assert_eq!(answer, Applied::Stale(Box::new(running.clone())));
    }
    // A rev that is still to come is as wrong as one that has passed.
    let future = success(&running.clone().status(|status| status.rev += 1));
    assert_eq!(
        store.apply_one(future).await,
        Applied::Stale(Box::new(running.clone()))
    );
    assert_eq!(store.content().await, [running]);
}

async fn stale_by_rev_right_by_run(store: Subject) {
    let running = store.runs(job(1)).await;
    store.beat_at(&[run_of(&running)], NOW + seconds(1)).await;
    let Applied::Stale(row) = store.apply_one(success(&running)).await else {
        panic!("the beat raised the rev, so the change is stale");
    };
    assert_eq!(row.status.run, running.status.run);
    assert_eq!(row.status.state, State::Running);
    assert_eq!(store.apply_one(success(&row)).await, Applied::Applied);
    // Once the run is over, its change is stale by both.
    let Applied::Stale(row) = store.apply_one(success(&row)).await else {
        panic!("it was settled before");
    };
    assert_eq!(row.status.state, State::Succeeded);
}

async fn missing(store: Subject) {
    let with_follower = Change {
        then: vec![job(2)],
        ..success(&job(1))
    };
    assert_eq!(store.apply_one(with_follower).await, Applied::Missing);
    assert_eq!(store.apply_one(Change::delete(&job(1))).await, Applied::Missing);
    assert_eq!(store.content().await, []);
}

async fn deletion(store: Subject) {
    let row = full(1, State::Failed).key("k");
    store.has(&[row.clone(), job(2)]).await;
    assert_eq!(store.apply_one(Change::delete(&row)).await, Applied::Applied);
    assert_eq!(store.row(1).await, None);
    assert_eq!(store.insert_one(job(3).key("k")).await, Inserted::Inserted);
    assert_eq!(store.insert_one(job(1).other()).await, Inserted::Inserted);
    assert_eq!(store.content().await, [job(1).other(), job(2), job(3).key("k")]);
}

async fn twice_in_a_batch(store: Subject) {
    store.has(&[job(1)]).await;
    let first = success(&job(1));
    let row = changed(&job(1), &first);
    let second = with_key(&job(1), Some("k"));
    let answers = done(store.apply(&[first, second, Change::delete(&job(1))]).await);
    let stale = Applied::Stale(Box::new(row.clone()));
    assert_eq!(answers, [Applied::Applied, stale.clone(), stale]);
    assert_eq!(store.content().await, [row]);
}

async fn chain_in_a_batch(store: Subject) {
    store.has(&[job(1)]).await;
    let first = with_key(&job(1), Some("k"));
    let second = success(&changed(&job(1), &first));
    let third = Change::delete(&changed(&job(1), &second));
    let after = Change::delete(&job(1));
    let answers = done(store.apply(&[first, second, third, after]).await);
    assert_eq!(
        answers,
        [
            Applied::Applied,
            Applied::Applied,
            Applied::Applied,
            Applied::Missing
        ]
    );
    assert_eq!(store.content().await, []);
}

async fn held(store: Subject) {
    let holder = full(1, State::Succeeded).key("k");
    let other = job(2).key("mine");
    store.has(&[holder.clone(), other.clone(), job(3)]).await;
    for wants in [&other, &job(3)] {
        let mut change = with_key(wants, Some("k"));
        change.body = Some(Arc::clone(&wants.clone().priority(1).body));
        change.then = vec![job(4)];
        assert_eq!(store.apply_one(change).await, Applied::Held(Holder::of(&holder)));
    }
    // A stale change is stale, whatever key it would take.
    let stale = with_key(&job(3).status(|status| status.rev += 7), Some("k"));
    assert_eq!(store.apply_one(stale).await, Applied::Stale(Box::new(job(3))));
    assert_eq!(store.content().await, [holder, other, job(3)]);
}

async fn own_key(store: Subject) {
    let mut row = job(1).key("a");
    store.has(std::slice::from_ref(&row)).await;
    for key in [Some("a"), Some("b"), None, Some("b")] {
        let change = with_key(&row, key);
        assert_eq!(store.apply_one(change.clone()).await, Applied::Applied);
        row = changed(&row, &change);
    }
    assert_eq!(store.there(1).await, row);
    assert_eq!(store.insert_one(job(2).key("a")).await, Inserted::Inserted);
    assert_eq!(
        store.insert_one(job(3).key("b")).await,
        Inserted::Held(Holder::of(&row))
    );
}

async fn handed_on(store: Subject) {
    store.has(&[job(1).key("k"), job(2), job(3)]).await;
    let too_early = with_key(&job(3), Some("k"));
    let gives_back = with_key(&job(1).key("k"), None);
    let takes = with_key(&job(2), Some("k"));
    let too_late = with_key(&job(3), Some("k"));
    let answers = done(
        store
            .apply(&[too_early, gives_back, takes.clone(), too_late])
            .await,
    );
    let second = changed(&job(2), &takes);
    let expected = [
        Applied::Held(Holder::of(&job(1).key("k"))),
        Applied::Applied,
        Applied::Applied,
        Applied::Held(Holder::of(&second)),
    ];
    assert_eq!(answers, expected);
    assert_eq!(store.there(2).await, second);
}

async fn follow(store: Subject) {
    let running = store.runs(job(1)).await;
    let change = Change {
        then: vec![full(2, State::Waiting), job(3)],
        ..success(&running)
    };
    assert_eq!(store.apply_one(change.clone()).await, Applied::Applied);
    let rows = [changed(&running, &change), full(2, State::Waiting), job(3)];
    assert_eq!(store.content().await, rows);
    let deletion = Change {
        then: vec![job(4)],
        ..Change::delete(&rows[2])
    };
    assert_eq!(store.apply_one(deletion).await, Applied::Applied);
    assert_eq!(store.row(3).await, None);
    assert_eq!(store.there(4).await, job(4));
}

async fn follow_takes_key(store: Subject) {
    let running = store.runs(job(1).key("k")).await;
    let change = Change {
        then: vec![job(2).key("k")],
        ..success(&running)
    };
    assert_eq!(store.apply_one(change).await, Applied::Applied);
    let evicted = Change {
        then: vec![job(3).key("k")],
        ..Change::delete(&job(2).key("k"))
    };
    assert_eq!(store.apply_one(evicted).await, Applied::Applied);
    assert_eq!(store.row(2).await, None);
    assert_eq!(store.there(3).await, job(3).key("k"));
}

async fn follow_held(store: Subject) {
    let holder = job(9).key("k");
    store.has(std::slice::from_ref(&holder)).await;
    let running = store.runs(job(1).key("mine")).await;
    for change in [success(&running), Change::delete(&running)] {
        let change = Change {
            then: vec![job(2).key("mine"), job(3).key("k")],
            ..change
        };
        assert_eq!(store.apply_one(change).await, Applied::Held(Holder::of(&holder)));
    }
    // The row keeps its key, so that a job that follows cannot have it either.
    let keeps = Change {
        then: vec![job(4).key("mine")],
        ..with_key(&running, Some("mine"))
    };
    assert!(matches!(store.apply_one(keeps).await, Applied::Held(holder) if holder.id == id(1)));
    assert_eq!(store.content().await, [running, holder]);
}

async fn follow_exists(store: Subject) {
    let there = full(9, State::Succeeded);
    store.has(std::slice::from_ref(&there)).await;
    let running = store.runs(job(1)).await;
    for change in [success(&running), Change::delete(&running)] {
        let change = Change {
            then: vec![job(2), there.clone()],
            ..change
        };
        assert_eq!(store.apply_one(change).await, Applied::Held(Holder::of(&there)));
    }
    assert_eq!(store.content().await, [running, there]);
}

async fn follow_each_other(store: Subject) {
    store.has(&[job(1)]).await;
    for then in [
        vec![job(2).key("k"), job(3).key("k")],
        vec![job(2), job(2).other()],
    ] {
        let change = Change {
            then,
            ..success(&job(1))
        };
        let answer = store.apply_one(change).await;
        assert!(
            matches!(&answer, Applied::Held(holder) if holder.id == id(2)),
            "{answer:?}"
        );
    }
    assert_eq!(store.content().await, [job(1)]);
}

async fn refused_and_next(store: Subject) {
    store.has(&[job(1), job(2).key("k"), job(3)]).await;
    let held = Change {
        then: vec![job(4), job(5).key("k")],
        ..success(&job(1))
    };
    let next = Change {
        then: vec![job(4)],
        ..success(&job(3))
    };
    let answers = done(store.apply(&[held, next.clone()]).await);
    assert_eq!(
        answers,
        [Applied::Held(Holder::of(&job(2).key("k"))), Applied::Applied]
    );
    let rows = [job(1), job(2).key("k"), changed(&job(3), &next), job(4)];
    assert_eq!(store.content().await, rows);
}

async fn order_of_answers(store: Subject) {
    let moved: Vec<_> = (100..200)
        .map(|n| job(n).status(|status| status.rev += 3))
        .collect();
    store.has(&jobs(0..100)).await;
    store.has(&moved).await;
    store.has(&[job(1_000).key("k")]).await;
    let batch = shuffled((0..300).collect());
    let changes: Vec<_> = batch
        .iter()
        .map(|n| match n {
            0..50 => with_key(&job(*n), Some("k")),
            _ => success(&job(*n)),
        })
        .collect();
    let expected: Vec<_> = batch
        .iter()
        .map(|n| match *n {
            0..50 => Applied::Held(Holder::of(&job(1_000).key("k"))),
            50..100 => Applied::Applied,
            n @ 100..200 => Applied::Stale(Box::new(job(n).status(|status| status.rev += 3))),
            _ => Applied::Missing,
        })
        .collect();
    assert_eq!(done(store.apply(&changes).await), expected);
}

async fn full_batch(store: Subject) {
    let items = limits::FLUSH_ITEMS as u64;
    assert_eq!(done(store.apply(&[]).await), []);
    let rows = jobs(0..items);
    store.has(&rows).await;
    store.has(&[job(items)]).await;
    let too_many: Vec<_> = jobs(0..items + 1).iter().map(success).collect();
    refused(store.apply(&too_many).await);
    assert_eq!(store.there(0).await, job(0));
    let changes: Vec<_> = shuffled(rows).iter().map(success).collect();
    let answers = done(store.apply(&changes).await);
    assert!(answers.iter().all(|answer| *answer == Applied::Applied));
    assert_eq!(store.there(items - 1).await.status.state, State::Succeeded);
    assert_eq!(store.there(items).await, job(items));
}

async fn what_no_rule_makes(store: Subject) {
    store.has(&jobs(1..=2)).await;
    let same_rev = Change {
        becomes: Some(job(1).status),
        ..success(&job(1))
    };
    let other_id = Change {
        body: Some(job(3).body),
        ..Change::to(&job(1), job(1).status)
    };
    let running = Change {
        body: Some(job(1).priority(1).body),
        ..Change::to(&job(1), job(1).running("worker", NOW).status)
    };
    let deleted = Change {
        body: Some(job(1).body),
        ..Change::delete(&job(1))
    };
    for change in [same_rev, other_id, running, deleted] {
        refused(store.apply(&[success(&job(2)), change]).await);
    }
    assert_eq!(store.content().await, jobs(1..=2));
}
