//! What a permitted request takes along, if the application wants to see for itself that it was permitted.

use std::sync::Arc;

use hyper::header::HeaderValue;

use super::answer::{Allowed, Answer};
use super::asked::Asked;
use crate::authn::{Assertion, Keyring, Verified};
use crate::model::{DecisionId, Timestamp};

/// The longest address that is asserted, in bytes: nginx takes no more than 4 kB for the whole head of a response.
const MAX_ADDRESS_LEN: usize = 1_500;

/// Signs assertions.
pub struct Assertions {
    keyring: Arc<Keyring>,
    audience: String,
}

impl Assertions {
    /// Assertions for this audience, signed by the newest key.
    pub fn new(keyring: Arc<Keyring>, audience: String) -> Self {
        Self { keyring, audience }
    }

    /// The assertion that this was permitted; the answer instead if there can be none.
    pub(super) fn assert(
        &self,
        allowed: &Allowed,
        asked: &Asked<'_>,
        decision: DecisionId,
        at: Timestamp,
    ) -> Result<HeaderValue, Answer> {
        let scheme = if asked.secure == Some(true) { "https" } else { "http" };
        let path = asked.target.split('?').next().unwrap_or_default();
        let address = format!("{scheme}://{}{path}", asked.host.as_str());
        if address.len() > MAX_ADDRESS_LEN {
            return Err(Answer::Malformed { cause: "the path is too long to be asserted".to_owned() });
        }
        let asker = allowed.verified().map(|verified: &Verified| (verified.user(), verified.kind()));
        let assertion = Assertion {
            audience: &self.audience,
            decision,
            at,
            asker,
            role: allowed.permit().and_then(|permit| permit.role()),
            method: asked.method,
            address: &address,
        };
        let unavailable = |cause: String| Answer::Unavailable { cause };
        let text = self.keyring.assert(&assertion).map_err(|error| unavailable(error.to_string()))?;
        HeaderValue::try_from(text).map_err(|error| unavailable(error.to_string()))
    }
}
