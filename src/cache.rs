//! Caches that cannot serve what has been changed.
//!
//! Everything that a cached value was made from has a version: a counter that grows when the thing changes. Whoever
//! loads a value first takes a [`Stamp`] of the versions, then reads; a value is served only while its stamp is current.
//! So an invalidation is one addition, needs to find nothing, and cannot lose a race against a load that is under way:
//! the load's stamp is older than the change, and what it brings back is never served again.
//!
//! Bounded by [`moka`]; values that are out of date simply leave with the others.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::model::{Change, Timestamp};

/// The number of version counters; things whose keys collide share one, which costs a needless miss and nothing else.
const SLOTS: usize = 1 << 14;

/// Counts changes of everything that cached values are made from.
pub struct Versions {
    slots: Box<[AtomicU64]>,
}

/// Versions at one time. They only grow, so their sum is the same later only if none has changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stamp {
    slots: [u16; Stamp::MOST],
    len: u8,
    sum: u64,
}

impl Stamp {
    const MOST: usize = 8;
}

impl Default for Versions {
    fn default() -> Self {
        Self { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }
}

impl Versions {
    /// The versions of `things`. Must be taken before what is stamped is read.
    pub fn stamp(&self, things: &[Change]) -> Stamp {
        let mut stamp = Stamp::default();
        self.add(&mut stamp, &Change::Everything);
        for thing in things {
            self.add(&mut stamp, thing);
        }
        stamp
    }

    /// Adds the version of one more thing, which must not have been read yet.
    pub fn add(&self, stamp: &mut Stamp, thing: &Change) {
        let slot = slot(thing);
        match stamp.slots.get_mut(usize::from(stamp.len)) {
            Some(free) => {
                *free = slot;
                stamp.len += 1;
                stamp.sum = stamp.sum.wrapping_add(self.version(slot));
            }
            // More things than a stamp holds: it is never current, so the value is never served from a cache.
            None => stamp.sum = u64::MAX,
        }
    }

    /// The stamp of something made from two stamped things.
    pub fn both(&self, one: &Stamp, other: &Stamp) -> Stamp {
        let mut both = *one;
        for slot in other.slots.iter().take(usize::from(other.len)) {
            match both.slots.get_mut(usize::from(both.len)) {
                Some(free) => *free = *slot,
                None => return Stamp { sum: u64::MAX, ..*one },
            }
            both.len += 1;
        }
        both.sum = one.sum.wrapping_add(other.sum);
        both
    }

    /// Whether nothing that was stamped has changed since.
    pub fn is_current(&self, stamp: &Stamp) -> bool {
        let now = stamp.slots.iter().take(usize::from(stamp.len)).map(|slot| self.version(*slot));
        now.fold(0, u64::wrapping_add) == stamp.sum
    }

