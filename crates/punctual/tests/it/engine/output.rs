//! Live output: read and followed while it comes.

use std::collections::BTreeSet;
use std::pin::pin;

use bytes::Bytes;
use macro_rules_attribute::apply;
use punctual::engine::Follower;
use punctual::job::{Backoff, Job};
use punctual::limits::{FOLLOW_PAUSE, FOLLOWERS, OUTPUT_BYTES};
use punctual::run::{Outcome, RetryCause, RunId};
use punctual::signals::Signal;
use punctual::source::Source;
use punctual::store::{Output, Store};
use punctual::{Kind, hours};
use tokio::task::JoinSet;

use crate::stage::{Stage, done, settlement, soon, work};
use crate::stores::{Place, on_each_store};

fn run_of(job: &Job) -> RunId {
    RunId {
        job: job.id(),
        run: job.status.run,
    }
}

async fn put_out(stage: &Stage, job: &Job, text: &str) -> bool {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    stage
        .engine
        .append_output(run_of(job), bytes)
        .await
        .expect("it answers")
}

/// What comes next; nothing at the end. Time goes on until then.
async fn page(stage: &Stage, follower: &mut Follower) -> Option<Output> {
    let mut next = pin!(follower.next());
    let page = soon(async {
        loop {
            tokio::select! {
                biased;
                page = &mut next => return page,
                () = stage.advance(FOLLOW_PAUSE) => {}
            }
        }
    });
    page.await.expect("it answers")
}

/// The same, as text.
async fn next(stage: &Stage, follower: &mut Follower) -> Option<String> {
    let page = page(stage, follower).await?;
    Some(String::from_utf8(page.bytes.to_vec()).expect("it is text"))
}

#[apply(on_each_store)]
async fn output_is_followed_from_before_the_run_begins_to_its_end(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let mut follower = stage.engine.follow(id, None, 0).expect("there is room");
    let (first, job) = tokio::join!(next(&stage, &mut follower), async {
        let job = stage.claim(1).await.remove(0);
        assert!(put_out(&stage, &job, "first\n").await);
        job
    });
    assert_eq!(first.as_deref(), Some("first\n"));
    assert!(put_out(&stage, &job, "last\n").await);
    let settled = stage.engine.settle(vec![settlement(&job, done("1"))]).await;
    settled.expect("it stands");
    assert!(!put_out(&stage, &job, "too late").await);
    assert_eq!(next(&stage, &mut follower).await.as_deref(), Some("last\n"));
    assert_eq!(next(&stage, &mut follower).await, None);
}

#[apply(on_each_store)]
async fn a_run_that_is_tried_again_ends_its_follower(place: Place) {
    let stage = Stage::quiet(&place).await;
    let new = work().backoff(Backoff::Fixed(hours(1)));
    let id = stage.engine.enqueue(new).await.expect("it is stored").id();
    let job = stage.claim(1).await.remove(0);
    assert!(put_out(&stage, &job, "no luck\n").await);
    let mut follower = stage.engine.follow(id, None, 3).expect("there is room");
    assert_eq!(next(&stage, &mut follower).await.as_deref(), Some("luck\n"));
    let again = Outcome::Retry {
        error: "no luck".into(),
        after: None,
        cause: RetryCause::Error,
    };
    let (end, settled) = tokio::join!(next(&stage, &mut follower), async {
        stage.engine.settle(vec![settlement(&job, again)]).await
    });
    settled.expect("it stands");
    assert_eq!(end, None);
    let kept = stage.engine.output(run_of(&job), 0).await.expect("it answers");
    assert_eq!(kept.bytes, "no luck\n");
}

#[apply(on_each_store)]
async fn followers_are_bounded_and_one_that_leaves_makes_room(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let mut all: Vec<Follower> = (0..FOLLOWERS)
        .map(|_| stage.engine.follow(id, None, 0).expect("there is room"))
        .collect();
    let refused = stage.engine.follow(id, None, 0).err().expect("there is none");
    assert_eq!(refused.kind(), Kind::Unavailable);
    all.pop();
    stage.engine.follow(id, None, 0).expect("there is room again");
}

#[apply(on_each_store)]
async fn a_follower_that_fell_behind_is_given_what_is_kept_with_its_place(place: Place) {
    let stage = Stage::quiet(&place).await;
    let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
    let job = stage.claim(1).await.remove(0);
    assert!(put_out(&stage, &job, &"x".repeat(2 * OUTPUT_BYTES)).await);
    let settled = stage.engine.settle(vec![settlement(&job, done("1"))]).await;
    settled.expect("it stands");
    let mut follower = stage.engine.follow(id, None, 0).expect("there is room");
    let (mut read, mut left_out, mut place) = (0, 0, 0);
    while let Some(page) = page(&stage, &mut follower).await {
        let begin = page.next - page.bytes.len() as u64;
        (left_out, read, place) = (left_out + begin - place, read + page.bytes.len(), page.next);
    }
    assert_eq!(
        (read, left_out, place),
        (OUTPUT_BYTES, OUTPUT_BYTES as u64, 2 * OUTPUT_BYTES as u64)
    );
}

#[apply(on_each_store)]
async fn many_followers_share_their_looks_at_the_rows_of_their_jobs(place: Place) {
    let stage = Stage::quiet(&place).await;
    let mut following = JoinSet::new();
    for _ in 0..50 {
        let id = stage.engine.enqueue(work()).await.expect("it is stored").id();
        let mut follower = stage.engine.follow(id, None, 0).expect("there is room");
        following.spawn(async move { follower.next().await });
    }
    stage.advance(FOLLOW_PAUSE).await;
    let before = stage.store.fetches().len();
    // Another process commits.
    stage.store.signals().send(&[Signal::Anything]);
    stage.advance(2 * FOLLOW_PAUSE).await;
    let looks = stage.store.fetches().split_off(before);
    let looked_at: BTreeSet<_> = looks.iter().flatten().collect();
    assert_eq!(looked_at.len(), 50, "each job is looked at");
    assert!(looks.len() <= 5, "{} reads", looks.len());
}
