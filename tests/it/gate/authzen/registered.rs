//! What the store knows, and how it meets what files and callers say.

use std::sync::Arc;

use gatepost::accounts::{Actor, NewAccount};
use gatepost::clock::SystemClock;
use gatepost::model::Role;
use serde_json::{Value, json};

use super::{EVALUATION, Folders, SEARCH_ACTION, SEARCH_RESOURCE, SEARCH_SUBJECT, ask, decision, found, world};
use crate::support::world::PEOPLE;
use crate::support::{Watched, World};

/// Actions of the matrix, and whether ada, devi, oleg, olga and otto may do them on the application.
const CELLS: [(&str, [bool; 5]); 6] = [
    ("View", [true, true, true, true, false]),
    ("DeleteApplication", [true, false, false, false, false]),
    ("AddMember", [true, false, false, false, false]),
    ("AddDevice", [true, true, true, false, false]),
    ("Push", [true, true, false, false, false]),
    ("SshAccess", [true, true, true, false, false]),
];

fn question(subject: Value, action: &str, resource: Value) -> Value {
    json!({
        "subject": subject, "action": {"name": action}, "resource": resource,
        "context": {"method": "GET", "host": "app.example.com", "path": "/"},
    })
}

fn user(world: &World, username: &str) -> Value {
    json!({"type": "User", "id": world.person(username).id.to_string()})
}

fn application(world: &World) -> Value {
    json!({"type": "Application", "id": world.application.to_string()})
}

fn device(world: &World) -> Value {
    json!({"type": "Device", "id": world.device.to_string()})
}

#[test]
fn roles_are_those_of_the_store() {
    let world = world();
    for (action, cells) in CELLS {
        for ((username, _), expected) in PEOPLE.into_iter().zip(cells) {
            let asked = question(user(world, username), action, application(world));
            assert_eq!(decision(world, &asked), expected, "{username} {action}");
        }
    }
    for (username, expected) in [("olga", false), ("oleg", true), ("otto", false)] {
        assert_eq!(
            decision(world, &question(user(world, username), "SshAccess", device(world))),
            expected,
            "{username}"
        );
    }
    let anonymous = json!({"type": "Anonymous", "id": "anonymous"});
    assert!(!decision(world, &question(anonymous, "View", application(world))));
    let installation = json!({"type": "Installation", "id": "local"});
    assert!(decision(world, &question(json!({"type": "Anonymous", "id": "anonymous"}), "SignUp", installation)));
}

#[test]
fn searches_find_what_is_permitted_and_nothing_else() {
    let world = world();
    for (action, cells) in CELLS {
        let asked = question(json!({"type": "User"}), action, application(world));
        let mut expected: Vec<_> = PEOPLE
            .into_iter()
            .zip(cells)
            .filter(|(_, may)| *may)
            .map(|((name, _), _)| world.person(name).id.to_string())
            .collect();
        expected.sort();
        for limit in [1, 2, 100] {
            let mut asked = asked.clone();
            asked["page"] = json!({"limit": limit});
            assert_eq!(found(world, SEARCH_SUBJECT, &asked), expected, "{action} by {limit}");
        }
    }
    for (username, role) in PEOPLE {
        let asked = |kind: &str| question(user(world, username), "View", json!({"type": kind}));
        let expected = |id: String| if role.is_some() { vec![id] } else { Vec::new() };
        assert_eq!(found(world, SEARCH_RESOURCE, &asked("Application")), expected(world.application.to_string()));
        assert_eq!(found(world, SEARCH_RESOURCE, &asked("Device")), expected(world.device.to_string()));
        let mut asked = question(user(world, username), "View", application(world));
        let actions = found(world, SEARCH_ACTION, &asked);
        for action in world.app.engine.generation().actions() {
            asked["action"]["name"] = (**action.name()).into();
            assert_eq!(actions.iter().any(|name| **name == **action.name()), decision(world, &asked), "{asked}");
        }
        assert_eq!(actions.is_empty(), role.is_none());
    }
    let organizations = question(user(world, "ada"), "CreateApplication", json!({"type": "Organization"}));
    assert!(found(world, SEARCH_RESOURCE, &organizations).contains(&world.organization.to_string()));
}

