//! Caches that cannot serve what has been changed.
//!
//! Everything that a cached value was made from has a version: a counter that grows when the thing changes. Whoever
//! loads a value notes the [`Moment`], reads, and then takes a [`Stamp`] of the versions of what it has read; a value is
//! served only while its stamp is current. So an invalidation is two additions, needs to find nothing, and cannot lose a
//! race against a load that is under way: what such a load brings back is never served.
//!
//! Bounded by [`quick_cache`]; values that are out of date simply leave with the others.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::UnitWeighter;
use quick_cache::sync::DefaultLifecycle;
pub use quick_cache::{DefaultHashBuilder as Quick, Equivalent};

use crate::model::{Change, Timestamp};

/// The number of version counters; things whose keys collide share one, which costs a needless miss and nothing else.
const SLOTS: usize = 1 << 14;
/// The slot of nothing, which never changes.
const NOTHING: u16 = 0;
/// The slots of what concerns everybody.
const EVERYTHING: u16 = 1;
const SIGNING_KEYS: u16 = 2;
/// The first slot of all others.
const FIRST_FREE: u16 = 3;

/// Counts changes of everything that cached values are made from.
pub struct Versions {
    changes: AtomicU64,
    slots: Box<[AtomicU64; SLOTS]>,
}

/// A moment before something is read: how many changes there had been.
#[derive(Debug, Clone, Copy)]
pub struct Moment(u64);

/// Versions at one time. They only grow, so their sum is the same later only if none has changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stamp {
    /// Those that are not used are those of nothing.
    slots: [u16; Stamp::MOST],
    sum: u64,
}

impl Stamp {
    const MOST: usize = 8;
    /// No sum of versions: whatever has it is never current.
    const NEVER: u64 = u64::MAX;

    /// Adds a slot; without a free place for it the stamp is never current.
    fn push(&mut self, slot: u16) {
        match self.slots.iter_mut().find(|place| **place == NOTHING) {
            Some(place) => *place = slot,
            None => self.sum = Self::NEVER,
        }
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self { changes: AtomicU64::new(0), slots: Box::new([const { AtomicU64::new(0) }; SLOTS]) }
    }
}

impl Versions {
    /// The moment before a load. Must be taken before anything is read that is to be stamped.
    pub fn moment(&self) -> Moment {
        Moment(self.changes.load(Ordering::SeqCst))
    }

    /// The versions of `things`, all of which were read after `since`: that is, what they were when they were read. The
    /// stamp is never current if anything at all has changed meanwhile.
    // INVARIANT: suppose that what was read is the state before a change of one of `things`. Then the change was
    // committed after `since` was taken, and `changed` was called after that. If the version taken here is already the
    // one after the change, so is the number of changes, which grows first and is looked at last; it was not yet when
    // `since` was taken: so the stamp is never current. Otherwise the version taken is the one before the change, and
    // the stamp ends with it. Reading before it is known what is read is as safe as stamping first.
    pub fn stamp(&self, since: Moment, things: impl IntoIterator<Item = Change>) -> Stamp {
        let mut stamp = Stamp::default();
        for thing in [Change::Everything].into_iter().chain(things) {
            let slot = slot(&thing);
            stamp.sum = stamp.sum.saturating_add(self.version(slot));
            stamp.push(slot);
        }
        if self.moment().0 != since.0 {
            stamp.sum = Stamp::NEVER;
        }
        stamp
    }

    /// The stamp of something made from two stamped things.
    pub fn both(&self, one: &Stamp, other: &Stamp) -> Stamp {
        let mut both = Stamp { sum: one.sum.saturating_add(other.sum), ..*one };
        for slot in other.slots.iter().filter(|slot| **slot != NOTHING) {
            both.push(*slot);
        }
        both
    }

