//! What is changed between two requests on one connection is in force for the second.

use gatepost::accounts::{Accounts, Actor};
use gatepost::model::Role;

use super::stage;
use crate::proxies::sample;
use crate::proxies::stage::Stage;
use crate::support::{Connection, Person};

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_revoked_key_is_refused_by_the_very_next_request() {
    sample::revocation(&stage());
}

/// Lets `username` do something with each of `credentials` until it is known by heart, makes a change, and expects the
/// very next requests on the same connection to be answered with `status`.
fn changes(stage: &Stage, username: &str, status: u16, change: impl FnOnce(&Accounts, &Actor)) {
    let person = stage.world.person(username);
    let device = format!("/devices/{}", stage.world.device);
    let mut client = Connection::open(stage.address);
    let questions: Vec<_> = [&person.api_key, &person.session]
        .into_iter()
        .flat_map(|credential| [(credential, stage.application()), (credential, device.clone())])
        .collect();
    for (credential, target) in questions.iter().chain(&questions) {
        let outcome = stage.ask_on(&mut client, "GET", target, credential);
        stage.assert_decided(outcome.passed(), username);
    }
    change(&stage.world.app.accounts, &Actor::console());
    for (credential, target) in &questions {
        stage.ask_on(&mut client, "GET", target, credential).assert_refused(&[status], target);
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_member_who_was_removed_is_nobody_at_once() {
    let stage = stage();
    let (application, olga) = (stage.world.application, stage.world.person("olga").id);
    changes(&stage, "olga", 403, |accounts, console| accounts.remove_member(console, application, olga).unwrap());
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn an_account_that_was_deleted_has_no_credentials_any_more() {
    let stage = stage();
    let devi = stage.world.person("devi").id;
    changes(&stage, "devi", 401, |accounts, console| accounts.delete_user(console, devi).unwrap());
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn an_application_that_was_deleted_is_nobodys() {
    let stage = stage();
    let application = stage.world.application;
    changes(&stage, "ada", 403, |accounts, console| accounts.delete_application(console, application).unwrap());
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_role_counts_from_the_moment_it_is_changed() {
    let stage = stage();
    let (application, oleg) = (stage.world.application, stage.world.person("oleg"));
    let (accounts, console) = (&stage.world.app.accounts, Actor::console());
    let target = format!("{}/releases", stage.application());
    let mut client = Connection::open(stage.address);
    for (role, may_push) in [
        (Role::Operator, false),
        (Role::Developer, true),
        (Role::Observer, false),
        (Role::Administrator, true),
        (Role::Operator, false),
    ] {
        accounts.set_role(&console, application, oleg.id, role).unwrap();
        let outcome = stage.ask_on(&mut client, "POST", &target, &oleg.api_key);
        if may_push {
            assert_eq!(outcome.passed().header("remote-role"), Some(role.as_str()));
        } else {
            outcome.assert_refused(&[403], role.as_str());
        }
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn what_the_management_api_has_acknowledged_is_in_force() {
    let stage = stage();
    let (world, target) = (&stage.world, stage.application());
    let (ada, oleg, olga) = (world.person("ada"), world.person("oleg"), world.person("olga"));
    let mut client = Connection::open(stage.address);
    for person in [oleg, olga] {
        for credential in [&person.api_key, &person.session] {
            stage.assert_decided(stage.ask_on(&mut client, "GET", &target, credential).passed(), person.username);
        }
    }
    let call = |method: &str, path: &str, person: &Person, body: &str| {
        let reply = world.api(method, path, Some(&person.session), body);
        assert!((200..300).contains(&reply.status), "{method} {path}: {reply:?}");
        reply
    };
    let made = call("POST", "/v1/api-keys", olga, r#"{"name": "short-lived"}"#).json();
    let key = made["key"].as_str().unwrap();
    stage.ask_on(&mut client, "GET", &target, key).passed();
    call("DELETE", &format!("/v1/api-keys/{}", made["id"].as_str().unwrap()), olga, "");
    stage.ask_on(&mut client, "GET", &target, key).assert_refused(&[401], "revoked");
    stage.ask_on(&mut client, "GET", &target, &olga.api_key).passed();

    let members = format!("/v1{target}/members");
    stage.ask_on(&mut client, "POST", &format!("{target}/devices"), &oleg.api_key).passed();
    call("PATCH", &format!("{members}/{}", oleg.id), ada, r#"{"role": "observer"}"#);
    stage.ask_on(&mut client, "POST", &format!("{target}/devices"), &oleg.api_key).assert_refused(&[403], "observer");
    call("DELETE", &format!("{members}/{}", oleg.id), ada, "");
    stage.ask_on(&mut client, "GET", &target, &oleg.api_key).assert_refused(&[403], "removed");

    call("DELETE", "/v1/sessions", olga, "");
    stage.ask_on(&mut client, "GET", &target, &olga.session).assert_refused(&[401], "signed out everywhere");
    stage.ask_on(&mut client, "GET", &target, &olga.api_key).passed();
}