#[test]
fn what_is_said_of_what_gatepost_owns_is_not_believed() {
    let world = world();
    let team = |name: &str| json!({"__entity": {"type": "Team", "id": format!("{}/{name}", world.application)}});
    // Olga observes: with any of this believed, she would administer.
    let claims = json!({
        "administrators": team("observers"), "developers": team("observers"), "operators": team("observers"),
        "installation_administrator": true, "role": "administrator", "owner": user(world, "olga"),
    });
    for action in ["DeleteApplication", "AddMember", "Push", "SshAccess"] {
        let with = |mut party: Value| {
            party["properties"] = claims.clone();
            party["parents"] = json!([team("administrators")]);
            party
        };
        let asked = question(with(user(world, "olga")), action, with(application(world)));
        assert!(!decision(world, &asked), "{action}");
        let mut asked = question(user(world, "olga"), action, with(device(world)));
        asked["evaluations"] = json!([{}]);
        assert!(!decision(world, &asked), "{action}");
    }
    let claims = json!({"properties": {"installation_administrator": true}});
    let mut installer = user(world, "otto");
    installer["properties"] = claims["properties"].clone();
    let installation = json!({"type": "Installation", "id": "local"});
    assert!(!decision(world, &question(installer, "ManageInstallation", installation)));
}

#[test]
fn unknown_identifiers_and_other_spellings_are_nobody() {
    let world = world();
    let ada = world.person("ada").id.to_string();
    for id in
        ["ada", "ada@example.com", &ada.to_uppercase(), &format!("{{{ada}}}"), &ada.replace('-', ""), "", " ", "\u{0}"]
    {
        assert!(!decision(world, &question(json!({"type": "User", "id": id}), "View", application(world))), "{id}");
    }
    for id in ["nope", "", &world.application.to_string().to_uppercase()] {
        assert!(
            !decision(world, &question(user(world, "ada"), "View", json!({"type": "Application", "id": id}))),
            "{id}"
        );
    }
    let console = json!({"type": "Console", "id": "local"});
    let reply = ask(
        world,
        EVALUATION,
        &question(console, "ManageInstallation", json!({"type": "Installation", "id": "local"})),
    );
    assert_eq!((reply.status, &reply.json()["decision"]), (200, &json!(false)));
}

#[test]
fn a_search_goes_through_all_that_there_is() {
    let settings = [("decision.deadline_ms", "5000")];
    let (world, store) =
        World::with_store(Arc::new(SystemClock), &settings, false, |path| Arc::new(Watched::open(path)));
    let (accounts, console) = (&world.app.accounts, Actor::console());
    let (mut members, mut devices) = (vec![world.person("ada").id], vec![world.device]);
    for number in 0..250 {
        let username = format!("user-{number}");
        let email = format!("{username}@example.com");
        let new = NewAccount { username: &username, email: &email, password: None, installation_administrator: false };
        let user = accounts.add_user(&console, &new).unwrap();
        if number % 4 < 3 {
            let role = [Role::Operator, Role::Observer, Role::Administrator][number % 4];
            accounts.add_member(&console, world.application, &username, role).unwrap();
            if role == Role::Administrator {
                members.push(user.id);
            }
        }
        devices.push(accounts.add_device(&console, world.application, None, &username).unwrap().id);
    }
    members.sort();
    devices.sort();
    let members: Vec<_> = members.iter().map(ToString::to_string).collect();
    let devices: Vec<_> = devices.iter().map(ToString::to_string).collect();
    for limit in [1, 30, 1_000] {
        let mut asked = question(json!({"type": "User"}), "AddMember", application(&world));
        asked["page"] = json!({"limit": limit});
        assert_eq!(found(&world, SEARCH_SUBJECT, &asked), members, "{limit}");
        let mut asked = question(user(&world, "olga"), "View", json!({"type": "Device"}));
        asked["page"] = json!({"limit": limit * 7});
        assert_eq!(found(&world, SEARCH_RESOURCE, &asked), devices, "{limit}");
    }
    // Whoever may must be in one of these teams, so nobody else was looked at.
    assert_eq!(store.reads("users"), 0);
    // What everybody may do: to see their own account.
    let asked = question(user(&world, "olga"), "ViewAccount", json!({"type": "User"}));
    assert_eq!(found(&world, SEARCH_RESOURCE, &asked), [world.person("olga").id.to_string()]);
}

