//! How many connections may be open, and how many of them are whose.
//!
//! Whoever is trusted finds a place even when others open as many connections as they can: strangers share a few places
//! of their own, and no address that is not trusted has more than its share.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::listener::Peer;

/// Of so many places one is for strangers.
const FOR_STRANGERS: usize = 8;
/// Of so many places one may be of the same address.
const FOR_ONE_ADDRESS: usize = 16;

/// What is known of a peer when it connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may take any place, as many as it likes. (A peer that is [certified](Peer::Certified) is a stranger until it has
    /// shown its certificate.)
    Trusted,
    /// Anybody, of whom all are welcome: an address has its share of all places.
    Anybody,
    /// It has to show first that it may ask. Strangers have few places together, and do not keep them: the first request
    /// must come at once, and after a [`Refusal`](super::limited::Refusal) the connection is closed.
    Stranger,
}

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Places {
    most: Arc<Semaphore>,
    few: Arc<Semaphore>,
    addresses: Arc<Addresses>,
}

/// The place of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    _slot: OwnedSemaphorePermit,
    _share: Option<Share>,
    /// Where it belongs, if it does not have a place there yet.
    promised: Option<Arc<Semaphore>>,
}

impl Places {
    pub(super) fn new(count: usize) -> Self {
        let few = (count / FOR_STRANGERS).max(1);
        let most = count.saturating_sub(few).clamp(1, Semaphore::MAX_PERMITS);
        let (most, few) = (Arc::new(Semaphore::new(most)), Arc::new(Semaphore::new(few.min(Semaphore::MAX_PERMITS))));
        let each = (count / FOR_ONE_ADDRESS).max(1);
        Self { most, few, addresses: Arc::new(Addresses { each, taken: Mutex::default() }) }
    }

    /// Waits for a place that anybody could have, before it is known who comes.
    pub(super) async fn free(&self) -> OwnedSemaphorePermit {
        match Arc::clone(&self.most).acquire_owned().await {
            Ok(slot) => slot,
            Err(_) => std::future::pending().await,
        }
    }

    /// The place of a peer that has come when `slot` was free; nothing if there is none for it.
    pub(super) fn give(&self, slot: OwnedSemaphorePermit, peer: Peer, standing: Standing) -> Option<Place> {
        let (address, is_certified) = match peer {
            Peer::Tcp(address) => (Some(address.ip()), false),
            Peer::Certified(address) => (Some(address.ip()), true),
            Peer::Unix => (None, false),
        };
        let share = || address.map(|address| self.addresses.take(network(address)).ok_or(())).transpose().ok();
        match standing {
            Standing::Trusted if !is_certified => Some(Place { _slot: slot, _share: None, promised: None }),
            Standing::Anybody => Some(Place { _slot: slot, _share: share()?, promised: None }),
            Standing::Trusted | Standing::Stranger => {
                let (share, slot) = (share()?, Arc::clone(&self.few).try_acquire_owned().ok()?);
                let promised = (standing == Standing::Trusted).then(|| Arc::clone(&self.most));
                Some(Place { _slot: slot, _share: share, promised })
            }
        }
    }
}

impl Place {
    /// The place of a peer that has shown what it had to: waits for it, if it is another one.
    pub(super) async fn settle(self) -> Self {
        let Some(promised) = self.promised.clone() else { return self };
        match promised.acquire_owned().await {
            Ok(slot) => Self { _slot: slot, _share: None, promised: None },
            Err(_) => std::future::pending().await,
        }
    }
}

/// How many places each address has that has any.
#[derive(Debug)]
struct Addresses {
    each: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// One place of an address.
#[derive(Debug)]
struct Share {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    fn take(self: &Arc<Self>, address: IpAddr) -> Option<Share> {
        let mut taken = self.lock();
        let count = taken.entry(address).or_default();
        if *count >= self.each {
            return None;
        }
        *count += 1;
        Some(Share { addresses: Arc::clone(self), address })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.addresses.lock().entry(self.address) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// What one client has: an IPv4 address, or the network of an IPv6 address, within which it chooses.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn peer(address: &str) -> Peer {
        Peer::Tcp(SocketAddr::new(address.parse().unwrap(), 1))
    }

    async fn ask(places: &Places, peer: Peer, standing: Standing) -> Option<Place> {
        let slot = places.free().await;
        places.give(slot, peer, standing)
    }

    /// How many places are there for peers that differ.
    async fn many(places: &Places, standing: Standing) -> Vec<Place> {
        let mut given = Vec::new();
        for n in 0..places.most.available_permits() {
            given.extend(ask(places, peer(&format!("192.0.2.{n}")), standing).await);
        }
        given
    }

    #[tokio::test]
    async fn strangers_have_an_eighth_and_leave_the_rest_to_those_who_are_trusted() {
        let places = Places::new(64);
        let strangers = many(&places, Standing::Stranger).await;
        assert_eq!(strangers.len(), 8);
        let trusted = many(&places, Standing::Trusted).await;
        assert_eq!(trusted.len(), 56);
        drop(trusted);
        assert!(ask(&places, peer("198.51.100.1"), Standing::Stranger).await.is_none());
        drop(strangers);
        assert_eq!(many(&places, Standing::Stranger).await.len(), 8);
        assert!(places.addresses.lock().is_empty(), "nothing is kept of those who have gone");
    }

    #[tokio::test]
    async fn an_address_has_a_sixteenth_unless_it_is_trusted() {
        let places = Places::new(64);
        for (standing, expected) in [(Standing::Trusted, 20), (Standing::Anybody, 4), (Standing::Stranger, 4)] {
            let mut given = Vec::new();
            for _ in 0..20 {
                given.extend(ask(&places, peer("192.0.2.1"), standing).await);
            }
            assert_eq!(given.len(), expected, "{standing:?}");
            assert!(ask(&places, peer("192.0.2.2"), standing).await.is_some(), "{standing:?}");
        }
        let mut given = Vec::new();
        for n in 0..20 {
            given.extend(ask(&places, peer(&format!("2001:db8::{n}")), Standing::Anybody).await);
            given.extend(ask(&places, peer(&format!("2001:db8:0:1::{n}")), Standing::Anybody).await);
        }
        assert_eq!(given.len(), 8, "a network is one client");
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), network("192.0.2.1".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_peer_that_must_show_a_certificate_has_a_strangers_place_until_it_has() {
        let places = Places::new(64);
        let certified = |n| Peer::Certified(SocketAddr::new(format!("192.0.2.{n}").parse().unwrap(), 1));
        let mut shaking = Vec::new();
        for n in 0..20 {
            shaking.extend(ask(&places, certified(n), Standing::Trusted).await);
        }
        assert_eq!(shaking.len(), 8);
        let mut settled = Vec::new();
        for place in shaking {
            settled.push(place.settle().await);
        }
        assert_eq!((places.few.available_permits(), places.most.available_permits()), (8, 48));
        assert!(places.addresses.lock().is_empty());
    }
}
