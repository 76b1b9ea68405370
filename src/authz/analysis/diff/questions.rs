//! The kinds of requests that Gatepost knows: who asks, with which credential, on what.
//!
//! Each is a question in full, with entities as they are built for requests, and knows what tells it from others.

use crate::authz::actions::Action;
use crate::authz::facts::{ApplicationFacts, Facts, OrganizationFacts};
use crate::authz::question::{Circumstances, Credential, Resource, Subject};
use crate::model::{
    ApplicationId, ApplicationType, COLUMNS, CredentialKind, DeviceId, Email, OrganizationId, Plan, Role, Timestamp,
    User, UserId, Username,
};
use crate::secret::Digest;

/// What tells one question from others: of what, and which value.
pub(super) type Trait = (&'static str, &'static str);

/// Who asks, and on what.
#[derive(Clone)]
pub(super) struct Situation {
    /// The row that it belongs to.
    pub(super) who: &'static str,
    pub(super) principal_type: &'static str,
    pub(super) resource: Resource,
    pub(super) facts: Facts,
    pub(super) traits: Vec<Trait>,
    asker: Asker,
}

#[derive(Clone)]
enum Asker {
    User { user: Box<User>, credential: Sort },
    Anonymous,
    Console,
}

/// Sorts of credentials, with the action's column in mind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Session,
    SecondFactor,
    Key,
    ReadOnly,
    ThisAction,
    OtherAction,
    ThisApplication,
    OtherApplication,
}

const NOW: Timestamp = Timestamp::from_secs(0);
const SUBJECT: UserId = UserId::from_bytes([1; 16]);
const OTHER: UserId = UserId::from_bytes([2; 16]);
const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([3; 16]);
const APPLICATION: ApplicationId = ApplicationId::from_bytes([4; 16]);
const DEVICE: DeviceId = DeviceId::from_bytes([5; 16]);
const MEMBER: UserId = UserId::from_bytes([7; 16]);
const ELSEWHERE: ApplicationId = ApplicationId::from_bytes([6; 16]);

impl Sort {
    const ALL: [Self; 8] = [
        Self::Session,
        Self::SecondFactor,
        Self::Key,
        Self::ReadOnly,
        Self::ThisAction,
        Self::OtherAction,
        Self::ThisApplication,
        Self::OtherApplication,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::SecondFactor => "session with second factor",
            Self::Key => "API key",
            Self::ReadOnly => "read-only API key",
            Self::ThisAction => "API key for this action",
            Self::OtherAction => "API key for another action",
            Self::ThisApplication => "API key for this application",
            Self::OtherApplication => "API key for another application",
        }
    }

    /// What it is narrowed to in a question for this action; nothing if there is no such credential.
    fn scopes(self, action: &Action) -> Option<Vec<String>> {
        let column = action.entities().iter().find_map(|entity| {
            let name = entity.uid();
            COLUMNS.into_iter().find(|column| name.id().unescaped() == *column)
        });
        Some(match self {
            Self::Session | Self::SecondFactor | Self::Key => Vec::new(),
            Self::ReadOnly => vec!["read-only".to_owned()],
            Self::ThisAction => vec![format!("action:{}", column?)],
            Self::OtherAction => {
                let other = COLUMNS.into_iter().find(|other| Some(*other) != column)?;
                vec![format!("action:{other}")]
            }
            Self::ThisApplication => vec![format!("application:{APPLICATION}")],
            Self::OtherApplication => vec![format!("application:{ELSEWHERE}")],
        })
    }
}

impl Situation {
    /// All of them. Empty if the samples cannot be built.
    pub(super) fn all() -> Vec<Self> {
        World::build().map(|world| world.situations()).unwrap_or_default()
    }

