//! The way to the mail server.
//!
//! A connection for each message: there are few, and a connection that is kept can only have died. The steps of a session
//! are taken one by one, because the same code means another thing in each: `550` to a recipient ends the message, `550`
//! as a greeting ends the attempt.

mod failure;
mod form;

use std::fmt;
use std::path::{Path, PathBuf};

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{Certificate, CertificateStore, SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::{ClientId, Extension};

use super::{MailError, Mailer, Message};
use crate::model::{SmtpSecurity, SmtpSettings};

/// Sends mail through one server.
pub struct SmtpMailer {
    settings: SmtpSettings,
    /// The sender's address, with its domain in ASCII.
    from: Address,
    tls: Option<TlsParameters>,
}

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SmtpMailerError {
    /// The certificates cannot be read.
    #[error("cannot read the certificates in `{path}` (`mail.ca_file`): {cause}", path = path.display())]
    CaFile {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is there, but it holds no certificates, or bad ones.
    #[error("expected certificates in PEM form in `{path}` (`mail.ca_file`)", path = path.display())]
    NoCertificates {
        /// The file.
        path: PathBuf,
    },
    /// TLS cannot be set up.
    #[error("cannot set up TLS to the mail server")]
    Tls,
    /// The sender's address has no form that a mail server knows.
    #[error("`mail.from` has a domain that does not exist in the domain name system")]
    From,
}

impl SmtpMailer {
    /// Reads the file with the certificates, if there is one. Does not talk to the server.
    pub fn new(settings: SmtpSettings) -> Result<Self, SmtpMailerError> {
        let from = form::address(&settings.from).ok_or(SmtpMailerError::From)?;
        let tls = match settings.security {
            SmtpSecurity::StartTls | SmtpSecurity::Tls => {
                Some(tls_parameters(&settings.host, settings.ca_file.as_deref())?)
            }
            SmtpSecurity::None => None,
        };
        Ok(Self { settings, from, tls })
    }

    /// Connects and logs in.
    fn connect(&self) -> Result<SmtpConnection, MailError> {
        let SmtpSettings { host, port, security, credentials, timeout, .. } = &self.settings;
        // This machine may have no name that others know (RFC 5321, section 4.1.1.1). The sender's domain is one that does.
        let hello = ClientId::Domain(self.from.domain().to_owned());
        let from_the_start = self.tls.as_ref().filter(|_| *security == SmtpSecurity::Tls);
        let mut connection =
            SmtpConnection::connect((host.as_str(), *port), Some(*timeout), &hello, from_the_start, None)
                .map_err(|error| failure::of_session(&error))?;
        if let Some(tls) = self.tls.as_ref().filter(|_| *security == SmtpSecurity::StartTls) {
            if !connection.can_starttls() {
                return Err(MailError::NoStartTls);
            }
            connection.starttls(tls, &hello).map_err(|error| failure::of_session(&error))?;
        }
        if let Some(credentials) = credentials {
            if connection.server_info().get_auth_mechanism(DEFAULT_MECHANISMS).is_none() {
                return Err(MailError::NoLogIn);
            }
            let credentials = Credentials::new(credentials.username.clone(), credentials.password.expose().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).map_err(|error| failure::of_session(&error))?;
        }
        Ok(connection)
    }
}

impl Mailer for SmtpMailer {
    fn send(&self, message: &Message) -> Result<(), MailError> {
        let mail = form::mail(&self.from, self.settings.from_name.as_ref(), message).ok_or(MailError::Malformed)?;
        let mut connection = self.connect()?;
        if !mail.is_ascii && !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(MailError::NotAscii);
        }
        connection.send(&mail.envelope, &mail.bytes).map_err(|error| failure::of_message(&error))?;
        // The message is the server's now, whatever becomes of the farewell.
        connection.abort();
        Ok(())
    }
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The certificate must be for `host`, and of an authority in the file or, without one, of a public one.
fn tls_parameters(host: &str, ca_file: Option<&Path>) -> Result<TlsParameters, SmtpMailerError> {
    let builder = TlsParameters::builder(host.to_owned());
    let Some(path) = ca_file else {
        let builder = builder.certificate_store(CertificateStore::WebpkiRoots);
        return builder.build().map_err(|_| SmtpMailerError::Tls);
    };
    let pem = std::fs::read(path).map_err(|cause| SmtpMailerError::CaFile { path: path.to_owned(), cause })?;
    let none = || SmtpMailerError::NoCertificates { path: path.to_owned() };
    // A file without certificates is read as no certificates, without an error.
    if !pem.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Err(none());
    }
    let certificates = Certificate::from_pem(&pem).map_err(|_| none())?;
    let builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificates);
    builder.build().map_err(|_| none())
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
