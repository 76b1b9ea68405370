//! Keys, organizations, applications, members, devices and events, through a server. What is printed has the same form as
//! on this machine's database.

use serde_json::json;

use super::Client;
use crate::cli::program::members;

#[test]
fn keys_are_created_listed_and_revoked() {
    let client = Client::with_key("devi");
    let created = client.json(&["key", "create", "--name", "ci", "--scope", "read-only", "--description", "for ci"]);
    assert_eq!(members(&created), ["created_at", "description", "expires_at", "id", "key", "name", "scopes"]);
    assert_eq!(created["scopes"], json!(["read-only"]));
    let keys = client.json(&["key", "list"]);
    assert_eq!(keys.as_array().unwrap().len(), 2);
    assert_eq!(keys[1]["description"], json!("for ci"));
    let id = created["id"].as_str().unwrap();
    let missing = "01890a5d-ac96-774b-bcce-b302099a8057";
    client.fails(&["key", "revoke", id, missing, "--yes"], 6, "error: there is no such api key (not_found)\n");
    assert_eq!(client.json(&["key", "revoke", id, "--yes"]), json!({"revoked": 1}));
    client.fails(&["key", "list", "--user", "ada"], 2, "error: ");
    client.fails(&["key", "create", "--name", ""], 7, "error: `name`: ");
}

