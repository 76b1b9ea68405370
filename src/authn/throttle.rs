//! How guessing is slowed: per account and address together, per address, and per account over all addresses. Pure: it
//! reads and gives rows, whoever calls it keeps them, so that the count survives a restart.
//!
//! Three things hold whatever an attacker does:
//!
//! - Attempts are charged when they are admitted, not when they have failed: a thousand at once are counted like a
//!   thousand one after the other.
//! - An account that was signed in to from an address before is judged there by its failures from there alone. Nobody
//!   makes its owner wait by guessing at the account from elsewhere, or at other accounts from there.
//! - No wait is longer than [`LONGEST_WAIT`], and idle time forgives. From a new address an account's owner competes with
//!   whoever attacks it at that time for one attempt in [`ACCOUNT_WAIT`]; a mailed link [opens](Attempt::trust) the
//!   address at once.
//!
//! Names of accounts are counted as they were typed (in canonical form), existing or not, so that nothing here tells
//! which exist.

use std::net::IpAddr;
use std::time::Duration;

use crate::model::{Email, Throttle, Timestamp, UserId, Username};
use crate::secret::Digest;

/// How many attempts on one account from one address fail without a wait.
const FREE_PER_PAIR: u32 = 5;
/// How many attempts from one address fail without a wait.
const FREE_PER_ADDRESS: u32 = 20;
/// How many wrong second factors of one account go without a wait.
const FREE_PER_SECOND_FACTOR: u32 = 5;
/// The first wait; each further failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// In this time without a failure one is forgiven. Not shorter than the longest wait, or waiting would forgive faster
/// than guessing counts.
const FORGIVEN_EVERY: Duration = LONGEST_WAIT;

/// How many attempts on one account, from everywhere, fail within an hour without a wait.
const FREE_PER_ACCOUNT: u32 = 100;
/// The wait after that.
const ACCOUNT_WAIT: Duration = Duration::from_secs(10);
/// In this time without a failure one is forgiven: so many in an hour are never slowed.
const ACCOUNT_FORGIVEN_EVERY: Duration = Duration::from_secs(60 * 60 / FREE_PER_ACCOUNT as u64);

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It may be made, and has been charged.
    Go,
    /// It must not be made, and has not been charged; it may be made again after this time.
    Wait(Duration),
}

/// An attempt to sign in. It is admitted, which charges it, and then ends in one of three ways: it has failed, and the
/// charge stays; it is [given back](Self::give_back); or it has [succeeded](Self::succeed).
///
/// Each step reads rows and gives the rows to be put, both in one transaction of the store.
#[derive(Debug)]
pub struct Attempt {
    pair: Digest,
    can_be_trusted: bool,
    counters: Vec<Counter>,
    charged: Vec<Charge>,
}

impl Attempt {
    /// An attempt on the account that `login`, a username or an address, names.
    ///
    /// An unknown client cannot be told from any other: it is counted for the account only, and never trusted.
    pub fn new(login: &str, client: Option<IpAddr>) -> Self {
        let (login, client) = (canonical(login), client.map(network));
        let pair = key(PAIR, &[login.as_bytes(), client.as_ref().map_or(&[], Network::bytes)]);
        let mut counters = vec![
            Counter { key: pair, limit: Limit::Doubling { free: FREE_PER_PAIR } },
            Counter { key: key(ACCOUNT, &[login.as_bytes()]), limit: Limit::Steady },
        ];
        if let Some(client) = &client {
            let limit = Limit::Doubling { free: FREE_PER_ADDRESS };
            counters.push(Counter { key: key(ADDRESS, &[client.bytes()]), limit });
        }
        Self { pair, can_be_trusted: client.is_some(), counters, charged: Vec::new() }
    }

    /// Whether the password may be tried now; if so the attempt is charged. The rows must be put in either case.
    pub fn admit<E>(
        &mut self,
        now: Timestamp,
        mut read: impl FnMut(&Digest) -> Result<Option<Throttle>, E>,
    ) -> Result<(Verdict, Vec<Throttle>), E> {
        let mut counters = self.counters.clone();
        if self.is_trusted(&mut read)? {
            counters.retain(|counter| counter.key == self.pair);
        }
        self.charge(&counters, now, read)
    }

