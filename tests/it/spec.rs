//! The specification, sentence by sentence: what it says of behaviour, and the test that holds it against a running
//! Gatepost. Sentences about the looks of pages are left out; where a page is described, the API does what it does.
//!
//! | sentence | test |
//! | --- | --- |
//! | "If the email address has an associated account, a password reset link will be sent to that address." | `passwords::a_forgotten_password_is_reset_by_a_mailed_link` |
//! | "Following the link, you will be able to enter a new password." | the same |
//! | "To add a password to an account created with a social login … you can set a password for your account." | `passwords::an_account_without_a_password_can_be_given_one` |
//! | "Access tokens are used for authentication in the API" | `tokens::both_kinds_give_the_users_whole_permissions` |
//! | "Both authentication types provide user-level permissions" | the same |
//! | "Session tokens … can be refreshed with the API." | `tokens::a_session_lasts_seven_days_and_can_be_refreshed` |
//! | "These tokens expire after seven days" | the same |
//! | "and they cannot be revoked" | `tokens::one_session_cannot_be_revoked_alone` |
//! | "API keys are named tokens that do not expire and can be revoked as needed." | `tokens::a_key_is_named_shown_once_listed_and_revoked` |
//! | "You'll see a required field for Token name, as well as an optional field for Token description" | the same |
//! | "This is your only opportunity to see the key" | the same |
//! | "you'll see your API key in the list, complete with name, date of creation, and description" | the same |
//! | "To revoke one or more API keys, select …, then click Delete selected" | the same |
//! | "API keys can also be generated using the API, CLI …" | the same, and `cli::accounts` |
//! | the table of member types | `gate::matrix::every_cell_is_decided_as_the_specification_says` |
//! | "When an application needs to be shared with more than one user, the application owner can add new members." | `members::the_owner_shares_an_application` |
//! | "With paid accounts, it's possible to assign a level of access" | `members::roles_depend_on_plan_and_type` |
//! | "A new application … can only be created by an administrator of an organization." | `members::only_an_organizations_administrators_create_applications_in_it` |
//! | "Administrators are the only users who can add other application members or delete the application." | `members::only_administrators_add_members_and_delete` |
//! | "Observers are given read-only access to the application and its devices." | `members::what_each_role_may_do_through_the_api` |
//! | "They are not able to modify, add, or remove any devices" | the same |
//! | "This role can only be assigned by application owners on paid plans." (Observer, Operator) | `members::roles_depend_on_plan_and_type` |
//! | "operators can remove devices, perform device actions, and modify device tags, metadata, and environment variables. Operators also have full SSH access" | `gate::matrix` and `members::what_each_role_may_do_through_the_api` |
//! | "Developers … pushing new code, modifying fleet-wide environment variables, running application actions, and downloading application images" | `gate::matrix` |
//! | "developers can do everything owners can except for deleting the application or adding new members" | `members::what_each_role_may_do_through_the_api` |
//! | "The Developer role can be assigned by application owners on free or paid accounts, and it is the only role available for Starter applications." | `members::roles_depend_on_plan_and_type` |
//! | "enter the username or email address of the new application member" | `members::the_owner_shares_an_application` |
//! | "Application members must have already signed up" | the same |
//! | "you will see the username of the new application member in the list. From here, you can edit access levels or remove the user" | the same |
//! | "All users that have been added to an application will see that application …, with an indicator to designate it has been shared" | the same |
//! | "application members will have the option to remove themselves from an application" | `members::a_member_leaves_and_only_the_owner_brings_them_back` |
//! | "If you remove your member access to an application, you will not be able to undo the action. Only the application owner will be able to restore your access." | the same |
//! | "prompts you to input a code … in addition to your password" | `two_factor::from_pairing_to_disabling` |
//! | "We use the industry standard Time-based One-time Password Algorithm" | `two_factor::an_authenticator_that_nobody_here_wrote_is_understood` |
//! | "Two-factor authentication will only be enabled once you have finished configuring it" | `two_factor::from_pairing_to_disabling` |
//! | "you will be shown a QR code and prompted for a pairing code" | the same |
//! | "a 6 digit generated code …. Once the countdown expires, the code becomes invalid" | `two_factor::a_code_is_good_once_and_for_its_time` |
//! | "If successful, you will be shown recovery codes that may be used in the event that you cannot access your two-factor authentication application." | `two_factor::a_recovery_code_is_good_once` |
//! | "the next time you log in, you will be prompted for the code … after you've input your username and password" | `two_factor::from_pairing_to_disabling` |
//! | "You will be prompted for your account password before it is disabled." | the same |
//! | "You will need to confirm this action by entering your password." | `deletion::needs_the_password_and_takes_everything_along` |
//! | "If your account does not have a password, you will be prompted to set one" | `deletion::an_account_without_a_password_sets_one_first` |
//! | "the account will be permanently deleted, including all applications and devices" | `deletion::needs_the_password_and_takes_everything_along` |

mod deletion;
mod members;
mod passwords;
mod tokens;
mod two_factor;

use std::sync::Arc;

use gatepost::accounts::{Actor, NewAccount, NewApiKey};
use gatepost::clock::ManualClock;
use gatepost::model::Timestamp;
use serde_json::Value;

use crate::support::http::Reply;
use crate::support::world::World;

/// A running Gatepost whose clock the test moves.
fn world() -> (World, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_secs(1_764_000_000)));
    (World::start_with(Arc::clone(&clock) as _, &[]), clock)
}

/// Calls the API and expects `status`.
fn call(world: &World, status: u16, method: &str, path: &str, credential: Option<&str>, body: Value) -> Reply {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let reply = world.api(method, path, credential, &body);
    assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
    reply
}

/// An account without a password, as one that was made by a social log-in: one of its API keys.
fn without_password(world: &World) -> String {
    let (accounts, console) = (&world.app.accounts, Actor::console());
    let (username, email) = ("social", "social@example.com");
    let new = NewAccount { username, email, password: None, installation_administrator: false };
    let user = accounts.add_user(&console, &new).unwrap();
    let key = NewApiKey { name: "key", ..NewApiKey::default() };
    accounts.create_api_key(&console, user.id, key).unwrap().key.expose().to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}
