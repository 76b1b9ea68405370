//! `gatepost serve`.

use std::fs;
use std::net::{self, TcpListener};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use serde_json::{Value, json};

use super::program::{Program, Server};
use crate::support::{Address, send, until};

/// nginx's question whether `token` may do this.
fn ask(decision: net::SocketAddr, token: &str, method: &str, path: &str) -> u16 {
    let headers = [
        ("Authorization", &*format!("Bearer {token}")),
        ("X-Original-Method", method),
        ("X-Original-URI", path),
        ("X-Original-Host", "api.example.com"),
        ("X-Original-Proto", "https"),
        ("X-Real-IP", "192.0.2.7"),
    ];
    send(decision, "GET", "/check/nginx", &headers, "").status
}

/// Waits until it holds.
fn soon(condition: impl Fn() -> bool) {
    until(Duration::from_secs(10), "the change", || condition().then_some(()));
}

fn generation(server: &Server) -> Value {
    send(server.decision(), "GET", "/readyz", &[], "").json()["policies"]["generation"].clone()
}

#[test]
fn the_demonstration_prints_one_line_and_answers_by_role() {
    let program = Program::new();
    let server = program.serve(&["--demo"]);
    let document = server.document();
    assert_eq!(document["application"]["name"], json!("thermostat"));
    let users = document["users"].as_array().unwrap();
    let roles = [json!("administrator"), json!("developer"), json!("operator"), json!("observer"), Value::Null];
    for ((user, role), name) in users.iter().zip(&roles).zip(["ada", "devi", "oleg", "olga", "otto"]) {
        assert_eq!((&user["username"], &user["role"]), (&json!(name), role));
        assert_eq!(user["email"], json!(format!("{name}@example.com")));
        assert!(user["password"].as_str().unwrap().len() >= 16);
    }
    let application = document["application"]["id"].as_str().unwrap();
    let releases = format!("/applications/{application}/releases");
    let statuses: Vec<_> =
        users.iter().map(|user| ask(server.decision(), user["api_key"].as_str().unwrap(), "POST", &releases)).collect();
    assert_eq!(statuses, [200, 200, 403, 403, 403]);
    let device = format!("/devices/{}/ssh", document["device"]["id"].as_str().unwrap());
    let statuses: Vec<_> =
        users.iter().map(|user| ask(server.decision(), user["api_key"].as_str().unwrap(), "POST", &device)).collect();
    assert_eq!(statuses, [200, 200, 200, 403, 403]);

    server.signal("TERM");
    let (status, rest) = server.wait();
    assert_eq!((status.code(), rest.as_str()), (Some(0), ""));
    let left: Vec<_> = program.folder().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["serve.log"]);
}

