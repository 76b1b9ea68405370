//! A running Gatepost on listeners of its own, with an organization, an application, a device and the five people of
//! the demonstration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use gatepost::accounts::{Actor, NewAccount, NewApiKey};
use gatepost::app::{App, Bound};
use gatepost::clock::{Clock, SystemClock};
use gatepost::config::{Config, FlagValue, LoadOptions};
use gatepost::model::{ApplicationId, ApplicationType, DeviceId, ListenAddress, OrganizationId, Plan, Role, UserId};
use gatepost::secret::Secret;
use gatepost::store::Store;
use gatepost::store::sqlite::SqliteStore;
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::http::{Address, Reply, send};
use super::until;

/// Somebody with every kind of credential.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub username: &'static str,
    pub role: Option<Role>,
    pub password: String,
    pub api_key: String,
    pub session: String,
}

/// A running Gatepost. It stops when this is dropped.
pub struct World {
    pub app: Arc<App>,
    pub decision: Address,
    /// Where FastCGI is spoken, if the settings say so.
    pub fastcgi: Option<Address>,
    pub portal: SocketAddr,
    pub folder: TempDir,
    pub organization: OrganizationId,
    pub application: ApplicationId,
    pub device: DeviceId,
    pub people: BTreeMap<&'static str, Person>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

/// The people, and their roles on the application.
pub const PEOPLE: [(&str, Option<Role>); 5] = [
    ("ada", Some(Role::Administrator)),
    ("devi", Some(Role::Developer)),
    ("oleg", Some(Role::Operator)),
    ("olga", Some(Role::Observer)),
    ("otto", None),
];

impl World {
    /// By the machine's clock and the shipped policies.
    pub fn start() -> Self {
        Self::start_with(Arc::new(SystemClock), &[])
    }

