//! A real Apache with the configurations that are shipped.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use super::Program;
use super::http::Address;
use super::program::{await_answer, deployed, find, free_address};

/// What stands around the shipped files, as Debian has it in files of its own.
const MAIN: &str = "
ServerName localhost
PidFile apache.pid
DefaultRuntimeDir .
ErrorLog /dev/stderr
User www-data
Group www-data
StartServers 1
ServerLimit 1
ThreadsPerChild 32
MaxRequestWorkers 32
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authn_core_module MODULES/mod_authn_core.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule access_compat_module MODULES/mod_access_compat.so
LoadModule headers_module MODULES/mod_headers.so
LoadModule proxy_module MODULES/mod_proxy.so
LoadModule proxy_http_module MODULES/mod_proxy_http.so
LoadModule authnz_fcgi_module MODULES/mod_authnz_fcgi.so
LoadModule lua_module MODULES/mod_lua.so
";

/// Starts Apache before the application `app`, with Gatepost's FastCGI at `decision`; gives the address where clients
/// connect.
pub fn start(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("apache/gatepost.conf", &deployed(SCRIPT, &[]), decision, app)
}

/// The same with the minimal configuration.
pub fn start_minimal(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("apache/minimal.conf", &deployed(SCRIPT, &[]), decision, app)
}

/// With the script that asks over HTTP, at Gatepost's decision listener.
pub fn start_mod_lua(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    start_with("apache/mod_lua/gatepost.conf", &deployed(SCRIPT, &[]), decision, app)
}

/// The same with a script that fails.
pub fn start_failing(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    let script = deployed(SCRIPT, &[("headers_in_table()", "no_such_thing()".to_owned())]);
    start_with("apache/gatepost.conf", &script, decision, app)
}

const SCRIPT: &str = "apache/request.lua";

fn start_with(file: &str, script: &str, decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    // Apache gives root's rights up, and reads the script after that.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let address = free_address();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let Address::Tcp(decision) = decision else { panic!("Apache asks over TCP only") };
    let port = format!("\"127.0.0.1\", {}", decision.port());
    std::fs::write(path("ask.lua"), deployed("apache/mod_lua/gatepost.lua", &[("\"127.0.0.1\", 7180", port)])).unwrap();
    let asks = if file.contains("mod_lua") {
        ("/etc/apache2/gatepost/mod_lua/gatepost.lua", path("ask.lua"))
    } else {
        ("fcgi://127.0.0.1:7182/", format!("fcgi://{decision}/"))
    };
    let replace = [
        asks,
        ("http://127.0.0.1:8080/", format!("http://{app}/")),
        ("<VirtualHost *:80>", format!("Listen {address}\n<VirtualHost {address}>")),
        ("/etc/apache2/gatepost/request.lua", path("request.lua")),
    ];
    let modules = find("GATEPOST_TEST_APACHE_MODULES", &["/usr/lib/apache2/modules"]);
    let main = MAIN.replace("MODULES", modules.to_str().unwrap());
    std::fs::write(path("request.lua"), script).unwrap();
    std::fs::write(path("apache.conf"), main + &deployed(file, &replace)).unwrap();

    let mut command = Command::new(find("GATEPOST_TEST_APACHE", &["/usr/sbin/apache2"]));
    command.arg("-DFOREGROUND").arg("-d").arg(folder.path()).arg("-f").arg(path("apache.conf"));
    command.stdin(Stdio::null());
    let mut program = Program::start(command, folder).with_children();
    await_answer(&mut program, address, |_| true);
    (program, address)
}