    /// Whether nothing that was stamped has changed since.
    pub fn is_current(&self, stamp: &Stamp) -> bool {
        stamp.slots.iter().map(|slot| self.version(*slot)).fold(0, u64::wrapping_add) == stamp.sum
    }

    /// Something has changed: from now on nothing made from its earlier state is served.
    // INVARIANT: called after the change is committed and before it is acknowledged.
    pub fn changed(&self, change: &Change) {
        // INVARIANT: the number of changes grows before the version: `stamp` relies on it.
        self.changes.fetch_add(1, Ordering::SeqCst);
        if let Some(version) = self.slots.get(usize::from(slot(change))) {
            version.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn version(&self, slot: u16) -> u64 {
        // The remainder, which is the slot itself, spares a comparison.
        self.slots.get(usize::from(slot) % SLOTS).map_or(0, |version| version.load(Ordering::SeqCst))
    }
}

/// Identifiers end in random bits and digests are random, so their last bytes serve as their hash.
fn slot(thing: &Change) -> u16 {
    let (domain, bytes) = match thing {
        Change::Everything => return EVERYTHING,
        Change::SigningKeys => return SIGNING_KEYS,
        Change::User(id) => (0x11, last(id.as_bytes())),
        Change::ApiKey(digest) => (0x22, last(digest.as_bytes())),
        Change::Membership(user, application) => {
            (0x33, last(user.as_bytes()).rotate_left(7) ^ last(application.as_bytes()))
        }
        Change::Application(id) => (0x44, last(id.as_bytes())),
        Change::Organization(id) => (0x55, last(id.as_bytes())),
        Change::Device(id) => (0x66, last(id.as_bytes())),
    };
    let free = SLOTS as u32 - u32::from(FIRST_FREE);
    u16::try_from((bytes ^ domain) % free).map_or(EVERYTHING, |slot| slot + FIRST_FREE)
}

fn last(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(0, |last| u32::from_le_bytes(*last))
}

/// A bounded cache of stamped values.
///
/// `S` hashes the keys. Whatever holds bytes that a caller may choose, such as an identifier in a path, must be hashed
/// under a secret that collisions do not give away, as the default does. For digests, which can be searched for and not
/// chosen, [`Quick`] is enough.
pub struct Cache<K, V, S = RandomState> {
    /// None if nothing is to be remembered.
    entries: Option<quick_cache::sync::Cache<K, Entry<V>, UnitWeighter, S>>,
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    stamp: Stamp,
    until: Timestamp,
}

/// Later than any time of day.
const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

impl<K, V, S> Cache<K, V, S>
where
    K: Hash + Eq,
    V: Clone,
    S: BuildHasher + Clone + Default,
{
    /// A cache of about `capacity` entries at most; of none, if it is 0. Memory is taken as it fills.
    pub fn new(capacity: u64) -> Self {
        let expected = usize::try_from(capacity).unwrap_or(usize::MAX);
        let make = || {
            let (hash, lifecycle) = (S::default(), DefaultLifecycle::default());
            quick_cache::sync::Cache::with(expected, capacity, UnitWeighter, hash, lifecycle)
        };
        Self { entries: (capacity > 0).then(make) }
    }

    /// The value, if it is there and everything that it was made from is as it was.
    pub fn get<Q>(&self, versions: &Versions, key: &Q, now: Timestamp) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let entry = self.entries.as_ref()?.get(key)?;
        (versions.is_current(&entry.stamp) && now < entry.until).then_some(entry.value)
    }

    /// The value and its stamp, if everything that it was made from is as it was.
    pub fn get_stamped<Q>(&self, versions: &Versions, key: &Q) -> Option<(V, Stamp)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let entry = self.entries.as_ref()?.get(key)?;
        versions.is_current(&entry.stamp).then_some((entry.value, entry.stamp))
    }

