//! The command line: the program itself, run as people and scripts run it.

mod accounts;
mod administration;
mod audit;
mod bench;
mod check;
mod client;
mod config;
mod confirmation;
mod documents;
mod explain;
mod manifests;
mod policy;
mod policy_diff;
mod policy_diff_schemas;
mod policy_prove;
mod policy_solvers;
mod policy_test;
mod probe;
mod program;
mod proved;
mod replay;
mod serve;
mod usage;
