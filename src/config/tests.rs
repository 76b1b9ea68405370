//! From sources to a configuration, or to all that is wrong with them.

use std::fs;

use super::*;
use crate::model::SmtpSecurity;

/// What becomes of a file with this text, these variables, and these flags.
fn load(text: &str, environment: &[(&str, &str)], flags: &[FlagValue]) -> Result<(Config, RawConfig), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gatepost.toml");
    fs::write(&path, text).unwrap();
    let options = LoadOptions {
        file: Some(path),
        environment: environment.iter().map(|(name, value)| (name.into(), value.into())).collect(),
        flags: flags.to_vec(),
    };
    let place = format!("{}/", folder.path().display());
    Config::load(options).map_err(|error| error.to_string().replace(&place, ""))
}

fn problems(text: &str) -> String {
    load(text, &[], &[]).map(|_| ()).unwrap_err()
}

#[test]
fn the_defaults_are_good() {
    let config = Config::defaults();
    assert_eq!(config.decision.listen.to_string(), "127.0.0.1:7180");
    assert_eq!(config.portal.listen.to_string(), "127.0.0.1:7181");
    assert_eq!(config.decision.headers.user, "remote-user");
    assert_eq!(config.decision.deadline.as_millis(), 800);
    assert_eq!(config.portal.url, None);
    assert!(config.portal.return_hosts.is_empty());
    assert!(config.store.key.is_none());
    assert_eq!(config.session.ttl.as_secs(), 604_800);
    assert_eq!((config.cache.credentials, config.cache.decisions), (200_000, 100_000));
    assert_eq!(config.log.decisions, DecisionTarget::Stderr);
    assert_eq!((config.policy.shadow, config.log.shadow), (None, DecisionTarget::Stderr));
}

#[test]
fn a_candidate_and_its_log_are_named_as_the_policies_and_the_decision_log_are() {
    let (config, _) =
        load("[policy]\nshadow = 'candidate'\n", &[("GATEPOST_LOG_SHADOW", "./shadow.log")], &[]).unwrap();
    assert_eq!(config.policy.shadow, Some("candidate".into()));
    assert_eq!(config.log.shadow, DecisionTarget::File("./shadow.log".into()));
    for text in ["[policy]\nshadow = ''\n", "[log]\nshadow = 'shadow'\n"] {
        assert!(problems(text).starts_with("gatepost.toml:2: "), "{text}");
    }
}

#[test]
fn a_start_goes_by_the_history_unless_a_folder_is_typed_or_somebody_says_otherwise() {
    let typed = [FlagValue { key: "policy.schema", flag: "--schema", value: "schema".into() }];
    let named = "[policy]\npolicies = 'policies'\n";
    let on_error = |text: &str, flags: &[FlagValue]| load(text, &[], flags).unwrap().0.policy.on_error;
    assert_eq!((on_error("", &[]), on_error(named, &[])), (OnError::LastGood, OnError::LastGood));
    assert_eq!(on_error(named, &typed), OnError::Refuse);
    for (value, expected) in [("last_good", OnError::LastGood), ("refuse", OnError::Refuse)] {
        let text = format!("[policy]\non_error = '{value}'\n");
        assert_eq!((on_error(&text, &[]), on_error(&text, &typed)), (expected, expected));
    }
    assert!(problems("[policy]\non_error = 'ignore'\n").starts_with("gatepost.toml:2: "));
}

