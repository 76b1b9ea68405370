//! Recovery codes: ten of 60 random bits, each of which stands in once for an authenticator that was lost.
//!
//! Only keyed digests of them are stored, under a pepper that is itself sealed: a stolen database alone gives nothing to
//! guess at.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::vault::{Rotation, Vault, VaultError};
use crate::secret::{Digest, Sealed, Secret};

/// How many codes an account has.
const CODES: usize = 10;
const CHARS: usize = 12;
const GROUP: usize = 4;
/// Of look-alikes it has one each; the others are read as that one.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PEPPER_CONTEXT: &str = "recovery code pepper";

/// A recovery code: twelve characters of Crockford's base 32.
#[derive(Debug)]
pub struct RecoveryCode(Secret);

impl RecoveryCode {
    /// The new codes of an account.
    pub fn generate() -> Vec<Self> {
        let mut rng = rand::rng();
        let mut character = || ALPHABET.get(rng.random_range(0..ALPHABET.len())).copied().map_or('0', char::from);
        (0..CODES).map(|_| Self(Secret::new((0..CHARS).map(|_| character()).collect()))).collect()
    }

    /// Reads a code as people type it: case, hyphens and spaces do not matter. `None` for what cannot be one, such as a
    /// code of six digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut code = Zeroizing::new(String::with_capacity(CHARS));
        for typed in text.chars().filter(|c| *c != '-' && !c.is_whitespace()) {
            let character = match typed.to_ascii_lowercase() {
                'o' => '0',
                'i' | 'l' => '1',
                other => other,
            };
            let known = u8::try_from(character).is_ok_and(|byte| ALPHABET.contains(&byte));
            if !known || code.len() == CHARS {
                return None;
            }
            code.push(character);
        }
        (code.len() == CHARS).then(|| Self(Secret::new(std::mem::take(&mut *code))))
    }

    /// What is stored and looked up in the code's place: HMAC-SHA-256 (RFC 2104) under the pepper.
    pub fn digest(&self, pepper: &Pepper) -> Digest {
        // HMAC itself fills a short key with zeros up to a block.
        let mut block = Zeroizing::new([0; 64]);
        block.iter_mut().zip(pepper.0.iter()).for_each(|(to, from)| *to = *from);
        let mut mac = Hmac::<Sha256>::new(&(*block).into());
        mac.update(self.0.expose().as_bytes());
        Digest::from_bytes(mac.finalize().into_bytes().into())
    }

    /// The code in groups, such as `abcd-efgh-jkmn`, for the one time that it is shown.
    pub fn to_secret(&self) -> Secret {
        let mut shown = String::with_capacity(CHARS + CHARS / GROUP);
        for (at, character) in self.0.expose().chars().enumerate() {
            if at > 0 && at % GROUP == 0 {
                shown.push('-');
            }
            shown.push(character);
        }
        Secret::new(shown)
    }
}

/// The key under which recovery codes are digested. The store keeps it sealed, under [`Pepper::NAME`].
pub struct Pepper(Zeroizing<[u8; 32]>);

impl Pepper {
    /// Its name among the store's secrets.
    pub const NAME: &'static str = "recovery_code_pepper";

    /// A new pepper: the digests of another one are worth nothing under it.
    pub fn generate() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// The pepper that was sealed.
    pub fn open(vault: &Vault, sealed: &Sealed) -> Result<Self, VaultError> {
        let pepper = vault.open_sealed(PEPPER_CONTEXT, sealed)?;
        let pepper = pepper.as_slice().try_into().map_err(|_| VaultError::WrongKey)?;
        Ok(Self(Zeroizing::new(pepper)))
    }

    /// The pepper, to be stored.
    pub fn seal(&self, vault: &Vault) -> Sealed {
        vault.seal(PEPPER_CONTEXT, self.0.as_slice())
    }

    /// The same pepper under the vault's new key.
    pub fn reseal(rotation: &Rotation<'_>, sealed: &Sealed) -> Result<Sealed, VaultError> {
        rotation.reseal(PEPPER_CONTEXT, sealed)
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<String> {
        RecoveryCode::parse(text).map(|code| code.to_secret().expose().to_owned())
    }

    #[test]
    fn ten_different_codes_are_made_and_read_back() {
        let codes: HashSet<_> =
            RecoveryCode::generate().iter().map(|code| code.to_secret().expose().to_owned()).collect();
        assert_eq!(codes.len(), CODES);
        for code in codes {
            assert_eq!(code.len(), 14);
            assert_eq!(read(&code), Some(code));
        }
    }

    #[test]
    fn case_hyphens_spaces_and_look_alikes_do_not_matter() {
        for typed in ["0bcd-efgh-jkm1", " 0BCD EFGH JKM1\n", "obcdefghjkml", "OBCD-EFGH-JKMI", "0-b-c-d-efghjkm1-"] {
            assert_eq!(read(typed).as_deref(), Some("0bcd-efgh-jkm1"), "{typed}");
        }
    }

    #[test]
    fn what_is_no_code_is_not_read() {
        for typed in
            ["", "123456", "abcd-efgh-jkm", "abcd-efgh-jkmnp", "abcd-efgh-jkmu", "abcd_efgh_jkmn", "ābcd-efgh-jkmn"]
        {
            assert_eq!(read(typed), None, "{typed}");
        }
    }

    #[test]
    fn the_digest_is_hmac_sha_256_and_depends_on_code_and_pepper() {
        // From another implementation: `printf 0bcdefghjkm1 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07`.
        let code = RecoveryCode::parse("0bcd-efgh-jkm1").unwrap();
        let digest = code.digest(&Pepper(Zeroizing::new([7; 32])));
        let hex: String = digest.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "9c227bfcc6805179709430cf9e53b70b5a8c11e20436c5dae23a362e46b84d4d");
        assert_ne!(code.digest(&Pepper(Zeroizing::new([8; 32]))), digest);
        assert_ne!(RecoveryCode::parse("0bcd-efgh-jkm2").unwrap().digest(&Pepper(Zeroizing::new([7; 32]))), digest);
    }

    #[test]
    fn a_pepper_is_opened_as_it_was_sealed_and_from_nothing_else() {
        let vault = Vault::from_key(&[1; 32]);
        let pepper = Pepper::generate();
        assert_eq!(Pepper::open(&vault, &pepper.seal(&vault)).unwrap().0, pepper.0);
        assert!(Pepper::open(&vault, &vault.seal("elsewhere", pepper.0.as_slice())).is_err());
        assert!(Pepper::open(&vault, &vault.seal(PEPPER_CONTEXT, b"short")).is_err());
        assert_eq!(format!("{pepper:?} {:?}", RecoveryCode::generate()[0]), "Pepper(…) RecoveryCode(Secret(…))");
    }

    proptest! {
        #[test]
        fn any_text_is_a_code_or_none(text in any::<String>()) {
            if let Some(code) = read(&text) {
                prop_assert_eq!(read(&code), Some(code));
            }
        }
    }
}
