//! Policies that change while requests are decided, that are broken, and that fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::support::http::request;
use crate::support::{Connection, World, send};

/// A world whose policies and schema are copies that the test may change.
pub struct Edited {
    pub world: World,
    folder: TempDir,
}

/// Copies policies and schema, without the folders in them.
pub fn copy_policies(folder: &Path) {
    for room in ["policies", "schema"] {
        fs::create_dir(folder.join(room)).unwrap();
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(room)).unwrap() {
            let file = file.unwrap();
            if file.file_type().unwrap().is_file() {
                fs::copy(file.path(), folder.join(room).join(file.file_name())).unwrap();
            }
        }
    }
}

impl Edited {
    pub fn start() -> Self {
        Self::with_settings(&[])
    }

    /// With folders that are watched.
    pub fn watched() -> Self {
        Self::with_settings(&[("policy.watch", "true")])
    }

    pub fn with_settings(settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_policies(folder.path());
        let path = |room: &str| folder.path().join(room).to_str().unwrap().to_owned();
        let folders = [("policy.policies", &*path("policies")), ("policy.schema", &*path("schema"))];
        let world = World::without_passwords(&[&folders, settings].concat());
        Self { world, folder }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// With one more policy.
    fn with(policy: &str) -> Self {
        let edited = Self::start();
        edited.write("policies/own.cedar", policy);
        edited.world.app.reload_policies().unwrap();
        edited
    }

    /// Replaces part of a file at once.
    pub fn edit(&self, file: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.folder.path().join(file)).unwrap();
        assert!(text.contains(old), "{old}");
        self.write(file, &text.replace(old, new));
    }

    pub fn write(&self, file: &str, text: &str) {
        let hidden = self.folder.path().join("next");
        fs::write(&hidden, text).unwrap();
        fs::rename(hidden, self.folder.path().join(file)).unwrap();
    }

    pub fn metric(&self, name: &str) -> u64 {
        let metrics = send(self.world.decision, "GET", "/metrics", &[], "").body;
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{name} in {metrics}")).parse().unwrap()
    }

    pub fn ready(&self) -> serde_json::Value {
        send(self.world.decision, "GET", "/readyz", &[], "").json()
    }

    /// Whether somebody may read the application; with the record of it.
    fn view(&self, username: &str) -> (u16, serde_json::Value) {
        let target = format!("/applications/{}", self.world.application);
        let reply = self.world.check("GET", &target, Some(&self.world.person(username).api_key));
        (reply.status, self.world.decision_record(reply.header("gatepost-decision").unwrap()))
    }
}

#[test]
fn each_request_is_decided_by_one_generation() {
    let edited = Edited::start();
    let world = &edited.world;
    let headers = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", &format!("/applications/{}", world.application)),
        ("X-Original-Host", "app.example.com"),
        ("X-Original-Proto", "https"),
        ("X-Real-IP", "192.0.2.1"),
        ("Authorization", &format!("Bearer {}", world.person("devi").api_key)),
    ];
    let question = request("GET", "/check/nginx", &headers, "");
    let (done, told) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut client = Connection::open(world.decision);
                let mut ids = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let reply = client.send(&question);
                    assert_eq!(reply.status, 200);
                    ids.push(reply.header("gatepost-decision").unwrap().to_owned());
                }
                told.lock().unwrap().push(ids);
            });
        }
        // Route and policy change together: whoever took the route of one generation and the policies of the other
        // would find a policy of the wrong name.
        let (view, configure) = ("action = \"View\"\n", "action = \"Configure\"\n");
        let (odd, even) = ("@id(\"developer\")", "@id(\"developer-even\")");
        let route = |action| format!("path = \"/applications/{{application}}\"\n{action}");
        for generation in 2..=12 {
            let (from, to) =
                if generation % 2 == 0 { ((view, odd), (configure, even)) } else { ((configure, even), (view, odd)) };
            edited.edit("schema/routes.toml", &route(from.0), &route(to.0));
            edited.edit("policies/matrix.cedar", from.1, to.1);
            assert_eq!(world.app.reload_policies().unwrap(), generation);
            let mut client = Connection::open(world.decision);
            let reply = client.send(&question);
            let record = world.decision_record(reply.header("gatepost-decision").unwrap());
            assert_eq!(record["generation"], generation, "in force when the reload has returned");
        }
        done.store(true, Ordering::SeqCst);
    });
    let mut generations = BTreeSet::new();
    for ids in told.into_inner().unwrap() {
        world.decision_record(ids.last().unwrap());
        let records = world.decision_records();
        let mut before = 0;
        // A log that is written too fast may have gaps.
        for record in ids.iter().filter_map(|id| records.get(id)) {
            let generation = record["generation"].as_u64().unwrap();
            let (action, policy) =
                if generation % 2 == 0 { ("Configure", "developer-even") } else { ("View", "developer") };
            assert_eq!((&record["action"], &record["policies"][0]), (&action.into(), &policy.into()), "{record}");
            assert!(generation >= before, "{generation} after {before}");
            before = generation;
            generations.insert(generation);
        }
    }
    assert_eq!(generations, (1..=12).collect());
    assert_eq!(edited.metric("gatepost_policy_generation"), 12);
}

