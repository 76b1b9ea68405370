//! Apache with mod_lua, as `deploy/apache/mod_lua` configures it.

use crate::proxies::stage::Stage;
use crate::proxies::{attacks, faults, sample};
use crate::support::{World, apache};

fn stage() -> Stage {
    Stage::new(apache::start_mod_lua, World::without_passwords(&[]))
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn each_role_may_do_what_the_matrix_says() {
    sample::each_role(&stage());
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
        outcome.assert_refused(&[400, 404], &target);
    }
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn browsers_are_sent_to_the_log_in_and_programs_are_not() {
    sample::browsers_are_sent_to_the_log_in(apache::start_mod_lua);
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn an_assertion_is_gateposts_or_none() {
    sample::assertion(apache::start_mod_lua);
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn no_answer_is_no_pass() {
    faults::no_answer_is_no_pass(apache::start_mod_lua);
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn silence_is_not_waited_out() {
    faults::silence_is_not_waited_out(apache::start_mod_lua);
}
