//! What was acknowledged is in force for the very next request, however well the state before it is remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gatepost::accounts::{Accounts, Actor};
use gatepost::app::App;
use gatepost::authn::ApiKeyText;
use gatepost::clock::{Clock, SystemClock};
use gatepost::model::{ApiKey, ApiKeyId, Name, Role, UserId};
use gatepost::store::Store;

use super::matrix::path;
use crate::support::http::request;
use crate::support::{Connection, World, until};

/// How long a change of another process may go unnoticed.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// What may be answered while a change is being made: a deleted account is first no member, then nobody.
const ON_THE_WAY: [u16; 3] = [200, 401, 403];

/// What nginx asks.
pub fn question(method: &str, target: &str, credential: &str) -> Vec<u8> {
    let bearer = format!("Bearer {credential}");
    let headers = [
        ("X-Original-Method", method),
        ("X-Original-URI", target),
        ("X-Original-Host", "app.example.com"),
        ("X-Original-Proto", "https"),
        ("X-Real-IP", "192.0.2.1"),
        ("Authorization", &bearer),
    ];
    request("GET", "/check/nginx", &headers, "")
}

/// Something that somebody may do, until it is changed.
struct Change {
    name: &'static str,
    who: &'static str,
    /// With an API key, or with a session token.
    by_key: bool,
    method: &'static str,
    /// With `{a}` and `{d}` for the application and the device.
    path: &'static str,
    make: fn(&Accounts, &World, UserId),
    then: u16,
}

const CHANGES: &[Change] = &[
    Change {
        name: "key revoked",
        who: "olga",
        by_key: true,
        method: "GET",
        path: "/applications/{a}",
        make: |accounts, _, user| revoke_all(accounts, user),
        then: 401,
    },
    Change {
        name: "sessions ended",
        who: "olga",
        by_key: false,
        method: "GET",
        path: "/applications/{a}",
        make: |accounts, _, user| accounts.end_sessions(&Actor::console(), user).unwrap(),
        then: 401,
    },
    Change {
        name: "account deleted",
        who: "oleg",
        by_key: true,
        method: "POST",
        path: "/applications/{a}/devices",
        make: |accounts, _, user| accounts.delete_user(&Actor::console(), user).unwrap(),
        then: 401,
    },
    Change {
        name: "account deleted, seen by its session",
        who: "oleg",
        by_key: false,
        method: "POST",
        path: "/applications/{a}/devices",
        make: |accounts, _, user| accounts.delete_user(&Actor::console(), user).unwrap(),
        then: 401,
    },
    Change {
        name: "member removed",
        who: "devi",
        by_key: true,
        method: "POST",
        path: "/applications/{a}/releases",
        make: |accounts, world, user| accounts.remove_member(&Actor::console(), world.application, user).unwrap(),
        then: 403,
    },
    Change {
        name: "member removed, seen by a device",
        who: "devi",
        by_key: false,
        method: "POST",
        path: "/devices/{d}/ssh",
        make: |accounts, world, user| accounts.remove_member(&Actor::console(), world.application, user).unwrap(),
        then: 403,
    },
    Change {
        name: "role lowered",
        who: "devi",
        by_key: true,
        method: "POST",
        path: "/applications/{a}/releases",
        make: |accounts, world, user| {
            accounts.set_role(&Actor::console(), world.application, user, Role::Operator).unwrap();
        },
        then: 403,
    },
    Change {
        name: "device removed",
        who: "oleg",
        by_key: true,
        method: "POST",
        path: "/devices/{d}/ssh",
        make: |accounts, world, _| {
            accounts.remove_device(&Actor::console(), world.application, world.device).unwrap();
        },
        then: 403,
    },
    Change {
        name: "application deleted",
        who: "ada",
        by_key: true,
        method: "DELETE",
        path: "/applications/{a}",
        make: |accounts, world, _| accounts.delete_application(&Actor::console(), world.application).unwrap(),
        then: 403,
    },
    Change {
        name: "account disabled",
        who: "olga",
        by_key: true,
        method: "GET",
        path: "/applications/{a}",
        make: |accounts, _, user| drop(accounts.disable_user(&Actor::console(), user).unwrap()),
        then: 401,
    },
    Change {
        name: "account disabled, seen by its session",
        who: "olga",
        by_key: false,
        method: "GET",
        path: "/applications/{a}",
        make: |accounts, _, user| drop(accounts.disable_user(&Actor::console(), user).unwrap()),
        then: 401,
    },
];

