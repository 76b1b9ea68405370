//! An authenticator: what a person's telephone does.

use gatepost::model::Timestamp;
use totp_rs::{Builder, Secret};

/// The six digits that an authenticator shows at `now` for a secret in base 32.
pub fn code(secret: &str, now: Timestamp) -> String {
    let secret = Secret::try_from_base32(secret).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    totp.generate(u64::try_from(now.as_secs()).unwrap()).to_string()
}
