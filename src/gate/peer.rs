//! Which peers may ask.

use hyper::HeaderMap;
use hyper::header::HeaderName;

use crate::config::Decision;
use crate::http::listener::Peer;
use crate::http::places::Standing;
use crate::secret::Digest;

/// By this a peer that no address vouches for shows that it may ask.
pub const PEER_TOKEN: HeaderName = HeaderName::from_static("gatepost-peer-token");

/// Whether a peer may ask.
#[derive(Debug, Clone, Copy)]
pub enum Trust {
    /// By where it is.
    Given,
    /// If it sends the token with this digest, and not otherwise.
    ByToken(Digest),
    /// Never.
    Refused,
}

impl Trust {
    /// What `settings` say of a peer. Whoever reaches a Unix socket was let in by its permissions, and a
    /// certificate tells more than an address.
    pub fn of(peer: Peer, settings: &Decision) -> Self {
        let is_given = match peer {
            Peer::Tcp(address) => settings.trusts(address.ip()),
            Peer::Certified(_) | Peer::Unix => true,
        };
        match (is_given, settings.peer_token) {
            (true, _) => Self::Given,
            (false, Some(token)) => Self::ByToken(token),
            (false, None) => Self::Refused,
        }
    }

    /// Which places on the listener it may take.
    pub const fn standing(self) -> Standing {
        match self {
            Self::Given => Standing::Trusted,
            Self::ByToken(_) | Self::Refused => Standing::Stranger,
        }
    }

    /// Whether any question may be asked, whatever its headers.
    pub(super) const fn is_given(self) -> bool {
        matches!(self, Self::Given)
    }

    /// Whether a question with these headers may be asked. Reads none of them if where the peer is tells.
    pub(super) fn holds(self, headers: &HeaderMap) -> bool {
        match self {
            Self::Given => true,
            Self::Refused => false,
            Self::ByToken(expected) => {
                let mut sent = headers.get_all(PEER_TOKEN).iter();
                matches!((sent.next(), sent.next()), (Some(sent), None) if Digest::of(sent.as_bytes()) == expected)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_token_is_sent_once_and_is_the_very_token() {
        let trust = Trust::ByToken(Digest::of(b"correct horse battery"));
        let sent = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PEER_TOKEN, HeaderValue::from_static(value));
            }
            headers
        };
        assert!(trust.holds(&sent(&["correct horse battery"])));
        for values in [
            &[][..],
            &[""],
            &["correct horse batterz"],
            &["correct horse"],
            &["correct horse battery", "correct horse battery"],
            &["wrong", "correct horse battery"],
        ] {
            assert!(!trust.holds(&sent(values)), "{values:?}");
            assert!(!Trust::Refused.holds(&sent(values)) && Trust::Given.holds(&sent(values)));
        }
    }
}
