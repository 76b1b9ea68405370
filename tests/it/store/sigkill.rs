//! A program that is killed in the middle of its writes has kept everything that it acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use gatepost::accounts::{Actor, NewAccount, NewApiKey};
use gatepost::app::App;
use gatepost::clock::SystemClock;
use gatepost::model::{ApplicationType, Plan, Role};
use gatepost::store::Read;
use gatepost::store::sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::support::World;
use crate::support::http::{Address, Connection, Reply, request};

const ROUNDS: usize = 50;
const WRITERS: usize = 3;

/// What one writer was told, and what it does not know because the answer never came.
struct Writer {
    application: String,
    api_key: String,
    /// Keys that were acknowledged: identifier and key.
    keys: BTreeMap<String, String>,
    revoked: BTreeMap<String, String>,
    /// Roles of the members that were acknowledged.
    members: BTreeMap<String, Option<&'static str>>,
    /// Devices, organizations and applications.
    things: [Things; 3],
    /// What was asked for last without an answer: it may have happened or not.
    open: Option<Open>,
    turn: usize,
}

/// Things of one kind: those whose creation was acknowledged, and those whose deletion was.
struct Things {
    path: String,
    body: Value,
    present: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Things {
    fn new(path: String, body: Value) -> Self {
        Self { path, body, present: BTreeSet::new(), gone: BTreeSet::new() }
    }
}

enum Open {
    Creation,
    Revocation(String),
    Member(String, Option<&'static str>),
    Deletion(String),
}

#[test]
fn what_was_acknowledged_survives_fifty_kills() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writers, candidates) = seed(folder.path());
    for round in 0..ROUNDS {
        let mut server = Server::start(folder.path());
        for writer in &mut writers {
            writer.verify(server.portal);
        }
        let acknowledged = AtomicUsize::new(0);
        // Another moment in each round, early ones as well.
        let enough = round * 7 % 41;
        std::thread::scope(|scope| {
            for writer in &mut writers {
                let (mut connection, acknowledged, candidates) = (connect(server.portal), &acknowledged, &candidates);
                scope.spawn(move || {
                    while writer.write(&mut connection, candidates).is_some() {
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            while acknowledged.load(Ordering::SeqCst) < enough {
                std::thread::yield_now();
            }
            server.kill();
        });
        nothing_is_half_done(folder.path());
    }
    let server = Server::start(folder.path());
    for writer in &mut writers {
        writer.verify(server.portal);
        for (keys, status) in [(&writer.keys, 200), (&writer.revoked, 401)] {
            for key in keys.values() {
                assert_eq!(call(&mut connect(server.portal), key, "GET", "/v1/whoami", None).unwrap().status, status);
            }
        }
        assert!(writer.keys.len() + writer.revoked.len() > ROUNDS / 2, "too little was written to mean anything");
    }
}

fn seed(folder: &Path) -> (Vec<Writer>, Vec<(String, String)>) {
    let app = App::open(&World::config(folder.to_owned(), &[]), Arc::new(SystemClock)).unwrap();
    let console = Actor::console();
    let user = |username: &str| {
        let email = format!("{username}@example.com");
        let new = NewAccount { username, email: &email, password: None, installation_administrator: false };
        app.accounts.add_user(&console, &new).unwrap()
    };
    let candidates =
        (0..4).map(|n| user(&format!("member{n}"))).map(|user| (user.username.to_string(), user.id.to_string()));
    let candidates = candidates.collect();
    let writer = |n: usize| {
        let owner = user(&format!("writer{n}"));
        let organization = app.accounts.organizations_of(&console, owner.id).unwrap()[0].id;
        app.accounts.set_plan(&console, organization, Plan::Paid).unwrap();
        let standard = ApplicationType::Standard;
        let application = app.accounts.create_application(&console, organization, owner.id, "app", standard).unwrap();
        let new = NewApiKey { name: "writer", ..NewApiKey::default() };
        let key = app.accounts.create_api_key(&console, owner.id, new).unwrap();
        Writer {
            application: application.id.to_string(),
            api_key: key.key.expose().to_owned(),
            keys: BTreeMap::new(),
            revoked: BTreeMap::new(),
            members: BTreeMap::new(),
            things: [
                Things::new(format!("/v1/applications/{}/devices", application.id), json!({})),
                Things::new("/v1/organizations".to_owned(), json!({})),
                Things::new("/v1/applications".to_owned(), json!({"organization": organization, "type": "standard"})),
            ],
            open: None,
            turn: n,
        }
    };
    ((0..WRITERS).map(writer).collect(), candidates)
}

impl Writer {
    /// Makes one change; nothing if the server was gone before it answered.
    fn write(&mut self, connection: &mut Connection, candidates: &[(String, String)]) -> Option<()> {
        self.turn += 1;
        match self.turn % 6 {
            0 if self.keys.len() > 2 => {
                let (id, key) = self.keys.pop_first().unwrap();
                self.open = Some(Open::Revocation(key.clone()));
                let path = format!("/v1/api-keys/{id}");
                let reply = call(connection, &self.api_key, "DELETE", &path, None);
                if reply.is_none() {
                    self.keys.insert(id, key);
                    return None;
                }
                assert_eq!(reply.unwrap().status, 204);
                self.revoked.insert(id, key);
            }
            2 => {
                let (username, id) = &candidates[self.turn / 6 % candidates.len()];
                let members = format!("/v1/applications/{}/members", self.application);
                let current = self.members.get(id).copied().flatten();
                let (next, status, method, path, body) = match current {
                    None => {
                        let body = json!({"login": username, "role": "operator"});
                        (Some("operator"), 201, "POST", members, Some(body))
                    }
                    Some("operator") => {
                        let body = json!({"role": "observer"});
                        (Some("observer"), 204, "PATCH", format!("{members}/{id}"), Some(body))
                    }
                    Some(_) => (None, 204, "DELETE", format!("{members}/{id}"), None),
                };
                self.open = Some(Open::Member(id.clone(), next));
                assert_eq!(call(connection, &self.api_key, method, &path, body)?.status, status);
                self.members.insert(id.clone(), next);
            }
            4 => {
                let things = &mut self.things[self.turn / 6 % 3];
                if things.present.len() > 2 {
                    let id = things.present.first().unwrap().clone();
                    self.open = Some(Open::Deletion(id.clone()));
                    let path = format!("{}/{id}", things.path);
                    assert_eq!(call(connection, &self.api_key, "DELETE", &path, None)?.status, 204);
                    things.present.remove(&id);
                    things.gone.insert(id);
                } else {
                    self.open = Some(Open::Creation);
                    let mut body = things.body.clone();
                    body["name"] = json!(format!("thing {}", self.turn));
                    let reply = call(connection, &self.api_key, "POST", &things.path, Some(body))?;
                    // An earlier creation, whose acknowledgement was lost, may have taken the name.
                    if reply.status != 409 {
                        assert_eq!(reply.status, 201, "{}", reply.body);
                        things.present.insert(text(&reply.json()["id"]));
                    }
                }
            }
            _ => {
                self.open = Some(Open::Creation);
                let body = json!({"name": format!("key {}", self.turn)});
                let reply = call(connection, &self.api_key, "POST", "/v1/api-keys", Some(body))?;
                assert_eq!(reply.status, 201);
                let key = reply.json();
                self.keys.insert(text(&key["id"]), text(&key["key"]));
            }
        }
        self.open = None;
        Some(())
    }

    /// Holds what the restarted server has against what was acknowledged, and learns what became of the open change.
    fn verify(&mut self, portal: &'static Path) {
        let mut connection = connect(portal);
        let listed = |connection: &mut Connection, api_key: &str, path: &str| -> Vec<Value> {
            let (mut items, mut cursor) = (Vec::new(), String::new());
            loop {
                let reply = call(connection, api_key, "GET", &format!("{path}?limit=100{cursor}"), None).unwrap();
                assert_eq!(reply.status, 200, "{}", reply.body);
                let page = reply.json();
                items.extend(page["items"].as_array().unwrap().iter().cloned());
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => return items,
                }
            }
        };
        let open = self.open.take();
        let present: BTreeSet<_> = listed(&mut connection, &self.api_key, "/v1/api-keys")
            .iter()
            .filter(|key| key["name"] != "writer")
            .map(|key| text(&key["id"]))
            .collect();
        if let Some(Open::Revocation(key)) = &open
            && let Some(id) = self.keys.iter().find(|(_, known)| *known == key).map(|(id, _)| id.clone())
            && !present.contains(&id)
        {
            let key = self.keys.remove(&id).unwrap();
            self.revoked.insert(id, key);
        }
        for id in self.keys.keys() {
            assert!(present.contains(id), "an acknowledged key is gone");
        }
        for id in self.revoked.keys() {
            assert!(!present.contains(id), "a revoked key is back");
        }
        let path = format!("/v1/applications/{}/members", self.application);
        let present: BTreeMap<_, _> = listed(&mut connection, &self.api_key, &path)
            .iter()
            .map(|member| (text(&member["id"]), text(&member["role"])))
            .collect();
        for things in &mut self.things {
            let listed: BTreeSet<_> =
                listed(&mut connection, &self.api_key, &things.path).iter().map(|thing| text(&thing["id"])).collect();
            if let Some(Open::Deletion(id)) = &open
                && !listed.contains(id)
                && things.present.remove(id)
            {
                things.gone.insert(id.clone());
            }
            assert!(things.present.is_subset(&listed), "{}: something acknowledged is gone", things.path);
            assert!(things.gone.is_disjoint(&listed), "{}: something deleted is back", things.path);
        }
        if let Some(Open::Member(id, next)) = open
            && present.get(&id).map(String::as_str) == next
        {
            self.members.insert(id, next);
        }
        for (id, role) in &self.members {
            assert_eq!(present.get(id).map(String::as_str), *role, "an acknowledged membership is not as it was");
        }
    }
}

/// Everybody has a personal organization, every organization an administrator, and every application its owner as one.
fn nothing_is_half_done(folder: &Path) {
    let store = SqliteStore::open(&folder.join("gatepost.db")).unwrap();
    for user in store.users(None, 10_000).unwrap() {
        let organizations = store.organizations_of(user.id).unwrap();
        assert!(organizations.iter().any(|organization| organization.personal_to == Some(user.id)));
    }
    for organization in store.organizations(None, 10_000).unwrap() {
        assert!(!store.administrators(organization.id).unwrap().is_empty());
    }
    for application in store.applications(None, 10_000).unwrap() {
        assert_eq!(store.role(application.id, application.owner).unwrap(), Some(Role::Administrator));
        assert!(store.organization(application.organization).unwrap().is_some());
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn call(connection: &mut Connection, key: &str, method: &str, path: &str, body: Option<Value>) -> Option<Reply> {
    let bearer = format!("Bearer {key}");
    let mut headers = vec![("Authorization", bearer.as_str())];
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    if !body.is_empty() {
        headers.push(("Content-Type", "application/json"));
    }
    connection.try_send(&request(method, path, &headers, &body))
}

fn connect(portal: &'static Path) -> Connection {
    Connection::open(Address::Unix(portal))
}

/// The real program.
struct Server {
    process: Child,
    portal: &'static Path,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let (decision, portal) = (folder.join("decision.sock"), folder.join("portal.sock"));
        let log = folder.join("server.log");
        let process = Command::new(env!("CARGO_BIN_EXE_gatepost"))
            .args(["serve", "--store"])
            .arg(folder.join("gatepost.db"))
            .arg(format!("--listen=unix:{}", decision.display()))
            .arg(format!("--portal-listen=unix:{}", portal.display()))
            .env_clear()
            .env("GATEPOST_LOG_DECISIONS", "off")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .current_dir(folder)
            .spawn()
            .unwrap();
        let mut server = Self { process, portal: Box::leak(portal.into_boxed_path()) };
        let began = Instant::now();
        while UnixStream::connect(server.portal).is_err() {
            let ended = server.process.try_wait().unwrap();
            assert_eq!(ended, None, "the server did not start: {}", std::fs::read_to_string(&log).unwrap());
            assert!(began.elapsed() < Duration::from_secs(20), "the server does not listen");
            std::thread::yield_now();
        }
        server
    }

    /// SIGKILL.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
