//! Who asks and on what, as tests say it.

use std::fmt;

use serde::Deserialize;
use toml::Value;

use crate::authz::analysis::tests::case::{self, APPLICATION, Asker, ELSEWHERE, Presented, Standing, Thing};
use crate::authz::facts::Facts;
use crate::authz::question::Resource;
use crate::model::{ApplicationType, CredentialKind, Plan, Role};

/// Who asks.
pub(super) struct Who {
    label: String,
    kind: Kind,
}

enum Kind {
    User(Box<RawUser>),
    Anonymous,
    Console,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawUser {
    /// On the application.
    role: Option<Role>,
    owner: bool,
    organization_administrator: bool,
    installation_administrator: bool,
    username: Option<String>,
    email: Option<String>,
    credential: RawCredential,
    mfa: bool,
    scopes: Vec<String>,
    age_seconds: u32,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RawCredential {
    #[default]
    Session,
    ApiKey,
    /// Another program has authenticated the user, and does not tell how.
    None,
}

/// What they are called who need no more words.
const NAMES: &str = "`administrator`, `developer`, `operator`, `observer`, `owner`, `nobody`, `anonymous`, `console`, \
                     `organization administrator`, `installation administrator`, or a table such as \
                     `{ role = \"operator\", mfa = true }`";

impl Who {
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let user = |user: RawUser| Some(Kind::User(Box::new(user)));
        let role = |role| user(RawUser { role: Some(role), ..RawUser::default() });
        let kind = match value {
            Value::String(name) => match name.as_str() {
                "nobody" => user(RawUser::default()),
                "owner" => user(RawUser { role: Some(Role::Administrator), owner: true, ..RawUser::default() }),
                "organization administrator" => {
                    user(RawUser { organization_administrator: true, ..RawUser::default() })
                }
                "installation administrator" => {
                    user(RawUser { installation_administrator: true, ..RawUser::default() })
                }
                "anonymous" => Some(Kind::Anonymous),
                "console" => Some(Kind::Console),
                other => other.parse().ok().and_then(role),
            },
            Value::Table(_) => {
                user(value.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?)
            }
            _ => None,
        };
        let kind = kind.ok_or_else(|| format!("`{value}` is nobody: expected {NAMES}"))?;
        Ok(Self { label: label(value), kind })
    }

    pub(super) fn asker(&self) -> Option<Asker> {
        Some(match &self.kind {
            Kind::Anonymous => Asker::Anonymous,
            Kind::Console => Asker::Console,
            Kind::User(raw) => {
                let (username, email) = (raw.username.as_deref(), raw.email.as_deref());
                let (username, email) = (username.unwrap_or("asker"), email.unwrap_or("asker@example.com"));
                let kind = match raw.credential {
                    RawCredential::Session => Some(CredentialKind::Session),
                    RawCredential::ApiKey => Some(CredentialKind::ApiKey),
                    RawCredential::None => None,
                };
                let scopes = raw.scopes.iter().map(|scope| match scope.as_str() {
                    "application:this" => format!("application:{APPLICATION}"),
                    "application:other" => format!("application:{ELSEWHERE}"),
                    other => other.to_owned(),
                });
                Asker::User {
                    user: case::user(username, email, raw.installation_administrator)?,
                    credential: kind.map(|kind| Presented {
                        kind,
                        mfa: raw.mfa,
                        scopes: scopes.collect(),
                        age_seconds: raw.age_seconds,
                    }),
                }
            }
        })
    }

    fn standing(&self) -> Standing {
        match &self.kind {
            Kind::User(raw) => Standing {
                role: raw.role,
                is_owner: raw.owner,
                administers_organization: raw.organization_administrator,
            },
            Kind::Anonymous | Kind::Console => Standing::default(),
        }
    }
}

/// On what.
pub(super) struct On {
    label: String,
    raw: RawThing,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawThing {
    entity: String,
    id: Option<String>,
    #[serde(default = "yes")]
    registered: bool,
    /// Of an account: whether it is the asker's.
    #[serde(default)]
    own: bool,
    #[serde(rename = "type")]
    application_type: Option<ApplicationType>,
    plan: Option<Plan>,
}

const fn yes() -> bool {
    true
}

impl On {
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let raw = match value {
            Value::String(entity) => RawThing {
                entity: entity.clone(),
                id: None,
                registered: true,
                own: false,
                application_type: None,
                plan: None,
            },
            Value::Table(_) => value.clone().try_into().map_err(|error: toml::de::Error| error.message().to_owned())?,
            _ => return Err("expected an entity type, or a table such as `{ entity = \"Application\" }`".to_owned()),
        };
        Ok(Self { label: label(value), raw })
    }

    /// The resource, and what is known of it and of `who`.
    pub(super) fn resource(&self, who: &Who) -> Option<(Resource, Facts)> {
        let RawThing { entity, id, registered, own, application_type, plan } = &self.raw;
        let thing = Thing {
            entity_type: entity,
            id: id.as_deref(),
            is_registered: *registered,
            is_own: *own,
            application_type: application_type.unwrap_or(ApplicationType::Standard),
            plan: plan.unwrap_or(Plan::Paid),
        };
        thing.resource(who.standing())
    }
}

fn label(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

impl fmt::Display for On {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}
