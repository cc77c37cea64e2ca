//! The resolver that vets every address of a name at the moment of connecting, so that no second look-up
//! (and no changed answer) lies between the check and the use.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::guard::{Guard, is_localhost};

/// A name server that needs longer is as good as down.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

type Answer = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// A name's addresses; injected, so that tests can answer.
pub(crate) type Lookup = Arc<dyn Fn(String) -> Answer + Send + Sync>;

/// Why a name was not connected to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// One bad address refuses the whole answer: a mix of good and bad is how rebinding looks.
    #[error("the host resolves to an address that is not public")]
    Forbidden,
    /// No answer within 2 s.
    #[error("the host's name could not be resolved in time")]
    TooSlow,
    /// An answer without addresses.
    #[error("the host's name has no address")]
    Empty,
    /// The name does not exist, or its servers are down.
    #[error("the host's name could not be resolved")]
    Failed(#[source] io::Error),
}

/// The operating system's resolver.
pub(crate) fn system_lookup() -> Lookup {
    Arc::new(|host| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Vets what a [`Lookup`] finds.
pub(crate) struct VettingResolver {
    guard: Guard,
    lookup: Lookup,
}

impl VettingResolver {
    pub(crate) fn new(guard: Guard, lookup: Lookup) -> Self {
        Self { guard, lookup }
    }
}

impl Resolve for VettingResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard;
        let host = name.as_str().to_owned();
        let answer = (self.lookup)(host.clone());
        Box::pin(async move {
            let found = tokio::time::timeout(LOOKUP_TIMEOUT, answer).await;
            let found = found.map_err(|_| LookupError::TooSlow)?.map_err(LookupError::Failed)?;
            let vetted = vet(&host, found, guard)?;
            // Port 0 stands for the URL's own.
            let addresses: Addrs = Box::new(vetted.into_iter().map(|ip| SocketAddr::new(ip, 0)));
            Ok(addresses)
        })
    }
}

/// All of the addresses, or none. A name under `localhost` was let through for being loopback
/// (with http and any port), so it must be.
fn vet(host: &str, found: Vec<IpAddr>, guard: Guard) -> Result<Vec<IpAddr>, LookupError> {
    if found.is_empty() {
        return Err(LookupError::Empty);
    }
    let local = is_localhost(host);
    let good = |ip: &IpAddr| guard.allows(*ip) && (!local || ip.to_canonical().is_loopback());
    if found.iter().all(good) { Ok(found) } else { Err(LookupError::Forbidden) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(text: &[&str]) -> Vec<IpAddr> {
        text.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn law_18_one_bad_address_rejects_all() {
        let public = ips(&["93.184.216.34", "2606:4700:4700::1111"]);
        assert_eq!(vet("a.example", public.clone(), Guard::Public).unwrap(), public);
        for bad in ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fd00:ec2::254"] {
            let mut mixed = public.clone();
            mixed.push(bad.parse().unwrap());
            assert!(matches!(vet("a.example", mixed, Guard::Public), Err(LookupError::Forbidden)), "{bad}");
        }
    }

    #[test]
    fn local_mode_lets_a_name_resolve_to_loopback_but_not_to_the_network_around() {
        let guard = Guard::LoopbackAllowed;
        assert!(vet("localhost", ips(&["127.0.0.1", "::1"]), guard).is_ok());
        assert!(vet("shop.example", ips(&["127.0.0.1"]), guard).is_ok());
        assert!(vet("shop.example", ips(&["127.0.0.1", "192.168.1.1"]), guard).is_err());
        assert!(vet("shop.localhost", ips(&["93.184.216.34"]), guard).is_err());
    }

    #[test]
    fn an_answer_without_addresses_is_not_a_connection() {
        assert!(matches!(vet("a.example", Vec::new(), Guard::Public), Err(LookupError::Empty)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_name_server_is_given_up_after_two_seconds() {
        let never: Lookup = Arc::new(|_| Box::pin(std::future::pending()));
        let resolver = VettingResolver::new(Guard::Public, never);
        let error = resolver.resolve("a.example".parse().unwrap()).await.err().unwrap();
        assert!(matches!(error.downcast_ref(), Some(LookupError::TooSlow)));
    }
}
