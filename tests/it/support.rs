//! What tests are built from: a running Gatepost with known people in it, the application and the proxies around it,
//! and a client that sends exactly what it is told to.

pub mod apache;
pub mod authenticator;
pub mod caddy;
pub mod envoy;
pub mod ext_authz;
pub mod haproxy;
pub mod http;
pub mod jwt;
pub mod manifests;
pub mod nginx;
pub mod program;
pub mod relay;
pub mod smtpd;
pub mod solver;
pub mod traefik;
pub mod until;
pub mod upstream;
pub mod watched;
pub mod world;

pub use http::{Address, Connection, Reply, send};
pub use program::Program;
pub use relay::Relay;
pub use smtpd::MailServer;
pub use solver::FakeSolver;
pub use until::until;
pub use upstream::{Received, Upstream};
pub use watched::Watched;
pub use world::{Person, World};