#[test]
fn a_broken_policy_leaves_the_last_good_generation_in_force_and_says_so() {
    let edited = Edited::start();
    assert_eq!(edited.view("olga").0, 200);
    for (file, broken, place) in [
        ("policies/own.cedar", "forbid (principal, action, resource)\nwhen { true;", "own.cedar:2"),
        ("policies/own.cedar", "forbid (principal, action == Action::\"Veiw\", resource);", "own.cedar:1"),
        ("policies/own.cedar", "forbid (principal, action, resource) when { resource.colour == 1 };", "own.cedar:1"),
        ("schema/routes.toml", "[[route]]\npath = 1\n", "routes.toml:2"),
    ] {
        let failures = edited.metric("gatepost_policy_reload_failures_total");
        let good = fs::read_to_string(edited.folder.path().join(file)).ok();
        edited.write(file, broken);
        let error = edited.world.app.reload_policies().unwrap_err().to_string();
        assert!(error.contains(place), "{place} in {error}");
        let ready = edited.ready();
        assert_eq!((&ready["ready"], &ready["policies"]["generation"]), (&true.into(), &1.into()), "{ready}");
        assert!(ready["policies"]["last_reload_error"].as_str().unwrap().contains(place), "{ready}");
        assert_eq!(edited.metric("gatepost_policy_reload_failures_total"), failures + 1);
        assert_eq!(edited.metric("gatepost_policy_generation"), 1);
        let (status, record) = edited.view("olga");
        assert_eq!((status, &record["generation"]), (200, &1.into()));
        match good {
            Some(good) => edited.write(file, &good),
            None => fs::remove_file(edited.folder.path().join(file)).unwrap(),
        }
    }
    // A folder that is gone is not a wish for the built-in policies.
    let (policies, away) = (edited.folder.path().join("policies"), edited.folder.path().join("away"));
    fs::rename(&policies, &away).unwrap();
    assert!(edited.world.app.reload_policies().is_err());
    assert_eq!(edited.view("olga").0, 200);
    fs::rename(&away, &policies).unwrap();

    edited.write("policies/own.cedar", "@id(\"closed\") forbid (principal, action, resource);");
    assert_eq!(edited.world.app.reload_policies().unwrap(), 2);
    let ready = edited.ready();
    assert_eq!(ready["policies"]["last_reload_error"], serde_json::Value::Null, "{ready}");
    let (status, record) = edited.view("olga");
    assert_eq!((status, &record["generation"], &record["policies"][0]), (403, &2.into(), &"closed".into()));
}

#[test]
fn a_policy_that_fails_denies_and_is_counted_and_logged() {
    // Cedar by itself skips a policy that fails: this `forbid` would have no effect, and neither would the `permit`.
    for policy in [
        "@id(\"failing\") forbid (principal, action == Action::\"View\", resource)
         when { 9223372036854775807 + 1 < 0 };",
        "@id(\"failing\") permit (principal, action == Action::\"View\", resource)
         when { 9223372036854775807 * 2 < 0 };",
    ] {
        let edited = Edited::with(policy);
        for times in 1..=3 {
            let (status, record) = edited.view("ada");
            assert_eq!((status, &record["decision"]), (403, &"deny".into()), "{policy}");
            assert!(record["errors"][0].as_str().unwrap().contains("failing"), "{record}");
            assert_eq!(edited.metric("gatepost_decision_errors_total"), times, "{policy}");
        }
        // What it does not concern goes on.
        let target = format!("/applications/{}", edited.world.application);
        let reply = edited.world.check("DELETE", &target, Some(&edited.world.person("ada").api_key));
        assert_eq!(reply.status, 200);
    }
}

