//! How mail is sent.

use std::path::PathBuf;
use std::time::Duration;

use super::{Email, Name};
use crate::secret::Secret;

/// The mail server that takes the mail, and what is said to it.
#[derive(Debug, Clone)]
pub struct SmtpSettings {
    /// The server's name or address; an IPv6 address without brackets. Its certificate must be for this.
    pub host: String,
    /// The server's port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// What to log in with, if the server wants that.
    pub credentials: Option<SmtpCredentials>,
    /// A PEM file with the certificates of the authorities that are trusted in place of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The name that mail comes from.
    pub from_name: Option<Name>,
    /// The address that mail comes from.
    pub from: Email,
    /// How long to wait for the connection, and for each answer.
    pub timeout: Duration,
}

/// What to log in to the mail server with.
#[derive(Debug, Clone)]
pub struct SmtpCredentials {
    /// The name.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// How the connection to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// It must become a TLS connection before anything but greetings is said (STARTTLS, RFC 3207).
    StartTls,
    /// It is a TLS connection from the start (RFC 8314, section 3.3).
    Tls,
    /// Everyone on the way can read and change the mail.
    None,
}
