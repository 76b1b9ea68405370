//! The management API on a fresh database, with a clock that moves a millisecond with each thing that is made: so lists,
//! which are ordered by time of creation, have one order.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use gatepost::accounts::{Actor, NewAccount, NewApiKey};
use gatepost::api::{self, ApiState};
use gatepost::app::App;
use gatepost::clock::{Clock, ManualClock};
use gatepost::config::Config;
use gatepost::model::{OrganizationId, Timestamp, UserId};
use gatepost::secret::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::answer::Answer;
use crate::support::World;

/// The password of everybody who has one.
pub const PASSWORD: &str = "correct horse battery staple";

/// The management API and what lies beneath it.
pub struct Api {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub config: Config,
    router: Router,
    _folder: TempDir,
}

/// Somebody with an account.
#[derive(Debug, Clone)]
pub struct Person {
    pub id: UserId,
    pub username: String,
    /// Its API key.
    pub key: String,
    /// Its personal organization.
    pub organization: OrganizationId,
}

impl Api {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = World::config(folder.path().to_owned(), &[]);
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
    pub fn person(&self, username: &str) -> Person {
        self.add(username, None, false)
    }

    /// Somebody who has a password as well. Hashing it takes its time.
    pub fn person_with_password(&self, username: &str) -> Person {
        self.add(username, Some(&Secret::new(PASSWORD.to_owned())), false)
    }

    /// An administrator of the installation.
    pub fn installation_administrator(&self, username: &str) -> Person {
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
    pub fn now(&self) -> Value {
        json!(self.clock.now())
    }

    fn tick(&self) {
        self.clock.advance(Duration::from_millis(1));
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        Answer::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// Sends a request with a credential, and a body if it is not null.
    pub async fn call(&self, credential: &str, method: &str, path: &str, body: Value) -> Answer {
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

    pub async fn get(&self, credential: &str, path: &str) -> Answer {
        self.call(credential, "GET", path, Value::Null).await
    }

    pub async fn post(&self, credential: &str, path: &str, body: Value) -> Answer {
        self.call(credential, "POST", path, body).await
    }

    pub async fn delete(&self, credential: &str, path: &str) -> Answer {
        self.call(credential, "DELETE", path, Value::Null).await
    }

    /// A session token of somebody who has a password.
    pub async fn log_in(&self, person: &Person) -> String {
        let body = json!({"login": person.username, "password": PASSWORD});
        self.post("", "/v1/sessions", body).await.expect(201).text("token")
    }

    /// An application in its creator's personal organization.
    pub async fn application(&self, owner: &Person, name: &str, kind: &str) -> String {
        let body = json!({"organization": owner.organization, "name": name, "type": kind});
        self.post(&owner.key, "/v1/applications", body).await.expect(201).text("id")
    }
}
