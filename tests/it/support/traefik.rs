//! A real Traefik with the configuration that is shipped.

use std::net::SocketAddr;
use std::process::{Command, Stdio};

use super::Program;
use super::http::Address;
use super::program::{await_answer, deployed, find, free_address};

/// Starts Traefik before the application `app`, with Gatepost at `decision`; gives the address where clients connect.
pub fn start(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("traefik/dynamic.yml", decision, app)
}

/// The same with the least that asks rightly.
pub fn start_minimal(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("traefik/minimal.yml", decision, app)
}

fn start_with(file: &str, decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let parts = [("127.0.0.1:7180", decision.to_string()), ("127.0.0.1:8080", app.to_string())];
    let entry = [("address: \":8000\"", format!("address: \"{address}\""))];
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("dynamic.yml", &deployed(file, &parts));
    write("traefik.yml", &deployed("traefik/traefik.yml", &entry));
    let mut command = Command::new(find("GATEPOST_TEST_TRAEFIK", &[]));
    command.arg("--configfile=traefik.yml").current_dir(folder.path()).stdin(Stdio::null());
    let mut program = Program::start(command, folder);
    // It listens before it has read where requests go, and has its own 404 for them meanwhile.
    await_answer(&mut program, address, |reply| reply.body != "404 page not found\n");
    (program, address)
}
