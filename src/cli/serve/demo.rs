//! `gatepost serve --demo`: a throw-away installation that shows what Gatepost does.

mod summary;

use anyhow::{Context as _, Result};
use serde::Serialize;
use tempfile::TempDir;

use super::url;
use crate::accounts::{Actor, NewAccount, NewApiKey};
use crate::app::App;
use crate::cli::password;
use crate::config::FlagValue;
use crate::model::{
    Application, ApplicationId, ApplicationType, Device, DeviceId, Email, ListenAddress, Name, OrganizationId, Plan,
    Role, User, UserId, Username,
};
use crate::secret::Secret;

const ORGANIZATION: &str = "acme";
const APPLICATION: &str = "thermostat";
const DEVICE: &str = "hallway";
const API_KEY: &str = "demo";

/// The users and their roles. The first one owns the application.
const USERS: [(&str, Option<Role>); 5] = [
    ("ada", Some(Role::Administrator)),
    ("devi", Some(Role::Developer)),
    ("oleg", Some(Role::Operator)),
    ("olga", Some(Role::Observer)),
    ("otto", None),
];

/// The folder of the throw-away database: removed with everything in it when this is dropped.
pub(super) struct DemoFolder(TempDir);

impl DemoFolder {
    pub(super) fn make() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepost-demo-").tempdir();
        Ok(Self(folder.context("cannot make a temporary folder for the demo's database")?))
    }

    /// What puts the database into this folder, whatever is configured.
    pub(super) fn flags(&self) -> Result<Vec<FlagValue>> {
        let value = |key, name| -> Result<FlagValue> {
            let path = self.0.path().join(name).into_os_string().into_string();
            let value = path.ok().context("the path of the temporary folder is not UTF-8")?;
            Ok(FlagValue { key, flag: "--demo", value })
        };
        Ok(vec![value("store.path", "gatepost.db")?, value("store.key_file", "gatepost.key")?])
    }
}

/// What was seeded, with its secrets: they are shown, since nothing is protected by them.
pub(super) struct Demo {
    organization: OrganizationId,
    application: Application,
    device: Device,
    users: Vec<DemoUser>,
}

struct DemoUser {
    user: User,
    role: Option<Role>,
    password: Secret,
    api_key: Secret,
}

/// The seed as one JSON document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    decision: String,
    portal: String,
    organization: OrganizationId,
    application: ApplicationEntry<'a>,
    device: DeviceEntry<'a>,
    users: Vec<UserEntry<'a>>,
}

#[derive(Serialize)]
struct ApplicationEntry<'a> {
    id: ApplicationId,
    name: &'a Name,
}

#[derive(Serialize)]
struct DeviceEntry<'a> {
    id: DeviceId,
    name: &'a Name,
}

#[derive(Serialize)]
struct UserEntry<'a> {
    id: UserId,
    username: &'a Username,
    email: &'a Email,
    role: Option<Role>,
    password: &'a str,
    api_key: &'a str,
}

impl Demo {
    /// Fills the database. Blocks.
    pub(super) fn seed(app: &App) -> Result<Self> {
        let (accounts, console) = (&app.accounts, Actor::console());
        let users: Vec<DemoUser> =
            USERS.iter().map(|(name, role)| DemoUser::seed(app, name, *role)).collect::<Result<_>>()?;
        let owner = users.first().map(|first| first.user.id).context("the demo has no users")?;
        let organization = accounts.create_organization(&console, ORGANIZATION, owner)?.id;
        accounts.set_plan(&console, organization, Plan::Paid)?;
        let kind = ApplicationType::Standard;
        let application = accounts.create_application(&console, organization, owner, APPLICATION, kind)?;
        for DemoUser { user, role, .. } in users.iter().filter(|seeded| seeded.user.id != owner) {
            if let Some(role) = *role {
                accounts.add_member(&console, application.id, user.username.as_str(), role)?;
            }
        }
        let device = accounts.add_device(&console, application.id, None, DEVICE)?;
        Ok(Self { organization, application, device, users })
    }

    /// The seed, served at these addresses, for programs.
    pub(super) fn document(&self, decision: &ListenAddress, portal: &ListenAddress) -> Document<'_> {
        Document {
            decision: url(decision),
            portal: url(portal),
            organization: self.organization,
            application: ApplicationEntry { id: self.application.id, name: &self.application.name },
            device: DeviceEntry { id: self.device.id, name: &self.device.name },
            users: self.users.iter().map(UserEntry::from).collect(),
        }
    }

    /// The seed, served at these addresses, for people, with what they can try.
    pub(super) fn text(&self, decision: &ListenAddress, portal: &ListenAddress) -> String {
        summary::text(self, decision, portal)
    }
}

impl<'a> From<&'a DemoUser> for UserEntry<'a> {
    fn from(seeded: &'a DemoUser) -> Self {
        let DemoUser { user, role, password, api_key } = seeded;
        Self {
            id: user.id,
            username: &user.username,
            email: &user.email,
            role: *role,
            password: password.expose(),
            api_key: api_key.expose(),
        }
    }
}

impl DemoUser {
    fn seed(app: &App, name: &str, role: Option<Role>) -> Result<Self> {
        let (accounts, console) = (&app.accounts, Actor::console());
        let password = password::generate();
        let email = format!("{name}@example.com");
        let account =
            NewAccount { username: name, email: &email, password: Some(&password), installation_administrator: false };
        let user = accounts.add_user(&console, &account)?;
        let new = NewApiKey { name: API_KEY, ..NewApiKey::default() };
        let api_key = accounts.create_api_key(&console, user.id, new)?.key;
        Ok(Self { user, role, password, api_key })
    }
}
