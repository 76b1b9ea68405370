//! Real proxies with the configurations of `deploy/`, each between a client that sends what it likes and an application
//! that remembers what it was sent.

mod apache;
mod attacks;
mod caddy;
mod cases;
mod envoy;
mod faults;
mod haproxy;
mod ingress_nginx;
mod matrix;
mod nginx;
mod sample;
pub mod stage;
mod traefik;
