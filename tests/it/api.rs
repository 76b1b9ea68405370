//! The management API, from the request to the answer. All but `listener` hand their requests to the router itself, so
//! that time is theirs and every request can be made.

mod answer;
mod api_keys;
mod applications;
mod credentials;
mod devices;
mod fixture;
mod listener;
mod members;
mod organizations;
mod protocol;
mod roles;
mod sessions;
