//! What the account system does. Every change goes the same way: begin a transaction, let Cedar authorize it on the state
//! that the transaction sees, write, record the account event, commit, and make every cache forget what has changed
//! before the caller learns that it is done.
//!
//! The rules of who may do what are policies (`policies/accounts.cedar`), not conditions here.

mod actor;
mod administration;
mod api_keys;
mod applications;
mod coherence;
mod devices;
mod export;
mod failed_proofs;
mod history;
mod introspection;
mod key_file;
mod members;
mod organizations;
mod outbox;
mod passwords;
mod policies;
mod reauthentication;
mod sessions;
mod sign_up;
mod signing_keys;
mod two_factor;
mod users;

use std::sync::Arc;
use std::time::Duration;

pub use actor::{Actor, Origin, subject};
pub use administration::Disabled;
pub use api_keys::{CreatedApiKey, NewApiKey};
pub use applications::SeenApplication;
pub use coherence::Coherence;
pub use export::Export;
pub use history::{Event, History, Names};
pub use members::Member;
pub use outbox::Outbox;
pub use policies::{PolicyHistory, Reloader};
pub use sign_up::SignedUp;
pub use two_factor::Pairing;
pub use users::{NewAccount, Owned};

use self::failed_proofs::FailedProofs;
use crate::audit;
use crate::authn::{Keyring, KeyringError, PasswordError, Passwords, Pepper, StrengthError, Vault, VaultError};
use crate::authz::generation::LoadError;
use crate::authz::{Circumstances, Engine, Resource};
use crate::clock::Clock;
use crate::model::{NameError, Role, Timestamp, User, UserId};
use crate::store::{Read, Store, StoreError, Transaction};
use crate::telemetry::Metrics;

/// The change or question was refused, or failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Policies do not permit it.
    #[error("this is not permitted")]
    Denied {
        /// The stable code that the deciding policy gives (`@code`), or `forbidden`.
        code: String,
    },
    /// There is no such thing, or none that the caller may see.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// It exists already.
    #[error("there is such {} already", with_article(.0))]
    Exists(&'static str),
    /// A value cannot be accepted.
    #[error("`{field}`: {message}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What was expected.
        message: String,
    },
    /// The last administrator of an organization cannot be removed; who is disabled does not count.
    #[error("the last administrator of an organization who is not disabled cannot be removed")]
    LastAdministrator,
    /// The last administrator of the installation is taken only by whoever has been told so.
    #[error("this is the last administrator of the installation who is not disabled")]
    LastInstallationAdministrator,
    /// The account is disabled.
    #[error("the account is disabled")]
    Disabled,
    /// A personal organization is deleted with its account only.
    #[error("a personal organization is deleted with its account only")]
    PersonalOrganization,
    /// Too many attempts have failed.
    #[error("too many attempts have failed: try again in {} s", whole_secs(*retry_after))]
    TooManyAttempts {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The password is right, and a code is needed as well.
    #[error("a code of the authenticator, or a recovery code, is needed as well")]
    TotpRequired,
    /// The code is wrong, or was used before.
    #[error("the code is wrong, or was used before")]
    InvalidCode,
    /// The link was followed before, is too old, or was never mailed.
    #[error("the link was used before, or is too old: ask for another one")]
    InvalidLink,
    /// Accounts are made by those who run the installation only.
    #[error("nobody can sign up here: ask an administrator of this installation for an account")]
    SignUpClosed,
    /// The account has no password.
    #[error("the account has no password: set one first")]
    PasswordRequired,
    /// There is no mail server.
    #[error("no mail is configured, so no link can be sent: ask an administrator of this installation")]
    NoMail,
    /// What is to be mailed could not be written or read.
    #[error("something in the outbox is damaged")]
    Outbox,
    /// The key file.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The login or the password is wrong. Which of them is not told.
    #[error("the login or the password is wrong")]
    InvalidCredentials,
    /// This needs a session, not an API key.
    #[error("this can be done with a session token only")]
    SessionRequired,
    /// Too much is going on.
    #[error("too many passwords are being checked at the moment")]
    Busy,
    /// The signing keys cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A password could not be hashed.
    #[error("the password could not be hashed")]
    Hashing,
    /// The policies, the schema or the routes.
    #[error(transparent)]
    Policies(#[from] LoadError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

/// The noun with its indefinite article, for messages.
pub(crate) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}

impl From<StoreError> for AccountError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Exists(what) => Self::Exists(what),
            StoreError::Missing(what) => Self::NotFound(what),
            other => Self::Store(other),
        }
    }
}

impl From<StrengthError> for AccountError {
    fn from(error: StrengthError) -> Self {
        match error {
            StrengthError::Weak(_) => Self::Invalid { field: "password", message: error.to_string() },
            StrengthError::Password(error) => error.into(),
        }
    }
}

impl From<PasswordError> for AccountError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Length => Self::Invalid { field: "password", message: error.to_string() },
            PasswordError::Busy => Self::Busy,
            PasswordError::Failed => Self::Hashing,
        }
    }
}

impl AccountError {
    fn name(field: &'static str) -> impl FnOnce(NameError) -> Self {
        move |error| Self::Invalid { field, message: error.to_string() }
    }
}

/// A wait in whole seconds, at least one: whoever waits as long as told is not told to wait again.
pub fn whole_secs(wait: Duration) -> u64 {
    let part = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(part).max(1)
}

type Result<T> = std::result::Result<T, AccountError>;

