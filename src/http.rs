//! The mechanics of HTTP: listening and serving, canonical paths and hosts. Knows nothing of accounts or policies.

pub mod accept;
pub mod client;
pub mod direct;
pub mod drain;
pub mod host;
mod inherited;
pub mod limited;
pub mod listener;
pub mod path;
mod patience;
pub mod percent;
pub mod places;
pub mod serve;
pub mod tls;

pub use inherited::find_inherited_sockets;
