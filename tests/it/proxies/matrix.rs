//! The whole matrix through a proxy: what is allowed reaches the application as it was sent, what is not does not.

use super::stage::Stage;
use crate::gate::matrix::{MATRIX, path};
use crate::support::Connection;
use crate::support::http::request;
use crate::support::world::PEOPLE;

/// What becomes of the cookies that are not Gatepost's.
#[derive(Clone, Copy)]
pub enum Cookies {
    Kept,
    /// The proxy cannot take one out of several, so it takes all.
    Dropped,
}

pub fn every_cell_holds(stage: &Stage, cookies: Cookies) {
    let Stage { world, .. } = stage;
    let mut passed = Vec::new();
    for (method, pattern, cells) in MATRIX {
        let mut client = Connection::open(stage.address);
        let target = format!("{}?q=%2e%2e/&q=a,b", path(world, pattern));
        let body = if matches!(*method, "POST" | "PUT" | "PATCH") { "{\"some\": \"content\"}" } else { "" };
        for ((username, _), allowed) in PEOPLE.into_iter().zip(cells) {
            let person = world.person(username);
            let key = ("Authorization", format!("Bearer {}", person.api_key));
            let session = ("Authorization", format!("Bearer {}", person.session));
            let cookie = ("Cookie", format!("theme=dark; __Host-gatepost={}; lang=en", person.session));
            for (name, value) in [key, session, cookie] {
                let what = format!("{method} {pattern} by {username} with {name}");
                let headers = [("Host", "app.example.com"), (name, &value), ("X-Request", "as sent")];
                let reply = client.send(&request(method, &target, &headers, body));
                let seen = stage.upstream.take();
                if !allowed {
                    assert_eq!((reply.status, seen), (403, vec![]), "{what}");
                    continue;
                }
                assert_eq!((reply.status, reply.header("x-application")), (200, Some("yes")), "{what}");
                let [seen] = seen.as_slice() else { panic!("{what}: the application has seen {seen:?}") };
                assert_eq!((seen.method.as_str(), &seen.target), (*method, &target), "{what}");
                assert_eq!(seen.body, body, "{what}");
                assert_eq!(seen.header("host"), Some("app.example.com"), "{what}");
                assert_eq!(seen.header("x-request"), Some("as sent"), "{what}");
                let kept = matches!(cookies, Cookies::Kept) && name == "Cookie";
                assert_eq!(seen.header("cookie"), kept.then_some("theme=dark; lang=en"), "{what}");
                passed.push((seen.clone(), username));
            }
        }
        nobody_passes(stage, &mut client, method, &target);
    }
    for (seen, username) in &passed {
        stage.assert_decided(seen, username);
    }
}

/// Without a valid credential there is none of it.
fn nobody_passes(stage: &Stage, client: &mut Connection, method: &str, target: &str) {
    let has_route = stage.world.check(method, target, Some(&stage.world.person("otto").api_key)).status == 403
        && stage.world.check(method, target, None).status == 401;
    for (headers, error) in [
        (vec![], ""),
        (vec![("Authorization", "Bearer gp_invented")], ", error=\"invalid_token\""),
        (vec![("Cookie", "__Host-gatepost=invented")], ", error=\"invalid_token\""),
    ] {
        let reply = client.send(&request(method, target, &headers, ""));
        assert_eq!(stage.upstream.take(), [], "{method} {target}");
        assert_eq!(reply.status, if has_route { 401 } else { 403 }, "{method} {target}");
        let challenge = has_route.then(|| format!("Bearer realm=\"gatepost\"{error}"));
        assert_eq!(reply.header("www-authenticate"), challenge.as_deref(), "{method} {target}");
    }
}
