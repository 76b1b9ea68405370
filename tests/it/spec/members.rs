//! "Application members".

use serde_json::{Value, json};

use super::{call, text, world};
use crate::support::world::World;

fn members(world: &World) -> String {
    format!("/v1/applications/{}/members", world.application)
}

fn role_of(world: &World, username: &str) -> Option<String> {
    let ada = Some(world.person("ada").api_key.as_str());
    let listed = call(world, 200, "GET", &members(world), ada, Value::Null).json();
    let member = listed["items"].as_array().unwrap().iter().find(|member| member["username"] == username).cloned();
    member.map(|member| text(&member["role"]))
}

#[test]
fn the_owner_shares_an_application() {
    let (world, _) = world();
    let (ada, otto) = (Some(world.person("ada").session.as_str()), world.person("otto"));
    let path = members(&world);
    // Whoever is added must have signed up, and is named by username or address.
    call(&world, 404, "POST", &path, ada, json!({"login": "nobody", "role": "developer"}));
    call(&world, 201, "POST", &path, ada, json!({"login": "Otto@Example.com", "role": "developer"}));
    assert_eq!(role_of(&world, "otto").as_deref(), Some("developer"));
    let seen = call(&world, 200, "GET", "/v1/applications", Some(&otto.session), Value::Null).json();
    assert_eq!((&seen["items"][0]["shared"], &seen["items"][0]["role"]), (&json!(true), &json!("developer")));
    let own = call(&world, 200, "GET", "/v1/applications", ada, Value::Null).json();
    assert_eq!(own["items"][0]["shared"], false);
    // From the list, the access level is edited and the user is removed.
    let member = format!("{path}/{}", otto.id);
    call(&world, 204, "PATCH", &member, ada, json!({"role": "observer"}));
    assert_eq!(role_of(&world, "otto").as_deref(), Some("observer"));
    call(&world, 204, "DELETE", &member, ada, Value::Null);
    assert_eq!(role_of(&world, "otto"), None);
    call(&world, 404, "GET", &path, Some(&otto.session), Value::Null);
}

#[test]
fn only_an_organizations_administrators_create_applications_in_it() {
    let (world, _) = world();
    let body = json!({"organization": world.organization.to_string(), "name": "new", "type": "standard"});
    for (username, status) in [("devi", 404), ("olga", 404), ("otto", 404), ("ada", 201)] {
        let who = Some(world.person(username).api_key.as_str());
        call(&world, status, "POST", "/v1/applications", who, body.clone());
    }
    // Everybody has a personal organization, and administers it.
    let otto = Some(world.person("otto").api_key.as_str());
    let own = call(&world, 200, "GET", "/v1/organizations", otto, Value::Null).json();
    let personal = text(&own["items"][0]["id"]);
    let body = json!({"organization": personal, "name": "new", "type": "starter"});
    call(&world, 201, "POST", "/v1/applications", otto, body);
}

#[test]
fn only_administrators_add_members_and_delete() {
    let (world, _) = world();
    let application = format!("/v1/applications/{}", world.application);
    for username in ["devi", "oleg", "olga"] {
        let who = Some(world.person(username).session.as_str());
        let body = json!({"login": "otto", "role": "developer"});
        call(&world, 403, "POST", &members(&world), who, body);
        call(&world, 403, "DELETE", &application, who, Value::Null);
        let member = format!("{}/{}", members(&world), world.person("oleg").id);
        if username != "oleg" {
            call(&world, 403, "DELETE", &member, who, Value::Null);
        }
        call(&world, 403, "PATCH", &member, who, json!({"role": "developer"}));
    }
    call(&world, 204, "DELETE", &application, Some(&world.person("ada").session), Value::Null);
}

#[test]
fn what_each_role_may_do_through_the_api() {
    let (world, _) = world();
    let application = format!("/v1/applications/{}", world.application);
    let devices = format!("{application}/devices");
    for (username, may_manage_devices) in [("ada", true), ("devi", true), ("oleg", true), ("olga", false)] {
        let who = Some(world.person(username).session.as_str());
        for path in [&application, &devices, &members(&world)] {
            call(&world, 200, "GET", path, who, Value::Null);
        }
        let status = if may_manage_devices { 201 } else { 403 };
        let reply = call(&world, status, "POST", &devices, who, json!({"name": "attic"}));
        if may_manage_devices {
            let device = format!("{devices}/{}", text(&reply.json()["id"]));
            call(&world, 403, "DELETE", &device, Some(&world.person("olga").session), Value::Null);
            call(&world, 204, "DELETE", &device, who, Value::Null);
        }
    }
}

