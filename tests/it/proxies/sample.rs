//! A sample of the matrix, for each proxy.

use gatepost::accounts::Actor;

use super::stage::Stage;
use crate::support::{Connection, Reply};

/// Each role is allowed something and denied something else, with an API key, a session token and the session cookie.
pub fn each_role(stage: &Stage) {
    let (application, device) = (stage.application(), stage.world.device);
    for (username, method, target, allowed) in [
        ("ada", "DELETE", application.clone(), true),
        ("ada", "DELETE", format!("/devices/{device}"), false),
        ("devi", "POST", format!("{application}/releases"), true),
        ("devi", "POST", format!("{application}/members"), false),
        ("oleg", "PUT", format!("/devices/{device}/variables/LOG"), true),
        ("oleg", "PUT", format!("{application}/variables/LOG"), false),
        ("olga", "HEAD", application.clone(), true),
        ("olga", "GET", format!("/devices/{device}/ssh"), false),
        ("otto", "GET", application.clone(), false),
        ("otto", "OPTIONS", application.clone(), false),
    ] {
        let person = stage.world.person(username);
        for (name, value) in [
            ("Authorization", format!("Bearer {}", person.api_key)),
            ("Authorization", format!("Bearer {}", person.session)),
            ("Cookie", format!("theme=dark; __Host-gatepost={}", person.session)),
        ] {
            let what = format!("{method} {target} by {username} with {name}");
            let target = format!("{target}?q=%2e%2e/&q=a,b");
            let outcome = stage.ask(method, &target, &[("Host", "app.example.com"), (name, &value)]);
            if allowed {
                let seen = outcome.passed();
                assert_eq!((seen.method.as_str(), &seen.target), (method, &target), "{what}");
                stage.assert_decided(seen, username);
            } else {
                outcome.assert_refused(&[403], &what);
            }
        }
    }
    let outcome = stage.ask("GET", &application, &[]);
    outcome.assert_refused(&[401], "nobody");
    let challenge = outcome.reply.as_ref().and_then(|reply| reply.header("www-authenticate"));
    assert_eq!(challenge, Some("Bearer realm=\"gatepost\""));
}

/// A key that is revoked between two requests on one connection.
pub fn revocation(stage: &Stage) {
    let mut client = Connection::open(stage.address);
    let olga = stage.world.person("olga");
    let (accounts, console) = (&stage.world.app.accounts, Actor::console());
    for _ in 0..2 {
        let outcome = stage.ask_on(&mut client, "GET", &stage.application(), &olga.api_key);
        stage.assert_decided(outcome.passed(), "olga");
    }
    let keys: Vec<_> = accounts.api_keys(&console, olga.id).unwrap().iter().map(|key| key.id).collect();
    accounts.revoke_api_keys(&console, &keys).unwrap();
    let outcome = stage.ask_on(&mut client, "GET", &stage.application(), &olga.api_key);
    outcome.assert_refused(&[401], "a revoked key");
    let invalid = |reply: &Reply| reply.header("www-authenticate").is_some_and(|c| c.contains("invalid_token"));
    assert!(outcome.reply.as_ref().is_some_and(invalid));
}