/// Doors of an application, and who has their keys: types that a team adds.
const DOORS: &str = "
    entity Door { application?: Application, keys?: Team, holder?: User, open?: Bool };
    action Enter appliesTo { principal: [User, Anonymous], resource: Door, context: RequestContext };
";

const DOOR_POLICIES: &str = r#"
    @id("operators") permit (principal, action == Action::"Enter", resource is Door)
    when { resource has application && principal in resource.application.operators };
    @id("keys") permit (principal, action == Action::"Enter", resource is Door)
    when { resource has keys && principal in resource.keys };
    @id("holder") permit (principal, action == Action::"Enter", resource is Door)
    when { resource has holder && resource.holder == principal };
    @id("open") permit (principal, action == Action::"Enter", resource is Door)
    when { resource has open && resource.open };
    @id("master") forbid (principal, action == Action::"Enter", resource is Door)
    when { Door::"master" has open && Door::"master".open && resource != Door::"master" };
"#;

/// A world with doors whose entities lead to an application, a team and a user of the store.
fn doors() -> World {
    let folders =
        Folders::new().write("schema/doors.cedarschema", DOORS).write("policies/doors.cedar", DOOR_POLICIES).write(
            "schema/routes.toml",
            "[[route]]\nmethod = [\"GET\"]\npath = \"/doors/{door}\"\naction = \"Enter\"\n\
             resource = { type = \"Door\", id = \"{door}\" }\n",
        );
    let world = folders.world(&[]);
    let door = |id: &str, attrs: Value| json!({"uid": {"type": "Door", "id": id}, "attrs": attrs, "parents": []});
    let team = json!({"type": "Team", "id": format!("{}/developers", world.application)});
    let doors = json!([
        door("front", json!({"application": application(&world)})),
        door("lab", json!({"keys": team})),
        door("office", json!({"holder": user(&world, "otto")})),
        door("lobby", json!({"open": true})),
        door("master", json!({"open": false})),
        door("cellar", json!({})),
    ]);
    let folders = folders.write("schema/entities/doors.json", &doors.to_string());
    world.app.reload_policies().unwrap();
    drop(folders);
    world
}

