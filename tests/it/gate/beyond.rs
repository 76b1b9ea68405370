//! Policies that look at what is neither who asks nor what is asked about: it is there, and it is of now.

use serde_json::json;

use super::policies::Edited;

#[test]
fn a_policy_that_names_another_application_decides_by_what_that_is_now() {
    let edited = Edited::start();
    let world = &edited.world;
    let ada = Some(world.person("ada").session.as_str());
    let body = json!({"organization": world.organization.to_string(), "name": "another", "type": "standard"});
    let created = world.api("POST", "/v1/applications", ada, &body.to_string());
    assert_eq!(created.status, 201, "{created:?}");
    let another = created.json()["id"].as_str().unwrap().to_owned();
    let members = format!("/v1/applications/{another}/members");
    let olga = &world.person("olga");
    // The owner of the other application, and those who operate it, are not to look at this one.
    let policies = format!(
        "@id(\"owners\") forbid (principal is User, action == Action::\"View\", resource == Application::\"{0}\")\n\
         when {{ Application::\"{another}\" has owner && Application::\"{another}\".owner == principal }};\n\
         @id(\"operators\") forbid (principal in Team::\"{another}/operators\", action == Action::\"View\", resource is Application);\n",
        world.application
    );
    edited.write("policies/own.cedar", &policies);
    world.app.reload_policies().unwrap();

    let view = |username: &str| {
        let target = format!("/applications/{}", world.application);
        let reply = world.check("GET", &target, Some(&world.person(username).api_key));
        let record = world.decision_record(reply.header("gatepost-decision").unwrap());
        assert_eq!(record["errors"], json!([]), "{record}");
        (reply.status, record["policies"].clone())
    };
    assert_eq!(view("ada"), (403, json!(["owners"])));
    assert_eq!(view("devi"), (200, json!(["developer"])));
    assert_eq!(view("olga"), (200, json!(["observer"])));
    // What changes elsewhere counts from the next request on.
    let joined = world.api("POST", &members, ada, &json!({"login": "olga", "role": "operator"}).to_string());
    assert_eq!(joined.status, 201, "{joined:?}");
    assert_eq!(view("olga"), (403, json!(["operators"])));
    let left = world.api("DELETE", &format!("{members}/{}", olga.id), ada, "");
    assert_eq!(left.status, 204, "{left:?}");
    assert_eq!(view("olga"), (200, json!(["observer"])));
}

#[test]
fn a_policy_about_the_member_whom_it_concerns_knows_that_members_roles() {
    let edited = Edited::start();
    let world = &edited.world;
    let policy = "@id(\"developers-stay\") @code(\"developers_stay\") \
                  forbid (principal, action == Action::\"RemoveMember\", resource is Application)\n\
                  when { context has member && context.member in resource.developers };\n";
    edited.write("policies/own.cedar", policy);
    world.app.reload_policies().unwrap();
    let ada = Some(world.person("ada").session.as_str());
    let remove = |username: &str| {
        let id = &world.person(username).id;
        world.api("DELETE", &format!("/v1/applications/{}/members/{id}", world.application), ada, "")
    };
    let reply = remove("devi");
    assert_eq!((reply.status, reply.json()["code"].clone()), (403, json!("developers_stay")));
    assert_eq!(remove("olga").status, 204);
}