#[test]
fn a_socket_that_systemd_has_opened_is_served_and_left_to_it() {
    let program = Program::new();
    let path = program.folder().join("decision.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let server = program.serve_on(socket.try_clone().unwrap().into());
    let decision = format!("unix:{}", path.display());
    assert_eq!(server.document()["decision"], json!(decision));
    let address = Address::Unix(Box::leak(path.clone().into_boxed_path()));
    assert_eq!(send(address, "GET", "/healthz", &[], "").status, 200);
    server.signal("TERM");
    assert_eq!(server.wait().0.code(), Some(0));
    assert!(path.exists(), "the next one is to be reached there");

    let error = program.failure(&["serve", "--listen", "fd:3", "--portal-listen", "127.0.0.1:0"]);
    assert!(error.contains("cannot listen on `fd:3`: no such socket was handed over"), "{error}");
}

#[test]
fn an_inherited_socket_without_permissions_is_refused() {
    let program = Program::new();
    let name = SocketAddr::from_abstract_name(format!("gatepost-test-{}", std::process::id())).unwrap();
    let socket = UnixListener::bind_addr(&name).unwrap();
    let error = program.refused_on(socket.into(), "fd:3");
    assert!(error.contains("cannot listen on `fd:3`: the socket has no path"), "{error}");
}

#[test]
fn an_inherited_socket_is_no_way_round_the_certificates_of_peers() {
    let mut program = Program::new();
    let own = rcgen::generate_simple_self_signed(["gatepost.test".to_owned()]).unwrap();
    let write = |name: &str, text: &str| {
        let path = program.folder().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (certificate, key) = (write("own.pem", &own.cert.pem()), write("key.pem", &own.signing_key.serialize_pem()));
    program.set("GATEPOST_DECISION_TLS_CERTIFICATE", &certificate);
    program.set("GATEPOST_DECISION_TLS_KEY", &key);
    program.set("GATEPOST_DECISION_TLS_CLIENT_CA", &certificate);
    program.set("GATEPOST_FASTCGI_LISTEN", "fd:3");
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let error = program.refused_on(socket.into(), "127.0.0.1:0");
    assert!(error.contains("cannot take questions by FastCGI on `0.0.0.0:"), "{error}");
}

#[test]
fn a_trusted_name_that_anybody_may_take_is_told_at_the_start() {
    let mut program = Program::with_application();
    program.set("GATEPOST_AUTHZEN_CALLERS", "ada,nobody-yet");
    let server = program.serve(&[]);
    server.signal("TERM");
    server.wait();
    let log = fs::read_to_string(program.folder().join("serve.log")).unwrap();
    let told: Vec<_> = log.lines().filter(|line| line.contains("authzen.callers")).collect();
    assert!(told.len() == 1 && told[0].contains("nobody-yet") && told[0].contains("ERROR"), "{log}");
}

#[test]
fn what_the_command_line_changes_is_in_force_beside_a_server() {
    let program = Program::with_application();
    let server = program.serve(&[]);
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/applications/{application}/releases");
    let key = program.json(&["key", "create", "--user", "devi", "--name", "k"]);
    let (id, token) = (key["id"].as_str().unwrap(), key["key"].as_str().unwrap());
    assert_eq!(ask(server.decision(), token, "POST", &path), 403);

    program.json(&["member", "add", "--app", "thermostat", "devi", "developer"]);
    soon(|| ask(server.decision(), token, "POST", &path) == 200);
    program.json(&["member", "remove", "--app", "thermostat", "devi"]);
    soon(|| ask(server.decision(), token, "POST", &path) == 403);
    program.json(&["key", "revoke", id, "--yes"]);
    soon(|| ask(server.decision(), token, "POST", &path) == 401);

    let session = program.json(&["session", "issue", "--user", "ada"])["token"].as_str().unwrap().to_owned();
    assert_eq!(ask(server.decision(), &session, "POST", &path), 200);
    program.json(&["session", "end-all", "--user", "ada"]);
    soon(|| ask(server.decision(), &session, "POST", &path) == 401);
}

#[test]
fn a_hangup_loads_good_policies_and_keeps_the_last_good_ones() {
    let program = Program::new();
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let folder = program.folder().join("policies");
    fs::create_dir(&folder).unwrap();
    for name in ["accounts.cedar", "matrix.cedar"] {
        fs::copy(source.join(name), folder.join(name)).unwrap();
    }
    let server = program.serve(&["--demo", "--policies", "policies"]);
    let document = server.document();
    let devi = document["users"][1]["api_key"].as_str().unwrap();
    let path = format!("/applications/{}/releases", document["application"]["id"].as_str().unwrap());
    assert_eq!(ask(server.decision(), devi, "POST", &path), 200);

    let freeze = "@id(\"freeze\") forbid (principal, action == Action::\"Push\", resource);\n";
    fs::write(folder.join("freeze.cedar"), freeze).unwrap();
    server.signal("HUP");
    soon(|| generation(&server) == 2);
    assert_eq!(ask(server.decision(), devi, "POST", &path), 403);

    fs::write(folder.join("freeze.cedar"), "permit (").unwrap();
    server.signal("HUP");
    let failed = |server: &Server| {
        !send(server.decision(), "GET", "/readyz", &[], "").json()["policies"]["last_reload_error"].is_null()
    };
    soon(|| failed(&server));
    assert_eq!(generation(&server), 2);
    assert_eq!(ask(server.decision(), devi, "POST", &path), 403);

    server.signal("INT");
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn a_server_that_is_named_is_no_server_to_start() {
    let mut program = Program::new();
    program.set("GATEPOST_SERVER", "http://127.0.0.1:1");
    let run = program.run(&["serve", "--demo", "--listen", "nonsense"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(
        run.err.contains("this starts a server on this machine: leave out --server, and unset GATEPOST_SERVER"),
        "{run:?}"
    );
    program.set("GATEPOST_SERVER", "");
    assert_eq!(program.run(&["serve", "--listen", "nonsense"]).code, 1);
}

#[test]
fn a_hangup_opens_the_logs_of_decisions_again() {
    let program = Program::new();
    let candidate = program.folder().join("candidate");
    fs::create_dir(&candidate).unwrap();
    fs::write(candidate.join("own.cedar"), "forbid (principal, action, resource);").unwrap();
    let config =
        "[log]\ndecisions = \"./decisions.log\"\nshadow = \"./shadow.log\"\n[policy]\nshadow = \"./candidate\"\n";
    fs::write(program.folder().join("gatepost.toml"), config).unwrap();
    let server = program.serve(&[]);
    let logs = ["decisions.log", "shadow.log"].map(|name| program.folder().join(name));
    for log in &logs {
        fs::rename(log, log.with_extension("old")).unwrap();
    }
    server.signal("HUP");
    soon(|| logs.iter().all(|log| log.exists()));
    ask(server.decision(), "nobody", "GET", "/");
    soon(|| fs::read_to_string(&logs[0]).unwrap().ends_with("}\n"));
    assert_eq!(fs::read_to_string(logs[0].with_extension("old")).unwrap(), "");
}

#[test]
fn bad_policies_and_taken_addresses_stop_the_start() {
    let program = Program::new();
    let folder = program.folder().join("policies");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("bad.cedar"), "permit (").unwrap();
    let error = program.failure(&["serve", "--demo"]);
    assert!(error.contains("policies/bad.cedar:1:"), "{error}");
    fs::remove_dir_all(&folder).unwrap();

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = program.failure(&["serve", "--demo", "--listen", &address, "--portal-listen", "127.0.0.1:0"]);
    assert!(error.contains(&address) && error.contains("help: "), "{error}");
    assert!(program.failure(&["serve", "--listen", "nonsense"]).contains("--listen: expected an address"));
}

/// What a shell gives to curl.
fn arguments_of_curl(command: &str) -> Vec<String> {
    let script = format!("curl() {{ printf '%s\\n' \"$@\"; }}\n{command}");
    let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_demonstration_for_people_has_lines_to_paste_into_a_shell() {
    let program = Program::new();
    let server = program.start(&["--demo"], "/v1/whoami");
    let commands: Vec<_> = server.printed.lines().filter(|line| line.starts_with("curl ")).collect();
    assert_eq!(commands.len(), 5, "{}", server.printed);
    for (command, expected) in commands.iter().zip([200, 403, 401, 201, 200]) {
        let arguments = arguments_of_curl(command);
        let after = |option: &'static str| {
            let pairs = arguments.iter().zip(arguments.iter().skip(1));
            pairs.filter(move |(argument, _)| *argument == option).map(|(_, value)| value.as_str())
        };
        let url = arguments.iter().find_map(|argument| argument.strip_prefix("http://")).unwrap();
        let (address, path) = url.split_once('/').unwrap();
        let headers: Vec<_> = after("-H").map(|header| header.split_once(": ").unwrap()).collect();
        let body = after("-d").next();
        let method = if body.is_some() { "POST" } else { "GET" };
        let address: std::net::SocketAddr = address.parse().unwrap();
        let reply = send(address, method, &format!("/{path}"), &headers, body.unwrap_or_default());
        assert_eq!(reply.status, expected, "{command}");
    }
}