fn revoke_all(accounts: &Accounts, user: UserId) {
    let console = Actor::console();
    let keys: Vec<_> = accounts.api_keys(&console, user).unwrap().iter().map(|key| key.id).collect();
    accounts.revoke_api_keys(&console, &keys).unwrap();
}

impl Change {
    fn question(&self, world: &World) -> Vec<u8> {
        let person = world.person(self.who);
        let credential = if self.by_key { &person.api_key } else { &person.session };
        question(self.method, &path(world, self.path), credential)
    }

    fn make_by(&self, accounts: &Accounts, world: &World) {
        (self.make)(accounts, world, world.person(self.who).id);
    }
}

#[test]
fn the_very_next_request_sees_what_was_changed() {
    for change in CHANGES {
        let world = World::without_passwords(&[]);
        let question = change.question(&world);
        let mut client = Connection::open(world.decision);
        for _ in 0..3 {
            assert_eq!(client.send(&question).status, 200, "{}", change.name);
        }
        change.make_by(&world.app.accounts, &world);
        for _ in 0..3 {
            assert_eq!(client.send(&question).status, change.then, "{}", change.name);
        }
    }
}

#[test]
fn no_request_that_begins_after_the_acknowledgement_is_let_through() {
    for change in CHANGES {
        let world = World::without_passwords(&[]);
        let question = change.question(&world);
        let (acknowledged, warm) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = Connection::open(world.decision);
                    assert_eq!(client.send(&question).status, 200, "{}", change.name);
                    warm.fetch_add(1, Ordering::SeqCst);
                    let mut after = 0;
                    while after < 50 {
                        let is_after = acknowledged.load(Ordering::SeqCst);
                        let status = client.send(&question).status;
                        let possible = status == change.then || (!is_after && ON_THE_WAY.contains(&status));
                        assert!(possible, "{}: {status}, after: {is_after}", change.name);
                        after += usize::from(is_after);
                    }
                });
            }
            until(Duration::from_secs(10), "all threads", || (warm.load(Ordering::SeqCst) == 4).then_some(()));
            change.make_by(&world.app.accounts, &world);
            acknowledged.store(true, Ordering::SeqCst);
        });
    }
}

#[test]
fn a_role_that_goes_to_and_fro_is_always_the_one_that_was_acknowledged() {
    let world = World::without_passwords(&[]);
    let (accounts, console, devi) = (&world.app.accounts, Actor::console(), world.person("devi"));
    let question = question("POST", &format!("/applications/{}/releases", world.application), &devi.api_key);
    // Even while nothing is being changed; the role is Developer's if it can be divided by four.
    let state = AtomicUsize::new(0);
    let settled = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Connection::open(world.decision);
                loop {
                    let before = state.load(Ordering::SeqCst);
                    let status = client.send(&question).status;
                    if before.is_multiple_of(2) && state.load(Ordering::SeqCst) == before {
                        assert_eq!(status, if before.is_multiple_of(4) { 200 } else { 403 }, "in state {before}");
                        settled.fetch_max(before, Ordering::SeqCst);
                    }
                    if before >= 80 {
                        return;
                    }
                }
            });
        }
        for role in [Role::Observer, Role::Developer].into_iter().cycle().take(40) {
            let now = state.fetch_add(1, Ordering::SeqCst);
            accounts.set_role(&console, world.application, devi.id, role).unwrap();
            state.fetch_add(1, Ordering::SeqCst);
            // Until somebody has asked in this state.
            until(Duration::from_secs(10), "a request", || (settled.load(Ordering::SeqCst) == now + 2).then_some(()));
        }
    });
}

/// A key of `user` that a store does not know yet, and what it will know of it.
fn unknown_key(user: UserId) -> (String, ApiKey) {
    let text = ApiKeyText::generate();
    let now = SystemClock.now();
    let api_key = ApiKey {
        id: ApiKeyId::generate(now),
        user,
        name: Name::parse("late").unwrap(),
        description: None,
        digest: text.digest(),
        prefix: text.shown_prefix(),
        scopes: Vec::new(),
        created_at: now,
        expires_at: None,
        last_used_at: None,
    };
    (text.into_secret().expose().to_owned(), api_key)
}

