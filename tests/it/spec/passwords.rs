//! "Sign up", "Password reset", "Add a password to social login".

use std::sync::Arc;
use std::time::Duration;

use gatepost::clock::ManualClock;
use gatepost::model::Timestamp;
use serde_json::{Value, json};

use super::{call, text, without_password, world};
use crate::support::MailServer;
use crate::support::world::World;

const GOOD: &str = "a violet umbrella 7";

#[test]
fn where_sign_up_is_closed_nobody_makes_an_account() {
    let world = World::without_passwords(&[("portal.sign_up", "false")]);
    let body = json!({"username": "eve", "email": "eve@example.com", "password": GOOD});
    let refused = call(&world, 403, "POST", "/v1/users", None, body);
    assert_eq!(refused.json()["code"], "sign_up_closed");
    let refused = call(&world, 403, "POST", "/v1/users/confirm", None, json!({"token": "whatever"}));
    assert_eq!(refused.json()["code"], "sign_up_closed");
}

#[test]
fn without_mail_whoever_signs_up_can_begin_at_once() {
    let (world, _) = world();
    let body = |username: &str, email: &str, password: &str| json!({"username": username, "email": email, "password": password});
    for (username, email, password, field) in [
        ("eve", "eve@example.com", "password", "password"),
        ("eve", "eve@example.com", "eve@example.com", "password"),
        ("eve", "eve@example.com", "short 1", "password"),
        ("e v e", "eve@example.com", GOOD, "username"),
        ("eve", "eve@b@example.com", GOOD, "email"),
    ] {
        let refused = call(&world, 422, "POST", "/v1/users", None, body(username, email, password));
        assert_eq!(text(&refused.json()["field"]), field, "{username} {email}");
    }
    let created = call(&world, 201, "POST", "/v1/users", None, body("Eve", "Eve@Example.com", GOOD)).json();
    assert_eq!(created["username"], "Eve");
    // One canonical form, whatever is typed.
    for login in ["eve", "EVE", "eve@example.com", "\u{ff25}ve"] {
        call(&world, 201, "POST", "/v1/sessions", None, json!({"login": login, "password": GOOD}));
    }
    call(&world, 409, "POST", "/v1/users", None, body("eve", "other@example.com", GOOD));
    call(&world, 409, "POST", "/v1/users", None, body("other", "eve@example.com", GOOD));
}

#[test]
fn an_account_without_a_password_can_be_given_one() {
    let (world, _) = world();
    let key = without_password(&world);
    let who = Some(key.as_str());
    assert_eq!(call(&world, 200, "GET", "/v1/whoami", who, Value::Null).json()["has_password"], false);
    call(&world, 204, "PUT", "/v1/account/password", who, json!({"password": GOOD}));
    assert_eq!(call(&world, 200, "GET", "/v1/whoami", who, Value::Null).json()["has_password"], true);
    // Only once: from then on the current one is needed.
    call(&world, 401, "PUT", "/v1/account/password", who, json!({"password": "another umbrella 8"}));
    let change = json!({"current_password": GOOD, "password": "another umbrella 8"});
    call(&world, 204, "PUT", "/v1/account/password", who, change);
}

#[test]
fn a_new_password_ends_all_sessions() {
    let (world, clock) = world();
    let ada = world.person("ada");
    clock.advance(Duration::from_secs(1));
    let change = json!({"current_password": ada.password, "password": GOOD});
    call(&world, 204, "PUT", "/v1/account/password", Some(&ada.session), change);
    call(&world, 401, "GET", "/v1/whoami", Some(&ada.session), Value::Null);
    call(&world, 200, "GET", "/v1/whoami", Some(&ada.api_key), Value::Null);
    clock.advance(Duration::from_secs(1));
    call(&world, 401, "POST", "/v1/sessions", None, json!({"login": "ada", "password": ada.password}));
    call(&world, 201, "POST", "/v1/sessions", None, json!({"login": "ada", "password": GOOD}));
}

