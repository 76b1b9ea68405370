//! From what went wrong to what may be said of it: codes, and what this machine found, but nothing that the server said.

use std::error::Error as _;
use std::io;

use lettre::transport::smtp::Error;

use super::super::MailError;

/// "Authentication required" (RFC 4954, section 6): the answer to a message, but about who sends it.
const LOG_IN_REQUIRED: u16 = 530;

/// What went wrong before a message was mentioned.
pub(super) fn of_session(error: &Error) -> MailError {
    error.status().map_or_else(|| of_connection(error), |code| MailError::Session(code.into()))
}

/// What went wrong with a message.
pub(super) fn of_message(error: &Error) -> MailError {
    match error.status().map(u16::from) {
        Some(LOG_IN_REQUIRED) => MailError::Session(LOG_IN_REQUIRED),
        Some(code) if error.is_permanent() => MailError::Refused(code),
        Some(code) => MailError::Deferred(code),
        None => of_connection(error),
    }
}

fn of_connection(error: &Error) -> MailError {
    let Some(cause) = io_error(error) else {
        // What is left is said in words of the server's, or in fixed ones that add nothing.
        return MailError::Protocol;
    };
    match cause.kind() {
        // A socket's time is out: "would block" on Unix, "timed out" elsewhere, and for the connection itself.
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => MailError::Timeout,
        // rustls; without a cause inside it would be an answer that is no UTF-8.
        io::ErrorKind::InvalidData if cause.get_ref().is_some() => MailError::Tls(cause.to_string()),
        io::ErrorKind::InvalidData => MailError::Protocol,
        _ => MailError::Connection(cause.to_string()),
    }
}

fn io_error(error: &Error) -> Option<&io::Error> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        cause = error.source();
    }
    None
}
