//! What the demonstration prints for people: who is there, and lines to paste into a shell.

use std::fmt::Write as _;

use super::{Demo, DemoUser};
use crate::cli::output::aligned;
use crate::cli::serve::url;
use crate::model::{ListenAddress, Role};

/// The whole text.
pub(super) fn text(demo: &Demo, decision: &ListenAddress, portal: &ListenAddress) -> String {
    let Demo { organization, application, device, users } = demo;
    let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    let places = aligned(&[
        row(["decision", &url(decision), "for proxies"]),
        row(["portal", &url(portal), "for people and programs"]),
        row(["organization", super::ORGANIZATION, &organization.to_string()]),
        row(["application", application.name.as_str(), &application.id.to_string()]),
        row(["device", device.name.as_str(), &device.id.to_string()]),
    ]);
    let header = ["USERNAME", "ROLE", "PASSWORD", "API KEY"].map(str::to_owned).to_vec();
    let people = std::iter::once(header).chain(users.iter().map(|DemoUser { user, role, password, api_key }| {
        let role = role.map_or("-", Role::as_str);
        [user.username.as_str(), role, password.expose(), api_key.expose()].map(str::to_owned).to_vec()
    }));
    let people = aligned(&people.collect::<Vec<_>>());

    let mut text = "A demonstration: all of it is gone when this program ends (Ctrl-C).\n\n".to_owned();
    text.push_str(&places);
    text.push('\n');
    text.push_str(&people);
    text.push_str("\nTry it in another shell.\n");
    for (what, command) in lines(demo, decision, portal) {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n# {what}\n{command}\n");
    }
    text.push('\n');
    text
}

/// What can be tried, each with what to expect.
fn lines(demo: &Demo, decision: &ListenAddress, portal: &ListenAddress) -> Vec<(String, String)> {
    let with_role = |role| demo.users.iter().find(|user| user.role == Some(role));
    let push = |who: Option<&DemoUser>| {
        let bearer = who.map(|who| bearer(who.api_key.expose())).unwrap_or_default();
        let path = format!("/applications/{}/releases", demo.application.id);
        let asked = [
            ("X-Original-Method", "POST"),
            ("X-Original-URI", &path),
            ("X-Original-Host", "api.example.com"),
            ("X-Original-Proto", "https"),
            ("X-Real-IP", "192.0.2.7"),
        ];
        let asked: String = asked.iter().map(|(name, value)| format!(" -H '{name}: {value}'")).collect();
        format!("{}{bearer}{asked}", curl(decision, "/check/nginx"))
    };
    let mut lines = Vec::new();
    if let Some(developer) = with_role(Role::Developer) {
        let what = format!("nginx asks whether {} may push a release: 200", developer.user.username);
        lines.push((what, push(Some(developer))));
    }
    if let Some(observer) = with_role(Role::Observer) {
        let what = format!("... and {}, who is an observer: 403", observer.user.username);
        lines.push((what, push(Some(observer))));
    }
    lines.push(("... and somebody who sends no credential: 401".to_owned(), push(None)));
    if let Some(developer) = with_role(Role::Developer) {
        let DemoUser { user, password, api_key, .. } = developer;
        let body = format!(r#"{{"login":"{}","password":"{}"}}"#, user.username, password.expose());
        let command = format!("{} -H 'Content-Type: application/json' -d '{body}'", curl(portal, "/v1/sessions"));
        lines.push((format!("{} logs in: 201, and a session token", user.username), command));
        let command = format!("{}{}", curl(portal, "/v1/whoami"), bearer(api_key.expose()));
        lines.push((format!("whose key is this? {}'s: 200", user.username), command));
    }
    lines
}

fn bearer(token: &str) -> String {
    format!(" -H 'Authorization: Bearer {token}'")
}

fn curl(address: &ListenAddress, path: &str) -> String {
    match address {
        ListenAddress::Tcp(_) | ListenAddress::Inherited(_) => format!("curl -i '{}{path}'", url(address)),
        // A quote within single quotes ends them, stands on its own, and begins them again.
        ListenAddress::Unix(socket) => {
            let socket = socket.display().to_string().replace('\'', r"'\''");
            format!("curl -i --unix-socket '{socket}' 'http://localhost{path}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_for_a_socket_survives_the_shell() {
        let address = "unix:/tmp/it's here.sock".parse().unwrap();
        let expected = r"curl -i --unix-socket '/tmp/it'\''s here.sock' 'http://localhost/healthz'";
        assert_eq!(curl(&address, "/healthz"), expected);
    }
}
