//! The outbox: what is to be mailed waits in the store, so that no request waits for a mail server and a restart loses
//! nothing.
//!
//! What depends on who has an account (a link for a sign-up, a link for a new password) is worked out when it leaves
//! the outbox, not when it is put in: then whoever asked cannot tell from the time that it took.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{AccountError, Accounts, Result, passwords, sign_up};
use crate::authn::link_token;
use crate::mail::{Letters, Mailer, Message, next_attempt};
use crate::model::{Email, MailId, PasswordReset, QueuedMail, SignUp, Timestamp, Username};
use crate::secret::{Digest, PasswordHash};
use crate::store::Transaction;

/// How many leave in one go.
const BATCH: u32 = 16;
/// For how long whoever has taken something out is trusted to be at it.
const LEASE: Duration = Duration::from_secs(300);

/// The way out.
pub struct Outbox {
    /// Writes what is mailed.
    pub letters: Letters,
    /// Hands it over.
    pub mailer: Arc<dyn Mailer>,
}

/// What waits. It is sealed in the store: it holds addresses and links.
#[derive(Serialize, Deserialize)]
pub(super) enum Job {
    SignUp { username: String, email: String, password_hash: String },
    PasswordReset { email: String },
    Message(String),
}

impl Job {
    pub(super) fn message(message: &Message) -> Self {
        // A message is kept as JSON, which is UTF-8.
        Self::Message(String::from_utf8_lossy(&message.to_bytes()).into_owned())
    }
}

impl Accounts {
    /// Puts something into the outbox.
    pub(super) fn enqueue(&self, tx: &mut dyn Transaction, job: &Job) -> Result<()> {
        let now = self.now();
        let id = MailId::generate(now);
        let bytes = Zeroizing::new(serde_json::to_vec(job).map_err(|_| AccountError::Outbox)?);
        let sealed = self.vault.seal(&mail_context(id), &bytes);
        tx.enqueue_mail(&QueuedMail { id, sealed, attempts: 0, next_attempt_at: now, created_at: now })?;
        Ok(())
    }

    /// Works on what is due; gives how much of it there was. Blocks, for as long as the mail server takes.
    pub fn deliver_mail(&self) -> Result<usize> {
        let Some(outbox) = &self.outbox else { return Ok(0) };
        let due = self.store.due_mails(self.now(), BATCH)?;
        for mail in &due {
            if let Err(error) = self.deliver(outbox, mail) {
                tracing::error!(mail = %mail.id, %error, "something in the outbox could not be worked on");
            }
        }
        Ok(due.len())
    }

    fn deliver(&self, outbox: &Outbox, mail: &QueuedMail) -> Result<()> {
        let attempts = mail.attempts.saturating_add(1);
        // Taken for a while, so that no other process sends it as well; due again if this one ends before it is done.
        let mut tx = self.begin()?;
        let due = tx.due_mails(self.now(), BATCH)?.into_iter().any(|known| known.id == mail.id);
        if !due {
            return Ok(());
        }
        tx.reschedule_mail(mail.id, attempts, self.now().plus(LEASE))?;
        self.finish(tx, [])?;

        let bytes = self.vault.open_sealed(&mail_context(mail.id), &mail.sealed)?;
        let job: Job = serde_json::from_slice(&bytes).map_err(|_| AccountError::Outbox)?;
        match job {
            Job::Message(message) => self.send(outbox, mail.id, attempts, &message),
            Job::SignUp { username, email, password_hash } => {
                self.write_sign_up(outbox, mail.id, &username, &email, PasswordHash::new(password_hash))
            }
            Job::PasswordReset { email } => self.write_password_reset(outbox, mail.id, &email),
        }
    }

    fn send(&self, outbox: &Outbox, id: MailId, attempts: u32, message: &str) -> Result<()> {
        let message = Message::from_bytes(message.as_bytes()).map_err(|_| AccountError::Outbox)?;
        let sent = outbox.mailer.send(&message);
        let now = self.now();
        let mut tx = self.begin()?;
        match sent {
            Ok(()) => tx.delete_mail(id)?,
            Err(error) => match next_attempt(&message, attempts, now).filter(|_| !error.is_final()) {
                Some(next) => {
                    tracing::warn!(mail = %id, attempts, %error, %next, "a mail was not sent yet");
                    tx.reschedule_mail(id, attempts, next)?;
                }
                None => {
                    tracing::error!(mail = %id, attempts, %error, "a mail was given up");
                    tx.delete_mail(id)?;
                }
            },
        }
        self.finish(tx, [])
    }

    fn write_sign_up(
        &self,
        outbox: &Outbox,
        id: MailId,
        username: &str,
        email: &str,
        password_hash: PasswordHash,
    ) -> Result<()> {
        let now = self.now();
        let username = Username::parse(username).map_err(AccountError::name("username"))?;
        let email = Email::parse(email).map_err(AccountError::name("email"))?;
        let mut tx = self.begin()?;
        let message = if let Some(known) = tx.user_by_email(&email)? {
            outbox.letters.address_in_use(&email, &known.username, now)
        } else if tx.user_by_username(&username)?.is_some() {
            outbox.letters.username_taken(&email, now)
        } else {
            let (token, expires_at) = (link_token(), now.plus(sign_up::LINK_TTL));
            let digest = Digest::of(token.expose().as_bytes());
            let message = outbox.letters.sign_up(&email, &token, now, expires_at);
            tx.insert_sign_up(&SignUp { digest, username, email, password_hash, created_at: now, expires_at })?;
            message
        };
        self.replace_with(tx, id, &message)
    }

    fn write_password_reset(&self, outbox: &Outbox, id: MailId, email: &str) -> Result<()> {
        let now: Timestamp = self.now();
        let email = Email::parse(email).map_err(AccountError::name("email"))?;
        let mut tx = self.begin()?;
        let known = tx.user_by_email(&email)?;
        let Some(user) = known.map(|user| tx.active_user(user.id)).transpose()?.flatten() else {
            // Nobody has the address, or the account is disabled, and nobody is told.
            tx.delete_mail(id)?;
            return self.finish(tx, []);
        };
        let (token, expires_at) = (link_token(), now.plus(passwords::RESET_TTL));
        let digest = Digest::of(token.expose().as_bytes());
        tx.insert_password_reset(&PasswordReset { digest, user: user.id, created_at: now, expires_at })?;
        let message = outbox.letters.password_reset(&user.email, &user.username, &token, now, expires_at);
        self.replace_with(tx, id, &message)
    }

    fn replace_with<'a>(&'a self, mut tx: Box<dyn Transaction + 'a>, id: MailId, message: &Message) -> Result<()> {
        tx.delete_mail(id)?;
        self.enqueue(&mut *tx, &Job::message(message))?;
        self.finish(tx, [])
    }
}

/// The place that something in the outbox is sealed for.
pub(super) fn mail_context(id: MailId) -> String {
    format!("mail {id}")
}
