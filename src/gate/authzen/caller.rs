//! Who asks.

use std::sync::Arc;

use axum::http::HeaderMap;

use super::AuthZen;
use super::refusal::Refusal;
use crate::authn::{Candidate, Refused, Verified, VerifyError};
use crate::gate::presented::{self, Presented};
use crate::model::Timestamp;

impl AuthZen {
    /// The caller, if the configuration names any; otherwise nobody is asked who they are. Blocks.
    pub(super) fn caller(&self, headers: &HeaderMap, now: Timestamp) -> Result<Option<Arc<Verified>>, Refusal> {
        if self.callers.is_empty() {
            return Ok(None);
        }
        let token = match presented::read(headers) {
            Ok(Presented::Token(token)) => token,
            Ok(Presented::Nothing) => return Err(Refusal::Unauthenticated { invalid: false }),
            Ok(Presented::Unusable(_)) => return Err(Refusal::Unauthenticated { invalid: true }),
            Err(error) => return Err(Refusal::Malformed(error.to_string())),
        };
        // A session is somebody's in front of a browser.
        let candidate = Candidate::read(token.expose()).ok().filter(Candidate::is_api_key);
        let candidate = candidate.ok_or(Refusal::Unauthenticated { invalid: true })?;
        let (verified, _) = self.gate.verifier.verify(candidate, now).map_err(|error| match error {
            VerifyError::Refused(Refused) => Refusal::Unauthenticated { invalid: true },
            VerifyError::Store(error) => Refusal::Unavailable(error.to_string()),
        })?;
        let name = verified.user().username.canonical();
        let may_ask = verified.scopes().is_empty() && self.callers.iter().any(|caller| caller.canonical() == name);
        if may_ask { Ok(Some(verified)) } else { Err(Refusal::Forbidden) }
    }
}
