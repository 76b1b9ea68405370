//! The management API, from the request to the answer. All but `listener` hand their requests to the router itself, so
//! that time is theirs and every request can be made.

mod account;
mod administration;
mod answer;
mod api_keys;
mod applications;
mod at_once;
mod audit;
mod credentials;
mod devices;
mod documentation;
mod fixture;
mod introspection;
mod listener;
mod matrix;
mod members;
mod organizations;
mod password_resets;
mod policies;
mod protocol;
mod schemathesis;
mod sessions;
mod totp;
mod users;
