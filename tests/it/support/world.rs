//! A world: a fresh database, a clock that moves a millisecond with each thing that is made, and the management API on
//! them. So lists, which are ordered by time of creation, have one order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use gatepost::accounts::{Actor, NewAccount, NewApiKey};
use gatepost::api::{self, ApiState};
use gatepost::app::App;
use gatepost::clock::{Clock, ManualClock};
use gatepost::config::{Config, DecisionTarget};
use gatepost::model::{OrganizationId, Timestamp, UserId};
use gatepost::secret::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::Answer;

/// The password of everybody who has one.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Everything that a test needs.
pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) config: Config,
    router: Router,
    _folder: TempDir,
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) username: String,
    /// Its API key.
    pub(crate) key: String,
    /// Its personal organization.
    pub(crate) organization: OrganizationId,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::defaults();
        config.store.path = folder.path().join("gatepost.db");
        config.store.key_file = folder.path().join("key");
        config.policy.policies = folder.path().join("policies");
        config.policy.schema = folder.path().join("schema");
        config.log.decisions = DecisionTarget::Off;
        config.decision.listen = "127.0.0.1:0".parse().unwrap();
        config.portal.listen = "127.0.0.1:0".parse().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let app = Arc::new(App::open(&config, clock.clone()).unwrap());
        let router = api::router(ApiState {
            accounts: Arc::clone(&app.accounts),
            verifier: Arc::clone(&app.verifier),
            keyring: Arc::clone(&app.keyring),
            clock: clock.clone(),
        });
        Self { app, clock, config, router, _folder: folder }
    }

    /// Somebody with an API key and no password, whose address is `<username>@example.com`.
    pub(crate) fn person(&self, username: &str) -> Person {
        self.add(username, None, false)
    }

    /// Somebody who has a password as well. Hashing it takes its time.
    pub(crate) fn person_with_password(&self, username: &str) -> Person {
        self.add(username, Some(&Secret::new(PASSWORD.to_owned())), false)
    }

    /// An administrator of the installation.
    pub(crate) fn installation_administrator(&self, username: &str) -> Person {
        self.add(username, None, true)
    }

    fn add(&self, username: &str, password: Option<&Secret>, installation_administrator: bool) -> Person {
        let (accounts, console) = (&self.app.accounts, Actor::console());
        let email = &format!("{username}@example.com");
        let new = NewAccount { username, email, password, installation_administrator };
        let id = accounts.add_user(&console, &new).unwrap().id;
        let new = NewApiKey { name: "first", ..NewApiKey::default() };
        let key = accounts.create_api_key(&console, id, new).unwrap().key.expose().to_owned();
        let organization = accounts.organizations_of(&console, id).unwrap()[0].id;
        self.tick();
        Person { id, username: username.to_owned(), key, organization }
    }

    /// The time, as answers tell it.
    pub(crate) fn now(&self) -> Value {
        json!(self.clock.now())
    }

    fn tick(&self) {
        self.clock.advance(Duration::from_millis(1));
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Sends a request with a credential, and a body if it is not null.
    pub(crate) async fn call(&self, credential: &str, method: &str, path: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "api.example.com");
        if !credential.is_empty() {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
        };
        let answer = self.send(request.body(body).unwrap()).await;
        if method == "POST" {
            self.tick();
        }
        answer
    }

    pub(crate) async fn get(&self, credential: &str, path: &str) -> Answer {
        self.call(credential, "GET", path, Value::Null).await
    }

    pub(crate) async fn post(&self, credential: &str, path: &str, body: Value) -> Answer {
        self.call(credential, "POST", path, body).await
    }

    pub(crate) async fn delete(&self, credential: &str, path: &str) -> Answer {
        self.call(credential, "DELETE", path, Value::Null).await
    }

    /// A session token of somebody who has a password.
    pub(crate) async fn log_in(&self, person: &Person) -> String {
        let body = json!({"login": person.username, "password": PASSWORD});
        self.post("", "/v1/sessions", body).await.expect(201).text("token")
    }

    /// An application in its creator's personal organization.
    pub(crate) async fn application(&self, owner: &Person, name: &str, kind: &str) -> String {
        let body = json!({"organization": owner.organization, "name": name, "type": kind});
        self.post(&owner.key, "/v1/applications", body).await.expect(201).text("id")
    }
}
