//! nginx with `auth_request`, as `deploy/nginx` configures it.

mod attacks;
mod changes;
mod faults;
mod reloads;
mod subrequest;

use super::matrix::{Cookies, every_cell_holds};
use super::sample;
use super::stage::Stage;
use crate::support::{World, nginx};

/// With a Gatepost on TCP.
fn stage() -> Stage {
    Stage::new(nginx::start, World::without_passwords(&[]))
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn every_cell_of_the_matrix_holds_with_a_gatepost_on_tcp() {
    every_cell_holds(&stage(), Cookies::Kept);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn every_cell_of_the_matrix_holds_with_a_gatepost_on_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/decision.sock", folder.path().display());
    let world = World::without_passwords(&[("decision.listen", &socket)]);
    assert_eq!(world.decision.to_string(), socket);
    every_cell_holds(&Stage::new(nginx::start, world), Cookies::Kept);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn an_assertion_is_gateposts_or_none() {
    sample::assertion(nginx::start);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn one_connection_serves_all_questions() {
    sample::one_connection_serves_all_questions(nginx::start);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn browsers_are_sent_to_the_log_in_and_programs_are_not() {
    sample::browsers_are_sent_to_the_log_in(nginx::start);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn the_minimal_configuration_holds_as_well() {
    let stage = Stage::new(nginx::start_minimal, World::without_passwords(&[]));
    sample::each_role(&stage);
    crate::proxies::attacks::claims(&stage);
    crate::proxies::attacks::hop_by_hop(&stage);
    sample::assertion(nginx::start_minimal);
    crate::proxies::faults::silence_is_not_waited_out(nginx::start_minimal);
}
