//! "Delete account".

use gatepost::accounts::Actor;
use gatepost::model::Role;
use serde_json::{Value, json};

use super::{call, text, without_password, world};

#[test]
fn needs_the_password_and_takes_everything_along() {
    let (world, _) = world();
    let (ada, olga) = (world.person("ada"), world.person("olga"));
    call(&world, 401, "DELETE", "/v1/account", Some(&ada.session), json!({"password": "not the password"}));
    call(&world, 200, "GET", "/v1/whoami", Some(&ada.session), Value::Null);
    call(&world, 204, "DELETE", "/v1/account", Some(&ada.session), json!({"password": ada.password}));
    // Its credentials are refused by the next request, its application and devices are gone for everybody.
    for credential in [&ada.session, &ada.api_key] {
        call(&world, 401, "GET", "/v1/whoami", Some(credential), Value::Null);
        assert_eq!(world.check("GET", &format!("/devices/{}", world.device), Some(credential)).status, 401);
    }
    call(&world, 404, "GET", &format!("/v1/applications/{}", world.application), Some(&olga.session), Value::Null);
    assert_eq!(world.check("GET", &format!("/applications/{}", world.application), Some(&olga.session)).status, 403);
    assert_eq!(world.check("GET", &format!("/devices/{}", world.device), Some(&olga.session)).status, 403);
    assert_eq!(world.app.store.role(world.application, olga.id).unwrap(), None::<Role>);
    let log_in = json!({"login": "ada", "password": ada.password});
    call(&world, 401, "POST", "/v1/sessions", None, log_in);
    // What happened stays known, without the person.
    let console = Actor::console();
    let history = gatepost::accounts::History::Everything;
    let events = world.app.accounts.history(&console, history, None, 1_000).unwrap();
    assert!(events.iter().any(|event| event.action == "user_deleted" && event.user == Some(ada.id)));
    assert!(events.iter().filter(|event| event.actor == Some(ada.id)).all(|event| event.client.is_none()));
}

#[test]
fn an_account_without_a_password_sets_one_first() {
    let (world, _) = world();
    let key = without_password(&world);
    let who = Some(key.as_str());
    let refused = call(&world, 409, "DELETE", "/v1/account", who, json!({"password": "anything at all"}));
    assert_eq!(text(&refused.json()["code"]), "password_required");
    call(&world, 204, "PUT", "/v1/account/password", who, json!({"password": "a violet umbrella 7"}));
    call(&world, 204, "DELETE", "/v1/account", who, json!({"password": "a violet umbrella 7"}));
    call(&world, 401, "GET", "/v1/whoami", who, Value::Null);
}
