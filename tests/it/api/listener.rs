//! The management API on a real listener.

use std::sync::Arc;

use gatepost::app::Bound;
use gatepost::model::ListenAddress;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::{PASSWORD, World};

#[tokio::test]
async fn a_served_request_is_answered_and_its_client_is_recorded() {
    let world = World::new();
    let ada = world.person_with_password("ada");
    let bound = Bound::bind(Arc::clone(&world.app), &world.config).await.unwrap();
    let ListenAddress::Tcp(address) = *bound.portal_address() else { unreachable!() };
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(bound.serve(async move { drop(stopped.await) }));

    let client = reqwest::Client::new();
    let url = |path: &str| format!("http://{address}{path}");
    let body = json!({"login": "ada", "password": PASSWORD});
    // What a client says of its address is not believed.
    let request = client.post(url("/v1/sessions")).header("x-forwarded-for", "192.0.2.1").json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let session: Value = answer.json().await.unwrap();
    let event = world.app.store.events(0, 1).unwrap().remove(0);
    assert_eq!((event.action.as_str(), event.actor), ("session_created", Some(ada.id)));
    assert_eq!(event.client.as_deref(), Some("127.0.0.1"));

    let whoami = client.get(url("/v1/whoami"));
    let answer = whoami.bearer_auth(session["token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.json::<Value>().await.unwrap()["username"], "ada");
    let answer = client.get(url("/v1/whoami")).bearer_auth("a".repeat(100_000)).send().await.unwrap();
    assert!([401, 431].contains(&answer.status().as_u16()), "{answer:?}");
    let answer = client.post(url("/v1/sessions")).json(&"a".repeat(1_000_000)).send().await;
    if let Ok(answer) = answer {
        assert_eq!(answer.status(), 413);
    }
    stop.send(()).unwrap();
    running.await.unwrap();
}
