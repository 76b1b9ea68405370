//! A server that is named by a URL and spoken to by the means of this program alone: where it is, the way there, and the
//! credential that is sent to it.
//!
//! No redirect is followed and no proxy of the environment is used: what is sent goes to the one address that was named.

mod credential;
mod target;
mod transport;

pub(super) use self::credential::{CredentialArguments, secret_in};
pub(super) use self::target::Target;
pub(super) use self::transport::{Stream, Transport};
