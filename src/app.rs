//! The composition root: from a configuration to the parts, each built once and handed to those that use it.

mod probes;
mod serve;
mod watch;

use std::sync::Arc;
use std::thread::available_parallelism;

pub use serve::Bound;

use crate::accounts::{AccountError, Accounts, AccountsParts, Actor, Coherence, Outbox, PolicyHistory, Reloader};
use crate::authn::{Capacity, Keyring, PasswordError, Passwords, TokenSettings, Vault, VaultError, Verifier};
use crate::authz::generation::{Generation, LoadError, Proofs, Source};
use crate::authz::{Engine, EngineCapacity};
use crate::cache::Versions;
use crate::clock::Clock;
use crate::config::{self, Config, DecisionTarget, OnError};
use crate::gate::{Assertions, Gate, LogIn, Respond, Shadow};
use crate::http::listener::ListenError;
use crate::http::tls::TlsError;
use crate::mail::{Letters, SmtpMailer, SmtpMailerError};
use crate::model::ListenAddress;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};
use crate::telemetry::{DecisionLog, LogError, Metrics, Output, ShadowLog};

/// The program could not be put together, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key file.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The policies, the schema or the routes.
    #[error(transparent)]
    Policies(#[from] LoadError),
    /// The account system: most likely its signing keys.
    #[error(transparent)]
    Accounts(#[from] AccountError),
    /// The password hash.
    #[error(transparent)]
    Passwords(#[from] PasswordError),
    /// The decision log, or the shadow log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The thread that asks the candidate.
    #[error("cannot start the thread that asks the candidate policies")]
    Shadow(#[source] std::io::Error),
    /// The threads that read the store.
    #[error("cannot start the threads that read the store")]
    Readers(#[source] std::io::Error),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Web servers could ask from elsewhere without the certificate that all others must show.
    #[error(
        "cannot take questions by FastCGI on `{0}`: peers must show certificates of `decision.tls_client_ca`, and there they \
         cannot; use a Unix socket or an address on loopback"
    )]
    FastCgi(ListenAddress),
    /// The decision listener's certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The way to the mail server.
    #[error(transparent)]
    Mail(#[from] SmtpMailerError),
}

/// The parts.
pub struct App {
    /// The account system.
    pub accounts: Arc<Accounts>,
    /// Verifies credentials.
    pub verifier: Arc<Verifier>,
    /// Decides.
    pub engine: Arc<Engine>,
    /// Answers proxies.
    pub gate: Arc<Gate>,
    /// Signs session tokens.
    pub keyring: Arc<Keyring>,
    /// Follows what other processes change.
    pub coherence: Arc<Coherence>,
    /// Asked directly by offline explanations, and at the start for who must be there.
    pub store: Arc<dyn Store>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

impl App {
    /// Opens the store, the key file and the policies, and makes the first signing key if there is none. Blocks.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, AppError> {
        Self::open_proving(config, clock, proofs(&config.policy))
    }

    /// The same with proofs that may be stopped meanwhile.
    pub fn open_proving(config: &Config, clock: Arc<dyn Clock>, proofs: Proofs) -> Result<Self, AppError> {
        let store = Arc::new(SqliteStore::open(&config.store.path)?);
        Self::assemble(config, clock, store, proofs)
    }

    /// The same with a store that is open.
    pub fn with_store(config: &Config, clock: Arc<dyn Clock>, store: Arc<dyn Store>) -> Result<Self, AppError> {
        Self::assemble(config, clock, store, proofs(&config.policy))
    }

    fn assemble(
        config: &Config,
        clock: Arc<dyn Clock>,
        store: Arc<dyn Store>,
        proofs: Proofs,
    ) -> Result<Self, AppError> {
        let vault = Arc::new(match &config.store.key {
            Some(key) => Vault::from_key(key.expose()),
            None => Vault::open(&config.store.key_file)?,
        });
        let session = &config.session;
        let settings =
            TokenSettings { issuer: session.issuer.clone(), audience: session.audience.clone(), ttl: session.ttl };
        let keyring = Arc::new(Keyring::new(Arc::clone(&vault), settings));
        let versions = Arc::new(Versions::default());
        // Before anything is cached, so that no change is missed.
        let coherence =
            Coherence::start(Arc::clone(&store), Arc::clone(&versions), Arc::clone(&keyring), Arc::clone(&clock))?;
        let coherence = Arc::new(coherence);

        let capacity = EngineCapacity { facts: config.cache.standings, decisions: config.cache.decisions };
        let history = PolicyHistory::new(Arc::clone(&store), Arc::clone(&clock));
        let mut numbered = Ok(0);
        let number = |first: &Generation| {
            numbered = history.number_for(first.contents());
            numbered.as_ref().copied().unwrap_or_default()
        };
        let mut unread = Ok(());
        let recorded = || match config.policy.on_error {
            OnError::Refuse => None,
            OnError::LastGood => history.load_newest().unwrap_or_else(|error| {
                unread = Err(error);
                None
            }),
        };
        let (engine_store, engine_versions) = (Arc::clone(&store), Arc::clone(&versions));
        let from = source(&config.policy);
        let started = Engine::start(from, proofs, number, recorded, engine_store, engine_versions, capacity);
        numbered?;
        unread?;
        let engine = started?;
        let engine = Arc::new(match &config.policy.shadow {
            Some(folder) => engine.with_candidate(folder.clone()),
            None => engine,
        });
        let capacity = Capacity { verified: config.cache.credentials, unknown: config.cache.unknown_keys };
        let verifier = Arc::new(Verifier::new(Arc::clone(&store), Arc::clone(&keyring), versions, capacity));
        let metrics = Arc::new(Metrics::new());
        metrics.set_policy_generation(engine.generation().number());
        let passwords = Passwords::new(available_parallelism().map_or(1, usize::from))?;
        let accounts = Arc::new(Accounts::new(AccountsParts {
            store: Arc::clone(&store),
            engine: Arc::clone(&engine),
            coherence: Arc::clone(&coherence),
            keyring: Arc::clone(&keyring),
            vault,
            passwords,
            clock: Arc::clone(&clock),
            outbox: outbox(config)?,
            metrics: Arc::clone(&metrics),
            name: session.issuer.clone(),
            sign_up: config.portal.sign_up,
        })?);
        accounts.rotate_signing_keys_if_due(&Actor::console())?;

        let log = DecisionLog::open(output(&config.log.decisions), &metrics)?;
        let shadow = if config.policy.shadow.is_some() {
            accounts.load_candidate();
            let log = ShadowLog::open(output(&config.log.shadow), &metrics)?;
            Some(Shadow::start(Arc::clone(&engine), log, Arc::clone(&metrics)).map_err(AppError::Shadow)?)
        } else {
            None
        };
        let log_in = config.portal.url.clone().map(|portal| {
            let return_hosts = config.portal.return_hosts.clone();
            LogIn { portal, return_hosts }
        });
        let gate = Arc::new(Gate::new(
            Arc::clone(&verifier),
            Arc::clone(&engine),
            Arc::clone(&coherence),
            Arc::clone(&clock),
            log,
            Arc::clone(&metrics),
            shadow,
            log_in,
            config.decision.assertion_audience.clone().map(|audience| Assertions::new(Arc::clone(&keyring), audience)),
            Respond::new(config.decision.headers.clone()),
        ));
        Ok(Self { accounts, verifier, engine, gate, keyring, coherence, store, metrics, clock })
    }

    /// What is to be done every now and then: mail that is due, the uses of keys, what has expired. Blocks.
    pub fn keep_house(&self) -> Result<(), AccountError> {
        self.accounts.record_uses(&self.verifier.take_uses())?;
        self.accounts.delete_expired()?;
        self.accounts.record_policies_again();
        // The bound keeps one pass short; what is left goes out in the next.
        for _ in 0..16 {
            if self.accounts.deliver_mail()? == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Reads the policies again because whoever runs the program wishes it; gives the number of the generation that is
    /// then in force. How it went is counted and logged.
    pub fn reload_policies(&self) -> Result<u64, AccountError> {
        Ok(self.accounts.reload_policies(Reloader::Sighup)?.number())
    }

    /// The history of the policies in the store of this configuration, whatever the policies are at the moment.
    pub fn policy_history(config: &Config, clock: Arc<dyn Clock>) -> Result<PolicyHistory, AppError> {
        Ok(PolicyHistory::new(Arc::new(SqliteStore::open(&config.store.path)?), clock))
    }
}

/// Where the policies are read from.
pub fn source(policy: &config::Policy) -> Source {
    Source { policies: policy.policies.clone(), schema: policy.schema.clone(), tests: policy.tests }
}

/// How invariants are proved.
pub fn proofs(policy: &config::Policy) -> Proofs {
    Proofs::new(policy.prove, policy.prove_timeout)
}

fn output(target: &DecisionTarget) -> Output<'_> {
    match target {
        DecisionTarget::Off => Output::Off,
        DecisionTarget::Stderr => Output::Stderr,
        DecisionTarget::Stdout => Output::Stdout,
        DecisionTarget::File(path) => Output::File(path),
    }
}

/// The way to the mail server, if one is configured; the configuration sees to it that the portal's address is, too.
fn outbox(config: &Config) -> Result<Option<Outbox>, AppError> {
    let (Some(settings), Some(portal)) = (&config.mail, &config.portal.url) else { return Ok(None) };
    let mailer = SmtpMailer::new(settings.clone())?;
    Ok(Some(Outbox { letters: Letters::new(portal.as_str()), mailer: Arc::new(mailer) }))
}
