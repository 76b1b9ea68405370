//! Searches, a page at a time.

use serde_json::{Value, json};

use super::Asking;
use super::refusal::Refusal;
use super::request::{Parts, object};
use super::token::{Fingerprint, Token};
use crate::authz::inquiry::{Attributes, Found, Page, Sought};

/// How many results a page has if nothing is said.
const DEFAULT_LIMIT: usize = 100;
/// How many results a page has at most.
pub(super) const MAX_LIMIT: usize = 1_000;

impl Asking<'_> {
    pub(super) fn search(&self, sought: Sought, request: &Attributes) -> Result<Value, Refusal> {
        let inquiry = Parts::read(request)?.search(sought)?;
        let fingerprint = Fingerprint::of(sought, &inquiry);
        let asked = object(request, "page")?;
        let (limit, after) = match asked {
            Some(page) => begin(page, &fingerprint)?,
            None => (DEFAULT_LIMIT, String::new()),
        };
        let page = Page { after: &after, limit, until: self.until - self.authzen.deadline / 4 };
        let found = self.authzen.gate.engine.search(self.generation, sought, &inquiry, &page);
        let Found { ids, next } = found.map_err(|error| Refusal::Unavailable(error.to_string()))?;
        let result = |id: &String| match sought {
            Sought::Subjects => json!({"type": inquiry.subject.entity_type, "id": id}),
            Sought::Resources => json!({"type": inquiry.resource.entity_type, "id": id}),
            Sought::Actions => json!({"name": id}),
        };
        let results: Vec<Value> = ids.iter().map(result).collect();
        if asked.is_none() && next.is_none() {
            return Ok(json!({"results": results}));
        }
        let next = next.map_or_else(String::new, |after| Token { limit, after }.write(&fingerprint));
        Ok(json!({"page": {"next_token": next, "count": results.len()}, "results": results}))
    }
}

/// How many results are asked for, and where they begin.
fn begin(page: &Attributes, fingerprint: &Fingerprint) -> Result<(usize, String), Refusal> {
    let limit = match page.get("limit") {
        None => None,
        Some(limit) => {
            let number = limit.as_u64();
            let malformed = || Refusal::Malformed("`page.limit` is not a whole number from 0".to_owned());
            Some(usize::try_from(number.ok_or_else(malformed)?).unwrap_or(MAX_LIMIT).min(MAX_LIMIT))
        }
    };
    match page.get("token") {
        // Some callers send what the last page has: nothing.
        None => Ok((limit.unwrap_or(DEFAULT_LIMIT), String::new())),
        Some(Value::String(token)) if token.is_empty() => Ok((limit.unwrap_or(DEFAULT_LIMIT), String::new())),
        Some(Value::String(token)) => {
            let token = Token::read(token, fingerprint)?;
            if limit.is_some_and(|limit| limit != token.limit) {
                return Err(Refusal::Malformed("`page.limit` is not that of the page before".to_owned()));
            }
            Ok((token.limit, token.after))
        }
        Some(_) => Err(Refusal::Malformed("`page.token` is not a string".to_owned())),
    }
}
