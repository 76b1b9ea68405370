//! HAProxy with the Lua action, as `deploy/haproxy` configures it.

use super::matrix::{Cookies, every_cell_holds};
use super::sample;
use super::stage::Stage;
use super::{attacks, faults};
use crate::support::{World, haproxy};

fn stage() -> Stage {
    Stage::new(haproxy::start, World::without_passwords(&[]))
}

fn minimal_stage() -> Stage {
    Stage::new(haproxy::start_minimal, World::without_passwords(&[]))
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn each_role_may_do_what_the_matrix_says() {
    sample::each_role(&stage());
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn every_cell_of_the_matrix_holds() {
    every_cell_holds(&stage(), Cookies::Kept);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn a_revoked_key_is_refused_by_the_very_next_request() {
    sample::revocation(&stage());
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn what_the_client_says_of_itself_is_not_believed() {
    let stage = stage();
    attacks::claims(&stage);
    attacks::hop_by_hop(&stage);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn a_target_that_can_be_read_in_two_ways_is_refused() {
    let stage = stage();
    for (target, outcome) in attacks::confused_targets(&stage) {
        outcome.assert_refused(&[400], &target);
    }
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn no_answer_is_no_pass() {
    faults::no_answer_is_no_pass(haproxy::start);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn silence_is_not_waited_out() {
    faults::silence_is_not_waited_out(haproxy::start);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn one_connection_serves_all_questions_of_a_thread() {
    let threads = std::thread::available_parallelism().unwrap().get();
    sample::few_connections_serve_all_questions(haproxy::start, threads);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn a_refusal_reaches_the_client_whole() {
    let stage = stage();
    let otto = format!("Bearer {}", stage.world.person("otto").api_key);
    for (method, has_body) in [("GET", true), ("DELETE", true), ("HEAD", false)] {
        let reply = stage.ask(method, &stage.application(), &[("Authorization", &otto)]).reply.unwrap();
        assert_eq!(reply.status, 403);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let id = reply.header("gatepost-decision").unwrap();
        assert_eq!(stage.world.decision_record(id)["decision"], "deny");
        assert_eq!(reply.body.contains(id), has_body, "{method}");
    }
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn browsers_are_sent_to_the_log_in_and_programs_are_not() {
    sample::browsers_are_sent_to_the_log_in(haproxy::start);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn an_assertion_is_gateposts_or_none() {
    sample::assertion(haproxy::start);
    sample::assertion(haproxy::start_minimal);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn there_is_one_host_for_everybody() {
    let stage = stage();
    let target = stage.application();
    let ada = format!("Authorization: Bearer {}", stage.world.person("ada").api_key);
    for (first, host, decided) in [
        (target.as_str(), "Host: a.B.Example.COM\r\n", Some("a.b.example.com")),
        (&target, "Host: app.example.com.\r\n", Some("app.example.com")),
        (&target, "Host: app.example.com:8443\r\n", Some("app.example.com")),
        (&format!("http://app.example.com{target}"), "Host: app.example.com\r\n", Some("app.example.com")),
        (&format!("http://other.test{target}"), "Host: app.example.com\r\n", None),
        // Nobody reads what stands before the `@`.
        (&format!("http://ada@other.test{target}"), "Host: other.test\r\n", Some("other.test")),
        (&target, "", None),
        (&target, "Host:\r\n", None),
        (&target, "Host: a.test\r\nHost: b.test\r\n", None),
        (&target, "Host: a.test,b.test\r\n", None),
        (&target, "Host: a.test\r\n b.test\r\n", None),
        (&target, "Host: ada@a.test\r\n", None),
    ] {
        let outcome = stage.send(format!("GET {first} HTTP/1.1\r\n{host}{ada}\r\n\r\n").as_bytes());
        match decided {
            Some(decided) => {
                let seen = outcome.passed();
                stage.assert_decided(seen, "ada");
                let id = seen.header("gatepost-decision").unwrap();
                assert_eq!(stage.world.decision_record(id)["host"], decided, "{first} {host}");
                assert_eq!(seen.target, target, "{first} {host}");
            }
            None => outcome.assert_refused(&[400], &format!("{first} {host}")),
        }
    }
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn only_websocket_changes_the_protocol() {
    sample::upgrades(&stage());
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn the_session_stays_with_gatepost_and_other_cookies_do_not() {
    sample::cookies(&stage(), &[400]);
    sample::cookies(&minimal_stage(), &[400]);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn a_gatepost_on_a_unix_socket_is_asked_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/decision.sock", folder.path().display());
    // Without a `chroot`, in which the socket would have to be.
    sample::each_role(&Stage::new(haproxy::start_minimal, World::without_passwords(&[("decision.listen", &socket)])));
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn a_token_vouches_for_an_address_that_is_not_trusted() {
    let settings = [("decision.trusted_peers", "192.0.2.1"), ("decision.peer_token", haproxy::TOKEN)];
    sample::each_role(&Stage::new(haproxy::start_with_token, World::without_passwords(&settings)));
    let stage = Stage::new(haproxy::start, World::without_passwords(&settings));
    let ada = format!("Bearer {}", stage.world.person("ada").api_key);
    stage.ask("GET", &stage.application(), &[("Authorization", &ada)]).assert_refused(&[403], "no token");
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn a_script_that_fails_lets_nobody_through() {
    let stage = Stage::new(haproxy::start_failing, World::without_passwords(&[]));
    let ada = format!("Bearer {}", stage.world.person("ada").api_key);
    stage.ask("GET", &stage.application(), &[("Authorization", &ada)]).assert_refused(&[503], "ada");
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn the_minimal_configuration_holds_as_well() {
    let stage = minimal_stage();
    sample::each_role(&stage);
    attacks::claims(&stage);
    attacks::hop_by_hop(&stage);
    for (target, outcome) in attacks::confused_targets(&stage) {
        outcome.assert_refused(&[400], &target);
    }
    faults::no_answer_is_no_pass(haproxy::start_minimal);
}