    /// Calls `ask` with each question for this action; nothing if there is no such question.
    pub(super) fn ask(&self, action: &Action, mut ask: impl FnMut(&Subject<'_>, &Circumstances<'_>, &[Trait])) {
        let mut each = |subject: &Subject<'_>| {
            for (more, circumstances) in circumstances(action, &self.facts) {
                let traits: Vec<Trait> = self.traits.iter().chain(&more).copied().collect();
                ask(subject, &circumstances, &traits);
            }
        };
        let Asker::User { user, credential } = &self.asker else {
            return each(if matches!(self.asker, Asker::Console) { &Subject::Console } else { &Subject::Anonymous });
        };
        let Some(scopes) = credential.scopes(action) else { return };
        let is_session = matches!(credential, Sort::Session | Sort::SecondFactor);
        let credential = Credential {
            kind: if is_session { CredentialKind::Session } else { CredentialKind::ApiKey },
            id: "",
            digest: Digest::from_bytes([0; 32]),
            mfa: *credential == Sort::SecondFactor,
            scopes: &scopes,
            issued_at: NOW,
        };
        each(&Subject::User { user, credential });
    }
}

/// What the account system tells of actions on members, one thing at a time; nothing else is told.
fn circumstances(action: &Action, facts: &Facts) -> Vec<(Vec<Trait>, Circumstances<'static>)> {
    let untold = Circumstances::UNTOLD;
    if !action.entities().iter().any(|entity| entity.uid().id().unescaped() == "AddMembers") {
        return vec![(Vec::new(), untold)];
    }
    let owner = match facts {
        Facts::Application(Some(known)) => Some(known.owner),
        _ => None,
    };
    let member = Circumstances { member: Some(MEMBER), ..untold };
    let told = [
        ("not told", untold),
        ("somebody", member),
        ("somebody who has left", Circumstances { returning: true, ..member }),
        ("somebody, as administrator", Circumstances { role: Some(Role::Administrator), ..member }),
        ("somebody, as developer", Circumstances { role: Some(Role::Developer), ..member }),
        ("somebody, as operator", Circumstances { role: Some(Role::Operator), ..member }),
        ("somebody, as observer", Circumstances { role: Some(Role::Observer), ..member }),
    ];
    let owner = owner.map(|owner| ("the owner", Circumstances { member: Some(owner), ..untold }));
    told.into_iter().chain(owner).map(|(value, circumstances)| (vec![("member", value)], circumstances)).collect()
}

/// What samples are made of.
struct World {
    user: User,
    administrator: User,
    other: User,
}

impl World {
    fn build() -> Option<Self> {
        let user = |id, name: &str, installation_administrator| {
            Some(User {
                id,
                username: Username::parse(name).ok()?,
                email: Email::parse("sample@example.com").ok()?,
                installation_administrator,
                tokens_not_before: NOW,
                created_at: NOW,
            })
        };
        Some(Self {
            user: user(SUBJECT, "subject", false)?,
            administrator: user(SUBJECT, "subject", true)?,
            other: user(OTHER, "other", false)?,
        })
    }