#[test]
fn a_rule_about_addresses_denies_whoever_has_none() {
    let edited = Edited::with(
        "@id(\"office\") forbid (principal, action == Action::\"View\", resource)
         unless { context has client && context.client.isInRange(ip(\"192.0.2.0/24\")) };",
    );
    let world = &edited.world;
    let bearer = format!("Bearer {}", world.person("ada").api_key);
    let target = format!("/applications/{}", world.application);
    let ask = |check: &str, client: &str| {
        let names = match check {
            "/check/nginx" => {
                ["X-Original-Method", "X-Original-URI", "X-Original-Host", "X-Original-Proto", "X-Real-IP"]
            }
            _ => ["X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For"],
        };
        let values = ["GET", target.as_str(), "app.example.com", "https", client];
        let mut headers: Vec<_> = names.into_iter().zip(values).collect();
        headers.push(("Authorization", &bearer));
        send(world.decision, "GET", check, &headers, "").status
    };
    let hops = format!("{}192.0.2.7", "10.0.0.1, ".repeat(1_000));
    let nowhere = format!("{}a", "192.0.2.7, ".repeat(1_000));
    for check in ["/check/nginx", "/check/caddy", "/check/traefik"] {
        for client in ["192.0.2.1", "192.0.2.255", "::ffff:192.0.2.1"] {
            assert_eq!(ask(check, client), 200, "{check} {client}");
        }
        for client in [
            "",
            "a",
            "unknown",
            "unix:",
            "192.0.3.1",
            "192.0.2.1:80",
            "192.0.2.01",
            "[::ffff:192.0.2.1]",
            "::1",
            "fe80::1%eth0",
            "192.0.2.256",
            "192.0.2",
            "0xC0000201",
            "localhost",
        ] {
            assert_eq!(ask(check, client), 403, "{check} {client}");
        }
    }
    // The right-most one is the proxy's own word.
    for check in ["/check/caddy", "/check/traefik"] {
        assert_eq!(ask(check, &hops), 200, "{check}");
        for client in ["192.0.2.1, 10.0.0.1", "192.0.2.1,", "192.0.2.1, a", &nowhere] {
            assert_eq!(ask(check, client), 403, "{check} {client}");
        }
    }
}

#[test]
fn nobody_in_particular_may_do_what_a_policy_gives_to_everybody() {
    let edited = Edited::with("@id(\"public\") permit (principal, action == Action::\"View\", resource);");
    let world = &edited.world;
    let target = format!("/applications/{}", world.application);
    for credential in [None, Some("gp_invented"), Some(world.person("otto").api_key.as_str())] {
        let reply = world.check("GET", &target, credential);
        assert_eq!(reply.status, 200, "{credential:?}");
        // Every identity header is there, so that the proxy overwrites what the client has sent.
        let is_otto = credential.is_some_and(|credential| credential != "gp_invented");
        let identity = ["remote-user", "remote-email", "remote-role", "remote-credential"].map(|h| reply.header(h));
        let expected = if is_otto { ["otto", "otto@example.com", "", "api_key"] } else { ["", "", "", ""] };
        assert_eq!(identity, expected.map(Some), "{credential:?}");
    }
    assert_eq!(world.check("DELETE", &target, None).status, 401);
}

#[test]
fn a_decision_that_reads_the_request_is_remembered_for_requests_that_are_alike_in_it() {
    let edited = Edited::with(
        "@id(\"reads\") forbid (principal, action == Action::\"View\", resource)
         when { context.host == \"b.example.com\" || context.method == \"HEAD\" ||
                !(context has client && context.client.isInRange(ip(\"192.0.2.0/25\"))) };",
    );
    let world = &edited.world;
    let bearer = format!("Bearer {}", world.person("ada").api_key);
    let target = format!("/applications/{}", world.application);
    let ask = |method: &str, host: &str, client: &str| {
        let headers = [
            ("X-Original-Method", method),
            ("X-Original-URI", target.as_str()),
            ("X-Original-Host", host),
            ("X-Original-Proto", "https"),
            ("X-Real-IP", client),
            ("Authorization", bearer.as_str()),
        ];
        send(world.decision, "GET", "/check/nginx", &headers, "").status
    };
    let misses = || edited.metric("gatepost_cache_lookups_total{cache=\"decisions\",result=\"miss\"}");
    let cases = [
        ("GET", "a.example.com", "192.0.2.1", 200),
        ("GET", "b.example.com", "192.0.2.1", 403),
        ("HEAD", "a.example.com", "192.0.2.1", 403),
        ("GET", "a.example.com", "192.0.2.200", 403),
        ("GET", "a.example.com", "", 403),
        ("GET", "a.example.com", "192.0.2.2", 200),
    ];
    // What was changed for this test is followed once more, like what other processes change: better now than later.
    world.app.coherence.catch_up().unwrap();
    let mut known = 0;
    for round in 0..3 {
        for (method, host, client, status) in cases {
            assert_eq!(ask(method, host, client), status, "{round}: {method} {host} {client}");
        }
        if round == 0 {
            known = misses();
        }
    }
    assert_eq!(misses(), known, "everything was there to be remembered after the first round");
}