#[test]
fn a_key_that_was_asked_for_too_early_works_as_soon_as_it_exists() {
    let world = World::without_passwords(&[]);
    let elsewhere = gatepost::store::sqlite::SqliteStore::open(&world.folder.path().join("gatepost.db")).unwrap();
    let here: &dyn Store = &*world.app.store;
    for (store, patience) in [(here, Duration::ZERO), (&elsewhere, ELSEWHERE)] {
        let (key, stored) = unknown_key(world.person("olga").id);
        let question = question("GET", &format!("/applications/{}", world.application), &key);
        let mut client = Connection::open(world.decision);
        for _ in 0..3 {
            assert_eq!(client.send(&question).status, 401);
        }
        let mut transaction = store.begin().unwrap();
        transaction.insert_api_key(&stored).unwrap();
        transaction.commit().unwrap();
        if patience.is_zero() {
            // What the account system does before it acknowledges a change.
            world.app.coherence.catch_up().unwrap();
            assert_eq!(client.send(&question).status, 200);
        } else {
            until(patience, "the new key", || (client.send(&question).status == 200).then_some(()));
        }
    }
}

#[test]
fn a_key_of_an_account_that_is_enabled_again_works_at_once_and_a_session_does_not() {
    let world = World::without_passwords(&[]);
    let config = World::config(world.folder.path().to_owned(), &[]);
    let other = App::open(&config, Arc::new(SystemClock)).unwrap();
    let olga = world.person("olga");
    let target = format!("/applications/{}", world.application);
    let by = |credential: &str| question("GET", &target, credential);
    let mut client = Connection::open(world.decision);
    for (accounts, patience) in [(&world.app.accounts, Duration::ZERO), (&other.accounts, ELSEWHERE)] {
        let mut soon = |status| {
            if patience.is_zero() {
                assert_eq!(client.send(&by(&olga.api_key)).status, status);
            } else {
                until(patience, "the change", || (client.send(&by(&olga.api_key)).status == status).then_some(()));
            }
            client.send(&by(&olga.session)).status
        };
        accounts.disable_user(&Actor::console(), olga.id).unwrap();
        assert_eq!(soon(401), 401);
        assert!(accounts.enable_user(&Actor::console(), olga.id).unwrap());
        assert_eq!(soon(200), 401, "a session that was ended stays ended");
    }
}

#[test]
fn a_change_by_another_process_is_in_force_within_a_second() {
    for change in CHANGES {
        let world = World::without_passwords(&[]);
        let config = World::config(world.folder.path().to_owned(), &[]);
        let other = App::open(&config, Arc::new(SystemClock)).unwrap();
        let question = change.question(&world);
        let mut client = Connection::open(world.decision);
        for _ in 0..3 {
            assert_eq!(client.send(&question).status, 200, "{}", change.name);
        }
        change.make_by(&other.accounts, &world);
        until(ELSEWHERE, change.name, || {
            let status = client.send(&question).status;
            assert!(ON_THE_WAY.contains(&status), "{}: {status}", change.name);
            (status == change.then).then_some(())
        });
        assert_eq!(client.send(&question).status, change.then, "{}", change.name);
    }
}

#[test]
fn a_role_given_by_another_process_is_had_within_a_second() {
    let world = World::without_passwords(&[]);
    let config = World::config(world.folder.path().to_owned(), &[]);
    let other = App::open(&config, Arc::new(SystemClock)).unwrap();
    let otto = world.person("otto");
    let question = question("GET", &format!("/devices/{}", world.device), &otto.session);
    let mut client = Connection::open(world.decision);
    for _ in 0..3 {
        assert_eq!(client.send(&question).status, 403);
    }
    other.accounts.add_member(&Actor::console(), world.application, "otto", Role::Observer).unwrap();
    let reply = until(ELSEWHERE, "the role", || Some(client.send(&question)).filter(|reply| reply.status == 200));
    assert_eq!(reply.header("remote-role"), Some("observer"));
}

#[test]
fn nothing_depends_on_the_caches() {
    let off = ["cache.credentials", "cache.unknown_keys", "cache.standings", "cache.decisions"].map(|key| (key, "0"));
    let world = World::without_passwords(&off);
    for change in CHANGES.iter().take(3) {
        let question = change.question(&world);
        let mut client = Connection::open(world.decision);
        for _ in 0..3 {
            assert_eq!(client.send(&question).status, 200, "{}", change.name);
        }
        change.make_by(&world.app.accounts, &world);
        assert_eq!(client.send(&question).status, change.then, "{}", change.name);
    }
}
