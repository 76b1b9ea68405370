//! A real HAProxy with the configurations that are shipped.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::Program;
use super::http::Address;
use super::program::{await_answer, deployed, find, free_address};

/// Starts HAProxy before the application `app`, with Gatepost at `decision`; gives the address where clients connect.
pub fn start(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("haproxy/haproxy.cfg", &deployed(SCRIPT, &[]), decision, app)
}

/// The same with the minimal configuration.
pub fn start_minimal(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("haproxy/minimal.cfg", &deployed(SCRIPT, &[]), decision, app)
}

/// The same with the token in its environment by which Gatepost knows it.
pub fn start_with_token(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_configured(
        "haproxy/haproxy.cfg",
        &deployed(SCRIPT, &[]),
        &[("GATEPOST_DECISION_PEER_TOKEN", TOKEN)],
        decision,
        app,
    )
}

/// That token.
pub const TOKEN: &str = "a-token-of-some-length-for-this-test";

/// The same with a script that fails.
pub fn start_failing(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    let script = deployed(SCRIPT, &[("core.httpclient():get(", "core.no_such_thing():get(".to_owned())]);
    start_with("haproxy/haproxy.cfg", &script, decision, app)
}

const SCRIPT: &str = "haproxy/gatepost.lua";

fn start_with(file: &str, script: &str, decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_configured(file, script, &[], decision, app)
}

fn start_configured(
    file: &str,
    script: &str,
    environment: &[(&str, &str)],
    decision: Address,
    app: SocketAddr,
) -> (Program, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let decision = match decision {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => format!("unix@{}", path.display()),
    };
    let replace = [
        ("/etc/haproxy/gatepost.lua", path("gatepost.lua")),
        ("bind :80\n", format!("bind {address}\n")),
        ("lua.gatepost 127.0.0.1:7180", format!("lua.gatepost {decision}")),
        ("127.0.0.1:8080", app.to_string()),
    ];
    std::fs::write(path("gatepost.lua"), script).unwrap();
    std::fs::write(path("haproxy.cfg"), deployed(file, &replace)).unwrap();
    let mut command = Command::new(find("GATEPOST_TEST_HAPROXY", &["/usr/sbin/haproxy"]));
    command.arg("-db").arg("-f").arg(path("haproxy.cfg")).stdin(Stdio::null());
    command.envs(environment.iter().copied());
    let mut program = Program::start(command, folder);
    await_answer(&mut program, address, |_| true);
    (program, address)
}
