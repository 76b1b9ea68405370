//! A real Envoy with the configurations that are shipped.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::Program;
use super::http::Address;
use super::program::{await_answer, deployed, find, free_address};

/// Starts Envoy before the application `app`, with Gatepost, at `decision`, asked by gRPC; gives the address where clients
/// connect.
pub fn start(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_changed(decision, app, &[])
}

/// The same, with changes to the configuration.
pub fn start_changed(decision: Address, app: SocketAddr, changes: &[(&str, &str)]) -> (Program, SocketAddr) {
    run("envoy/envoy.yaml", decision, app, changes)
}

/// The same, with Gatepost asked over HTTP.
pub fn start_http(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    run("envoy/envoy-http.yaml", decision, app, &[])
}

/// The same, with the least that is right.
pub fn start_minimal(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    run("envoy/minimal.yaml", decision, app, &[])
}

/// Starts Envoy with one of the configurations, and with changes to it.
pub fn run(file: &str, decision: Address, app: SocketAddr, changes: &[(&str, &str)]) -> (Program, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let decision = match decision {
        Address::Tcp(address) => socket(address),
        Address::Unix(path) => format!("pipe: {{ path: {} }}", path.display()),
    };
    let mut parts = vec![
        ("socket_address: { address: 0.0.0.0, port_value: 8000 }", socket(address)),
        ("socket_address: { address: 127.0.0.1, port_value: 7180 }", decision),
        ("socket_address: { address: 127.0.0.1, port_value: 8080 }", socket(app)),
    ];
    parts.extend(changes.iter().map(|(old, new)| (*old, (*new).to_owned())));
    std::fs::write(folder.path().join("envoy.yaml"), deployed(file, &parts)).unwrap();
    let mut command = Command::new(find("GATEPOST_TEST_ENVOY", &[]));
    command.args(["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]);
    command.current_dir(folder.path()).stdin(Stdio::null());
    let mut program = Program::start(command, folder);
    await_answer(&mut program, address, |_| true);
    (program, address)
}

fn socket(address: SocketAddr) -> String {
    format!("socket_address: {{ address: {}, port_value: {} }}", address.ip(), address.port())
}
