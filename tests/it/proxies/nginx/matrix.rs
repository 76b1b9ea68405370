//! The whole matrix through nginx: what is allowed reaches the application as it was sent, what is not does not.

use crate::gate::matrix::{MATRIX, path};
use crate::proxies::stage::Stage;
use crate::support::http::request;
use crate::support::world::PEOPLE;
use crate::support::{Connection, World, nginx};

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn every_cell_holds_with_a_gatepost_on_tcp() {
    every_cell_holds(&Stage::new(nginx::start, World::without_passwords(&[])));
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn every_cell_holds_with_a_gatepost_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/decision.sock", folder.path().display());
    let world = World::without_passwords(&[("decision.listen", &socket)]);
    assert_eq!(world.decision.to_string(), socket);
    every_cell_holds(&Stage::new(nginx::start, world));
}

pub(in crate::proxies) fn every_cell_holds(stage: &Stage) {
    let Stage { world, .. } = stage;
    let mut passed = Vec::new();
    for (method, pattern, cells) in MATRIX {
        let mut client = Connection::open(stage.address);
        let target = format!("{}?q=%2e%2e/;x&q=a,b", path(world, pattern));
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
                assert_eq!(seen.header("cookie"), (name == "Cookie").then_some("theme=dark; lang=en"), "{what}");
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