#[test]
fn a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default() {
    let file = "[decision]\nlisten = '127.0.0.1:1'\ndeadline_ms = 0x10\n[portal]\nlisten = '127.0.0.1:2'\n";
    let environment = [("GATEPOST_PORTAL_LISTEN", "127.0.0.1:3"), ("GATEPOST_DECISION_LISTEN", "127.0.0.1:4")];
    let flags = [FlagValue { key: "decision.listen", flag: "--listen", value: "unix:/run/d.sock".into() }];
    let (config, raw) = load(file, &environment, &flags).unwrap();
    assert_eq!(config.decision.listen.to_string(), "unix:/run/d.sock");
    assert_eq!(config.portal.listen.to_string(), "127.0.0.1:3");
    assert_eq!(config.decision.deadline.as_millis(), 16);

    let shown = |name| {
        let (_, setting) = raw.effective().find(|(key, _)| key.name == name).unwrap();
        setting.map(|setting| (setting.shown(), setting.origin.clone()))
    };
    assert_eq!(shown("decision.listen"), Some((r#""unix:/run/d.sock""#.to_owned(), Origin::Flag { flag: "--listen" })));
    assert_eq!(
        shown("portal.listen"),
        Some((r#""127.0.0.1:3""#.to_owned(), Origin::Environment { variable: "GATEPOST_PORTAL_LISTEN".to_owned() }))
    );
    let (value, origin) = shown("decision.deadline_ms").unwrap();
    assert_eq!(value, "16");
    assert!(matches!(origin, Origin::File { line: 3, .. }), "{origin:?}");
    assert_eq!(shown("decision.trusted_peers"), Some((r#"["127.0.0.0/8", "::1/128"]"#.to_owned(), Origin::Default)));
    assert_eq!(shown("portal.url"), None);
}

#[test]
fn all_problems_are_reported_at_once() {
    let file = "\
[decision]
listen = 7180
lisen = '127.0.0.1:1'
trusted_peers = ['10.0.0.0/8', '10.0.0.7/8']
header_role = 'remote_user'
header_email = 'Re mote'
deadline_ms = 0

[portal]
url = 'https://id.example.com/'
return_hosts = ['App.example.com']

[session]
issuer = ''
ttl_secs = 59.5

[stoer]
path = 'a'

[log]
format = \"te\\nxt\"
level = 'inof'
decisions = 'sterr'
";
    let environment = [
        ("GATEPOST_CACHE_DECISIONS", "-1"),
        ("GATEPOST_CACHE_DECISION", "1"),
        ("GATEPOST_COLOUR", "red"),
        ("GATEPOST_STORE_PATH", ""),
    ];
    let flags = [FlagValue { key: "portal.listen", flag: "--portal-listen", value: "here".into() }];
    insta::assert_snapshot!(load(file, &environment, &flags).map(|_| ()).unwrap_err());
}

#[test]
fn what_is_no_toml_is_reported_with_line_and_key_beside_what_else_is_wrong() {
    insta::assert_snapshot!(problems(
        "[decision]\nlisten = '127.0.0.1:1'\nlisten = '127.0.0.1:2'\n[store]\nkey = hunter2\n[log]\nformat = 'xml'\n"
    ));
}

#[test]
fn a_section_that_is_no_table_is_a_problem() {
    insta::assert_snapshot!(problems("decision = 5\n[[portal]]\nlisten = '127.0.0.1:1'\n"));
}

#[test]
fn a_value_that_is_beaten_must_be_good_too() {
    let result = load("[log]\nformat = 'xml'\n", &[("GATEPOST_LOG_FORMAT", "json")], &[]);
    assert_eq!(
        result.map(|_| ()).unwrap_err(),
        "gatepost.toml:2: log.format: expected `auto`, `text` or `json`, found `xml`"
    );
}

#[test]
fn a_secret_is_never_shown() {
    let key = "68756e746572320068756e746572320068756e746572320068756e7465723200";
    let (config, raw) = load("", &[("GATEPOST_STORE_KEY", key)], &[]).unwrap();
    let (_, setting) = raw.effective().find(|(key, _)| key.name == "store.key").unwrap();
    assert_eq!(setting.unwrap().shown(), "(hidden)");
    assert!(!format!("{config:?} {raw:?}").contains("68756e"));

    let error = load("[store]\nkey = 'hunter2'\n", &[("GATEPOST_STORE_KEY", "hunter2")], &[]).map(|_| ()).unwrap_err();
    assert_eq!(error.lines().count(), 2, "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    assert!(!problems("[store]\nkey = ['hunter2']\n").contains("hunter2"));
}

#[test]
fn lists_are_separated_by_commas_outside_of_the_file() {
    let environment =
        [("GATEPOST_DECISION_TRUSTED_PEERS", ""), ("GATEPOST_PORTAL_RETURN_HOSTS", "a.example, b.example")];
    let (config, _) = load("", &environment, &[]).unwrap();
    assert!(config.decision.trusted_peers.is_empty());
    assert_eq!(config.portal.return_hosts, ["a.example", "b.example"]);
}

#[test]
fn variables_that_are_no_keys_are_left_alone() {
    let environment = [
        ("GATEPOST_TOKEN", "gp_…"),
        ("GATEPOST_CONFIG", "/nowhere"),
        ("GATEPOST_SERVER", "http://127.0.0.1:7181"),
        ("GATEPOST_LOG", "debug"),
        ("GATEPOST_BENCH_KEY", "gp_…"),
        ("GATEPOST_PROBE_KEY", "gp_…"),
        ("GATEPOST_PORT", "tcp://10.0.0.1:7180"),
        ("GATEPOST_PORT_7180_TCP_ADDR", "10.0.0.1"),
        ("GATEPOST_SERVICE_HOST", "10.0.0.1"),
        ("HOME", "/"),
        ("gatepost_decision_listen", "x"),
    ];
    load("", &environment, &[]).unwrap();
}

#[test]
fn a_named_file_must_exist() {
    let file = |file: Option<&str>, variable: &str| {
        let environment = vec![("GATEPOST_CONFIG".into(), variable.into())];
        let options = LoadOptions { file: file.map(Into::into), environment, flags: Vec::new() };
        Config::load(options).map(|_| ()).unwrap_err().to_string()
    };
    assert!(
        file(Some("/nowhere/a.toml"), "/nowhere/b.toml")
            .starts_with("cannot read the configuration file `/nowhere/a.toml`: ")
    );
    assert!(file(None, "/nowhere/b.toml").starts_with("cannot read the configuration file `/nowhere/b.toml`: "));
}

#[test]
fn each_key_is_named_after_its_section_and_in_snake_case() {
    for section in SECTIONS {
        for key in section.keys {
            assert_eq!(key.name, format!("{}.{}", section.name, key.short_name()));
            assert!(key.name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_')), "{}", key.name);
            assert!(key.doc.ends_with('.'), "{}", key.name);
        }
    }
}

#[test]
fn the_reference_holds_each_key_and_is_a_good_file() {
    let reference = reference();
    for key in key::keys() {
        assert!(reference.contains(&key.variable()), "{}", key.name);
    }
    load(&reference, &[], &[]).unwrap();

    let uncommented: Vec<_> = reference
        .lines()
        .map(|line| line.strip_prefix('#').filter(|key| !key.starts_with(' ')).unwrap_or(line))
        .collect();
    let without_empty: Vec<_> = uncommented.into_iter().filter(|line| !line.ends_with(" = \"\"")).collect();
    let (_, raw) = load(&without_empty.join("\n"), &[], &[]).unwrap();
    for ((key, setting), (_, default)) in raw.effective().zip(RawConfig::defaults().effective()) {
        assert_eq!(setting.map(Setting::shown), default.map(Setting::shown), "{}", key.name);
        assert!(setting.is_none_or(|setting| matches!(setting.origin, Origin::File { .. })), "{}", key.name);
    }
}

#[test]
fn invariants_are_proved_where_that_is_asked_for() {
    assert_eq!(Config::defaults().policy.prove, Prove::Off);
    let (config, _) = load("[policy]\nprove = 'required'\nprove_timeout_secs = 3\n", &[], &[]).unwrap();
    assert_eq!((config.policy.prove, config.policy.prove_timeout.as_secs()), (Prove::Required, 3));
    assert_eq!(load("", &[("GATEPOST_POLICY_PROVE", "available")], &[]).unwrap().0.policy.prove, Prove::Available);
    assert_eq!(
        problems("[policy]\nprove = true\nprove_timeout_secs = 0\n"),
        "gatepost.toml:2: policy.prove: expected `off`, `available` or `required`, found a boolean\n\
         gatepost.toml:3: policy.prove_timeout_secs: expected a whole number from 1 to 600, found `0`"
    );
}

#[test]
fn there_is_no_mail_by_default() {
    assert!(Config::defaults().mail.is_none());
}

#[test]
fn mail_is_configured_with_a_server_a_sender_and_a_portal() {
    let file = "\
[portal]
url = 'https://id.example.com'
[mail]
smtp = 'mail.example.com:587'
from = 'Gatepost <gatepost@example.com>'
username = 'gatepost'
";
    let (config, raw) = load(file, &[("GATEPOST_MAIL_PASSWORD", "hunter2")], &[]).unwrap();
    let mail = config.mail.as_ref().unwrap();
    assert_eq!((mail.host.as_str(), mail.port), ("mail.example.com", 587));
    assert_eq!(mail.security, SmtpSecurity::StartTls);
    assert_eq!(mail.from.as_str(), "gatepost@example.com");
    assert_eq!(mail.from_name.as_ref().unwrap().as_str(), "Gatepost");
    assert_eq!(mail.timeout.as_secs(), 20);
    let credentials = mail.credentials.as_ref().unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.expose()), ("gatepost", "hunter2"));

    assert!(!format!("{config:?} {raw:?}").contains("hunter2"));
    let (_, setting) = raw.effective().find(|(key, _)| key.name == "mail.password").unwrap();
    assert_eq!(setting.unwrap().shown(), "(hidden)");
}

#[test]
fn mail_that_cannot_work_is_a_problem() {
    insta::assert_snapshot!(problems("[mail]\nsmtp = 'mail.example.com:25'\n"));
    insta::assert_snapshot!(problems("[mail]\nfrom = 'a@example.com'\npassword = 'hunter2'\nca_file = 'ca.pem'\n"));
    insta::assert_snapshot!(problems(
        "[portal]\nurl = 'https://id.example.com'\n[mail]\nsmtp = 'mail.example.com:25'\nfrom = 'a@example.com'\n\
         security = 'none'\npassword = 'hunter2'\n"
    ));
    insta::assert_snapshot!(problems(
        "[mail]\nsmtp = 'mail.example.com'\nsecurity = 'ssl'\nfrom = 'nobody'\ntimeout_secs = 0\n"
    ));
}

#[test]
fn no_proxy_in_front_of_the_portal_is_believed_by_default() {
    assert!(Config::defaults().portal.trusted_proxies.is_empty());
    let (config, _) = load("", &[("GATEPOST_PORTAL_TRUSTED_PROXIES", "10.0.0.7, fd00::/8")], &[]).unwrap();
    assert_eq!(config.portal.trusted_proxies, ["10.0.0.7/32".parse().unwrap(), "fd00::/8".parse().unwrap()]);
    assert_eq!(
        problems("[portal]\ntrusted_proxies = ['10.0.0.7/8']\n"),
        "gatepost.toml:2: portal.trusted_proxies: expected addresses like 10.0.0.7 and networks like 10.0.0.0/8, \
         without host bits, found `10.0.0.7/8`"
    );
}

#[test]
fn nobody_goes_round_the_certificates_of_peers_by_fastcgi() {
    let certificates = "[decision]\ntls_certificate = 'a'\ntls_key = 'b'\ntls_client_ca = 'c'\n";
    for listen in ["127.0.0.1:7182", "[::1]:7182", "[::ffff:127.0.0.1]:7182", "unix:/run/x.sock", "fd:5"] {
        let text = format!("{certificates}[fastcgi]\nlisten = '{listen}'\n");
        assert!(load(&text, &[], &[]).unwrap().0.fastcgi.is_some(), "{listen}");
    }
    for listen in ["10.0.0.7:7182", "0.0.0.0:7182", "[::]:7182", "[::ffff:10.0.0.7]:7182"] {
        let told = problems(&format!("{certificates}[fastcgi]\nlisten = '{listen}'\n"));
        assert!(
            told.starts_with("gatepost.toml:6: fastcgi.listen: expected a Unix socket or an address on loopback"),
            "{told}"
        );
        let without = format!("[fastcgi]\nlisten = '{listen}'\n");
        assert!(load(&without, &[], &[]).is_ok(), "`decision.trusted_peers` tells who may: {listen}");
    }
}

#[test]
fn whoever_may_ask_by_authzen_is_a_username() {
    let config =
        load("[authzen]\nurl = 'https://pdp.example.com'\ncallers = ['Gateway', 'shop']\n", &[], &[]).unwrap().0;
    assert_eq!(config.authzen.url.unwrap().as_str(), "https://pdp.example.com");
    let callers: Vec<_> = config.authzen.callers.iter().map(crate::model::Username::canonical).collect();
    assert_eq!(callers, ["gateway", "shop"]);
    assert!(Config::defaults().authzen.callers.is_empty());
    for text in ["callers = ['a@b']", "callers = ['']", "callers = 'shop'", "url = 'https://pdp.example.com/tenant'"] {
        assert!(problems(&format!("[authzen]\n{text}\n")).starts_with("gatepost.toml:2: authzen."), "{text}");
    }
}