#[test]
fn roles_depend_on_plan_and_type() {
    let (world, _) = world();
    let ada = Some(world.person("ada").session.as_str());
    let personal = call(&world, 200, "GET", "/v1/organizations", ada, Value::Null).json();
    let items = personal["items"].as_array().unwrap().clone();
    let free = text(&items.iter().find(|item| item["personal"] == true).unwrap()["id"]);
    let paid = world.organization.to_string();
    for (organization, kind, all_roles) in
        [(&free, "starter", false), (&free, "standard", false), (&paid, "starter", false), (&paid, "standard", true)]
    {
        let body = json!({"organization": organization, "name": format!("{kind} app"), "type": kind});
        let application = text(&call(&world, 201, "POST", "/v1/applications", ada, body).json()["id"]);
        let members = format!("/v1/applications/{application}/members");
        let otto = format!("{members}/{}", world.person("otto").id);
        for role in ["administrator", "operator", "observer"] {
            let body = json!({"login": "otto", "role": role});
            if all_roles {
                call(&world, 201, "POST", &members, ada, body);
                call(&world, 204, "DELETE", &otto, ada, Value::Null);
            } else {
                let reply = call(&world, 403, "POST", &members, ada, body);
                assert_eq!(reply.json()["code"], "role_not_available");
            }
        }
        call(&world, 201, "POST", &members, ada, json!({"login": "otto", "role": "developer"}));
        let status = if all_roles { 204 } else { 403 };
        call(&world, status, "PATCH", &otto, ada, json!({"role": "operator"}));
    }
    // A downgrade takes nothing away, but nothing more can be assigned.
    let console = gatepost::accounts::Actor::console();
    world.app.accounts.set_plan(&console, world.organization, gatepost::model::Plan::Free).unwrap();
    assert_eq!(role_of(&world, "olga").as_deref(), Some("observer"));
    call(&world, 403, "POST", &members(&world), ada, json!({"login": "otto", "role": "observer"}));
    call(&world, 201, "POST", &members(&world), ada, json!({"login": "otto", "role": "developer"}));
}

#[test]
fn a_member_leaves_and_only_the_owner_brings_them_back() {
    let (world, _) = world();
    let path = members(&world);
    let (ada, devi) = (world.person("ada"), world.person("devi"));
    // Another administrator, who is not the owner.
    call(&world, 204, "PATCH", &format!("{path}/{}", devi.id), Some(&ada.session), json!({"role": "administrator"}));
    let olga = world.person("olga");
    let own = format!("{path}/{}", olga.id);
    call(&world, 204, "DELETE", &own, Some(&olga.session), Value::Null);
    call(&world, 404, "DELETE", &own, Some(&olga.session), Value::Null);
    let back = json!({"login": "olga", "role": "observer"});
    call(&world, 404, "POST", &path, Some(&olga.session), back.clone());
    let refused = call(&world, 403, "POST", &path, Some(&devi.session), back.clone());
    assert_eq!(refused.json()["code"], "owner_must_bring_back");
    call(&world, 201, "POST", &path, Some(&ada.session), back.clone());
    // Who was removed by others is no such case.
    call(&world, 204, "DELETE", &own, Some(&devi.session), Value::Null);
    call(&world, 201, "POST", &path, Some(&devi.session), back);
    // The owner stays.
    let owner = format!("{path}/{}", ada.id);
    let refused = call(&world, 403, "DELETE", &owner, Some(&ada.session), Value::Null);
    assert_eq!(refused.json()["code"], "owner_cannot_leave");
    let refused = call(&world, 403, "DELETE", &owner, Some(&devi.session), Value::Null);
    assert_eq!(refused.json()["code"], "owner_cannot_be_removed");
    let refused = call(&world, 403, "PATCH", &owner, Some(&devi.session), json!({"role": "observer"}));
    assert_eq!(refused.json()["code"], "owner_cannot_be_demoted");
}