    fn situations(&self) -> Vec<Situation> {
        let mut all = Vec::new();
        let on = |resource: Resource, facts: Facts, is_registered: bool| {
            let registered = if is_registered { "registered" } else { "not registered" };
            Situation {
                who: "",
                principal_type: "",
                resource,
                facts,
                traits: vec![("resource", registered)],
                asker: Asker::Anonymous,
            }
        };
        let nobodys = [
            on(Resource::Application(APPLICATION), Facts::Application(None), false),
            on(Resource::Device(DEVICE), Facts::Device(None), false),
            on(Resource::Organization(ORGANIZATION), Facts::Organization(None), false),
            on(Resource::User(OTHER), Facts::User(Some(self.other.clone().into())), true),
            on(Resource::User(OTHER), Facts::User(None), false),
            Situation { traits: Vec::new(), ..on(Resource::Installation, Facts::Nothing, true) },
        ];
        let applications = self.applications(None, false, OTHER).into_iter().flat_map(|(facts, traits)| {
            let with =
                |situation: Situation| Situation { traits: [situation.traits, traits.clone()].concat(), ..situation };
            [
                with(on(Resource::Application(APPLICATION), Facts::Application(Some(facts)), true)),
                with(on(Resource::Device(DEVICE), Facts::Device(Some(facts)), true)),
            ]
        });
        for situation in
            nobodys.into_iter().chain(applications).chain(self.organizations(false).map(|(facts, traits)| {
                let of = on(Resource::Organization(ORGANIZATION), facts, true);
                Situation { traits: [of.traits, traits].concat(), ..of }
            }))
        {
            let anonymous = Situation { who: "anonymous", principal_type: "Anonymous", ..situation.clone() };
            let console =
                Situation { who: "console", principal_type: "Console", asker: Asker::Console, ..situation.clone() };
            all.extend([anonymous, console]);
            self.add_users(&mut all, "user without role", &situation);
        }
        self.add_users(
            &mut all,
            "the account's user",
            &on(Resource::User(SUBJECT), Facts::User(Some(self.user.clone().into())), true),
        );
        let standings = Role::ALL.map(|role| (role.as_str(), Some(role), false, OTHER));
        let further =
            [("owner", Some(Role::Administrator), false, SUBJECT), ("organization's administrator", None, true, OTHER)];
        for (who, role, administers, owner) in standings.into_iter().chain(further) {
            for (facts, traits) in self.applications(role, administers, owner) {
                let application = on(Resource::Application(APPLICATION), Facts::Application(Some(facts)), true);
                let device = on(Resource::Device(DEVICE), Facts::Device(Some(facts)), true);
                for situation in [application, device] {
                    let traits = [situation.traits.clone(), traits.clone()].concat();
                    self.add_users(&mut all, who, &Situation { traits, ..situation });
                }
            }
        }
        for (facts, traits) in self.organizations(true) {
            let of = on(Resource::Organization(ORGANIZATION), facts, true);
            let traits = [of.traits.clone(), traits].concat();
            self.add_users(&mut all, "organization's administrator", &Situation { traits, ..of });
        }
        all
    }

    /// The situation for a user, with each sort of credential.
    fn add_users(&self, all: &mut Vec<Situation>, who: &'static str, situation: &Situation) {
        let belongs_to_application = matches!(situation.resource, Resource::Application(_) | Resource::Device(_));
        for (user, administers) in [(&self.user, "no"), (&self.administrator, "yes")] {
            for sort in Sort::ALL {
                if sort == Sort::ThisApplication && !belongs_to_application {
                    continue;
                }
                let more = [("credential", sort.name()), ("installation administrator", administers)];
                all.push(Situation {
                    who,
                    principal_type: "User",
                    traits: situation.traits.iter().copied().chain(more).collect(),
                    asker: Asker::User { user: Box::new(user.clone()), credential: sort },
                    ..situation.clone()
                });
            }
        }
    }

    fn applications(
        &self,
        role: Option<Role>,
        administers: bool,
        owner: UserId,
    ) -> Vec<(ApplicationFacts, Vec<Trait>)> {
        let types = [(ApplicationType::Starter, "starter"), (ApplicationType::Standard, "standard")];
        let plans = [(Plan::Free, "free"), (Plan::Paid, "paid")];
        let all = types.into_iter().flat_map(|(application_type, type_name)| {
            plans.map(|(plan, plan_name)| {
                let organization = self.organization(plan, administers);
                let facts = ApplicationFacts { id: APPLICATION, application_type, owner, organization, role };
                (facts, vec![("type", type_name), ("plan", plan_name)])
            })
        });
        all.collect()
    }

    fn organizations(&self, administers: bool) -> impl Iterator<Item = (Facts, Vec<Trait>)> {
        [(Plan::Free, "free"), (Plan::Paid, "paid")].into_iter().map(move |(plan, name)| {
            (Facts::Organization(Some(self.organization(plan, administers))), vec![("plan", name)])
        })
    }

    fn organization(&self, plan: Plan, is_administrator: bool) -> OrganizationFacts {
        OrganizationFacts { id: ORGANIZATION, plan, is_administrator }
    }
}