/// The account system.
pub struct Accounts {
    store: Arc<dyn Store>,
    engine: Arc<Engine>,
    coherence: Arc<Coherence>,
    keyring: Arc<Keyring>,
    vault: Arc<Vault>,
    passwords: Passwords,
    pepper: Pepper,
    clock: Arc<dyn Clock>,
    outbox: Option<Outbox>,
    metrics: Arc<Metrics>,
    policies: PolicyHistory,
    failed_proofs: FailedProofs,
    name: String,
    sign_up: bool,
}

/// What the account system is made from.
pub struct AccountsParts {
    /// What it keeps.
    pub store: Arc<dyn Store>,
    /// What decides who may do what.
    pub engine: Arc<Engine>,
    /// What keeps caches true.
    pub coherence: Arc<Coherence>,
    /// What signs session tokens.
    pub keyring: Arc<Keyring>,
    /// What secrets are sealed by.
    pub vault: Arc<Vault>,
    /// What hashes passwords.
    pub passwords: Passwords,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The way to a mail server, if there is one.
    pub outbox: Option<Outbox>,
    /// What counts.
    pub metrics: Arc<Metrics>,
    /// What authenticators show the account under.
    pub name: String,
    /// Whether anybody may sign up.
    pub sign_up: bool,
}

/// Whom and which role an action on members concerns.
#[derive(Debug, Clone, Copy, Default)]
struct Target {
    member: Option<UserId>,
    role: Option<Role>,
    /// Whether the member has left the application before.
    returning: bool,
}

impl Accounts {
    /// The account system. Makes the pepper of recovery codes, if there is none.
    pub fn new(parts: AccountsParts) -> Result<Self> {
        let AccountsParts {
            store,
            engine,
            coherence,
            keyring,
            vault,
            passwords,
            clock,
            outbox,
            metrics,
            name,
            sign_up,
        } = parts;
        let pepper = pepper(&*store, &vault)?;
        let policies = PolicyHistory::new(Arc::clone(&store), Arc::clone(&clock));
        Ok(Self {
            store,
            engine,
            coherence,
            keyring,
            vault,
            passwords,
            pepper,
            clock,
            outbox,
            metrics,
            policies,
            failed_proofs: FailedProofs::default(),
            name,
            sign_up,
        })
    }

    /// Forgets links that have ended and failures that are forgiven.
    pub fn delete_expired(&self) -> Result<()> {
        let mut tx = self.begin()?;
        if tx.delete_expired(self.now())? == 0 {
            return Ok(());
        }
        self.finish(tx, [])
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn begin(&self) -> Result<Box<dyn Transaction + '_>> {
        Ok(self.store.begin()?)
    }

    /// Records what was done, makes it durable, and lets no cache serve the state before it. Every change ends here.
    fn finish(
        &self,
        mut transaction: Box<dyn Transaction + '_>,
        events: impl IntoIterator<Item = audit::Draft>,
    ) -> Result<()> {
        for event in events {
            transaction.record(&event.finish())?;
        }
        let changes = transaction.commit()?;
        self.coherence.apply(&changes)
    }

    /// Lets Cedar decide, on the state that `store` shows.
    fn authorize(&self, store: &dyn Read, actor: &Actor, action: &str, resource: &Resource) -> Result<()> {
        self.authorize_for(store, actor, action, resource, Target::default())
    }

    fn authorize_for(
        &self,
        store: &dyn Read,
        actor: &Actor,
        action: &str,
        resource: &Resource,
        target: Target,
    ) -> Result<()> {
        let origin = actor.origin();
        let circumstances = Circumstances {
            now: self.now(),
            client: origin.client,
            method: &origin.method,
            host: &origin.host,
            path: &origin.path,
            member: target.member,
            role: target.role,
            returning: target.returning,
        };
        let subject = actor.subject();
        let (decision, generation) = self.engine.decide_in(store, &subject, action, resource, &circumstances)?;
        if decision.permit().is_some() {
            return Ok(());
        }
        for error in decision.errors().iter() {
            tracing::error!(action, error = %error, "a policy failed, so the request was denied");
        }
        let code = decision.policies().iter().find_map(|policy| generation.code(policy));
        Err(AccountError::Denied { code: code.unwrap_or("forbidden").to_owned() })
    }
}

/// A denial of seeing something looks like its absence.
fn hide(what: &'static str) -> impl Fn(AccountError) -> AccountError {
    move |error| match error {
        AccountError::Denied { .. } => AccountError::NotFound(what),
        other => other,
    }
}

/// The account that `login`, a username or an address, names.
fn user_by_login(store: &dyn Read, login: &str) -> Result<Option<User>> {
    // A text that is neither names nobody.
    let user = if login.contains('@') {
        crate::model::Email::parse(login).ok().map(|email| store.user_by_email(&email))
    } else {
        crate::model::Username::parse(login).ok().map(|username| store.user_by_username(&username))
    };
    Ok(user.transpose()?.flatten())
}

/// The pepper that the store keeps, or a new one for a new store.
fn pepper(store: &dyn Store, vault: &Vault) -> Result<Pepper> {
    if let Some(sealed) = store.secret(Pepper::NAME)? {
        return Ok(Pepper::open(vault, &sealed)?);
    }
    let mut tx = store.begin()?;
    // Another process may have been first.
    if let Some(sealed) = tx.secret(Pepper::NAME)? {
        return Ok(Pepper::open(vault, &sealed)?);
    }
    let pepper = Pepper::generate();
    tx.put_secret(Pepper::NAME, &pepper.seal(vault))?;
    tx.commit()?;
    Ok(pepper)
}