    /// How many entries it holds.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, quick_cache::sync::Cache::len)
    }

    /// Keeps a value with the stamp of what it was made from; forgotten at `until` at the latest.
    pub fn insert(&self, key: K, value: V, stamp: Stamp, until: Option<Timestamp>) {
        // What was changed while it was read would only take the place of what can be served.
        if let Some(entries) = self.entries.as_ref().filter(|_| stamp.sum != Stamp::NEVER) {
            entries.insert(key, Entry { value, stamp, until: until.unwrap_or(NEVER) });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ApplicationId, UserId};

    const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

    /// As of now.
    fn stamp(versions: &Versions, things: impl IntoIterator<Item = Change>) -> Stamp {
        versions.stamp(versions.moment(), things)
    }

    #[test]
    fn a_value_is_served_until_something_that_it_was_made_from_changes() {
        let (user, application) = (UserId::generate(NOW), ApplicationId::generate(NOW));
        let used = [Change::User(user), Change::Membership(user, application), Change::Application(application)];
        for change in used.into_iter().chain([Change::Everything]) {
            let versions = Versions::default();
            let cache = Cache::<_, _>::new(10);
            cache.insert("key", 1, stamp(&versions, used), None);
            assert_eq!(cache.get(&versions, &"key", NOW), Some(1));
            versions.changed(&change);
            assert_eq!(cache.get(&versions, &"key", NOW), None, "{change:?}");
        }
    }

    #[test]
    fn a_capacity_of_nothing_remembers_nothing() {
        let versions = Versions::default();
        let cache = Cache::<_, _>::new(0);
        cache.insert("key", 1, stamp(&versions, []), None);
        assert_eq!(cache.get(&versions, &"key", NOW), None);
        assert_eq!(cache.get_stamped(&versions, &"key").map(|(value, _)| value), None);
    }

    #[test]
    fn it_is_bounded_and_what_is_in_use_survives_a_scan() {
        let versions = Versions::default();
        let cache = Cache::<_, _>::new(1_000);
        let stamp = stamp(&versions, []);
        let in_use = |n: &u64| cache.get(&versions, n, NOW).is_some();
        for n in 0..100_u64 {
            cache.insert(n, (), stamp, None);
            assert!(in_use(&n));
        }
        for n in 100..50_000 {
            cache.insert(n, (), stamp, None);
            in_use(&(n % 100));
        }
        // Shards are filled by chance, some of them not.
        let kept = (0..50_000).filter(in_use).count();
        assert!((800..=1_024).contains(&kept), "{kept}");
        let survivors = (0..100).filter(in_use).count();
        assert!(survivors >= 95, "{survivors}");
    }

    #[test]
    fn a_key_is_looked_up_by_what_it_is_made_of() {
        #[derive(Hash)]
        struct Borrowed<'a>(u8, &'a str);
        impl Equivalent<(u8, Box<str>)> for Borrowed<'_> {
            fn equivalent(&self, key: &(u8, Box<str>)) -> bool {
                (self.0, self.1) == (key.0, &key.1)
            }
        }
        let versions = Versions::default();
        let cache = Cache::<(u8, Box<str>), _>::new(10);
        cache.insert((1, "a".into()), "found", stamp(&versions, []), None);
        assert_eq!(cache.get(&versions, &Borrowed(1, "a"), NOW), Some("found"));
        assert_eq!(cache.get(&versions, &Borrowed(2, "a"), NOW), None);
    }

    #[test]
    fn a_load_that_a_change_overtakes_leaves_nothing_behind() {
        let user = UserId::generate(NOW);
        let versions = Versions::default();
        let cache = Cache::<_, _>::new(10);
        // The old value is read, then the change is committed and acknowledged, then the loader goes on: once after it
        // has taken its stamp, once before.
        let taken = stamp(&versions, [Change::User(user)]);
        let moment = versions.moment();
        versions.changed(&Change::User(user));
        for old in [taken, versions.stamp(moment, [Change::User(user)])] {
            assert!(!versions.is_current(&old));
            cache.insert("key", "old", old, None);
            assert_eq!(cache.get(&versions, &"key", NOW), None);
        }
    }

    #[test]
    fn what_is_served_is_not_replaced_by_what_cannot_be() {
        let versions = Versions::default();
        let cache = Cache::<_, _>::new(10);
        cache.insert("key", "served", stamp(&versions, []), None);
        let moment = versions.moment();
        versions.changed(&Change::SigningKeys);
        cache.insert("key", "overtaken", versions.stamp(moment, []), None);
        assert_eq!(cache.get(&versions, &"key", NOW), Some("served"));
    }

    #[test]
    fn a_value_ends_at_its_time() {
        let versions = Versions::default();
        let cache = Cache::<_, _>::new(10);
        cache.insert("key", 1, stamp(&versions, []), Some(NOW));
        assert_eq!(cache.get(&versions, &"key", Timestamp::from_secs(1_763_999_999)), Some(1));
        assert_eq!(cache.get(&versions, &"key", NOW), None);
    }

    #[test]
    fn a_stamp_of_too_much_is_never_current() {
        let versions = Versions::default();
        let things: Vec<_> = (0..9).map(|_| Change::User(UserId::generate(NOW))).collect();
        let too_much = stamp(&versions, things.iter().copied());
        assert!(!versions.is_current(&too_much));
        assert!(!versions.is_current(&versions.both(&too_much, &stamp(&versions, []))));
        assert!(!versions.is_current(&versions.both(&stamp(&versions, []), &too_much)));
        let half = stamp(&versions, things[..5].iter().copied());
        assert!(!versions.is_current(&versions.both(&half, &half)));
    }

    proptest! {
        #[test]
        fn what_two_stamps_hold_is_held_by_both(which in 0_usize..6) {
            let versions = Versions::default();
            let users: Vec<_> = (0..6).map(|_| Change::User(UserId::generate(NOW))).collect();
            let both = versions.both(&stamp(&versions, users[..3].iter().copied()), &stamp(&versions, users[3..].iter().copied()));
            prop_assert!(versions.is_current(&both));
            versions.changed(&users[which]);
            prop_assert!(!versions.is_current(&both));
        }
    }

    #[test]
    fn readers_never_see_what_was_changed_before_they_asked() {
        let user = Change::User(UserId::generate(NOW));
        race(|_| user);
    }

    #[test]
    fn readers_may_learn_from_what_they_read_what_it_depends_on() {
        let owners: Vec<_> = (0..4).map(|_| Change::User(UserId::generate(NOW))).collect();
        race(|value| owners[usize::try_from(value % 4).unwrap()]);
    }

    /// A writer changes a number and bumps the version of its owner, who may differ from number to number; readers load
    /// it, stamp it with the owner whom they have read, who may have changed already, and cache it. After each
    /// acknowledged change a reader must see at least that change, whatever loads were under way.
    fn race(owner: impl Fn(u64) -> Change + Sync) {
        let versions = Versions::default();
        let cache = Cache::<_, _>::new(10);
        let (stored, acknowledged) = (AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..=20_000 {
                    stored.store(n, Ordering::SeqCst);
                    versions.changed(&owner(n - 1));
                    acknowledged.store(n, Ordering::SeqCst);
                }
            });
            for _ in 0..3 {
                scope.spawn(|| {
                    while acknowledged.load(Ordering::SeqCst) < 20_000 {
                        let least = acknowledged.load(Ordering::SeqCst);
                        let seen = cache.get(&versions, &"key", NOW).unwrap_or_else(|| {
                            let moment = versions.moment();
                            let value = stored.load(Ordering::SeqCst);
                            std::thread::yield_now();
                            cache.insert("key", value, versions.stamp(moment, [owner(value)]), None);
                            value
                        });
                        assert!(seen >= least, "saw {seen} after {least} was acknowledged");
                    }
                });
            }
        });
    }
}
