//! Passwords: Argon2id (RFC 9106), a bounded number at a time, in the same time whether or not there is one to compare.

use std::sync::{Condvar, Mutex, PoisonError};

use argon2::password_hash::phc;
use argon2::{Params, PasswordHasher, PasswordVerifier};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::argon2id::Argon2id;
use crate::secret::{PasswordHash, Secret};

/// The fewest characters of a new password.
const MIN_CHARS: usize = 8;
/// The most characters of a password: more would only keep the hash function busy.
const MAX_CHARS: usize = 1_024;
/// How many may wait for their turn; further ones are refused at once.
const MAX_WAITING: usize = 64;

/// A password was not set or checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// A new password has too few or too many characters.
    #[error("a password has 8 to 1,024 characters")]
    Length,
    /// Too many passwords are being checked already.
    #[error("too many passwords are being checked at the moment, try again")]
    Busy,
    /// The hash function failed.
    #[error("the password could not be hashed")]
    Failed,
}

/// Hashes and checks passwords.
pub struct Passwords {
    argon2: Argon2id,
    /// The hash of no password that anybody has: compared where there is none, so that both take the same time.
    nobody: PasswordHash,
    pub(super) turns: Turns,
}

impl Passwords {
    /// `concurrency` passwords at a time, at OWASP's recommendation of 19 MiB, two passes, one lane.
    pub fn new(concurrency: usize) -> Result<Self, PasswordError> {
        let params = Params::new(19_456, 2, 1, None).map_err(|_| PasswordError::Failed)?;
        let argon2 = Argon2id::new(params);
        let nobody = argon2.of_nobody().map_err(|_| PasswordError::Failed)?;
        let nobody = PasswordHash::new(nobody.to_string());
        Ok(Self { argon2, nobody, turns: Turns::new(concurrency) })
    }

    /// The hash of a new password, to be stored.
    pub fn hash(&self, password: &Secret) -> Result<PasswordHash, PasswordError> {
        let password = normalized(password);
        check_length(&password)?;
        self.turns.take(|| hash_with(&self.argon2, password.as_bytes()))?
    }

    /// Whether the password is the one that was hashed. Without a hash, or for a password of forbidden length, it takes
    /// as long and the answer is no.
    pub fn verify(&self, password: &Secret, hash: Option<&PasswordHash>) -> Result<bool, PasswordError> {
        let password = normalized(password);
        let possible = password.chars().count() <= MAX_CHARS;
        let tried = if possible { password.as_bytes() } else { &[] };
        let right = self.turns.take(|| {
            phc::PasswordHash::new(hash.unwrap_or(&self.nobody).expose())
                .is_ok_and(|hash| self.argon2.verify_password(tried, &hash).is_ok())
        })?;
        Ok(right && possible && hash.is_some())
    }

    /// Whether the hash was made with other parameters than today's and should be replaced.
    pub fn is_outdated(&self, hash: &PasswordHash) -> bool {
        let current = phc::PasswordHash::new(self.nobody.expose());
        let hash = phc::PasswordHash::new(hash.expose());
        match (current, hash) {
            (Ok(current), Ok(hash)) => {
                (hash.algorithm, hash.version, &hash.params) != (current.algorithm, current.version, &current.params)
            }
            _ => true,
        }
    }
}

fn hash_with(argon2: &Argon2id, password: &[u8]) -> Result<PasswordHash, PasswordError> {
    let hash = argon2.hash_password(password).map_err(|_| PasswordError::Failed)?;
    Ok(PasswordHash::new(hash.to_string()))
}

/// Refuses a new password, in normal form, of too few or too many characters.
pub(super) fn check_length(normalized: &str) -> Result<(), PasswordError> {
    let good = (MIN_CHARS..=MAX_CHARS).contains(&normalized.chars().count());
    if good { Ok(()) } else { Err(PasswordError::Length) }
}

/// The same password typed on another keyboard is the same password (RFC 8265, section 4.2, with NFKC).
pub(super) fn normalized(password: &Secret) -> Zeroizing<String> {
    Zeroizing::new(password.expose().nfkc().collect())
}

/// Lets a bounded number through at a time.
pub(super) struct Turns {
    state: Mutex<(usize, usize)>,
    free: Condvar,
}

impl Turns {
    fn new(concurrency: usize) -> Self {
        Self { state: Mutex::new((concurrency.max(1), 0)), free: Condvar::new() }
    }

    pub(super) fn take<T>(&self, work: impl FnOnce() -> T) -> Result<T, PasswordError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 == 0 && state.1 >= MAX_WAITING {
            return Err(PasswordError::Busy);
        }
        state.1 += 1;
        let mut state = self.free.wait_while(state, |(free, _)| *free == 0).unwrap_or_else(PoisonError::into_inner);
        state.0 -= 1;
        state.1 -= 1;
        drop(state);
        let turn = Turn(self);
        let result = work();
        drop(turn);
        Ok(result)
    }
}

/// Gives the turn back, also when the work panics.
struct Turn<'a>(&'a Turns);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
        self.0.free.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn the_right_password_and_no_other_verifies() {
        let passwords = Passwords::new(2).unwrap();
        let hash = passwords.hash(&secret("correct horse")).unwrap();
        assert_eq!(passwords.verify(&secret("correct horse"), Some(&hash)), Ok(true));
        for wrong in ["correct horsE", "correct horse ", "", &"a".repeat(2_000)] {
            assert_eq!(passwords.verify(&secret(wrong), Some(&hash)), Ok(false), "{wrong}");
        }
        assert_eq!(passwords.verify(&secret("correct horse"), None), Ok(false));
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn the_length_of_a_new_password_counts_characters() {
        let passwords = Passwords::new(2).unwrap();
        assert_eq!(passwords.hash(&secret("seven77")).unwrap_err(), PasswordError::Length);
        assert!(
            passwords.hash(&secret("\u{1F600}\u{1F601}\u{1F602}\u{1F603}\u{1F604}\u{1F605}\u{1F606}\u{1F607}")).is_ok()
        );
        assert_eq!(passwords.hash(&secret(&"a".repeat(1_025))).unwrap_err(), PasswordError::Length);
        assert!(passwords.hash(&secret(&"a".repeat(1_024))).is_ok());
    }

    #[test]
    fn composed_and_decomposed_spellings_are_one_password() {
        let passwords = Passwords::new(2).unwrap();
        let hash = passwords.hash(&secret("caf\u{e9} au lait")).unwrap();
        assert_eq!(passwords.verify(&secret("cafe\u{301} au lait"), Some(&hash)), Ok(true));
    }

    #[test]
    fn a_hash_of_other_parameters_verifies_and_is_outdated() {
        let passwords = Passwords::new(2).unwrap();
        let weak = Argon2id::new(Params::new(8_192, 1, 1, None).unwrap());
        let hash = hash_with(&weak, b"correct horse").unwrap();
        assert_eq!(passwords.verify(&secret("correct horse"), Some(&hash)), Ok(true));
        assert!(passwords.is_outdated(&hash));
        assert!(!passwords.is_outdated(&passwords.hash(&secret("correct horse")).unwrap()));
    }

    #[test]
    fn never_more_at_a_time_than_allowed() {
        let turns = Turns::new(2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    turns.take(|| {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                    })
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
    }
}
