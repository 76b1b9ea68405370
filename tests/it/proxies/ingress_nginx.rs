//! What ingress-nginx makes of `deploy/kubernetes/ingress-nginx.yaml`, as far as it concerns Gatepost, in a real nginx.
//!
//! The controller itself needs a cluster. So its template (`rootfs/etc/nginx/template/nginx.tmpl`) is followed here: the
//! headers that it sets around a question and on the way to the application, with those of the manifest in their places.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::sample;
use super::stage::Stage;
use crate::support::http::{Address, request};
use crate::support::program::find;
use crate::support::{Program, World, manifests};

fn config(address: SocketAddr, decision: Address, app: SocketAddr) -> String {
    let documents = manifests::read("ingress-nginx.yaml");
    let named = |name: &str| documents.iter().find(|document| document["metadata"]["name"] == name).unwrap();
    let annotation = |name: &str| {
        let name = format!("nginx.ingress.kubernetes.io/{name}");
        let ingress = documents.iter().find(|document| document["kind"] == "Ingress").unwrap();
        ingress["metadata"]["annotations"][name.as_str()].as_str().unwrap().to_owned()
    };
    let set = |map: &Value| -> String {
        let data = map["data"].as_object().unwrap().iter();
        data.map(|(name, value)| format!("proxy_set_header '{name}' \"{}\";\n", value.as_str().unwrap())).collect()
    };
    assert_eq!(annotation("auth-proxy-set-headers"), "app/gatepost-question");
    assert_eq!(named("ingress-nginx-controller")["data"]["proxy-set-headers"], "ingress-nginx/gatepost-upstream");
    let (question, upstream) = (set(named("gatepost-question")), set(named("gatepost-upstream")));
    let snippet = named("ingress-nginx-controller")["data"]["http-snippet"].as_str().unwrap();
    let path = annotation("auth-url").split_once(".svc.cluster.local").unwrap().1.to_owned();
    let (mut taken, mut sent) = (String::new(), String::new());
    for (at, name) in annotation("auth-response-headers").split(',').map(str::trim).enumerate() {
        let variable = name.to_lowercase().replace('-', "_");
        taken.push_str(&format!("auth_request_set $authHeader{at} $upstream_http_{variable};\n"));
        sent.push_str(&format!("proxy_set_header '{name}' $authHeader{at};\n"));
    }
    let host = annotation("upstream-vhost");
    format!(
        r#"
daemon off;
user root;
worker_processes 1;
pid nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    map $http_host $best_http_host {{ default $http_host; "" $host; }}
    underscores_in_headers off;
    ignore_invalid_headers on;
    {snippet}
    server {{
        listen {address} default_server;
        server_name _;
        location = /_external-auth {{
            internal;
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Forwarded-Proto "";
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header Host {decision};
            proxy_set_header X-Original-URL $scheme://$http_host$request_uri;
            proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Sent-From "nginx-ingress-controller";
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Auth-Request-Redirect $request_uri;
            proxy_pass_request_headers on;
            {question}
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            set $target http://{decision}{path};
            proxy_pass $target;
        }}
        location / {{
            auth_request /_external-auth;
            {taken}
            {sent}
            proxy_set_header Host "{host}";
            proxy_set_header X-Request-ID $request_id;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $remote_addr;
            proxy_set_header X-Forwarded-Host $best_http_host;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Scheme $scheme;
            proxy_set_header X-Scheme $scheme;
            proxy_set_header Proxy "";
            {upstream}
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass http://{app};
        }}
    }}
}}
"#
    )
}

fn start(decision: Address, app: SocketAddr) -> (Program, SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::fs::write(folder.path().join("nginx.conf"), config(address, decision, app)).unwrap();
    let mut command = Command::new(find("GATEPOST_TEST_NGINX", &["/usr/sbin/nginx", "/usr/bin/nginx"]));
    command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
    command.env("NGINX", "0;").stdin(Stdio::from(OwnedFd::from(listener)));
    (Program::start(command, folder).with_children(), address)
}

#[test]
#[ignore = "needs nginx and python: tests/run.sh"]
fn each_role_may_do_what_the_matrix_says() {
    sample::each_role(&Stage::new(start, World::without_passwords(&[])));
}

#[test]
#[ignore = "needs nginx and python: tests/run.sh"]
fn the_application_gets_the_host_that_was_decided_about_and_nobodys_claims() {
    let stage = Stage::new(start, World::without_passwords(&[]));
    let bearer = format!("Bearer {}", stage.world.person("olga").api_key);
    let claims = [
        ("Remote-User", "ada"),
        ("Remote_User", "ada"),
        ("X-Original-URI", "/public"),
        ("X-Original-Host", "public.test"),
        ("X-Original-Method", "OPTIONS"),
        ("X-Forwarded-User", "ada"),
        ("X-HTTP-Method-Override", "DELETE"),
    ];
    let headers = [&[("Host", "app.example.com"), ("Authorization", bearer.as_str())], &claims[..]].concat();
    let outcome = stage.ask("GET", &stage.application(), &headers);
    stage.assert_decided(outcome.passed(), "olga");

    let absolute = format!("http://app.example.com{}", stage.application());
    let headers = [("Host", "admin.example.com"), ("Authorization", bearer.as_str())];
    let outcome = stage.send(&request("GET", &absolute, &headers, ""));
    let seen = outcome.passed();
    assert_eq!(seen.header("host"), Some("app.example.com"));
    let record = stage.world.decision_record(seen.header("gatepost-decision").unwrap());
    assert_eq!(record["host"], "app.example.com");
}
