//! Gatepost: the authorization sidecar for reverse proxies.
//!
//! A proxy asks about each request; Gatepost verifies the credential, decides with Cedar policies and answers with a
//! status and identity headers. It also is the account system behind those credentials. `ARCHITECTURE.md` describes
//! the way of one request through these modules, and who may import whom.

pub mod clock;
pub mod model;
pub mod secret;

pub mod cache;
pub mod config;
pub mod http;
pub mod store;
pub mod telemetry;

pub mod audit;

pub mod authn;
pub mod authz;

pub mod accounts;

pub mod gate;

pub mod api;

pub mod app;

pub mod cli;
