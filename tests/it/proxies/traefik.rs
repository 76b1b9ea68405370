//! Traefik with `forwardAuth`, as `deploy/traefik` configures it.

use super::matrix::{Cookies, every_cell_holds};
use super::sample;
use super::stage::Stage;
use super::{attacks, faults};
use crate::support::{World, traefik};

fn stage() -> Stage {
    Stage::new(traefik::start, World::without_passwords(&[]))
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn each_role_may_do_what_the_matrix_says() {
    sample::each_role(&stage());
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn a_revoked_key_is_refused_by_the_very_next_request() {
    sample::revocation(&stage());
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn what_the_client_says_of_itself_is_not_believed() {
    let stage = stage();
    attacks::claims(&stage);
    attacks::hop_by_hop(&stage);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn a_target_that_can_be_read_in_two_ways_is_refused_or_rewritten_for_both() {
    let stage = stage();
    for (target, outcome) in attacks::confused_targets(&stage) {
        // The entry point cleans paths, for Gatepost and for the application alike.
        if outcome.seen.is_empty() {
            outcome.assert_refused(&[400, 403, 404], &target);
        }
    }
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn no_answer_is_no_pass() {
    faults::no_answer_is_no_pass(traefik::start);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn every_cell_of_the_matrix_holds() {
    every_cell_holds(&stage(), Cookies::Dropped);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn an_assertion_is_gateposts_or_none() {
    sample::assertion(traefik::start);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn one_connection_serves_all_questions() {
    sample::one_connection_serves_all_questions(traefik::start);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn browsers_are_sent_to_the_log_in_and_programs_are_not() {
    sample::browsers_are_sent_to_the_log_in(traefik::start);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn the_minimal_configuration_holds_as_well() {
    let stage = Stage::new(traefik::start_minimal, World::without_passwords(&[]));
    sample::each_role(&stage);
    attacks::own_claims(&stage);
    let oleg = format!("Bearer {}", stage.world.person("oleg").api_key);
    let headers = [("Authorization", oleg.as_str()), ("Connection", "Upgrade"), ("Upgrade", "h2c")];
    stage.ask("GET", &stage.application(), &headers).assert_refused(&[418], "a tunnel");
    sample::assertion(traefik::start_minimal);
    faults::no_answer_is_no_pass(traefik::start_minimal);
}
