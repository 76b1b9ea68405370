//! Everybody on everything: the expected statuses are written down from the specification, not derived from the code.

use std::collections::BTreeSet;

use gatepost::accounts::{Actor, NewApiKey};
use gatepost::model::{ApplicationType, Plan, Role};
use serde_json::Value;

use super::documentation;
use super::fixture::{Api, PASSWORD, Person};

/// Who calls, in the order of the columns. The first is the owner of the application and an administrator of its
/// organization. `otto` is a member of another application of that organization only, `chief` administers the
/// organization only, `stranger` has an account only, `root` administers the installation, `nobody` has no credential.
#[rustfmt::skip]
const CALLERS: [&str; 10] =
    ["owner", "administrator", "developer", "operator", "observer", "otto", "chief", "stranger", "root", "nobody"];

/// What is called, with which body, and what each is answered.
type Row = (&'static str, &'static str, [u16; 10]);

const ALL_200: [u16; 10] = [200, 200, 200, 200, 200, 200, 200, 200, 200, 401];
const ALL_201: [u16; 10] = [201, 201, 201, 201, 201, 201, 201, 201, 201, 401];
const ALL_204: [u16; 10] = [204, 204, 204, 204, 204, 204, 204, 204, 204, 401];
const ALL_403: [u16; 10] = [403, 403, 403, 403, 403, 403, 403, 403, 403, 401];
const ALL_404: [u16; 10] = [404, 404, 404, 404, 404, 404, 404, 404, 404, 401];
const ALL_409: [u16; 10] = [409, 409, 409, 409, 409, 409, 409, 409, 409, 401];
const NOBODY_TOO: fn(u16) -> [u16; 10] = |status| [status; 10];

