//! The manifests of `deploy/kubernetes`: what can be told of them without a cluster.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::manifests::read;

/// The versions in which the parts of a cluster serve these kinds: Kubernetes 1.29, Gateway API 1.0, Envoy Gateway 1.2,
/// Istio 1.22, Traefik 3.0, and later ones.
const KINDS: &[(&str, &str)] = &[
    ("v1", "Namespace"),
    ("v1", "ServiceAccount"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("v1", "ConfigMap"),
    ("apps/v1", "Deployment"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("networking.k8s.io/v1", "Ingress"),
    ("gateway.networking.k8s.io/v1beta1", "ReferenceGrant"),
    ("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy"),
    ("gateway.envoyproxy.io/v1alpha1", "ClientTrafficPolicy"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
    ("traefik.io/v1alpha1", "Middleware"),
    ("traefik.io/v1alpha1", "IngressRoute"),
];

const FILES: [&str; 5] = ["gatepost.yaml", "envoy-gateway.yaml", "istio.yaml", "ingress-nginx.yaml", "traefik.yaml"];

fn only<'a>(documents: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut found =
        documents.iter().filter(|document| document["kind"] == kind && document["metadata"]["name"] == name);
    let document = found.next().unwrap_or_else(|| panic!("no {kind} `{name}`"));
    assert_eq!(found.next(), None, "{kind} `{name}` is there twice");
    document
}

#[test]
#[ignore = "needs python: tests/run.sh"]
fn every_document_is_of_a_kind_and_version_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<_> = files.filter(|file| file.ends_with(".yaml") && file != "istio-values.yaml").collect();
    assert_eq!(files, FILES.map(str::to_owned).into());
    for file in FILES {
        for document in read(file) {
            let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{file}: {document}")).to_owned();
            let (version, kind) = (text(&document["apiVersion"]), text(&document["kind"]));
            assert!(KINDS.contains(&(version.as_str(), kind.as_str())), "{file}: {version} {kind}");
            assert_ne!(document["metadata"]["name"], Value::Null, "{file}: {kind}");
            let has_namespace = document["metadata"]["namespace"].is_string();
            assert_eq!(has_namespace, kind != "Namespace", "{file}: {kind}");
        }
    }
}

#[test]
#[ignore = "needs python: tests/run.sh"]
fn the_pod_has_no_more_rights_than_it_needs() {
    let documents = read("gatepost.yaml");
    let deployment = &only(&documents, "Deployment", "gatepost")["spec"];
    let pod = &deployment["template"]["spec"];
    assert_eq!((&deployment["replicas"], &deployment["strategy"]["type"]), (&1.into(), &"Recreate".into()));
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let [container] = pod["containers"].as_array().unwrap().as_slice() else { panic!("{pod}") };
    let context = &container["securityContext"];
    assert_eq!(
        (&context["readOnlyRootFilesystem"], &context["allowPrivilegeEscalation"]),
        (&true.into(), &false.into())
    );
    assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
    let ports = container["ports"].as_array().unwrap();
    let port = |name: &str| ports.iter().find(|port| port["name"] == name).unwrap()["containerPort"].as_u64().unwrap();
    assert_eq!((port("decision"), port("portal")), (7180, 7181));
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz"), ("startupProbe", "/healthz")] {
        let get = &container[probe]["httpGet"];
        assert_eq!((&get["path"], &get["port"]), (&path.into(), &"decision".into()), "{probe}");
    }
    // Whatever selects the pod finds it.
    let labels = &deployment["template"]["metadata"]["labels"];
    assert_eq!(&deployment["selector"]["matchLabels"], labels);
    for service in ["decision", "portal"] {
        assert_eq!(&only(&documents, "Service", service)["spec"]["selector"], labels, "{service}");
    }
    let policy = only(&documents, "NetworkPolicy", "gatepost");
    assert_eq!(policy["spec"]["podSelector"], serde_json::json!({}));
    assert_eq!(policy["spec"]["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
}

#[test]
#[ignore = "needs python: tests/run.sh"]
fn gatepost_takes_the_environment_that_the_pod_gives_it() {
    let documents = read("gatepost.yaml");
    let deployment = only(&documents, "Deployment", "gatepost");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.args(["config", "show"]).current_dir(folder.path()).env_clear();
    for variable in container["env"].as_array().unwrap() {
        // The one without a value in the manifest is the key, from the secret.
        let value = variable["value"].as_str().map_or_else(|| "0f".repeat(32), str::to_owned);
        command.env(variable["name"].as_str().unwrap(), value);
    }
    let output = command.output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    for line in ["0.0.0.0:7180", "10.0.0.0/8", "/var/lib/gatepost/gatepost.db", "https://id.example.com"] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    assert!(!shown.contains("0f0f"), "the key is shown");
}

#[test]
#[ignore = "needs python: tests/run.sh"]
fn every_gateway_asks_where_gatepost_is_and_none_takes_silence_for_a_permit() {
    let gatepost = read("gatepost.yaml");
    let service = only(&gatepost, "Service", "decision");
    let ports: BTreeSet<_> =
        service["spec"]["ports"].as_array().unwrap().iter().map(|port| port["port"].as_u64()).collect();
    assert_eq!(ports, [Some(80), Some(7180)].into());
    let host = "decision.gatepost.svc.cluster.local";

    let envoy_gateway = read("envoy-gateway.yaml");
    let policy = &only(&envoy_gateway, "SecurityPolicy", "gatepost")["spec"]["extAuth"];
    assert_eq!(policy["failOpen"], false);
    assert_eq!(policy["headersToExtAuth"], Value::Null, "Gatepost removes what it sees");
    let backend = serde_json::json!([{ "name": "decision", "namespace": "gatepost", "port": 7180 }]);
    assert_eq!(policy["grpc"]["backendRefs"], backend);
    let path = &only(&envoy_gateway, "ClientTrafficPolicy", "gatepost")["spec"]["path"];
    assert_eq!(path["escapedSlashesAction"], "RejectRequest");

    let mesh = &read("istio-values.yaml")[0]["meshConfig"];
    let values = &mesh["defaultConfig"]["runtimeValues"];
    // Istio switches off what Envoy does by default. The values are texts.
    assert_eq!(values["envoy.reloadable_features.http_reject_path_with_fragment"], "true");
    let providers = mesh["extensionProviders"].as_array().unwrap();
    let [grpc, http] = providers.as_slice() else { panic!("{mesh}") };
    for (provider, port) in [(&grpc["envoyExtAuthzGrpc"], 7180), (&http["envoyExtAuthzHttp"], 80)] {
        assert_eq!((&provider["service"], &provider["port"]), (&host.into(), &port.into()));
        assert_eq!((&provider["failOpen"], &provider["statusOnError"]), (&false.into(), &"503".into()));
        assert_eq!(provider["timeout"], "2s");
    }
    assert_eq!(http["envoyExtAuthzHttp"]["pathPrefix"], "/check/envoy");
    let istio = read("istio.yaml");
    let policy = &only(&istio, "AuthorizationPolicy", "gatepost")["spec"];
    assert_eq!((&policy["action"], &policy["provider"]["name"]), (&"CUSTOM".into(), &grpc["name"]));
    assert_eq!(policy["rules"], serde_json::json!([{}]), "all requests");

    let traefik = read("traefik.yaml");
    let middleware = &only(&traefik, "Middleware", "gatepost")["spec"]["forwardAuth"];
    assert_eq!(middleware["address"], format!("http://{host}/check/traefik"));
    assert_eq!(middleware["trustForwardHeader"], false);
    let routes = &only(&traefik, "IngressRoute", "app")["spec"]["routes"];
    let order = serde_json::json!([{ "name": "claims" }, { "name": "gatepost" }, { "name": "credentials" }]);
    assert_eq!(routes[0]["middlewares"], order);

    let ingress = read("ingress-nginx.yaml");
    let annotations = &only(&ingress, "Ingress", "app")["metadata"]["annotations"];
    let annotation = |name: &str| &annotations[format!("nginx.ingress.kubernetes.io/{name}")];
    assert_eq!(*annotation("auth-url"), format!("http://{host}/check/nginx"));
    for absent in ["auth-method", "auth-cache-key", "auth-snippet", "configuration-snippet", "rewrite-target"] {
        assert_eq!(*annotation(absent), Value::Null, "{absent}");
    }
    let question = only(&ingress, "ConfigMap", "gatepost-question")["data"].as_object().unwrap();
    let names: BTreeSet<_> = question.keys().map(String::as_str).collect();
    assert_eq!(names, ["X-Original-Host", "X-Original-Proto", "X-Original-URI"].into());
}

#[test]
#[ignore = "needs python: tests/run.sh"]
fn traefik_is_told_the_same_here_and_there() {
    let documents = read("traefik.yaml");
    let there = &read("../traefik/dynamic.yml")[0]["http"]["middlewares"];
    for name in ["claims", "credentials"] {
        assert_eq!(only(&documents, "Middleware", name)["spec"], there[name], "{name}");
    }
    let (here, there) =
        (&only(&documents, "Middleware", "gatepost")["spec"]["forwardAuth"], &there["gatepost"]["forwardAuth"]);
    let mut here = here.clone();
    here["address"] = there["address"].clone();
    assert_eq!(here, *there);
}
