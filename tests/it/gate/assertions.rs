//! The assertion that a request came through.

use crate::support::{World, jwt};

const SETTING: [(&str, &str); 1] = [("decision.assertion_audience", "https://app.test")];

#[test]
fn an_assertion_is_for_one_request_and_one_minute() {
    let world = World::without_passwords(&SETTING);
    let target = format!("/applications/{}", world.application);
    let ada = world.person("ada");
    let reply = world.check("GET", &format!("{target}?secret=1"), Some(&ada.session));
    let token = reply.header("gatepost-assertion").unwrap().to_owned();
    let claims = jwt::verified(&world, &token);
    let mut names: Vec<_> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        ["aud", "credential", "email", "exp", "htm", "htu", "iat", "iss", "jti", "preferred_username", "role", "sub"];
    assert_eq!(names, expected);
    assert_eq!(claims["htu"], format!("https://app.example.com{target}"));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    assert_eq!(claims["jti"], reply.header("gatepost-decision").unwrap());
    assert_eq!((&claims["credential"], &claims["preferred_username"]), (&"session".into(), &"ada".into()));
    let again = world.check("GET", &target, Some(&ada.session));
    assert_ne!(again.header("gatepost-assertion"), Some(token.as_str()), "each request has its own");
}

#[test]
fn an_assertion_is_no_credential() {
    let world = World::without_passwords(&SETTING);
    let target = format!("/applications/{}", world.application);
    let reply = world.check("GET", &target, Some(&world.person("ada").session));
    let assertion = reply.header("gatepost-assertion").unwrap().to_owned();
    assert_eq!(world.check("GET", &target, Some(&assertion)).status, 401);
    assert_eq!(world.api("GET", "/v1/whoami", Some(&assertion), "").status, 401);
}

#[test]
fn only_an_allow_takes_one_along() {
    let world = World::without_passwords(&SETTING);
    let target = format!("/applications/{}", world.application);
    let otto = &world.person("otto").api_key;
    for (target, credential, status) in
        [(target.as_str(), Some(otto.as_str()), 403), (&target, None, 401), ("/a//b", Some(otto), 400)]
    {
        let reply = world.check("GET", target, credential);
        assert_eq!((reply.status, reply.header("gatepost-assertion")), (status, None));
    }
    let silent = World::without_passwords(&[]);
    let target = format!("/applications/{}", silent.application);
    let reply = silent.check("GET", &target, Some(&silent.person("ada").session));
    assert_eq!((reply.status, reply.header("gatepost-assertion")), (200, None));
}

#[test]
fn what_cannot_be_asserted_is_not_allowed() {
    let world = World::without_passwords(&SETTING);
    let key = &world.person("ada").api_key;
    let target = |rest: usize| format!("/applications/{}/devices/7/actions/{}", world.application, "a".repeat(rest));
    let reply = world.check("POST", &target(1_000), Some(key));
    assert_eq!(reply.status, 200);
    let length: usize = reply.headers.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    assert!(length < 4_000, "nginx takes no more than 4 kB");
    assert_eq!(world.check("POST", &target(1_500), Some(key)).status, 400);
}
