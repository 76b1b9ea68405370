//! Where the next page of a search begins, as a text that is opaque to callers.
//!
//! A token is good for the search that it was made for only. It says nothing but a position, so whoever makes one up
//! learns nothing that they could not ask for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::refusal::Refusal;
use super::search::MAX_LIMIT;
use crate::authz::inquiry::{Inquiry, Party, Sought};
use crate::secret::Digest;

/// What distinguishes a search from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Of a search, but for its pages.
    pub(super) fn of(sought: Sought, inquiry: &Inquiry<'_>) -> Self {
        let party = |party: &Party<'_>| json!([party.entity_type, party.id, party.properties]);
        let all = json!([
            format!("{sought:?}"),
            party(&inquiry.subject),
            [json!(inquiry.action), json!(inquiry.action_properties)],
            party(&inquiry.resource),
            inquiry.context,
        ]);
        let digest = Digest::of(all.to_string().as_bytes());
        Self(digest.as_bytes().first_chunk().copied().unwrap_or_default())
    }
}

/// A page's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// How many results a page has.
    pub(super) limit: usize,
    /// The position that it begins after.
    pub(super) after: String,
}

impl Token {
    /// The token in a text, if it could be of this search: whoever makes one up gets no larger page than those who ask.
    pub(super) fn read(text: &str, fingerprint: &Fingerprint) -> Result<Self, Refusal> {
        let malformed =
            || Refusal::Malformed("`page.token` is not the `next_token` of a page of this search".to_owned());
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let (of, rest) = bytes.split_first_chunk().ok_or_else(malformed)?;
        let (limit, after) = rest.split_first_chunk().ok_or_else(malformed)?;
        let after = String::from_utf8(after.to_vec()).map_err(|_| malformed())?;
        if Fingerprint(*of) != *fingerprint {
            return Err(malformed());
        }
        let limit = usize::from(u16::from_be_bytes(*limit));
        if limit > MAX_LIMIT {
            return Err(malformed());
        }
        Ok(Self { limit, after })
    }

    pub(super) fn write(&self, fingerprint: &Fingerprint) -> String {
        let limit = u16::try_from(self.limit).unwrap_or(u16::MAX).to_be_bytes();
        URL_SAFE_NO_PAD.encode([&fingerprint.0, limit.as_slice(), self.after.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inquiry(id: &str) -> Inquiry<'_> {
        let party = |entity_type, id| Party { entity_type, id, properties: None };
        let (subject, resource) = (party("user", id), party("record", ""));
        Inquiry { subject, action: "read", action_properties: None, resource, context: None }
    }

    #[test]
    fn a_token_is_good_for_its_own_search_only() {
        let own = Fingerprint::of(Sought::Resources, &inquiry("ada"));
        for after in ["", "record-1", "a\0b/\u{e9}"] {
            let token = Token { limit: 7, after: after.to_owned() };
            let text = token.write(&own);
            assert_eq!(Token::read(&text, &own), Ok(token));
            for other in
                [Fingerprint::of(Sought::Resources, &inquiry("bob")), Fingerprint::of(Sought::Actions, &inquiry("ada"))]
            {
                assert!(Token::read(&text, &other).is_err());
            }
        }
        // Whoever knows the search can make its token: not one for more than can be asked for.
        let made_up = |limit| Token::read(&Token { limit, after: String::new() }.write(&own), &own);
        assert!(made_up(MAX_LIMIT).is_ok() && made_up(MAX_LIMIT + 1).is_err() && made_up(usize::MAX).is_err());
        for text in ["a", "AAAA", "=", "\u{e9}", &URL_SAFE_NO_PAD.encode([0; 17]), &URL_SAFE_NO_PAD.encode(own.0)] {
            assert!(Token::read(text, &own).is_err(), "{text}");
        }
    }
}
