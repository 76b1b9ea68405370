//! The mechanics of HTTP: listening and serving, canonical paths and hosts. Knows nothing of accounts or policies.

pub mod path;
