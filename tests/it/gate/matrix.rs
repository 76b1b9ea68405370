//! The matrix: every person on every shipped route, with every kind of credential. The expected cells are written out
//! from the specification and not derived from anything in the program.

use crate::support::World;
use crate::support::world::PEOPLE;

/// A request, and whether ada (administrator), devi (developer), oleg (operator), olga (observer) and otto (no role) may
/// make it. `{a}` and `{d}` stand for the application and the device.
pub const MATRIX: &[(&str, &str, [bool; 5])] = &[
    // View: all four roles.
    ("GET", "/applications/{a}", [true, true, true, true, false]),
    ("HEAD", "/applications/{a}", [true, true, true, true, false]),
    ("GET", "/applications/{a}/", [true, true, true, true, false]),
    ("GET", "/applications/{a}/members", [true, true, true, true, false]),
    ("GET", "/applications/{a}/devices/{d}", [true, true, true, true, false]),
    ("HEAD", "/applications/{a}/devices/{d}/logs", [true, true, true, true, false]),
    ("GET", "/applications/{a}/configuration", [true, true, true, true, false]),
    ("GET", "/devices/{d}", [true, true, true, true, false]),
    ("HEAD", "/devices/{d}", [true, true, true, true, false]),
    ("GET", "/devices/{d}/tags/room", [true, true, true, true, false]),
    // Delete App.
    ("DELETE", "/applications/{a}", [true, false, false, false, false]),
    // Add members.
    ("POST", "/applications/{a}/members", [true, false, false, false, false]),
    ("PATCH", "/applications/{a}/members/m1", [true, false, false, false, false]),
    ("DELETE", "/applications/{a}/members/m1", [true, false, false, false, false]),
    // Add/Remove device.
    ("POST", "/applications/{a}/devices", [true, true, true, false, false]),
    ("DELETE", "/applications/{a}/devices/{d}", [true, true, true, false, false]),
    // Device actions.
    ("POST", "/applications/{a}/devices/{d}/actions/restart", [true, true, true, false, false]),
    ("POST", "/devices/{d}/actions/restart", [true, true, true, false, false]),
    // Tags of a device.
    ("PUT", "/applications/{a}/devices/{d}/tags/room", [true, true, true, false, false]),
    ("DELETE", "/applications/{a}/devices/{d}/tags/room", [true, true, true, false, false]),
    ("PUT", "/devices/{d}/tags/room", [true, true, true, false, false]),
    ("DELETE", "/devices/{d}/tags/room", [true, true, true, false, false]),
    // Variables of a device.
    ("PUT", "/applications/{a}/devices/{d}/variables/LOG", [true, true, true, false, false]),
    ("DELETE", "/applications/{a}/devices/{d}/variables/LOG", [true, true, true, false, false]),
    ("PUT", "/devices/{d}/variables/LOG", [true, true, true, false, false]),
    ("DELETE", "/devices/{d}/variables/LOG", [true, true, true, false, false]),
    // SSH access; a WebSocket's handshake is a GET.
    ("POST", "/applications/{a}/devices/{d}/ssh", [true, true, true, false, false]),
    ("GET", "/applications/{a}/devices/{d}/ssh", [true, true, true, false, false]),
    ("POST", "/devices/{d}/ssh", [true, true, true, false, false]),
    ("GET", "/devices/{d}/ssh", [true, true, true, false, false]),
    // Push.
    ("POST", "/applications/{a}/releases", [true, true, false, false, false]),
    // Configuration.
    ("PUT", "/applications/{a}/configuration", [true, true, false, false, false]),
    ("PATCH", "/applications/{a}/configuration", [true, true, false, false, false]),
    // Fleet actions, and what the prose gives to developers: fleet-wide variables and tags, images.
    ("POST", "/applications/{a}/actions/restart", [true, true, false, false, false]),
    ("PUT", "/applications/{a}/variables/LOG", [true, true, false, false, false]),
    ("DELETE", "/applications/{a}/variables/LOG", [true, true, false, false, false]),
    ("PUT", "/applications/{a}/tags/site", [true, true, false, false, false]),
    ("DELETE", "/applications/{a}/tags/site", [true, true, false, false, false]),
    ("GET", "/applications/{a}/images/i1", [true, true, false, false, false]),
    ("HEAD", "/applications/{a}/images/i1", [true, true, false, false, false]),
    // Nothing that no route takes.
    ("POST", "/applications/{a}", [false, false, false, false, false]),
    ("PUT", "/applications/{a}/", [false, false, false, false, false]),
    ("GET", "/", [false, false, false, false, false]),
    ("GET", "/applications", [false, false, false, false, false]),
    ("DELETE", "/devices/{d}", [false, false, false, false, false]),
    ("OPTIONS", "/applications/{a}", [false, false, false, false, false]),
];

/// A path of the matrix in `world`.
pub fn path(world: &World, pattern: &str) -> String {
    pattern.replace("{a}", &world.application.to_string()).replace("{d}", &world.device.to_string())
}

#[test]
fn every_cell_is_decided_as_the_specification_says() {
    let world = World::start();
    for (method, pattern, cells) in MATRIX {
        let target = path(&world, pattern);
        for ((username, role), allowed) in PEOPLE.into_iter().zip(cells) {
            let person = world.person(username);
            for credential in [&person.api_key, &person.session] {
                let reply = world.check(method, &target, Some(credential));
                let expected = if *allowed { 200 } else { 403 };
                assert_eq!(reply.status, expected, "{method} {pattern} by {username}");
                if *allowed {
                    let kind = if credential.starts_with("gp_") { "api_key" } else { "session" };
                    assert_eq!(reply.header("remote-user"), Some(username));
                    assert_eq!(reply.header("remote-email"), Some(format!("{username}@example.com").as_str()));
                    assert_eq!(reply.header("remote-role"), role.map(|role| role.as_str()));
                    assert_eq!(reply.header("remote-credential"), Some(kind));
                    assert_eq!(reply.header("content-length"), Some("0"));
                }
            }
        }
        let anonymous = world.check(method, &target, None);
        assert!(matches!(anonymous.status, 401 | 403), "{method} {pattern} by nobody: {}", anonymous.status);
        assert_eq!(world.check(method, &target, Some("gp_invented")).status, anonymous.status);
    }
}

#[test]
fn what_is_not_registered_is_nobodys() {
    let world = World::start();
    let ada = world.person("ada");
    let foreign = world.device.to_string();
    for target in [
        "/applications/00000000-0000-7000-8000-000000000000".to_owned(),
        "/applications/nobody".to_owned(),
        "/applications/thermostat".to_owned(),
        "/devices/00000000-0000-7000-8000-000000000000".to_owned(),
        // The identifier of another kind of thing, or another spelling of the right one, names nothing.
        format!("/applications/{foreign}"),
        format!("/devices/{}", world.application),
        format!("/applications/{}", world.application.to_string().to_uppercase()),
    ] {
        let reply = world.check("GET", &target, Some(&ada.api_key));
        assert_eq!(reply.status, 403, "{target}");
    }
    let metrics = crate::support::send(world.decision, "GET", "/metrics", &[], "").body;
    assert!(metrics.contains("gatepost_decision_errors_total 0"), "{metrics}");
}