#[rustfmt::skip]
fn rows() -> Vec<Row> {
    vec![
        // Whoever sends a credential to what needs none is answered like everybody.
        ("GET /openapi.json", "", NOBODY_TOO(200)),
        ("GET /.well-known/jwks.json", "", NOBODY_TOO(200)),
        ("POST /v1/users", r#"{"username": "new-{cell}", "email": "new-{cell}@example.com", "password": "{password}"}"#,
            NOBODY_TOO(201)),
        ("POST /v1/users/confirm", r#"{"token": "x"}"#, NOBODY_TOO(422)),
        ("POST /v1/sessions", r#"{"login": "new-{cell}", "password": "wrong"}"#, NOBODY_TOO(401)),
        ("POST /v1/password-resets", r#"{"email": "new-{cell}@example.com"}"#, NOBODY_TOO(409)),
        ("POST /v1/password-resets/complete", r#"{"token": "x", "password": "{password}"}"#, NOBODY_TOO(422)),

        // One's own account. These callers have an API key and no password.
        ("POST /v1/sessions/refresh", "", ALL_403),
        ("DELETE /v1/sessions", "", ALL_204),
        ("GET /v1/whoami", "", ALL_200),
        ("PUT /v1/account/password", r#"{"password": "{password}"}"#, ALL_204),
        ("GET /v1/account/export", "", ALL_200),
        ("DELETE /v1/account", r#"{"password": "{password}"}"#, ALL_409),
        ("POST /v1/account/totp", r#"{"password": "{password}"}"#, ALL_409),
        ("POST /v1/account/totp/confirm", r#"{"code": "123456"}"#, ALL_404),
        ("DELETE /v1/account/totp", r#"{"password": "{password}"}"#, ALL_409),
        ("POST /v1/account/recovery-codes", r#"{"password": "{password}"}"#, ALL_409),
        ("GET /v1/api-keys", "", ALL_200),
        ("POST /v1/api-keys", r#"{"name": "ci"}"#, ALL_201),
        ("GET /v1/organizations", "", ALL_200),
        ("POST /v1/organizations", r#"{"name": "mine"}"#, ALL_201),
        ("GET /v1/applications", "", ALL_200),
        ("GET /v1/audit", "", ALL_200),
        ("POST /v1/introspect", "token=x", ALL_200),

        // The installation.
        ("POST /v1/policies/reload", "",                         [403, 403, 403, 403, 403, 403, 403, 403, 200, 401]),

        // A key of the owner's.                                  own  adm  dev  opr  obs  otto chief str root nobody
        ("DELETE /v1/api-keys/{key}", "",                        [204, 404, 404, 404, 404, 404, 404, 404, 404, 401]),
        ("POST /v1/api-keys/revoke", r#"{"ids": ["{key}"]}"#,    [200, 404, 404, 404, 404, 404, 404, 404, 404, 401]),

        // The organization.
        ("GET /v1/organizations/{organization}", "",             [200, 404, 404, 404, 404, 404, 200, 404, 404, 401]),
        ("DELETE /v1/organizations/{organization}", "",          [204, 404, 404, 404, 404, 404, 204, 404, 404, 401]),
        ("PUT /v1/organizations/{organization}/plan", r#"{"plan": "free"}"#,
                                                                 [403, 403, 403, 403, 403, 403, 403, 403, 200, 401]),
        ("GET /v1/organizations/{organization}/administrators", "",
                                                                 [200, 404, 404, 404, 404, 404, 200, 404, 404, 401]),
        ("POST /v1/organizations/{organization}/administrators", r#"{"login": "{stranger}"}"#,
                                                                 [201, 404, 404, 404, 404, 404, 201, 404, 404, 401]),
        ("DELETE /v1/organizations/{organization}/administrators/{chief-id}", "",
                                                                 [204, 404, 404, 404, 404, 404, 204, 404, 404, 401]),
        ("POST /v1/applications", r#"{"organization": "{organization}", "name": "new", "type": "starter"}"#,
                                                                 [201, 404, 404, 404, 404, 404, 201, 404, 404, 401]),

        // The application.
        ("GET /v1/applications/{application}", "",               [200, 200, 200, 200, 200, 404, 404, 404, 404, 401]),
        ("DELETE /v1/applications/{application}", "",            [204, 204, 403, 403, 403, 404, 404, 404, 404, 401]),
        ("GET /v1/audit?application={application}", "",          [200, 200, 403, 403, 403, 404, 404, 404, 404, 401]),
        ("GET /v1/applications/{application}/members", "",       [200, 200, 200, 200, 200, 404, 404, 404, 404, 401]),
        ("POST /v1/applications/{application}/members", r#"{"login": "{stranger}", "role": "observer"}"#,
                                                                 [201, 201, 403, 403, 403, 404, 404, 404, 404, 401]),
        // Whoever may not add members does not learn who exists.
        ("POST /v1/applications/{application}/members", r#"{"login": "missing", "role": "observer"}"#,
                                                                 [404, 404, 403, 403, 403, 404, 404, 404, 404, 401]),
        ("PATCH /v1/applications/{application}/members/{other-id}", r#"{"role": "observer"}"#,
                                                                 [204, 204, 403, 403, 403, 404, 404, 404, 404, 401]),
        ("PATCH /v1/applications/{application}/members/{me}", r#"{"role": "administrator"}"#,
                                                                 [204, 204, 403, 403, 403, 404, 404, 404, 404, 401]),
        ("DELETE /v1/applications/{application}/members/{other-id}", "",
                                                                 [204, 204, 403, 403, 403, 404, 404, 404, 404, 401]),
        // Every member may leave but the owner.
        ("DELETE /v1/applications/{application}/members/{me}", "",
                                                                 [403, 204, 204, 204, 204, 404, 404, 404, 404, 401]),
        ("DELETE /v1/applications/{application}/members/{owner-id}", "",
                                                                 [403, 403, 403, 403, 403, 404, 404, 404, 404, 401]),
        ("GET /v1/applications/{application}/devices", "",       [200, 200, 200, 200, 200, 404, 404, 404, 404, 401]),
        ("POST /v1/applications/{application}/devices", r#"{"name": "Hall"}"#,
                                                                 [201, 201, 201, 201, 403, 404, 404, 404, 404, 401]),
        ("DELETE /v1/applications/{application}/devices/{device}", "",
                                                                 [204, 204, 204, 204, 403, 404, 404, 404, 404, 401]),
    ]
}

/// The people of a row.
fn people(api: &Api, row: usize) -> Vec<Person> {
    let person = |name: &str| match name {
        "root" => api.installation_administrator(&format!("root-{row}")),
        name => api.person(&format!("{name}-{row}")),
    };
    CALLERS.iter().chain(&["other"]).map(|name| person(name)).collect()
}

/// What stands for what in paths and bodies: an organization, an application and a key of a cell's own, so that none
/// feels what the one before did.
fn scene(api: &Api, people: &[Person], row: usize, column: usize) -> Vec<(&'static str, String)> {
    let (accounts, console) = (&api.app.accounts, Actor::console());
    let (owner, otto, chief) = (&people[0], &people[5], &people[6]);
    let organization = accounts.create_organization(&console, "acme", owner.id).unwrap().id;
    accounts.set_plan(&console, organization, Plan::Paid).unwrap();
    accounts.add_administrator(&console, organization, &chief.username).unwrap();
    let application = |name| {
        let standard = ApplicationType::Standard;
        accounts.create_application(&console, organization, owner.id, name, standard).unwrap().id
    };
    let (application, another) = (application("thermostat"), application("another"));
    accounts.add_member(&console, another, &otto.username, Role::Administrator).unwrap();
    for (member, role) in people[1..].iter().zip(Role::ALL).chain([(&people[10], Role::Developer)]) {
        accounts.add_member(&console, application, &member.username, role).unwrap();
    }
    let device = accounts.add_device(&console, application, None, "Attic").unwrap().id;
    let key = NewApiKey { name: "old", ..NewApiKey::default() };
    let key = accounts.create_api_key(&console, owner.id, key).unwrap().api_key.id;
    vec![
        ("{organization}", organization.to_string()),
        ("{application}", application.to_string()),
        ("{device}", device.to_string()),
        ("{key}", key.to_string()),
        ("{me}", people[column].id.to_string()),
        ("{owner-id}", owner.id.to_string()),
        ("{chief-id}", chief.id.to_string()),
        ("{other-id}", people[10].id.to_string()),
        ("{stranger}", people[7].username.clone()),
        ("{cell}", format!("{row}-{column}")),
        ("{password}", PASSWORD.to_owned()),
    ]
}

fn fill(text: &str, names: &[(&str, String)]) -> String {
    names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
}

#[tokio::test]
async fn everybody_may_do_what_the_specification_says_and_nothing_else() {
    let api = Api::new();
    let mut wrong = Vec::new();
    for (row, (call, body, expected)) in rows().into_iter().enumerate() {
        let people = people(&api, row);
        let (method, path) = call.split_once(' ').unwrap();
        for (column, status) in expected.into_iter().enumerate() {
            let names = scene(&api, &people, row, column);
            let credential = if CALLERS[column] == "nobody" { "" } else { &people[column].key };
            let body = fill(body, &names);
            let answer = if body.is_empty() || body.starts_with('{') {
                let body = if body.is_empty() { Value::Null } else { body.parse().unwrap() };
                api.call(credential, method, &fill(path, &names), body).await
            } else {
                api.submit(credential, path, &body).await
            };
            if answer.status != status {
                wrong.push(format!("{}: {call}: {status} is right, not {answer:?}", CALLERS[column]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_missing_from_the_table() {
    let tested: BTreeSet<_> = rows()
        .iter()
        .map(|(call, ..)| {
            let (method, path) = call.split_once(' ').unwrap();
            (method.to_lowercase(), documentation::template(path).unwrap_or_else(|| panic!("{call}")))
        })
        .collect();
    let documented = documentation::paths()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (method.clone(), path)));
    assert_eq!(tested, documented.collect());
}