    /// By `clock`, with settings such as `("cache.decisions", "0")`.
    pub fn start_with(clock: Arc<dyn Clock>, settings: &[(&'static str, &str)]) -> Self {
        Self::start_seeded(clock, settings, true)
    }

    /// With people who have no passwords: hashing them takes most of the time that a start takes.
    pub fn without_passwords(settings: &[(&'static str, &str)]) -> Self {
        Self::start_seeded(Arc::new(SystemClock), settings, false)
    }

    fn start_seeded(clock: Arc<dyn Clock>, settings: &[(&'static str, &str)], passwords: bool) -> Self {
        Self::with_store(clock, settings, passwords, |path| Arc::new(SqliteStore::open(path).unwrap())).0
    }

    /// On a store that `open` opens; gives it as well.
    pub fn with_store<S: Store>(
        clock: Arc<dyn Clock>,
        settings: &[(&'static str, &str)],
        passwords: bool,
        open: impl FnOnce(&Path) -> Arc<S>,
    ) -> (Self, Arc<S>) {
        let folder = tempfile::tempdir().unwrap();
        let config = Self::config(folder.path().to_owned(), settings);
        let store = open(&config.store.path);
        let app = Arc::new(App::with_store(&config, clock, Arc::clone(&store) as Arc<dyn Store>).unwrap());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let bound = runtime.block_on(Bound::bind(Arc::clone(&app), &config)).unwrap();
        let listening = |address: &ListenAddress| match address {
            ListenAddress::Tcp(address) => Address::Tcp(*address),
            // As long as the process: a test has few of them.
            ListenAddress::Unix(path) => Address::Unix(Box::leak(path.clone().into_boxed_path())),
            ListenAddress::Inherited(_) => panic!("nobody has handed over a socket"),
        };
        let (decision, fastcgi) = (listening(bound.decision_address()), bound.fastcgi_address().map(listening));
        let portal = tcp(bound.portal_address());
        let (stop, stopped) = oneshot::channel::<()>();
        let server = std::thread::spawn(move || {
            runtime.block_on(bound.serve(async {
                let _ = stopped.await;
            }));
        });
        let mut world = Self {
            app,
            decision,
            fastcgi,
            portal,
            folder,
            organization: OrganizationId::from_bytes([0; 16]),
            application: ApplicationId::from_bytes([0; 16]),
            device: DeviceId::from_bytes([0; 16]),
            people: BTreeMap::new(),
            stop: Some(stop),
            server: Some(server),
        };
        world.seed(passwords);
        (world, store)
    }

    /// The configuration of a Gatepost that keeps everything in `folder`.
    pub fn config(folder: PathBuf, settings: &[(&'static str, &str)]) -> Config {
        let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let mut flags = vec![
            ("decision.listen", "127.0.0.1:0".to_owned()),
            ("portal.listen", "127.0.0.1:0".to_owned()),
            ("store.path", path("gatepost.db")),
            ("store.key_file", path("gatepost.key")),
            ("log.decisions", path("decisions.log")),
            // Tests say when.
            ("policy.watch", "false".to_owned()),
        ];
        for (key, value) in settings {
            flags.retain(|(known, _)| known != key);
            flags.push((key, (*value).to_owned()));
        }
        let flags = flags.into_iter().map(|(key, value)| FlagValue { key, flag: "--test", value }).collect();
        Config::load(LoadOptions { flags, ..LoadOptions::default() }).unwrap().0
    }

    fn seed(&mut self, passwords: bool) {
        let (accounts, console) = (&self.app.accounts, Actor::console());
        for (username, role) in PEOPLE {
            let password = format!("{username} has a long password");
            let email = format!("{username}@example.com");
            let secret = Secret::new(password.clone());
            let new = NewAccount {
                username,
                email: &email,
                password: passwords.then_some(&secret),
                installation_administrator: false,
            };
            let user = accounts.add_user(&console, &new).unwrap();
            let new = NewApiKey { name: "test", ..NewApiKey::default() };
            let api_key = accounts.create_api_key(&console, user.id, new).unwrap().key.expose().to_owned();
            let session = accounts.issue_session(&console, user.id).unwrap().token.expose().to_owned();
            self.people.insert(username, Person { id: user.id, username, role, password, api_key, session });
        }
        let ada = self.people["ada"].id;
        self.organization = accounts.create_organization(&console, "acme", ada).unwrap().id;
        accounts.set_plan(&console, self.organization, Plan::Paid).unwrap();
        let standard = ApplicationType::Standard;
        let application =
            accounts.create_application(&console, self.organization, ada, "thermostat", standard).unwrap();
        self.application = application.id;
        self.device = accounts.add_device(&console, self.application, None, "living room").unwrap().id;
        for (username, role) in PEOPLE {
            if let Some(role) = role.filter(|_| username != "ada") {
                accounts.add_member(&console, self.application, username, role).unwrap();
            }
        }
    }

    /// One of the people.
    pub fn person(&self, username: &str) -> &Person {
        &self.people[username]
    }

    /// Asks as nginx does: may whoever sends `credential` do `method` on `target`?
    pub fn check(&self, method: &str, target: &str, credential: Option<&str>) -> Reply {
        let bearer = credential.map(|credential| format!("Bearer {credential}"));
        let mut headers = vec![
            ("X-Original-Method", method),
            ("X-Original-URI", target),
            ("X-Original-Host", "app.example.com"),
            ("X-Original-Proto", "https"),
            ("X-Real-IP", "192.0.2.1"),
        ];
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        send(self.decision, "GET", "/check/nginx", &headers, "")
    }

    /// What the decision log has so far, by the decisions' identifiers.
    pub fn decision_records(&self) -> BTreeMap<String, serde_json::Value> {
        let log = std::fs::read_to_string(self.folder.path().join("decisions.log")).unwrap();
        let records = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        records.map(|record| (record["id"].as_str().unwrap().to_owned(), record)).collect()
    }

    /// What the decision log says of the decision with this identifier, which was told to whoever asked.
    pub fn decision_record(&self, id: &str) -> serde_json::Value {
        // Records are written a moment after the answer was given.
        let path = self.folder.path().join("decisions.log");
        until(Duration::from_secs(10), "the decision's record", || {
            let log = std::fs::read_to_string(&path).unwrap();
            let line = log.lines().rev().find(|line| line.contains(id));
            line.and_then(|line| serde_json::from_str(line).ok())
        })
    }

    /// Calls the management API with JSON.
    pub fn api(&self, method: &str, target: &str, credential: Option<&str>, body: &str) -> Reply {
        let bearer = credential.map(|credential| format!("Bearer {credential}"));
        let mut headers = Vec::new();
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        if !body.is_empty() {
            headers.push(("Content-Type", "application/json"));
        }
        send(self.portal, method, target, &headers, body)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            let ended = server.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

fn tcp(address: &ListenAddress) -> SocketAddr {
    match address {
        ListenAddress::Tcp(address) => *address,
        other => panic!("{other} is no TCP address"),
    }
}