#[test]
fn entities_of_files_count_for_proxies_and_callers_alike() {
    let world = doors();
    for (door, who) in [
        ("front", vec!["oleg"]),
        ("lab", vec!["devi"]),
        ("office", vec!["otto"]),
        ("lobby", vec!["ada", "devi", "oleg", "olga", "otto"]),
        ("master", vec![]),
        ("cellar", vec![]),
        ("unknown", vec![]),
    ] {
        let door_entity = json!({"type": "Door", "id": door});
        for (username, _) in PEOPLE {
            let expected = who.contains(&username);
            let asked = question(user(&world, username), "Enter", door_entity.clone());
            assert_eq!(decision(&world, &asked), expected, "{username} {door}");
            // Twice, as the second answer may be remembered.
            for _ in 0..2 {
                let reply = world.check("GET", &format!("/doors/{door}"), Some(&world.person(username).api_key));
                assert_eq!(reply.status == 200, expected, "{username} {door}: {}", reply.status);
            }
        }
        let mut expected: Vec<_> = who.iter().map(|name| world.person(name).id.to_string()).collect();
        expected.sort();
        let asked = question(json!({"type": "User"}), "Enter", door_entity);
        assert_eq!(found(&world, SEARCH_SUBJECT, &asked), expected, "{door}");
    }
    let all = |username: &str| {
        found(&world, SEARCH_RESOURCE, &question(user(&world, username), "Enter", json!({"type": "Door"})))
    };
    assert_eq!(all("oleg"), ["front", "lobby"]);
    assert_eq!(all("ada"), ["lobby"]);
    // A role that is taken away is gone for doors, too.
    let (console, oleg) = (Actor::console(), world.person("oleg"));
    world.app.accounts.remove_member(&console, world.application, oleg.id).unwrap();
    assert!(!decision(&world, &question(user(&world, "oleg"), "Enter", json!({"type": "Door", "id": "front"}))));
    assert_eq!(world.check("GET", "/doors/front", Some(&oleg.api_key)).status, 403);
}

#[test]
fn what_is_said_goes_before_what_files_say_and_leads_to_the_store() {
    let world = doors();
    let door = |id: &str, properties: Value| json!({"type": "Door", "id": id, "properties": properties});
    let may = |username: &str, door: Value| decision(&world, &question(user(&world, username), "Enter", door));
    assert!(may("otto", door("cellar", json!({"open": true}))));
    assert!(!may("otto", door("lobby", json!({"open": false}))));
    assert!(may("otto", door("office", json!({"open": false}))), "the rest is as the file says");
    // A door that no file knows.
    let app = application(&world);
    assert!(may("oleg", door("new", json!({"application": app}))));
    assert!(!may("devi", door("new", json!({"application": app}))));
    assert!(!may("oleg", door("new", json!({"application": {"type": "Application", "id": "nope"}}))));
    assert!(may("olga", door("new", json!({"holder": user(&world, "olga")}))));
    // What a policy names is as the file says, whoever asks about it.
    let mut asked = question(user(&world, "otto"), "Enter", door("lobby", json!({})));
    asked["context"]["master"] = json!({"open": true});
    assert!(decision(&world, &asked));
    // Of the wrong type.
    for properties in
        [json!({"open": "true"}), json!({"application": "x"}), json!({"holder": app}), json!({"open": null})]
    {
        let reply = ask(&world, EVALUATION, &question(user(&world, "otto"), "Enter", door("lobby", properties)));
        let answer = reply.json();
        assert_eq!((reply.status, &answer["decision"]), (200, &json!(false)), "{answer}");
        assert!(answer["context"]["error"]["message"].as_str().unwrap().contains("Door"), "{answer}");
    }
}

#[test]
fn nobody_may_do_anything_as_a_user_whose_account_is_disabled() {
    let permits = "@id(\"all\") permit (principal is User, action, resource is Application);";
    let world = Folders::new().write("policies/more.cedar", permits).world(&[]);
    let oleg = world.person("oleg").id;
    let asked = question(user(&world, "oleg"), "View", application(&world));
    let (subjects, resources) = (
        question(json!({"type": "User"}), "View", application(&world)),
        question(user(&world, "oleg"), "View", json!({"type": "Application"})),
    );
    for is_disabled in [false, true, false] {
        if is_disabled {
            world.app.accounts.disable_user(&Actor::console(), oleg).unwrap();
        } else {
            world.app.accounts.enable_user(&Actor::console(), oleg).unwrap();
        }
        assert_eq!(decision(&world, &asked), !is_disabled);
        assert_eq!(found(&world, SEARCH_SUBJECT, &subjects).contains(&oleg.to_string()), !is_disabled);
        assert_eq!(found(&world, SEARCH_RESOURCE, &resources).is_empty(), is_disabled);
        assert_eq!(found(&world, SEARCH_ACTION, &asked).is_empty(), is_disabled);
    }
}
