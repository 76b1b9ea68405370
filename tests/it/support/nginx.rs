//! A real nginx with the configuration that is shipped.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use super::Program;
use super::http::Address;
use super::program::{deployed, find};

/// What stands around the shipped files. The user counts for root only, who could not read the test's folder otherwise.
const MAIN: &str = "
daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include upstreams.conf;
    include gatepost.conf;
}
";

/// Starts nginx before the application `app`, with Gatepost at `decision`; gives the address where clients connect.
pub fn start(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_changed(decision, app, &[])
}

/// The same with pieces of `gatepost.conf` replaced by others.
pub fn start_changed(decision: Address, app: SocketAddr, changes: &[(&str, &str)]) -> (Program, SocketAddr) {
    start_with("nginx/gatepost.conf", decision, app, changes)
}

/// The same with the least that is still safe.
pub fn start_minimal(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("nginx/minimal.conf", decision, app, &[])
}

fn start_with(file: &str, decision: Address, app: SocketAddr, changes: &[(&str, &str)]) -> (Program, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    // The socket is opened here and handed over as standard input, as nginx itself does at an upgrade: so the port is
    // nobody else's, and clients can connect at once.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();

    let upstreams = [("127.0.0.1:7180", decision.to_string()), ("127.0.0.1:8080", app.to_string())];
    let mut server = vec![("listen 80 default_server;", format!("listen {address} default_server;"))];
    server.extend(changes.iter().map(|(old, new)| (*old, (*new).to_owned())));
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("nginx.conf", MAIN);
    write("upstreams.conf", &deployed("nginx/upstreams.conf", &upstreams));
    write("gatepost.conf", &deployed(file, &server));

    let mut command = Command::new(find("GATEPOST_TEST_NGINX", &["/usr/sbin/nginx", "/usr/bin/nginx"]));
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
    command.env("NGINX", "0;").stdin(Stdio::from(OwnedFd::from(listener)));
    (Program::start(command, folder).with_children(), address)
}