#[test]
fn more_keys_than_a_page_holds_are_all_listed() {
    let client = Client::with_key("devi");
    let key = client.world.person("devi").api_key.clone();
    for number in 0..205 {
        let body = json!({"name": format!("key {number}")}).to_string();
        assert_eq!(client.world.api("POST", "/v1/api-keys", Some(&key), &body).status, 201);
    }
    let keys = client.json(&["key", "list"]);
    let ids: std::collections::BTreeSet<_> =
        keys.as_array().unwrap().iter().map(|key| key["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), keys.as_array().unwrap().len()), (206, 206));
    let events = client.json(&["audit", "--limit", "150"]);
    assert_eq!(events.as_array().unwrap().len(), 150);
}

#[test]
fn organizations_are_created_administered_and_deleted() {
    let client = Client::with_key("otto");
    let created = client.json(&["org", "create", "lab"]);
    assert_eq!(members(&created), ["created_at", "id", "name", "personal", "plan"]);
    assert_eq!(client.json(&["org", "list"]).as_array().unwrap().len(), 2);
    let added = client.json(&["org", "administrators", "add", "lab", "devi@example.com"]);
    assert_eq!(members(&added), ["email", "id", "username"]);
    assert_eq!(client.json(&["org", "administrators", "list", "lab"]).as_array().unwrap().len(), 2);
    assert_eq!(client.json(&["org", "administrators", "remove", "lab", "Devi"]), json!({"removed": added["id"]}));
    client.fails(&["org", "administrators", "remove", "lab", "devi"], 6, "error: there is no administrator");
    client.fails(&["org", "administrators", "remove", "lab", "otto@example.com"], 7, "error: the last administrator");
    client.fails(&["org", "plan", "lab", "paid"], 5, "error: this is not permitted (forbidden)\n");
    client.fails(&["org", "delete", "otto", "--yes"], 7, "error: a personal organization");
    assert_eq!(client.json(&["org", "delete", "lab", "--yes"]), json!({"deleted": created["id"]}));
    client.fails(&["org", "delete", "acme"], 6, "error: there is no organization with the id or name `acme`");
    client.fails(&["org", "create", "lab", "--administrator", "otto"], 2, "error: ");
}

#[test]
fn applications_are_created_listed_and_deleted() {
    let client = Client::with_key("otto");
    let created = client.json(&["app", "create", "lamp", "--organization", "otto", "--type", "starter"]);
    let expected = ["created_at", "id", "name", "organization", "owner", "role", "shared", "type"];
    assert_eq!(members(&created), expected);
    let list = client.json(&["app", "list"]);
    assert_eq!((list.as_array().unwrap().len(), members(&list[0])), (1, expected.to_vec()));
    assert_eq!((&list[0]["role"], &list[0]["shared"]), (&json!("administrator"), &json!(false)));
    client.fails(
        &["app", "create", "lamp", "--organization", "otto"],
        7,
        "error: there is such an application already",
    );
    let foreign = client.world.application.to_string();
    client.fails(&["app", "delete", &foreign], 6, "error: there is no application with the id or name");
    assert_eq!(client.json(&["app", "delete", "lamp", "--yes"]), json!({"deleted": created["id"]}));
}

#[test]
fn members_are_added_changed_and_removed() {
    let mut client = Client::with_key("ada");
    let of = ["--app", "thermostat"];
    let added = client.json(&[&["member", "add"][..], &of, &["otto", "observer"]].concat());
    assert_eq!(members(&added), ["created_at", "email", "id", "role", "username"]);
    let changed = client.json(&[&["member", "set-role"][..], &of, &["Otto", "operator"]].concat());
    assert_eq!((&changed["username"], &changed["role"]), (&json!("otto"), &json!("operator")));
    assert_eq!(client.json(&[&["member", "list"][..], &of].concat()).as_array().unwrap().len(), 5);
    let id = client.world.person("oleg").id.to_string();
    assert_eq!(client.json(&[&["member", "remove"][..], &of, &[&id]].concat()), json!({"removed": id}));
    client.fails(&[&["member", "remove"][..], &of, &["oleg"]].concat(), 6, "error: there is no member");
    client.fails(&[&["member", "remove"][..], &of, &["ada"]].concat(), 5, "error: ");
    client.fails(&[&["member", "add"][..], &of, &["nobody", "observer"]].concat(), 6, "error: there is no such user");
    client.be("otto");
    client.fails(&[&["member", "add"][..], &of, &["oleg", "observer"]].concat(), 5, "error: ");
    let own = client.world.person("otto").id;
    let left = client.json(&[&["member", "remove"][..], &of, &["otto@example.com"]].concat());
    assert_eq!(left, json!({"removed": own}));
    client.fails(&[&["member", "list"][..], &of].concat(), 6, "error: there is no application");
}

#[test]
fn devices_are_registered_listed_and_removed() {
    let client = Client::with_key("devi");
    let added = client.json(&["device", "add", "--app", "thermostat", "attic"]);
    assert_eq!(members(&added), ["application", "created_at", "id", "name"]);
    assert_eq!(added["application"], json!(client.world.application));
    let list = client.json(&["device", "list", "--app", "thermostat"]);
    assert_eq!((list.as_array().unwrap().len(), members(&list[0])), (2, members(&added)));
    let id = added["id"].as_str().unwrap();
    assert_eq!(client.json(&["device", "remove", "--app", "thermostat", id, "--yes"]), json!({"removed": id}));
    client.fails(
        &["device", "remove", "--app", "thermostat", id, "--yes"],
        6,
        "error: there is no such device (not_found)\n",
    );
}

#[test]
fn events_are_ones_own_or_those_of_an_application() {
    let mut client = Client::with_key("ada");
    client.json(&["device", "add", "--app", "thermostat", "attic"]);
    let events = client.json(&["audit", "--app", "thermostat", "--limit", "3"]);
    assert_eq!((events.as_array().unwrap().len(), &events[0]["action"]), (3, &json!("device_added")));
    assert_eq!(events[0]["credential_kind"], json!("api_key"));
    let named = (&events[0]["actor_name"], &events[0]["application_name"]);
    assert_eq!(named, (&json!("ada"), &json!("thermostat")));
    client.fails(&["audit", "--organization", "acme"], 2, "error: ");
    assert_eq!(client.json(&["audit"])[0], events[0]);
    client.fails(&["audit", "--user", "devi"], 2, "error: ");
    client.be("devi");
    client.fails(&["audit", "--app", "thermostat"], 5, "error: ");
}

#[test]
fn what_the_console_alone_can_do_is_not_asked_of_a_server() {
    let client = Client::with_key("ada");
    for command in [
        &["user", "list"][..],
        &["user", "delete", "devi"],
        &["user", "disable", "devi"],
        &["user", "enable", "devi"],
        &["user", "reset-password", "devi"],
        &["user", "reset-totp", "devi"],
        &["user", "set-admin", "devi"],
        &["session", "issue", "--user", "devi"],
        &["session", "rotate-keys"],
        &["key-file", "rotate"],
        &["check", "--method", "GET", "--path", "/"],
    ] {
        client.fails(command, 2, "error: this can be done on the database of this machine only");
    }
    // A database that is named beats the variable.
    client.fails(&["user", "list", "--store", "nowhere.db"], 1, "error: there is no database `nowhere.db`");
}
