//! Mail: what is written to people, and the way to the mail server.
//!
//! [`Letters`] writes a [`Message`], the store keeps it, sealed, until a [`Mailer`] has handed it over, and
//! [`next_attempt`] says when to try again. Nothing here knows an account or reads the store. A message holds links that
//! are as good as a password: neither it nor anything that a mail server says appears in an error or a debug print.

mod letters;
mod message;
mod retry;
mod smtp;

pub use letters::{CONFIRM_PAGE, FORGOTTEN_PASSWORD_PAGE, Letters, NEW_PASSWORD_PAGE, SIGN_UP_PAGE};
pub use message::{Message, MessageError};
pub use retry::next_attempt;
pub use smtp::{SmtpMailer, SmtpMailerError};

/// Hands messages over to whoever delivers them.
pub trait Mailer: Send + Sync {
    /// Hands the message over. Blocks until that is acknowledged, refused, or has taken too long. When the
    /// acknowledgement was lost on its way, the message arrives again with the next attempt, under the same `Message-ID`.
    fn send(&self, message: &Message) -> Result<(), MailError>;
}

/// The message was not handed over. Codes are those of SMTP (RFC 5321, section 4.2); what the server says beside them
/// can repeat what was sent to it, so it is left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The server refuses this message or its recipient.
    #[error("the mail server refuses the message (code {0})")]
    Refused(u16),
    /// The recipient's address has letters beyond ASCII before the `@`, and the server does not know such (RFC 6531).
    #[error("the mail server does not take addresses with letters beyond ascii")]
    NotAscii,
    /// The message cannot be put into the form of a mail.
    #[error("the message cannot be put into the form of a mail")]
    Malformed,
    /// The server does not take this message now.
    #[error("the mail server does not take the message now (code {0})")]
    Deferred(u16),
    /// The server refuses to talk, wants a log-in, or refuses the one that is configured.
    #[error("the mail server refuses the session, or the log-in with `mail.username` and `mail.password` (code {0})")]
    Session(u16),
    /// The server does not offer STARTTLS, or something on the way hides it.
    #[error("the mail server does not offer STARTTLS, as `mail.security` wants")]
    NoStartTls,
    /// The server does not offer a log-in with a password.
    #[error("the mail server does not offer a log-in with a password, as `mail.username` wants")]
    NoLogIn,
    /// The server did not answer in time.
    #[error("the mail server did not answer within `mail.timeout_secs`")]
    Timeout,
    /// The server's certificate is not trusted, or there was another problem with TLS.
    #[error("no protected connection to the mail server: {0}")]
    Tls(String),
    /// There is no connection.
    #[error("no connection to the mail server: {0}")]
    Connection(String),
    /// Whatever answers does not speak SMTP.
    #[error("the mail server's answer is no smtp")]
    Protocol,
}

impl MailError {
    /// Whether it is of no use to try this message again. What the operator can repair is worth another attempt.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NotAscii | Self::Malformed)
    }
}