    /// Whether a second factor of `user` may be tried now, after the right password in this attempt; if so it is
    /// charged too. The rows must be put in either case.
    ///
    /// It has a limit of its own: codes are few, and whoever gets here from an address that is not trusted may be a
    /// thief of the password, with as many addresses as it likes.
    pub fn admit_code<E>(
        &mut self,
        user: UserId,
        now: Timestamp,
        mut read: impl FnMut(&Digest) -> Result<Option<Throttle>, E>,
    ) -> Result<(Verdict, Vec<Throttle>), E> {
        if self.is_trusted(&mut read)? {
            return Ok((Verdict::Go, Vec::new()));
        }
        let limit = Limit::Doubling { free: FREE_PER_SECOND_FACTOR };
        self.charge(&[Counter { key: key(SECOND_FACTOR, &[user.as_bytes()]), limit }], now, read)
    }

    /// The attempt has neither failed nor succeeded: the password is right, and the second factor is not given yet, or
    /// must wait.
    pub fn give_back<E>(
        &self,
        mut read: impl FnMut(&Digest) -> Result<Option<Throttle>, E>,
    ) -> Result<Vec<Throttle>, E> {
        let mut rows = Vec::with_capacity(self.charged.len());
        for charge in &self.charged {
            rows.extend(read(&charge.row.key)?.map(|row| charge.undone(row)));
        }
        Ok(rows)
    }

    /// The attempt has succeeded, with every factor that the account has: the account is trusted from this address.
    /// Elsewhere only this attempt's own charge is taken back, so that nobody clears an address by signing in to an
    /// account of their own.
    pub fn succeed<E>(
        &self,
        now: Timestamp,
        read: impl FnMut(&Digest) -> Result<Option<Throttle>, E>,
    ) -> Result<Vec<Throttle>, E> {
        let mut rows = self.give_back(read)?;
        rows.retain(|row| row.key != self.pair);
        rows.push(self.trust(now));
        Ok(rows)
    }

    /// The row by which the account is trusted from this address although this attempt was never made: the account was
    /// signed in to by its other name, or a link was followed that was mailed to its owner.
    pub fn trust(&self, now: Timestamp) -> Throttle {
        Throttle { key: self.pair, failures: 0, last_failure_at: now, trusted: self.can_be_trusted }
    }

    fn is_trusted<E>(&self, mut read: impl FnMut(&Digest) -> Result<Option<Throttle>, E>) -> Result<bool, E> {
        Ok(self.can_be_trusted && read(&self.pair)?.is_some_and(|pair| pair.trusted))
    }

    fn charge<E>(
        &mut self,
        counters: &[Counter],
        now: Timestamp,
        mut read: impl FnMut(&Digest) -> Result<Option<Throttle>, E>,
    ) -> Result<(Verdict, Vec<Throttle>), E> {
        let mut judged = Vec::with_capacity(counters.len());
        for counter in counters {
            judged.push((counter, read(&counter.key)?));
        }
        let waits = judged.iter().filter_map(|(counter, row)| Some(counter.limit.wait(row.as_ref()?, now)));
        let wait = waits.max().unwrap_or(Duration::ZERO);
        if wait > Duration::ZERO {
            // A failure in the future means that the clock was set back. It counts as one of now, so that its wait is
            // served in full, and not for as long as the clock was set back.
            let future = judged.into_iter().filter_map(|(_, row)| row).filter(|row| row.last_failure_at > now);
            return Ok((Verdict::Wait(wait), future.map(|row| Throttle { last_failure_at: now, ..row }).collect()));
        }
        let charges: Vec<_> = judged.into_iter().map(|(counter, before)| counter.charge(before, now)).collect();
        let rows = charges.iter().map(|charge| charge.row).collect();
        self.charged.extend(charges);
        Ok((Verdict::Go, rows))
    }
}

