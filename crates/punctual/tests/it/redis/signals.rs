//! Hints between the stores of several processes, here of one.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use punctual::JobId;
use punctual::queue::QueueName;
use punctual::signals::Signal;
use punctual::store::Store;
use punctual::time::Timestamp;

use super::server::{Server, shared_namespace};
use super::{open, tell, within_patience};

/// Waits for this hint, whatever comes before it.
async fn hears(listener: &mut BoxStream<'static, Signal>, wanted: &Signal) {
    within_patience(async {
        while let Some(signal) = listener.next().await {
            if signal == *wanted {
                return;
            }
        }
        panic!("the stream ended");
    })
    .await;
}

#[tokio::test]
async fn what_one_store_signals_another_hears() {
    let Some(url) = shared_namespace() else { return };
    let (here, there) = (open(&url).await, open(&url).await);
    let mut heard = there.signals().listen();
    // It is told once it hears others.
    hears(&mut heard, &Signal::Lost).await;
    let signals = [
        Signal::Due(QueueName::from("mail"), Timestamp::MAX),
        Signal::Ended(JobId::named("a")),
        Signal::Cancel(JobId::named("b")),
    ];
    here.signals().send(&signals);
    for signal in &signals {
        assert_eq!(within_patience(heard.next()).await.as_ref(), Some(signal));
    }
    let last = Signal::Ended(JobId::named("last"));
    here.signals().send(std::slice::from_ref(&last));
    drop(here);
    hears(&mut heard, &last).await;
}

#[tokio::test]
async fn a_listener_whose_connection_was_lost_is_told_to_look_and_hears_on() {
    let Some(server) = Server::start(&[]) else { return };
    let (here, there) = (open(server.url()).await, open(server.url()).await);
    let mut heard = there.signals().listen();
    hears(&mut heard, &Signal::Lost).await;
    tell(server.url(), &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    hears(&mut heard, &Signal::Lost).await;
    let signal = Signal::Ended(JobId::named("a"));
    here.signals().send(std::slice::from_ref(&signal));
    hears(&mut heard, &signal).await;

    server.restart();
    hears(&mut heard, &Signal::Lost).await;
}