    /// Something has changed: from now on nothing made from its earlier state is served.
    // INVARIANT: called after the change is committed and before it is acknowledged.
    pub fn changed(&self, change: &Change) {
        if let Some(version) = self.slots.get(usize::from(slot(change))) {
            version.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn version(&self, slot: u16) -> u64 {
        self.slots.get(usize::from(slot)).map_or(0, |version| version.load(Ordering::SeqCst))
    }
}

/// Identifiers end in random bits and digests are random, so their last bytes serve as their hash.
fn slot(thing: &Change) -> u16 {
    let (domain, bytes) = match thing {
        Change::Everything => return 0,
        Change::SigningKeys => return 1,
        Change::User(id) => (0x11, last(id.as_bytes())),
        Change::ApiKey(digest) => (0x22, last(digest.as_bytes())),
        Change::Membership(user, application) => {
            (0x33, last(user.as_bytes()).rotate_left(7) ^ last(application.as_bytes()))
        }
        Change::Application(id) => (0x44, last(id.as_bytes())),
        Change::Organization(id) => (0x55, last(id.as_bytes())),
        Change::Device(id) => (0x66, last(id.as_bytes())),
    };
    // Slots 0 and 1 belong to what concerns everybody.
    let free = SLOTS as u32 - 2;
    u16::try_from((bytes ^ domain) % free + 2).unwrap_or(0)
}

fn last(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(0, |last| u32::from_le_bytes(*last))
}

/// A bounded cache of stamped values.
pub struct Cache<K, V> {
    entries: moka::sync::Cache<K, Entry<V>>,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    stamp: Stamp,
    until: Option<Timestamp>,
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// A cache of `capacity` entries at most.
    pub fn new(capacity: u64) -> Self {
        Self { entries: moka::sync::Cache::new(capacity) }
    }

    /// The value, if it is there and everything that it was made from is as it was.
    pub fn get(&self, versions: &Versions, key: &K, now: Timestamp) -> Option<V> {
        let entry = self.entries.get(key)?;
        let current = versions.is_current(&entry.stamp) && entry.until.is_none_or(|until| now < until);
        current.then_some(entry.value)
    }

    /// The value and its stamp, on the same conditions.
    pub fn get_stamped(&self, versions: &Versions, key: &K) -> Option<(V, Stamp)> {
        let entry = self.entries.get(key)?;
        versions.is_current(&entry.stamp).then_some((entry.value, entry.stamp))
    }

    /// Keeps a value that was read after `stamp` was taken; forgotten at `until` at the latest.
    pub fn insert(&self, key: K, value: V, stamp: Stamp, until: Option<Timestamp>) {
        self.entries.insert(key, Entry { value, stamp, until });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ApplicationId, UserId};

    const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

    #[test]
    fn a_value_is_served_until_something_that_it_was_made_from_changes() {
        let (user, application) = (UserId::generate(NOW), ApplicationId::generate(NOW));
        let used = [Change::User(user), Change::Membership(user, application), Change::Application(application)];
        for change in used.into_iter().chain([Change::Everything]) {
            let versions = Versions::default();
            let cache = Cache::new(10);
            cache.insert("key", 1, versions.stamp(&used), None);
            assert_eq!(cache.get(&versions, &"key", NOW), Some(1));
            versions.changed(&change);
            assert_eq!(cache.get(&versions, &"key", NOW), None, "{change:?}");
        }
    }

    #[test]
    fn a_load_that_a_change_overtakes_leaves_nothing_behind() {
        let user = UserId::generate(NOW);
        let versions = Versions::default();
        let cache = Cache::new(10);
        let stamp = versions.stamp(&[Change::User(user)]);
        // The old value is read here, then the change is committed and acknowledged, then the loader goes on.
        versions.changed(&Change::User(user));
        cache.insert("key", "old", stamp, None);
        assert_eq!(cache.get(&versions, &"key", NOW), None);
    }

    #[test]
    fn a_value_ends_at_its_time() {
        let versions = Versions::default();
        let cache = Cache::new(10);
        cache.insert("key", 1, versions.stamp(&[]), Some(NOW));
        assert_eq!(cache.get(&versions, &"key", Timestamp::from_secs(1_763_999_999)), Some(1));
        assert_eq!(cache.get(&versions, &"key", NOW), None);
    }

    #[test]
    fn a_stamp_of_too_much_is_never_current() {
        let versions = Versions::default();
        let things: Vec<_> = (0..9).map(|_| Change::User(UserId::generate(NOW))).collect();
        let stamp = versions.stamp(&things);
        assert!(!versions.is_current(&stamp));
        assert!(!versions.is_current(&versions.both(&stamp, &versions.stamp(&[]))));
        let half = versions.stamp(&things[..5]);
        assert!(!versions.is_current(&versions.both(&half, &half)));
    }

    proptest! {
        #[test]
        fn what_two_stamps_hold_is_held_by_both(which in 0_usize..6) {
            let versions = Versions::default();
            let users: Vec<_> = (0..6).map(|_| Change::User(UserId::generate(NOW))).collect();
            let both = versions.both(&versions.stamp(&users[..3]), &versions.stamp(&users[3..]));
            prop_assert!(versions.is_current(&both));
            versions.changed(&users[which]);
            prop_assert!(!versions.is_current(&both));
        }
    }

    #[test]
    fn readers_never_see_what_was_changed_before_they_asked() {
        // A writer changes a number and bumps its version; readers load and cache it. After each acknowledged change
        // a reader must see at least that change, whatever loads were under way.
        let user = Change::User(UserId::generate(NOW));
        let versions = Versions::default();
        let cache = Cache::new(10);
        let (stored, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=20_000 {
                    stored.store(n, Ordering::SeqCst);
                    versions.changed(&user);
                    acknowledged.store(n, Ordering::SeqCst);
                }
            });
            for _ in 0..3 {
                scope.spawn(|| {
                    while acknowledged.load(Ordering::SeqCst) < 20_000 {
                        let least = acknowledged.load(Ordering::SeqCst);
                        let seen = cache.get(&versions, &"key", NOW).unwrap_or_else(|| {
                            let stamp = versions.stamp(&[user]);
                            let value = stored.load(Ordering::SeqCst);
                            std::thread::yield_now();
                            cache.insert("key", value, stamp, None);
                            value
                        });
                        assert!(seen >= least, "saw {seen} after {least} was acknowledged");
                    }
                });
            }
        });
    }
}
