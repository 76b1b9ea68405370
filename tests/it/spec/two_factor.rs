//! "Two-factor Authentication".

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use gatepost::clock::{Clock, ManualClock, SystemClock};
use serde_json::{Value, json};

use super::{call, text, world};
use crate::support::authenticator::code;
use crate::support::world::World;

/// Pairs an authenticator with ada's account: its secret, and the recovery codes.
fn pair(world: &World, clock: &ManualClock) -> (String, Vec<String>) {
    let ada = world.person("ada");
    let pairing = call(world, 201, "POST", "/v1/account/totp", Some(&ada.session), json!({"password": ada.password}));
    let secret = text(&pairing.json()["secret"]);
    let body = json!({"code": code(&secret, clock.now())});
    let confirmed = call(world, 200, "POST", "/v1/account/totp/confirm", Some(&ada.session), body).json();
    let codes = confirmed["recovery_codes"].as_array().unwrap().iter().map(text).collect();
    // The code of this step is used up.
    clock.advance(Duration::from_secs(30));
    (secret, codes)
}

fn log_in(world: &World, status: u16, code: Option<&str>) -> Value {
    let ada = world.person("ada");
    let mut body = json!({"login": "ada", "password": ada.password});
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    call(world, status, "POST", "/v1/sessions", None, body).json()
}

#[test]
fn from_pairing_to_disabling() {
    let (world, clock) = world();
    let ada = world.person("ada");
    let session = Some(ada.session.as_str());
    // Enabling needs the password.
    call(&world, 401, "POST", "/v1/account/totp", session, json!({"password": "not the password"}));
    let pairing = call(&world, 201, "POST", "/v1/account/totp", session, json!({"password": ada.password})).json();
    assert!(text(&pairing["uri"]).starts_with("otpauth://totp/"));
    assert!(text(&pairing["qr_svg"]).contains("<svg"));
    // Nothing is enabled before the pairing is finished.
    log_in(&world, 201, None);
    assert_eq!(call(&world, 200, "GET", "/v1/whoami", session, Value::Null).json()["totp_enabled"], false);
    call(&world, 401, "POST", "/v1/account/totp/confirm", session, json!({"code": "000000"}));
    log_in(&world, 201, None);
    let (secret, codes) = pair(&world, &clock);
    assert_eq!(codes.len(), 10);
    assert_eq!(call(&world, 200, "GET", "/v1/whoami", session, Value::Null).json()["totp_enabled"], true);
    // From now on a code is asked for, but only after the right password.
    let wrong = json!({"login": "ada", "password": "not the password"});
    assert_eq!(call(&world, 401, "POST", "/v1/sessions", None, wrong).json()["code"], "invalid_credentials");
    assert_eq!(log_in(&world, 401, None)["code"], "totp_required");
    assert_eq!(log_in(&world, 401, Some("000000"))["code"], "invalid_code");
    log_in(&world, 201, Some(&code(&secret, clock.now())));
    // Disabling needs the password.
    call(&world, 401, "DELETE", "/v1/account/totp", session, json!({"password": "not the password"}));
    call(&world, 204, "DELETE", "/v1/account/totp", session, json!({"password": ada.password}));
    log_in(&world, 201, None);
    log_in(&world, 201, Some(&codes[0]));
}

#[test]
fn a_code_is_good_once_and_for_its_time() {
    let (world, clock) = world();
    let (secret, _) = pair(&world, &clock);
    let now = code(&secret, clock.now());
    log_in(&world, 201, Some(&now));
    assert_eq!(log_in(&world, 401, Some(&now))["code"], "invalid_code");
    // One step late is good, two are not; nor is an older one after a newer one.
    let late = code(&secret, clock.now().plus(Duration::from_secs(30)));
    clock.advance(Duration::from_secs(60));
    log_in(&world, 201, Some(&late));
    let old = code(&secret, clock.now().minus(Duration::from_secs(60)));
    assert_eq!(log_in(&world, 401, Some(&old))["code"], "invalid_code");
    let newer = code(&secret, clock.now().plus(Duration::from_secs(30)));
    log_in(&world, 201, Some(&newer));
    let older = code(&secret, clock.now());
    assert_eq!(log_in(&world, 401, Some(&older))["code"], "invalid_code");
    // Digits of other scripts, spaces and nothing are no code.
    for odd in ["\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}", "12345", "1234567", " "] {
        clock.advance(Duration::from_secs(3_600));
        log_in(&world, 401, Some(odd));
    }
}

#[test]
fn a_recovery_code_is_good_once() {
    let (world, clock) = world();
    let (_, codes) = pair(&world, &clock);
    log_in(&world, 201, Some(&codes[0]));
    assert_eq!(log_in(&world, 401, Some(&codes[0]))["code"], "invalid_code");
    // As people type it.
    log_in(&world, 201, Some(&format!(" {} ", codes[1].to_uppercase().replace('-', " "))));
    // New ones end the old ones.
    let ada = world.person("ada");
    let body = json!({"password": ada.password});
    let replaced = call(&world, 200, "POST", "/v1/account/recovery-codes", Some(&ada.session), body).json();
    assert_eq!(replaced["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(log_in(&world, 401, Some(&codes[2]))["code"], "invalid_code");
    log_in(&world, 201, Some(&text(&replaced["recovery_codes"][0])));
}

#[test]
#[ignore = "needs oathtool: tests/run.sh"]
fn an_authenticator_that_nobody_here_wrote_is_understood() {
    let world = World::start_with(Arc::new(SystemClock), &[]);
    let ada = world.person("ada");
    let pairing = call(&world, 201, "POST", "/v1/account/totp", Some(&ada.session), json!({"password": ada.password}));
    let secret = text(&pairing.json()["secret"]);
    let shown = |now: &str| {
        let output = Command::new("oathtool").args(["--totp", "--base32", "--now", now, &secret]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let body = json!({"code": shown("now")});
    call(&world, 200, "POST", "/v1/account/totp/confirm", Some(&ada.session), body);
    // The next step's code is within the skew.
    log_in(&world, 201, Some(&shown("30 seconds")));
}
