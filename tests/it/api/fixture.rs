//! The management API on a fresh database, with a clock that moves a millisecond with each thing that is made: so lists,
//! which are ordered by time of creation, have one order.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use gatepost::accounts::{Accounts, AccountsParts, Actor, NewAccount, NewApiKey, Outbox};
use gatepost::api::{self, ApiState};
use gatepost::app::App;
use gatepost::authn::{Passwords, Vault};
use gatepost::clock::{Clock, ManualClock};
use gatepost::config::Config;
use gatepost::mail::{Letters, MailError, Mailer, Message};
use gatepost::model::{OrganizationId, Timestamp, UserId};
use gatepost::secret::Secret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use super::answer::Answer;
use super::documentation;
use crate::support::World;

/// The password of everybody who has one.
pub const PASSWORD: &str = "correct horse battery staple";

/// The management API and what lies beneath it.
pub struct Api {
    pub app: Arc<App>,
    pub clock: Arc<ManualClock>,
    pub config: Config,
    router: Router,
    mails: Mails,
    _folder: TempDir,
}

/// A mail server that keeps what it is given.
#[derive(Clone, Default)]
struct Mails(Arc<Mutex<Post>>);

#[derive(Default)]
struct Post {
    accounts: Option<Arc<Accounts>>,
    sent: Vec<[String; 3]>,
}

impl Mailer for Mails {
    fn send(&self, message: &Message) -> Result<(), MailError> {
        let parts = [message.to().as_str(), message.subject(), message.expose_text()].map(str::to_owned);
        self.0.lock().unwrap().sent.push(parts);
        Ok(())
    }
}

fn router(app: &App, accounts: Arc<Accounts>, clock: &Arc<ManualClock>) -> Router {
    api::router(ApiState {
        accounts,
        verifier: Arc::clone(&app.verifier),
        keyring: Arc::clone(&app.keyring),
        clock: clock.clone(),
        trusted_proxies: Arc::default(),
    })
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
        Self::with(&[])
    }

    /// With settings such as `("policy.policies", "…")`.
    pub fn with(settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = World::config(folder.path().to_owned(), settings);
        let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000)));
        let app = Arc::new(App::open(&config, clock.clone()).unwrap());
        let router = router(&app, Arc::clone(&app.accounts), &clock);
        Self { app, clock, config, router, mails: Mails::default(), _folder: folder }
    }

    /// One that sends mail. What it sends is read by [`letter`](Self::letter).
    pub fn with_mail() -> Self {
        let mut api = Self::new();
        let (app, mailer) = (&api.app, Mails::clone(&api.mails));
        let accounts = Accounts::new(AccountsParts {
            store: Arc::clone(&app.store),
            engine: Arc::clone(&app.engine),
            coherence: Arc::clone(&app.coherence),
            keyring: Arc::clone(&app.keyring),
            vault: Arc::new(Vault::open(&api.config.store.key_file).unwrap()),
            passwords: Passwords::new(1).unwrap(),
            clock: api.clock.clone(),
            outbox: Some(Outbox { letters: Letters::new("https://id.example.com"), mailer: Arc::new(mailer) }),
            metrics: Arc::clone(&app.metrics),
            name: "gatepost".to_owned(),
            sign_up: true,
        });
        let accounts = Arc::new(accounts.unwrap());
        api.router = router(app, Arc::clone(&accounts), &api.clock);
        api.mails.0.lock().unwrap().accounts = Some(accounts);
        api
    }

    /// The account system that answers.
    pub fn accounts(&self) -> Arc<Accounts> {
        let mailing = self.mails.0.lock().unwrap().accounts.clone();
        mailing.unwrap_or_else(|| Arc::clone(&self.app.accounts))
    }

    /// The mails that were sent since the last time: to whom, what about, and the text.
    pub fn letters(&self) -> Vec<[String; 3]> {
        let accounts = self.mails.0.lock().unwrap().accounts.clone().unwrap();
        while accounts.deliver_mail().unwrap() > 0 {}
        std::mem::take(&mut self.mails.0.lock().unwrap().sent)
    }

    /// The token of the link in the one mail that was sent since the last time.
    pub fn mailed_token(&self) -> String {
        let letters = self.letters();
        let [[_, _, text]] = letters.as_slice() else { panic!("{letters:?}") };
        let (_, token) = text.split_once("?token=").unwrap();
        token.split_whitespace().next().unwrap().to_owned()
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
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = Answer::read(self.router.clone().oneshot(request).await.unwrap()).await;
        documentation::check(method.as_str(), &path, &answer);
        answer
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

    /// Posts a form with a credential.
    pub async fn submit(&self, credential: &str, path: &str, form: &str) -> Answer {
        let mut request = Request::post(path).header("host", "api.example.com");
        if !credential.is_empty() {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
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
