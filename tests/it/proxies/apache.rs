//! Apache with mod_authnz_fcgi, as `deploy/apache` configures it.

mod faults;
mod mod_lua;

use super::attacks;
use super::matrix::{Cookies, every_cell_holds};
use super::sample;
use super::stage::Stage;
use crate::support::{World, apache};

/// With a Gatepost that speaks FastCGI.
fn world(settings: &[(&'static str, &str)]) -> World {
    World::without_passwords(&[&[("fastcgi.listen", "127.0.0.1:0")], settings].concat())
}

fn staged(start: super::stage::Start, world: World) -> Stage {
    Stage::asking(world.fastcgi.expect("FastCGI is spoken"), start, world)
}

pub fn stage() -> Stage {
    staged(apache::start, world(&[]))
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn each_role_may_do_what_the_matrix_says() {
    sample::each_role(&stage());
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn every_cell_of_the_matrix_holds() {
    every_cell_holds(&stage(), Cookies::Kept);
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn a_revoked_key_is_refused_by_the_very_next_request() {
    sample::revocation(&stage());
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn what_the_client_says_of_itself_is_not_believed() {
    let stage = stage();
    attacks::claims(&stage);
    attacks::hop_by_hop(&stage);
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn a_target_that_can_be_read_in_two_ways_is_refused() {
    let stage = stage();
    for (target, outcome) in attacks::confused_targets(&stage) {
        // What holds `%00` is nowhere for Apache itself.
        outcome.assert_refused(&[400, 404], &target);
    }
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn browsers_are_sent_to_the_log_in_and_programs_are_not() {
    sample::browsers_are_sent_to_the_log_in_on(|settings| staged(apache::start, world(settings)));
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
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
#[ignore = "needs apache: tests/run.sh"]
fn the_application_s_answers_get_no_headers_of_gatepost_s() {
    let stage = stage();
    let olga = format!("Bearer {}", stage.world.person("olga").api_key);
    let reply = stage.ask("GET", &stage.application(), &[("Authorization", &olga)]).reply.unwrap();
    let mut names: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "date", "server", "x-application"]);
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn an_assertion_is_gateposts_or_none() {
    sample::assertion_on(|settings| staged(apache::start, world(settings)));
    sample::assertion_on(|settings| staged(apache::start_minimal, world(settings)));
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn there_is_one_host_for_everybody() {
    let stage = stage();
    let target = stage.application();
    let ada = format!("Authorization: Bearer {}", stage.world.person("ada").api_key);
    for (first, host, decided) in [
        (target.as_str(), "Host: a.B.Example.COM\r\n", Some("a.b.example.com")),
        (&target, "Host: app.example.com.\r\n", Some("app.example.com")),
        (&target, "Host: app.example.com:8443\r\n", Some("app.example.com")),
        // The whole URL wins (RFC 9112, section 3.2.2), for the application as well.
        (&format!("http://app.example.com{target}"), "Host: app.example.com\r\n", Some("app.example.com")),
        (&format!("http://other.test{target}"), "Host: app.example.com\r\n", Some("other.test")),
        (&format!("http://ada@other.test{target}"), "Host: app.example.com\r\n", None),
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
#[ignore = "needs apache: tests/run.sh"]
fn only_websocket_changes_the_protocol() {
    sample::upgrades(&stage());
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn the_session_stays_with_gatepost_and_other_cookies_do_not() {
    // Apache joins lines by a comma, which makes one nonsensical cookie of two.
    sample::cookies(&stage(), &[400, 401]);
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn a_script_that_fails_lets_nobody_through() {
    let stage = staged(apache::start_failing, world(&[]));
    let ada = format!("Bearer {}", stage.world.person("ada").api_key);
    stage.ask("GET", &stage.application(), &[("Authorization", &ada)]).assert_refused(&[500], "ada");
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn the_minimal_configuration_holds_as_well() {
    let stage = staged(apache::start_minimal, world(&[]));
    sample::each_role(&stage);
    attacks::claims(&stage);
    attacks::hop_by_hop(&stage);
    for (target, outcome) in attacks::confused_targets(&stage) {
        outcome.assert_refused(&[400, 404], &target);
    }
}
