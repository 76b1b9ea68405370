//! The command line: the program itself, run as people and scripts run it.

mod accounts;
mod audit;
mod bench;
mod check;
mod client;
mod config;
mod documents;
mod manifests;
mod policy;
mod policy_diff;
mod policy_prove;
mod probe;
mod program;
mod serve;
mod usage;
