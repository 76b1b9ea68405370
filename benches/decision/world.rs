//! What the benches ask, and of whom: an account system in a temporary folder, with an organization, an application, a
//! device, its administrator and an operator.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use gatepost::accounts::{Actor, NewAccount, NewApiKey};
use gatepost::app::App;
use gatepost::authn::ApiKeyText;
use gatepost::clock::SystemClock;
use gatepost::config::{Cache, Config, DecisionTarget, Folder};
use gatepost::gate::dialect::Dialect;
use gatepost::http::direct::Written;
use gatepost::model::{ApplicationId, ApplicationType, DeviceId, Plan, Role};
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use tempfile::TempDir;

/// The decision log's file in the folder.
pub(crate) const DECISION_LOG: &str = "decisions.log";

/// As often as a server does.
const CATCH_UP_EVERY: Duration = Duration::from_millis(100);

/// Where the decision log goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Log {
    Off,
    File,
}

/// Whether anything is remembered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caches {
    On,
    /// Everything comes from the store, which is in the page cache.
    Off,
    /// All is remembered, but a policy reads the path, so that Cedar is asked each time.
    Evaluated,
    /// A policy reads the method, so that decisions are not worked out ahead, but remembered.
    Remembered,
}

/// Folders with the shipped policies and one more.
const EVALUATED: &str = "evaluated";
const REMEMBERED: &str = "remembered";

/// An account system.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) application: ApplicationId,
    pub(crate) device: DeviceId,
    /// Of the operator.
    pub(crate) api_key: String,
    /// Of the operator.
    pub(crate) session: String,
}

/// An open account system whose caches stay coherent with the store, so that they are believed.
pub(crate) struct Opened {
    pub(crate) app: Arc<App>,
    /// Disconnected, this ends the thread that looks for changes.
    _stop: mpsc::Sender<()>,
    written: Mutex<Written>,
}

/// A question, and the status that it is answered with.
pub(crate) struct Ask {
    pub(crate) dialect: Dialect,
    pub(crate) headers: HeaderMap,
    /// The same, as nginx sends them.
    head: Vec<(String, String)>,
    status: StatusCode,
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        write_policies(&folder.path().join(EVALUATED), "context.path like \"*/never\"")?;
        write_policies(&folder.path().join(REMEMBERED), "context.method == \"NEVER\"")?;
        let app = App::open(&config(folder.path(), Log::Off, Caches::On), Arc::new(SystemClock))?;
        let (accounts, console) = (&app.accounts, Actor::console());
        let user = |username: &str| {
            let email = format!("{username}@example.com");
            let new = NewAccount { username, email: &email, password: None, installation_administrator: false };
            accounts.add_user(&console, &new)
        };
        let (administrator, operator) = (user("ada")?.id, user("oleg")?.id);
        let organization = accounts.create_organization(&console, "acme", administrator)?.id;
        accounts.set_plan(&console, organization, Plan::Paid)?;
        let standard = ApplicationType::Standard;
        let application =
            accounts.create_application(&console, organization, administrator, "thermostat", standard)?.id;
        accounts.add_member(&console, application, "oleg", Role::Operator)?;
        let device = accounts.add_device(&console, application, None, "living room")?.id;
        let key = accounts.create_api_key(&console, operator, NewApiKey { name: "bench", ..NewApiKey::default() })?;
        let session = accounts.issue_session(&console, operator)?;
        let (api_key, session) = (key.key.expose().to_owned(), session.token.expose().to_owned());
        drop(app);
        Ok(Self { folder, application, device, api_key, session })
    }

    pub(crate) fn open(&self, log: Log, caches: Caches) -> Result<Opened> {
        Opened::new(&config(self.folder.path(), log, caches))
    }

    /// The operator, with a key, restarts a device: allowed.
    pub(crate) fn allowed(&self) -> Result<Ask> {
        self.restart(Dialect::Nginx, Some(&self.api_key), StatusCode::OK)
    }

    /// The same with a session token: allowed.
    pub(crate) fn allowed_by_session(&self) -> Result<Ask> {
        self.restart(Dialect::Nginx, Some(&self.session), StatusCode::OK)
    }

    /// A key that has the right form and does not exist: refused.
    pub(crate) fn unknown_key(&self) -> Result<Ask> {
        let key = ApiKeyText::generate().into_secret();
        self.restart(Dialect::Nginx, Some(key.expose()), StatusCode::UNAUTHORIZED)
    }

    /// Nobody in particular restarts a device: refused.
    pub(crate) fn anonymous(&self) -> Result<Ask> {
        self.restart(Dialect::Nginx, None, StatusCode::UNAUTHORIZED)
    }

    /// The operator pushes a release: denied, without a body for nginx, with a problem document for the others.
    pub(crate) fn denied(&self, dialect: Dialect) -> Result<Ask> {
        let target = format!("/applications/{}/releases", self.application);
        Ask::new(dialect, "POST", &target, Some(&self.api_key), StatusCode::FORBIDDEN)
    }

    /// A path that can be read in two ways: refused.
    pub(crate) fn malformed(&self) -> Result<Ask> {
        let target = format!("/applications/{}/devices/%2e%2e/releases", self.application);
        Ask::new(Dialect::Nginx, "POST", &target, Some(&self.api_key), StatusCode::BAD_REQUEST)
    }

    fn restart(&self, dialect: Dialect, credential: Option<&str>, status: StatusCode) -> Result<Ask> {
        Ask::new(dialect, "POST", &self.restart_target(), credential, status)
    }

    pub(crate) fn restart_target(&self) -> String {
        format!("/applications/{}/devices/{}/actions/restart", self.application, self.device)
    }
}

