//! Policies by the thousand, each valid by its schema, on top of the shipped ones.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gatepost::clock::{Clock as _, SystemClock};
use gatepost::gate::dialect::Dialect;
use gatepost::model::{ApplicationId, UserId, Username};
use hyper::StatusCode;

use crate::world::{Ask, Caches, Log, World};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// How many of the policies on actions of their own are about the same action, and how many actions a type has.
const POLICIES_FOR_EACH: usize = 10;
const VERBS: [(&str, &str); 4] = [("Read", "GET"), ("Write", "PUT"), ("Share", "POST"), ("Remove", "DELETE")];

/// What the policies are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One application each, named in the scope.
    Applications,
    /// Actions and types of resources that are added to the schema, ten policies for each action.
    Actions,
    /// One user each, named in the scope.
    Users,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Applications, Self::Actions, Self::Users];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Applications => "applications",
            Self::Actions => "actions",
            Self::Users => "users",
        }
    }
}

/// A folder with `policies` and `schema`.
pub(crate) fn write(folder: &Path, kind: Kind, count: usize, world: &World) -> Result<()> {
    let (policies, schema) = (folder.join("policies"), folder.join("schema"));
    copy(&PathBuf::from(ROOT).join("policies"), &policies)?;
    copy(&PathBuf::from(ROOT).join("schema"), &schema)?;
    let own = (world.application, operator(world)?);
    let text: String = (0..count).map(|number| policy(kind, number, own) + "\n").collect();
    fs::write(policies.join("growth.cedar"), text)?;
    if kind == Kind::Actions {
        let actions = count.div_ceil(POLICIES_FOR_EACH);
        fs::write(schema.join("growth.cedarschema"), types(actions))?;
        let routes = schema.join("routes.toml");
        fs::write(&routes, fs::read_to_string(&routes)? + &self::routes(actions))?;
    }
    Ok(())
}

/// The shipped tests, and as many more as there are policies more.
pub(crate) fn write_tests(folder: &Path, count: usize) -> Result<()> {
    let tests = folder.join("policies").join("tests");
    copy(&PathBuf::from(ROOT).join("policies").join("tests"), &tests)?;
    let invariants = folder.join("policies").join("invariants");
    copy(&PathBuf::from(ROOT).join("policies").join("invariants"), &invariants)?;
    let text: String = (0..count)
        .map(|number| {
            format!(
                "[[test]]\nwho = {{ role = \"observer\", email = \"{number}@example.com\" }}\naction = \"Push\"\n\
                 on = \"Application\"\nexpect = \"deny\"\n\n"
            )
        })
        .collect();
    fs::write(tests.join("growth.toml"), text)?;
    Ok(())
}

/// In a folder `edited` the same policies, of which observers may do more, and everybody may do less.
pub(crate) fn write_edited(folder: &Path) -> Result<()> {
    let edited = folder.join("edited");
    copy(&folder.join("policies"), &edited)?;
    let text = "@id(\"edit-1\")\npermit (principal, action == Action::\"SetDeviceTag\", resource is Application)\n\
                when { principal in resource.observers };\n\n\
                @id(\"edit-2\")\nforbid (principal is User, action == Action::\"SshAccess\", resource)\n\
                unless { context has credential && context.credential.mfa };\n";
    fs::write(edited.join("edit.cedar"), text)?;
    Ok(())
}

/// A question that the first of the policies is about, and permits.
pub(crate) fn ask(kind: Kind, world: &World) -> Result<Ask> {
    let application = world.application;
    let (method, target) = match kind {
        Kind::Applications => ("GET", format!("/applications/{application}/devices")),
        Kind::Actions => ("GET", "/things0/first".to_owned()),
        Kind::Users => ("GET", format!("/applications/{application}/devices/{}/ssh", world.device)),
    };
    Ask::new(Dialect::Nginx, method, &target, Some(&world.api_key), StatusCode::OK)
}

fn operator(world: &World) -> Result<UserId> {
    let opened = world.open(Log::Off, Caches::On)?;
    let found = opened.app.store.user_by_username(&Username::parse("oleg")?)?;
    Ok(found.context("the operator was to be there")?.id)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// The policy of this number. The first one is about the application, the first action, or the user that is asked about.
fn policy(kind: Kind, number: usize, (application, user): (ApplicationId, UserId)) -> String {
    let now = SystemClock.now();
    let name = kind.name();
    match kind {
        Kind::Applications => {
            let id = if number == 0 { application } else { ApplicationId::generate(now) };
            let (effect, action, condition) = match number % 3 {
                0 => ("permit", "View", r#"when { principal is User && principal.email like "*@example.com" }"#),
                1 => ("forbid", "Push", "unless { context has credential && context.credential.mfa }"),
                _ => ("permit", "Configure", "when { principal in resource.operators }"),
            };
            format!(
                "@id(\"{name}-{number}\")\n{effect} (principal, action == Action::\"{action}\", \
                 resource == Application::\"{id}\")\n{condition};\n"
            )
        }
        Kind::Actions => {
            let (action, domain) = (number / POLICIES_FOR_EACH, number % POLICIES_FOR_EACH);
            let (kind, verb) = of(action);
            let domain = if domain == 0 { "example.com".to_owned() } else { format!("team{domain}.example.com") };
            format!(
                "@id(\"{name}-{number}\")\npermit (principal is User, action == Action::\"{verb}Thing{kind}\", \
                 resource is Thing{kind})\nwhen {{ principal.email like \"*@{domain}\" }};\n"
            )
        }
        Kind::Users => {
            let id = if number == 0 { user } else { UserId::generate(now) };
            format!(
                "@id(\"{name}-{number}\")\npermit (principal == User::\"{id}\", action in [Action::\"View\", \
                 Action::\"SshAccess\"], resource);\n"
            )
        }
    }
}

/// The number of the type and the verb of an action.
fn of(action: usize) -> (usize, &'static str) {
    let verb = VERBS.get(action % VERBS.len()).map_or("Read", |(verb, _)| verb);
    (action / VERBS.len(), verb)
}

fn types(actions: usize) -> String {
    let mut text = String::new();
    for action in 0..actions {
        let (kind, verb) = of(action);
        if action % VERBS.len() == 0 {
            text.push_str(&format!("entity Thing{kind};\n"));
        }
        text.push_str(&format!(
            "action {verb}Thing{kind} appliesTo {{ principal: [User, Anonymous], resource: Thing{kind}, \
             context: RequestContext }};\n"
        ));
    }
    text
}

fn routes(actions: usize) -> String {
    let mut text = String::new();
    for action in 0..actions {
        let (kind, verb) = of(action);
        let method = VERBS.iter().find(|(name, _)| *name == verb).map_or("GET", |(_, method)| method);
        text.push_str(&format!(
            "\n[[route]]\nmethod = [\"{method}\"]\npath = \"/things{kind}/{{thing}}\"\naction = \"{verb}Thing{kind}\"\n\
             resource = {{ type = \"Thing{kind}\", id = \"{{thing}}\" }}\n"
        ));
    }
    text
}