/// A row that an attempt is counted in.
#[derive(Debug, Clone, Copy)]
struct Counter {
    key: Digest,
    limit: Limit,
}

impl Counter {
    fn charge(&self, before: Option<Throttle>, now: Timestamp) -> Charge {
        let failures = before.map_or(0, |row| self.limit.failures(&row, now));
        let failures = failures.saturating_add(1).min(self.limit.most());
        let trusted = before.is_some_and(|row| row.trusted);
        let row = Throttle { key: self.key, failures, last_failure_at: now, trusted };
        Charge { row, before }
    }
}

/// What was charged: the row that was put, and what it was before.
#[derive(Debug)]
struct Charge {
    row: Throttle,
    before: Option<Throttle>,
}

impl Charge {
    /// What remains of `row`, as it is now, without this charge.
    fn undone(&self, row: Throttle) -> Throttle {
        match self.before {
            Some(before) if row == self.row => before,
            // Others have been charged since, or nobody had been before.
            _ => Throttle { failures: row.failures.saturating_sub(1), ..row },
        }
    }
}

/// How failures become a wait.
#[derive(Debug, Clone, Copy)]
enum Limit {
    /// After `free` failures each further one doubles the wait.
    Doubling { free: u32 },
    /// After so many within an hour, all wait for the same short time: many people's attempts meet here.
    Steady,
}

impl Limit {
    /// The failures that are not forgiven yet.
    fn failures(self, row: &Throttle, now: Timestamp) -> u32 {
        let every = match self {
            Self::Doubling { .. } => FORGIVEN_EVERY,
            Self::Steady => ACCOUNT_FORGIVEN_EVERY,
        };
        let forgiven = now.since(row.last_failure_at).as_secs() / every.as_secs();
        row.failures.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    /// How long the next attempt must wait from now on.
    fn wait(self, row: &Throttle, now: Timestamp) -> Duration {
        let failures = self.failures(row, now);
        let wait = match self {
            Self::Doubling { free } => match failures.checked_sub(free) {
                None | Some(0) => Duration::ZERO,
                Some(beyond) => FIRST_WAIT.saturating_mul(2_u32.saturating_pow(beyond - 1)).min(LONGEST_WAIT),
            },
            Self::Steady if failures < FREE_PER_ACCOUNT => Duration::ZERO,
            Self::Steady => ACCOUNT_WAIT,
        };
        wait.saturating_sub(now.since(row.last_failure_at))
    }

    /// The failures that are counted at most. What many have done is forgotten an hour after the last of it.
    fn most(self) -> u32 {
        match self {
            Self::Doubling { .. } => u32::MAX,
            Self::Steady => FREE_PER_ACCOUNT,
        }
    }
}

/// What one client can be told from others by: an IPv4 address, or the first 64 bits of an IPv6 address, of which one
/// client has as many as it likes (RFC 6177, RFC 7934).
#[derive(Debug, Clone, Copy)]
enum Network {
    V4([u8; 4]),
    V6([u8; 8]),
}

impl Network {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

fn network(client: IpAddr) -> Network {
    match client.to_canonical() {
        IpAddr::V4(address) => Network::V4(address.octets()),
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, ..] = address.octets();
            Network::V6([a, b, c, d, e, f, g, h])
        }
    }
}

/// The one form of all spellings of a login; what can be no account's login stays as it is.
fn canonical(login: &str) -> String {
    let username = Username::parse(login).map(|username| username.canonical().to_owned());
    let either = username.or_else(|_| Email::parse(login).map(|email| email.canonical().to_owned()));
    either.unwrap_or_else(|_| login.to_owned())
}

const PAIR: u8 = 1;
const ACCOUNT: u8 = 2;
const ADDRESS: u8 = 3;
const SECOND_FACTOR: u8 = 4;

/// The key of a kind of row and its fields, which no others share: each field comes with its length.
fn key(kind: u8, fields: &[&[u8]]) -> Digest {
    let mut bytes = vec![kind];
    for field in fields {
        bytes.extend((field.len() as u64).to_be_bytes());
        bytes.extend_from_slice(field);
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests;
