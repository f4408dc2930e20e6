//! The clock of an engine: it follows the store's, and the store's follows nobody.

use punctual::clock::{Clock, SystemClock};
use punctual::source::Source;
use punctual::{Engine, hours, minutes, seconds};

use crate::stage::claim;

#[test]
fn a_clock_follows_what_its_store_says() {
    let (clock, machine) = (SystemClock::new(), SystemClock::new());
    clock.correct(machine.now() + hours(1), clock.uptime());
    assert!(clock.now() > machine.now() + minutes(59));
    clock.correct(machine.now() - hours(1), clock.uptime());
    assert!(clock.now() < machine.now() - minutes(59));
}

#[test]
fn an_answer_that_was_slow_does_not_make_a_clock_jitter() {
    let (clock, machine) = (SystemClock::new(), SystemClock::new());
    // It was asked when the machine started, so that its answer may be as old as the machine's uptime.
    clock.correct(machine.now() + clock.uptime() / 4, seconds(0));
    assert!(clock.now() <= machine.now());
}

#[tokio::test]
async fn a_step_that_was_taken_for_the_stores_is_undone_by_its_next_answer() {
    let engine = Engine::open("memory:").await.expect("it opens");
    let clock = engine.clock();
    clock.correct(engine.now() + hours(1), clock.uptime());
    let claimed = engine.claim(claim("w", 1), seconds(0)).await;
    claimed.expect("the store serves claims");
    assert!(engine.now() < SystemClock::new().now() + minutes(1));
}
