//! The command line: the program itself, run as people and scripts run it.

mod accounts;
mod check;
mod config;
mod program;
mod serve;
mod usage;
