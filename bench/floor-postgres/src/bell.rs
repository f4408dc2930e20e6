//! Hints from the writers of other processes, after the commit and on a connection of their own.

use std::{future::poll_fn, sync::Arc};

use protocol::Error;
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, NoTls};

/// Rings `bell` whenever a writer says that it has committed.
pub(crate) async fn listen(url: &str, bell: Arc<Notify>) -> Result<(), Error> {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if matches!(message, AsyncMessage::Notification(_)) {
                bell.notify_one();
            }
        }
    });
    client.batch_execute("LISTEN committed").await?;
    // The connection lives as long as its client.
    std::mem::forget(client);
    Ok(())
}

/// Rung by the writer of this process; what is rung while a hint is on its way shares the next one.
pub(crate) async fn ringer(url: &str) -> Result<Arc<Notify>, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    let rung = Arc::new(Notify::new());
    let heard = rung.clone();
    tokio::spawn(async move {
        loop {
            heard.notified().await;
            if client.batch_execute("NOTIFY committed").await.is_err() {
                return;
            }
        }
    });
    Ok(rung)
}
