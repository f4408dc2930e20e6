//! Look-ups: the addresses of a name, so many names at once.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::limits::HTTP_LOOKUPS;

/// Looks names up. Clones share the limit.
#[derive(Clone)]
pub(super) struct Lookups(Arc<Semaphore>);

impl Lookups {
    pub(super) fn new() -> Lookups {
        Lookups(Arc::new(Semaphore::new(HTTP_LOOKUPS)))
    }

    /// The addresses of this host, which may be an address itself. Waits while [`HTTP_LOOKUPS`] names are being looked up.
    pub(super) async fn find(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let permit = self.0.clone().acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let look = move || {
            // It goes on when nobody waits for it any more, and counts until it has ended.
            let _permit = permit;
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
        };
        spawn_blocking(look).await?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_waits_for_no_look_up_and_a_name_does() {
        let lookups = Lookups::new();
        let all = u32::try_from(HTTP_LOOKUPS).expect("it is small");
        let taken = lookups
            .0
            .clone()
            .acquire_many_owned(all)
            .await
            .expect("it stays open");

        let found = lookups.find("127.0.0.1", 80).await.expect("it is an address");
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 80))]);

        let mut name = std::pin::pin!(lookups.find("localhost", 80));
        assert!(futures_util::poll!(&mut name).is_pending());
        tokio::task::yield_now().await;
        assert!(futures_util::poll!(&mut name).is_pending());
        drop(taken);
        assert!(!name.await.expect("every machine knows it").is_empty());
        assert_eq!(lookups.0.available_permits(), HTTP_LOOKUPS);
    }
}
