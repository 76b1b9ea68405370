//! Codes of authenticators: TOTP (RFC 6238) with what every authenticator can do, which is SHA-1, six digits, 30 seconds.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use super::vault::{Rotation, Vault, VaultError};
use crate::model::{Timestamp, UserId};
use crate::secret::{Sealed, Secret};

/// 160 bits, as RFC 4226, section 4, recommends.
const SECRET_LEN: usize = 20;
const STEP_SECS: i64 = 30;
/// How many steps an authenticator's clock may be off, either way (RFC 6238, section 5.2).
const SKEW: i64 = 1;
/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The secret that an account shares with an authenticator.
pub struct TotpSecret(Zeroizing<[u8; SECRET_LEN]>);

impl TotpSecret {
    /// A new secret.
    pub fn generate() -> Self {
        Self(Zeroizing::new(rand::random()))
    }

    /// The secret that was sealed for `user`.
    pub fn open(vault: &Vault, user: UserId, sealed: &Sealed) -> Result<Self, VaultError> {
        let secret = vault.open_sealed(&context(user), sealed)?;
        let secret = secret.as_slice().try_into().map_err(|_| VaultError::WrongKey)?;
        Ok(Self(Zeroizing::new(secret)))
    }

    /// The secret, to be stored for `user`.
    pub fn seal(&self, vault: &Vault, user: UserId) -> Sealed {
        vault.seal(&context(user), self.0.as_slice())
    }

    /// The same secret under the vault's new key.
    pub fn reseal(rotation: &Rotation<'_>, user: UserId, sealed: &Sealed) -> Result<Sealed, VaultError> {
        rotation.reseal(&context(user), sealed)
    }

    /// The secret as authenticators take it by hand: base 32 without padding (RFC 4648, section 6).
    pub fn base32(&self) -> Secret {
        Secret::new(self.totp().secret().to_base32())
    }

