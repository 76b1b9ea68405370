//! The decision listener, asked directly.

mod assertions;
mod authzen;
mod beyond;
mod caches;
pub mod cases;
mod credentials;
mod envoy;
mod ext_authz;
mod fastcgi;
mod heads;
pub mod matrix;
mod peers;
pub mod policies;
mod readers;
mod shadow;
mod tls;
mod watching;
