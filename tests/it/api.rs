//! The management API, from the request to the answer.

mod api_keys;
mod applications;
mod credentials;
mod devices;
mod listener;
mod members;
mod organizations;
mod protocol;
mod roles;
mod sessions;
