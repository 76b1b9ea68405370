//! The commands on the account system.

use serde_json::{Value, json};

use super::program::{Program, members};

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[test]
fn users_are_added_listed_and_deleted() {
    let program = Program::new();
    let ada = program.json(&["user", "add", "ada", "--email", "ada@example.com", "--generate-password", "--admin"]);
    let expected = ["created_at", "disabled_at", "email", "id", "installation_administrator", "password", "username"];
    assert_eq!(members(&ada), expected);
    assert!(ada["password"].as_str().unwrap().len() >= 16);
    let devi = ["user", "add", "devi", "--email", "devi@example.com", "--password-stdin", "--output", "json"];
    let devi = program.run_with(&devi, "correct horse\n").json();
    assert_eq!(devi["installation_administrator"], json!(false));
    assert_eq!(devi.get("password"), None);

    let users = program.json(&["user", "list"]);
    let names: Vec<_> = users.as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect();
    assert_eq!(names, ["ada", "devi"]);

    assert_eq!(program.json(&["user", "delete", "DEVI@example.com", "--yes"]), json!({"deleted": devi["id"]}));
    assert!(program.failure(&["user", "delete", "devi"]).contains("there is no such user"));
    assert_eq!(program.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_user_that_cannot_be_added_is_not() {
    let program = Program::new();
    program.json(&["user", "add", "ada", "--email", "ada@example.com", "--no-password"]);
    for (name, email, expected) in [
        ("ADA", "other@example.com", "username"),
        ("other", "Ada@Example.com", "email"),
        ("a b", "other@example.com", "username"),
        ("other", "a@b@example.com", "email"),
    ] {
        let error = program.failure(&["user", "add", name, "--email", email, "--no-password"]);
        assert!(error.contains(expected), "{error}");
    }
    let short = program.run_with(&["user", "add", "bob", "--email", "b@example.com", "--password-stdin"], "short\n");
    assert_eq!(short.code, 7);
    assert!(!short.err.contains("short\n") && short.err.contains("8 to 1,024 characters"), "{}", short.err);
    let nothing = program.run(&["user", "add", "bob", "--email", "b@example.com", "--password-stdin"]);
    assert_eq!(nothing.code, 1);
    assert_eq!(program.json(&["user", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn keys_are_created_listed_and_revoked_all_or_none() {
    let program = Program::with_application();
    let end = "2100-01-31T09:00:00+01:00";
    let key = program.json(&[
        "key",
        "create",
        "--user",
        "devi",
        "--name",
        "ci",
        "--description",
        "a\nb\u{1b}[2K",
        "--expires-at",
        end,
    ]);
    assert_eq!(members(&key), ["created_at", "description", "expires_at", "id", "key", "name", "scopes"]);
    assert!(key["key"].as_str().unwrap().starts_with("gp_"));
    assert_eq!(key["expires_at"], json!("2100-01-31T08:00:00.000000Z"));
    let other = program.json(&["key", "create", "--user", "devi", "--name", "other"]);

    let keys = program.json(&["key", "list", "--user", "devi"]);
    let listed = &keys[0];
    assert_eq!(
        members(listed),
        ["created_at", "description", "expires_at", "id", "last_used_at", "name", "prefix", "scopes"]
    );
    assert!(key["key"].as_str().unwrap().starts_with(listed["prefix"].as_str().unwrap()));
    assert_eq!(listed["description"], json!("a\nb\u{1b}[2K"));
    let table = program.run(&["key", "list", "--user", "devi"]).out;
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(!table.contains('\u{1b}') && !table.contains(key["key"].as_str().unwrap()));

    let (id, other) = (key["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    assert!(program.failure(&["key", "revoke", id, ID]).contains("there is no such api key"));
    assert_eq!(program.json(&["key", "list", "--user", "devi"]).as_array().unwrap().len(), 2);
    assert_eq!(program.json(&["key", "revoke", id, other, "--yes"]), json!({"revoked": 2}));
    assert_eq!(program.json(&["key", "list", "--user", "devi"]), json!([]));
}

#[test]
fn a_key_in_the_past_or_for_nobody_is_not_created() {
    let program = Program::with_application();
    let past =
        program.failure(&["key", "create", "--user", "ada", "--name", "x", "--expires-at", "2020-01-01T00:00:00Z"]);
    assert!(past.contains("expected a time in the future"), "{past}");
    assert!(program.failure(&["key", "create", "--user", "nobody", "--name", "x"]).contains("`nobody`"));
    assert!(program.failure(&["key", "create", "--user", "ada", "--name", ""]).contains("`name`"));
}

#[test]
fn organizations_have_plans_and_administrators() {
    let program = Program::with_application();
    let organizations = program.json(&["org", "list"]);
    let acme = organizations.as_array().unwrap().iter().find(|each| each["name"] == "acme").unwrap();
    assert_eq!(members(acme), ["created_at", "id", "name", "personal", "plan"]);
    assert_eq!((&acme["plan"], &acme["personal"]), (&json!("free"), &json!(false)));
    assert_eq!(program.json(&["org", "plan", acme["id"].as_str().unwrap(), "paid"])["plan"], json!("paid"));

    assert_eq!(program.json(&["org", "administrators", "add", "acme", "devi"])["username"], json!("devi"));
    assert!(program.failure(&["org", "administrators", "add", "acme", "devi"]).contains("already"));
    assert_eq!(program.json(&["org", "administrators", "list", "acme"]).as_array().unwrap().len(), 2);
    let removed = program.json(&["org", "administrators", "remove", "acme", "ada"]);
    assert_eq!(members(&removed), ["removed"]);
    let last = program.failure(&["org", "administrators", "remove", "acme", "devi"]);
    assert!(last.contains("last administrator") && last.contains("help: add another one first"), "{last}");

    assert!(program.failure(&["org", "delete", "ada", "--yes"]).contains("personal"));
    assert_eq!(program.json(&["org", "delete", "acme", "--yes"]), json!({"deleted": acme["id"]}));
    assert_eq!(program.json(&["app", "list"]), json!([]));
}

#[test]
fn applications_are_found_by_id_and_by_a_name_that_is_theirs_alone() {
    let program = Program::with_application();
    let all = program.json(&["app", "list"]);
    let thermostat = &all[0];
    assert_eq!(members(thermostat), ["created_at", "id", "name", "organization", "owner", "type"]);
    assert_eq!(thermostat["type"], json!("standard"));
    let own = program.json(&["app", "list", "--user", "ada"]);
    assert_eq!((&own[0]["role"], &own[0]["shared"]), (&json!("administrator"), &json!(false)));
    assert_eq!(program.json(&["app", "list", "--user", "devi"]), json!([]));

    let create = ["app", "create", "thermostat", "--organization", "acme", "--owner", "ada"];
    assert!(program.failure(&create).contains("already"));
    let second = program.json(&[
        "app",
        "create",
        "thermostat",
        "--organization",
        "devi",
        "--owner",
        "devi",
        "--type",
        "starter",
    ]);
    let ambiguous = program.failure(&["app", "delete", "thermostat"]);
    assert!(ambiguous.contains("2 applications have the name `thermostat`"), "{ambiguous}");
    assert!(ambiguous.contains(second["id"].as_str().unwrap()), "{ambiguous}");
    let id = thermostat["id"].as_str().unwrap();
    assert_eq!(program.json(&["app", "delete", id, "--yes"]), json!({"deleted": id}));
    assert!(program.failure(&["app", "delete", id]).contains("there is no application with the id or name"));
    assert_eq!(program.json(&["app", "delete", "thermostat", "--yes"]), json!({"deleted": second["id"]}));
}

#[test]
fn members_hold_the_roles_that_plan_and_type_have() {
    let program = Program::with_application();
    let add = |login, role| ["member", "add", "--app", "thermostat", login, role];
    let refused = program.failure(&add("olga", "observer"));
    assert!(refused.contains("help: a role other than `developer` needs"), "{refused}");
    let devi = program.json(&add("devi", "developer"));
    assert_eq!(members(&devi), ["created_at", "email", "id", "role", "username"]);

    program.json(&["org", "plan", "acme", "paid"]);
    program.json(&add("olga@example.com", "observer"));
    assert!(program.failure(&add("olga", "operator")).contains("already"));
    assert!(program.failure(&add("nobody", "operator")).contains("there is no such user"));
    let changed = program.json(&["member", "set-role", "--app", "thermostat", "olga", "operator"]);
    assert_eq!((&changed["username"], &changed["role"]), (&json!("olga"), &json!("operator")));
    let list = program.json(&["member", "list", "--app", "thermostat"]);
    let roles: Vec<_> = list.as_array().unwrap().iter().map(|member| (&member["username"], &member["role"])).collect();
    let [ada, devi, olga] = [("ada", "administrator"), ("devi", "developer"), ("olga", "operator")]
        .map(|(name, role)| (json!(name), json!(role)));
    assert_eq!(roles, [(&ada.0, &ada.1), (&devi.0, &devi.1), (&olga.0, &olga.1)]);

    let owner = program.failure(&["member", "remove", "--app", "thermostat", "ada"]);
    assert!(owner.contains("owner"), "{owner}");
    assert_eq!(members(&program.json(&["member", "remove", "--app", "thermostat", "olga"])), ["removed"]);
    assert!(program.failure(&["member", "remove", "--app", "thermostat", "olga"]).contains("there is no such member"));
}

#[test]
fn devices_are_registered_listed_and_removed() {
    let program = Program::with_application();
    let own = program.json(&["device", "add", "--app", "thermostat", "hallway", "--id", ID]);
    assert_eq!(own["id"], json!(ID));
    let new = program.json(&["device", "add", "--app", "thermostat", "attic"]);
    assert!(program.failure(&["device", "add", "--app", "thermostat", "again", "--id", ID]).contains("already"));
    let list = program.json(&["device", "list", "--app", "thermostat"]);
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(members(&list[0]), ["application", "created_at", "id", "name"]);
    let id = new["id"].as_str().unwrap();
    assert_eq!(program.json(&["device", "remove", "--app", "thermostat", id, "--yes"]), json!({"removed": id}));
    assert!(
        program.failure(&["device", "remove", "--app", "thermostat", id, "--yes"]).contains("there is no such device")
    );
}

#[test]
fn sessions_are_issued_and_ended() {
    let program = Program::with_application();
    let issued = program.json(&["session", "issue", "--user", "ada"]);
    assert_eq!(members(&issued), ["expires_at", "id", "token"]);
    let is_good = |issued: &Value| {
        let check = ["check", "--method", "GET", "--path", "/x", "--token-stdin", "--output", "json"];
        program.run_with(&check, issued["token"].as_str().unwrap()).json()["credential"]["state"] == "verified"
    };
    assert!(is_good(&issued));
    program.json(&["session", "end-all", "--user", "ada"]);
    assert!(!is_good(&issued));

    let before = program.json(&["session", "issue", "--user", "devi"]);
    assert_eq!(members(&program.json(&["session", "rotate-keys"])), ["id"]);
    assert!(is_good(&before));
    program.json(&["session", "rotate-keys", "--forget-others", "--yes"]);
    assert!(!is_good(&before));
    assert!(is_good(&program.json(&["session", "issue", "--user", "devi"])));
}

#[test]
fn an_empty_list_is_a_header_and_an_empty_array() {
    let program = Program::with_application();
    assert_eq!(program.json(&["device", "list", "--app", "thermostat"]), json!([]));
    let text = program.run(&["device", "list", "--app", "thermostat"]).out;
    assert_eq!(text, "ID  NAME  APPLICATION  CREATED AT\n");
}
