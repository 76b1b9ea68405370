//! The domain's plain data: what exists, without behaviour that needs a store, a clock or a policy.
//!
//! Everything here can be built and compared in a unit test. Nothing here reads or writes anything.

mod account;
mod application;
mod change;
mod credential;
mod event;
mod id;
mod link;
mod listen;
mod mail;
mod name;
mod policies;
mod role;
mod scope;
mod smtp;
mod throttle;
mod time;

pub use account::{NewUser, Organization, Plan, User};
pub use application::{Application, ApplicationType, Device, Membership};
pub use change::{Change, ChangeSeq};
pub use credential::{ApiKey, CredentialKind, SigningKey, Totp};
pub use event::{Event, EventAction};
pub use id::{
    ApiKeyId, ApplicationId, DecisionId, DeviceId, EventId, ID_LEN, IdError, MailId, OrganizationId, SessionId,
    SigningKeyId, UserId,
};
pub use link::{PasswordReset, SignUp};
pub use listen::{ListenAddress, ListenAddressError};
pub use mail::QueuedMail;
pub use name::{Email, Name, NameError, Username};
pub use policies::{PolicyDigest, PolicyFile, PolicyFolder, PolicyGeneration, ReloadCause};
pub use role::{Role, RoleError};
pub use scope::{COLUMNS, Scope, ScopeError};
pub use smtp::{SmtpCredentials, SmtpSecurity, SmtpSettings};
pub use throttle::Throttle;
pub use time::Timestamp;
