//! A real Caddy with the configuration that is shipped.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Program;
use super::http::Address;
use super::program::{await_answer, find, free_address};

/// Starts Caddy before the application `app`, with Gatepost at `decision`; gives the address where clients connect.
pub fn start(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("deploy/caddy/Caddyfile", decision, app)
}

/// The same with the least that is still safe.
pub fn start_minimal(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("deploy/caddy/minimal.Caddyfile", decision, app)
}

fn start_with(file: &str, decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let decision = match decision {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => format!("unix/{}", path.display()),
    };
    let mut command = Command::new(find("GATEPOST_TEST_CADDY", &[]));
    command.args(["run", "--adapter", "caddyfile", "--config"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    command.env("GATEPOST_SITE", format!(":{}", address.port()));
    command.env("GATEPOST_DECISION", decision).env("GATEPOST_APP", app.to_string());
    for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
        command.env(variable, folder.path());
    }
    command.stdin(Stdio::null());
    let mut program = Program::start(command, folder);
    await_answer(&mut program, address, |_| true);
    (program, address)
}
