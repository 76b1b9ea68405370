//! Every role on every resource of an application: the expected statuses are written down, not derived.

use serde_json::{Value, json};

use super::fixture::{Api, Person};

/// Who calls, in the order of the columns below.
const CALLERS: [&str; 6] = ["owner", "administrator", "developer", "operator", "observer", "stranger"];

struct Case {
    method: &'static str,
    path: &'static str,
    body: fn() -> Value,
    statuses: [u16; 6],
}

fn nothing() -> Value {
    Value::Null
}

#[rustfmt::skip]
const CASES: [Case; 12] = [
    Case { method: "GET",    path: "",                  body: nothing, statuses: [200, 200, 200, 200, 200, 404] },
    Case { method: "GET",    path: "/members",          body: nothing, statuses: [200, 200, 200, 200, 200, 404] },
    Case { method: "GET",    path: "/devices",          body: nothing, statuses: [200, 200, 200, 200, 200, 404] },
    Case { method: "POST",   path: "/members",          body: || json!({"login": "guest", "role": "developer"}),
                                                                       statuses: [201, 201, 403, 403, 403, 404] },
    // Whoever may not add members does not learn who exists.
    Case { method: "POST",   path: "/members",          body: || json!({"login": "nobody", "role": "developer"}),
                                                                       statuses: [404, 404, 403, 403, 403, 404] },
    Case { method: "PATCH",  path: "/members/{other}",  body: || json!({"role": "observer"}),
                                                                       statuses: [204, 204, 403, 403, 403, 404] },
    Case { method: "DELETE", path: "/members/{other}",  body: nothing, statuses: [204, 204, 403, 403, 403, 404] },
    Case { method: "DELETE", path: "/members/{self}",   body: nothing, statuses: [403, 204, 204, 204, 204, 404] },
    Case { method: "PATCH",  path: "/members/{self}",   body: || json!({"role": "administrator"}),
                                                                       statuses: [204, 204, 403, 403, 403, 404] },
    Case { method: "POST",   path: "/devices",          body: || json!({"name": "Hall"}),
                                                                       statuses: [201, 201, 201, 201, 403, 404] },
    Case { method: "DELETE", path: "/devices/{device}", body: nothing, statuses: [204, 204, 204, 204, 403, 404] },
    Case { method: "DELETE", path: "",                  body: nothing, statuses: [204, 204, 403, 403, 403, 404] },
];

#[tokio::test]
async fn every_role_does_what_the_matrix_says_and_nothing_else() {
    let api = Api::new();
    let people: Vec<Person> = CALLERS.iter().map(|name| api.person(name)).collect();
    let (owner, other) = (&people[0], api.person("other"));
    api.person("guest");
    let root = api.installation_administrator("root");
    let plan = format!("/v1/organizations/{}/plan", owner.organization);
    api.call(&root.key, "PUT", &plan, json!({"plan": "paid"})).await.expect(200);
    for (number, case) in CASES.iter().enumerate() {
        for (column, person) in people.iter().enumerate() {
            // Each on an application of its own, so that none feels what the one before did.
            let id = api.application(owner, &format!("{number} {column}"), "standard").await;
            let application = format!("/v1/applications/{id}");
            let members = format!("{application}/members");
            for role in &CALLERS[1..5] {
                api.post(&owner.key, &members, json!({"login": role, "role": role})).await.expect(201);
            }
            api.post(&owner.key, &members, json!({"login": "other", "role": "developer"})).await.expect(201);
            let device = api.post(&owner.key, &format!("{application}/devices"), json!({"name": "Attic"})).await;
            let path = case.path.replace("{other}", &other.id.to_string());
            let path = path.replace("{self}", &person.id.to_string()).replace("{device}", &device.text("id"));
            let answer = api.call(&person.key, case.method, &format!("{application}{path}"), (case.body)()).await;
            assert_eq!(
                answer.status, case.statuses[column],
                "{} {} {}: {answer:?}",
                person.username, case.method, path
            );
        }
    }
}