impl Opened {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let app = Arc::new(App::open(config, Arc::new(SystemClock))?);
        let (stop, stopped) = mpsc::channel::<()>();
        let coherence = Arc::clone(&app.coherence);
        // Reading many policies may have taken longer than caches are believed.
        coherence.catch_up()?;
        // A failure shows as 503 once the caches are too old to be believed, and the bench ends.
        let follow = move || {
            while stopped.recv_timeout(CATCH_UP_EVERY) == Err(RecvTimeoutError::Timeout) {
                let _ = coherence.catch_up();
            }
        };
        thread::Builder::new().spawn(follow)?;
        let written = Mutex::new(Written::new());
        Ok(Opened { app, _stop: stop, written })
    }
}

impl Ask {
    /// What a proxy asks about, with this credential, and the status that it must be answered with.
    pub(crate) fn new(
        dialect: Dialect,
        method: &str,
        target: &str,
        credential: Option<&str>,
        status: StatusCode,
    ) -> Result<Self> {
        let prefix = if dialect == Dialect::Nginx { "x-original" } else { "x-forwarded" };
        let client = if dialect == Dialect::Nginx { "x-real-ip" } else { "x-forwarded-for" };
        let mut headers = HeaderMap::new();
        let mut insert = |name: &str, value: &str| {
            headers.insert(HeaderName::from_bytes(name.as_bytes())?, value.parse()?);
            anyhow::Ok(())
        };
        insert("host", "gatepost")?;
        insert(&format!("{prefix}-method"), method)?;
        insert(&format!("{prefix}-uri"), target)?;
        insert(&format!("{prefix}-host"), "app.example.com")?;
        insert(&format!("{prefix}-proto"), "https")?;
        insert(client, "192.0.2.1")?;
        if let Some(credential) = credential {
            insert("authorization", &format!("Bearer {credential}"))?;
        }
        insert("accept", "*/*")?;
        insert("user-agent", "curl/8.11.0")?;
        let sent = |(name, value): (&HeaderName, &HeaderValue)| anyhow::Ok((cased(name), value.to_str()?.to_owned()));
        let head = headers.iter().map(sent).collect::<Result<_>>()?;
        Ok(Self { dialect, headers, head, status })
    }

    /// Asks as the server does first: from the lines of a head to the bytes of the response, and nothing is waited for.
    /// Nothing if the caches are not enough.
    pub(crate) fn now(&self, opened: &Opened) -> Option<StatusCode> {
        let mut lines = [httparse::EMPTY_HEADER; 16];
        let mut len = 0;
        for (line, (name, value)) in lines.iter_mut().zip(&self.head) {
            (line.name, line.value) = (name, value.as_bytes());
            len += 1;
        }
        let mut written = opened.written.lock().ok()?;
        written.clear();
        opened.app.gate.write_now(&self.dialect.into(), lines.get(..len)?.into(), &mut written).ok()?;
        StatusCode::from_bytes(written.as_bytes().get("HTTP/1.1 ".len()..)?.get(..3)?).ok()
    }

    /// Asks as the server does when the caches are not enough.
    pub(crate) fn blocking(&self, opened: &Opened) -> StatusCode {
        opened.app.gate.answer(&self.dialect.into(), &self.headers).status()
    }

    /// Fills the caches, and makes sure that the answer is the right one, then and from the caches.
    pub(crate) fn warm(&self, opened: &Opened) -> Result<()> {
        self.check(self.blocking(opened))?;
        self.check(self.now(opened).context("the caches were to be warm")?)
    }

    /// Makes sure that the answer is the right one.
    pub(crate) fn check(&self, status: StatusCode) -> Result<()> {
        ensure!(status == self.status, "expected {}, got {status}", self.status);
        Ok(())
    }
}

/// A name as configurations have it: `X-Real-IP` is `X-Real-Ip` here, which is as good.
fn cased(name: &HeaderName) -> String {
    let words = name.as_str().split('-').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

/// The shipped policies, and one that forbids what `condition` says.
fn write_policies(folder: &Path, condition: &str) -> Result<()> {
    fs::create_dir(folder)?;
    for file in ["accounts.cedar", "matrix.cedar", "scopes.cedar"] {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("policies").join(file), folder.join(file))?;
    }
    let policy = format!("@id(\"more\") forbid (principal, action, resource) when {{ {condition} }};");
    Ok(fs::write(folder.join("more.cedar"), policy)?)
}

/// By the shipped policies.
pub(crate) fn config(folder: &Path, log: Log, caches: Caches) -> Config {
    let mut config = Config::defaults();
    config.store.path = folder.join("gatepost.db");
    config.store.key_file = folder.join("gatepost.key");
    config.policy.policies = Folder::BuiltIn;
    config.policy.schema = Folder::BuiltIn;
    config.log.decisions = match log {
        Log::Off => DecisionTarget::Off,
        Log::File => DecisionTarget::File(folder.join(DECISION_LOG)),
    };
    match caches {
        Caches::On => {}
        Caches::Off => config.cache = Cache { credentials: 0, unknown_keys: 0, standings: 0, decisions: 0 },
        Caches::Evaluated => config.policy.policies = folder.join(EVALUATED).into(),
        Caches::Remembered => config.policy.policies = folder.join(REMEMBERED).into(),
    }
    config
}