/// A world with a mail server.
fn with_mail() -> (World, Arc<ManualClock>, MailServer) {
    let server = MailServer::start(json!({"security": "none"}));
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_764_000_000)));
    let smtp = format!("localhost:{}", server.port);
    let settings = [
        ("mail.smtp", smtp.as_str()),
        ("mail.security", "none"),
        ("mail.from", "gatepost@example.com"),
        ("portal.url", "https://auth.example.com"),
    ];
    (World::start_with(Arc::clone(&clock) as _, &settings), clock, server)
}

/// The token of the link in the next mail, and to whom that was sent.
fn next_link(server: &mut MailServer, page: &str) -> (String, String) {
    let mail = server.next();
    let (to, data) = (text(&mail["recipient"]), text(&mail["parts"][0]["content"]));
    let link = format!("https://auth.example.com{page}?token=");
    let token = data.split(&link).nth(1).unwrap_or_else(|| panic!("no {link} in {data}"));
    (to, token.split_whitespace().next().unwrap().to_owned())
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn with_mail_an_account_is_made_by_following_the_link() {
    let (world, clock, mut server) = with_mail();
    let sign_up = |username: &str, email: &str| {
        let body = json!({"username": username, "email": email, "password": GOOD});
        call(&world, 202, "POST", "/v1/users", None, body).body
    };
    // Known and new addresses get the same answer; only the mail tells.
    let new = sign_up("eve", "eve@example.com");
    let (to, token) = next_link(&mut server, "/sign-up/confirm");
    assert_eq!(to, "eve@example.com");
    assert_eq!(sign_up("eve2", "ada@example.com"), new);
    assert!(server.next()["parts"][0]["content"].as_str().unwrap().contains("ada"));
    // The account is not there before the link was followed, and the link works once.
    call(&world, 401, "POST", "/v1/sessions", None, json!({"login": "eve", "password": GOOD}));
    call(&world, 422, "POST", "/v1/users/confirm", None, json!({"token": "invented"}));
    call(&world, 201, "POST", "/v1/users/confirm", None, json!({"token": token}));
    call(&world, 422, "POST", "/v1/users/confirm", None, json!({"token": token}));
    call(&world, 201, "POST", "/v1/sessions", None, json!({"login": "eve", "password": GOOD}));
    // A link ends.
    sign_up("late", "late@example.com");
    let (_, token) = next_link(&mut server, "/sign-up/confirm");
    clock.advance(Duration::from_secs(24 * 3_600));
    call(&world, 422, "POST", "/v1/users/confirm", None, json!({"token": token}));
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn a_forgotten_password_is_reset_by_a_mailed_link() {
    let (world, clock, mut server) = with_mail();
    let ada = world.person("ada");
    let ask = |email: &str| call(&world, 202, "POST", "/v1/password-resets", None, json!({"email": email})).body;
    // An address that nobody has gets the same answer, and no mail.
    let unknown = ask("nobody@example.com");
    assert_eq!(ask("Ada@Example.com"), unknown);
    let (to, token) = next_link(&mut server, "/password/new");
    assert_eq!(to, "ada@example.com");
    let complete = |status: u16, token: &str, password: &str| {
        call(
            &world,
            status,
            "POST",
            "/v1/password-resets/complete",
            None,
            json!({"token": token, "password": password}),
        )
    };
    // A password that is refused does not use the link up.
    complete(422, &token, "password");
    clock.advance(Duration::from_secs(3_599));
    complete(204, &token, GOOD);
    complete(422, &token, GOOD);
    call(&world, 401, "GET", "/v1/whoami", Some(&ada.session), Value::Null);
    clock.advance(Duration::from_secs(1));
    call(&world, 201, "POST", "/v1/sessions", None, json!({"login": "ada", "password": GOOD}));
    // The owner is told.
    assert!(server.next()["parts"][0]["content"].as_str().unwrap().contains("was changed"));
    // A link ends after an hour.
    ask("ada@example.com");
    let (_, token) = next_link(&mut server, "/password/new");
    clock.advance(Duration::from_secs(3_600));
    complete(422, &token, GOOD);
}
