//! nginx with `auth_request`, as `deploy/nginx` configures it.

mod attacks;
mod changes;
mod faults;
pub(super) mod matrix;
mod subrequest;

use super::stage::Stage;
use crate::support::{World, nginx};

/// With a Gatepost on TCP.
fn stage() -> Stage {
    Stage::new(nginx::start, World::without_passwords(&[]))
}