    /// The secret as authenticators take it from a QR code, in the key URI format. `issuer` and `account` tell people
    /// what the code is for; a colon would divide them, so those of the issuer are left out.
    pub fn uri(&self, issuer: &str, account: &str) -> Secret {
        let issuer = issuer.replace(':', "");
        let issuer = utf8_percent_encode(&issuer, RESERVED);
        let account = utf8_percent_encode(account, RESERVED);
        let secret = self.base32();
        Secret::new(format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits=6&period={STEP_SECS}",
            secret.expose()
        ))
    }

    /// The step that the code belongs to, if it is one of now or right beside it and later than `last_step`, the last one
    /// of which a code was taken: a code is taken once, and none after a newer one (RFC 6238, section 5.2).
    ///
    /// A code is exactly six ASCII digits. All candidates are compared, each in constant time.
    pub fn matching_step(&self, code: &Secret, now: Timestamp, last_step: i64) -> Option<i64> {
        let totp = self.totp();
        let now = now.as_secs().div_euclid(STEP_SECS);
        let mut found = None;
        for step in now.saturating_sub(SKEW)..=now.saturating_add(SKEW) {
            let Ok(time) = u64::try_from(step.saturating_mul(STEP_SECS)) else { continue };
            // The latest of several: or the same code would be taken a second time for the next one.
            if totp.check(code.expose(), time).is_some() && step > last_step {
                found = Some(step);
            }
        }
        found
    }

    fn totp(&self) -> Totp {
        // What the other way to build one checks is constant here. The skew is none, so that each step is told apart.
        Builder::new().with_secret(totp_rs::Secret::new_stack(*self.0)).with_skew(0).build_noncompliant()
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

fn context(user: UserId) -> String {
    format!("totp {user}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NEVER: i64 = -1;
    /// RFC 6238, appendix B, SHA-1: the codes of eight digits, of which the last six are those of six digits.
    const VECTORS: [(i64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    fn rfc_secret() -> TotpSecret {
        TotpSecret(Zeroizing::new(*b"12345678901234567890"))
    }

    fn step_of(code: &str, secs: i64, last_step: i64) -> Option<i64> {
        rfc_secret().matching_step(&Secret::new(code.to_owned()), Timestamp::from_secs(secs), last_step)
    }

    fn code(secret: &TotpSecret, step: i64) -> Secret {
        Secret::new(secret.totp().generate(u64::try_from(step * STEP_SECS).unwrap()).to_string())
    }

    #[test]
    fn the_codes_of_the_rfc_are_taken_in_their_step() {
        for (secs, eight_digits) in VECTORS {
            let six_digits = eight_digits.strip_prefix(|_| true).unwrap().strip_prefix(|_| true).unwrap();
            assert_eq!(step_of(six_digits, secs, NEVER), Some(secs / 30), "{secs}");
        }
    }

    #[test]
    fn a_code_is_taken_one_step_early_or_late_and_no_further() {
        let step = 1_111_111_109 / 30;
        for (seconds, taken) in
            [(-31, false), (-30, true), (-1, true), (0, true), (29, true), (30, true), (59, true), (60, false)]
        {
            assert_eq!(step_of("081804", step * 30 + seconds, NEVER).is_some(), taken, "{seconds}");
        }
    }

    #[test]
    fn a_code_is_taken_once_and_never_after_a_newer_one() {
        let step = 1_111_111_109 / 30;
        assert_eq!(step_of("081804", step * 30, step - 1), Some(step));
        assert_eq!(step_of("081804", step * 30, step), None);
        assert_eq!(step_of("081804", step * 30 + 30, step + 1), None);
        assert_eq!(step_of("081804", step * 30, i64::MAX), None);
    }

    #[test]
    fn a_code_that_is_right_twice_is_taken_for_the_later_step() {
        let secret = rfc_secret();
        let twice = (0..).find(|step| code(&secret, *step).expose() == code(&secret, step + 1).expose()).unwrap();
        let taken = secret.matching_step(&code(&secret, twice), Timestamp::from_secs(twice * 30), NEVER);
        assert_eq!(taken, Some(twice + 1));
    }

    #[test]
    fn only_six_ascii_digits_are_a_code() {
        for code in [
            "",
            "81804",
            "0081804",
            "94287082",
            "+81804",
            "-81804",
            " 081804",
            "081804 ",
            "081 804",
            "08180٤",
            "\u{FF10}81804",
            "٠٨١٨٠٤",
            "08180a",
            "0x1804",
        ] {
            assert_eq!(step_of(code, 1_111_111_109, NEVER), None, "{code:?}");
        }
    }

    #[test]
    fn times_at_the_ends_are_survived() {
        for micros in [i64::MIN, -1, 0, i64::MAX] {
            let now = Timestamp::from_micros(micros);
            rfc_secret().matching_step(&Secret::new("081804".to_owned()), now, i64::MIN);
        }
    }

    #[test]
    fn the_uri_tells_everything_in_one_form() {
        let uri = rfc_secret().uri("Gate & Post: 1", "ada lovelace+x@example.com");
        assert_eq!(
            uri.expose(),
            "otpauth://totp/Gate%20%26%20Post%201:ada%20lovelace%2Bx%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Gate%20%26%20Post%201&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_secret_opens_for_its_user_only_and_is_never_printed() {
        let vault = Vault::from_key(&[1; 32]);
        let (ada, grace) = (UserId::generate(Timestamp::from_secs(0)), UserId::generate(Timestamp::from_secs(0)));
        let secret = TotpSecret::generate();
        let sealed = secret.seal(&vault, ada);
        assert_eq!(TotpSecret::open(&vault, ada, &sealed).unwrap().0, secret.0);
        assert!(TotpSecret::open(&vault, grace, &sealed).is_err());
        assert!(TotpSecret::open(&vault, ada, &vault.seal(&context(ada), b"short")).is_err());
        assert_ne!(TotpSecret::generate().0, secret.0);
        assert_eq!(format!("{secret:?}"), "TotpSecret(…)");
    }

    proptest! {
        #[test]
        fn every_code_is_taken_within_its_time_and_only_once(
            secret in any::<[u8; SECRET_LEN]>(), secs in 0_i64..10_000_000_000, off in -1_i64..=1,
        ) {
            let secret = TotpSecret(Zeroizing::new(secret));
            let step = (secs / 30 + off).max(0);
            let code = code(&secret, step);
            let now = Timestamp::from_secs(secs);
            let taken = secret.matching_step(&code, now, step - 1);
            // Another step beside it may have the same code.
            prop_assert!(taken.is_some_and(|taken| taken >= step));
            prop_assert_eq!(secret.matching_step(&code, now, taken.unwrap()), None);
        }

        #[test]
        fn any_text_is_a_code_or_none(text in any::<String>(), secs in any::<i64>()) {
            rfc_secret().matching_step(&Secret::new(text), Timestamp::from_secs(secs), NEVER);
        }
    }
}
