//! What is known of a subject and a resource: everything that policies can read of either, and nothing more.

use super::question::{Resource, Subject};
use crate::cache::Equivalent;
use crate::model::{Change, Role, User, UserId};
pub(super) use crate::store::{ApplicationStanding as ApplicationFacts, OrganizationStanding as OrganizationFacts};
use crate::store::{Read, StoreError};

/// What the store says of a resource, and of where a user stands towards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Facts {
    Application(Option<ApplicationFacts>),
    /// With the facts of the application that the device is registered with.
    Device(Option<ApplicationFacts>),
    Organization(Option<OrganizationFacts>),
    User(Option<Box<User>>),
    Nothing,
}

/// What facts are remembered under.
pub(super) type FactsKey = (Option<UserId>, Resource);

/// The same, borrowed, to look them up by.
#[derive(Hash)]
pub(super) struct FactsOf<'a>(pub(super) Option<UserId>, pub(super) &'a Resource);

impl Equivalent<FactsKey> for FactsOf<'_> {
    fn equivalent(&self, key: &FactsKey) -> bool {
        (self.0, self.1) == (key.0, &key.1)
    }
}

impl Facts {
    /// The user's role on the resource's application.
    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Self::Application(Some(facts)) | Self::Device(Some(facts)) => facts.role,
            _ => None,
        }
    }

    /// The facts of somebody who had this role, if a role can be had on the resource.
    pub(super) fn with_role(&self, role: Role) -> Option<Self> {
        let with = |facts: &ApplicationFacts| ApplicationFacts { role: Some(role), ..*facts };
        match self {
            Self::Application(Some(facts)) => Some(Self::Application(Some(with(facts)))),
            Self::Device(Some(facts)) => Some(Self::Device(Some(with(facts)))),
            _ => None,
        }
    }

    /// The same for somebody who has no role and administers nothing.
    fn of_nobody(&self) -> Self {
        let organization = |facts: &OrganizationFacts| OrganizationFacts { is_administrator: false, ..*facts };
        let application = |facts: &ApplicationFacts| ApplicationFacts {
            role: None,
            organization: organization(&facts.organization),
            ..*facts
        };
        match self {
            Self::Application(Some(facts)) => Self::Application(Some(application(facts))),
            Self::Device(Some(facts)) => Self::Device(Some(application(facts))),
            Self::Organization(Some(facts)) => Self::Organization(Some(organization(facts))),
            _ => self.clone(),
        }
    }

    /// What a store would say in which there is nothing but the subject of a question and its resource, of which `self`
    /// are the facts.
    pub(super) fn alone(
        &self,
        subject: &Subject<'_>,
        on: &Resource,
        user: Option<UserId>,
        resource: &Resource,
    ) -> Self {
        match (subject, resource) {
            (Subject::User { user, .. }, Resource::User(id)) if user.id == *id => {
                Self::User(Some(Box::new((*user).clone())))
            }
            _ if resource == on && user == subject.user_id() => self.clone(),
            _ if resource == on => self.of_nobody(),
            (_, Resource::Application(_)) => Self::Application(None),
            (_, Resource::Device(_)) => Self::Device(None),
            (_, Resource::Organization(_)) => Self::Organization(None),
            (_, Resource::User(_)) => Self::User(None),
            (_, Resource::Installation | Resource::Unregistered { .. }) => Self::Nothing,
        }
    }

    /// Reads the facts: one statement, so that they are of one moment.
    pub(super) fn load(store: &dyn Read, user: Option<UserId>, resource: &Resource) -> Result<Self, StoreError> {
        Ok(match *resource {
            Resource::Application(id) => Self::Application(store.application_standing(id, user)?),
            Resource::Device(id) => Self::Device(store.device_standing(id, user)?),
            Resource::Organization(id) => Self::Organization(store.organization_standing(id, user)?),
            Resource::User(id) => Self::User(store.user(id)?.map(Box::new)),
            Resource::Installation | Resource::Unregistered { .. } => Self::Nothing,
        })
    }

    /// All that has been read to know these facts of `user` and `resource`: when any of it changes, they may.
    // INVARIANT: whatever `load` looks at is here, found or not. What a missing row would have led to is not: it cannot be
    // without the row, whose coming is a change.
    pub(super) fn made_of(&self, user: Option<UserId>, resource: &Resource) -> impl Iterator<Item = Change> {
        let asked = match *resource {
            Resource::Application(id) => Some(Change::Application(id)),
            Resource::Device(id) => Some(Change::Device(id)),
            Resource::Organization(id) => Some(Change::Organization(id)),
            Resource::User(id) => Some(Change::User(id)),
            Resource::Installation | Resource::Unregistered { .. } => None,
        };
        let (of_device, standing) = match self {
            Self::Application(Some(standing)) => (false, Some(standing)),
            Self::Device(Some(standing)) => (true, Some(standing)),
            _ => (false, None),
        };
        let found = standing.map(|standing| {
            let (id, organization) = (standing.id, standing.organization.id);
            let application = of_device.then_some(Change::Application(id));
            [application, Some(Change::Organization(organization)), user.map(|user| Change::Membership(user, id))]
        });
        asked.into_iter().chain(found.into_iter().flatten().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApplicationId, ApplicationType, DeviceId, OrganizationId, Plan, Timestamp};

    const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

    fn standing(id: ApplicationId, organization: OrganizationId) -> ApplicationFacts {
        ApplicationFacts {
            id,
            application_type: ApplicationType::Standard,
            owner: UserId::generate(NOW),
            organization: OrganizationFacts { id: organization, plan: Plan::Free, is_administrator: false },
            role: None,
        }
    }

    #[test]
    fn a_borrowed_key_is_the_key() {
        use std::hash::BuildHasher;
        let hash = std::hash::RandomState::new();
        let user = UserId::generate(NOW);
        let unregistered = |id: &str| Resource::Unregistered { entity_type: "Door".into(), id: id.into() };
        let keys = [
            (None, unregistered("a")),
            (Some(user), unregistered("a")),
            (Some(user), unregistered("b")),
            (Some(user), Resource::User(user)),
            (Some(user), Resource::Device(DeviceId::from_bytes(*user.as_bytes()))),
        ];
        for (at, (user, resource)) in keys.iter().enumerate() {
            let borrowed = FactsOf(*user, resource);
            let equal: Vec<_> = keys.iter().map(|key| borrowed.equivalent(key)).collect();
            assert_eq!(equal.iter().position(|equal| *equal), Some(at));
            assert_eq!(equal.iter().filter(|equal| **equal).count(), 1);
            assert_eq!(hash.hash_one(&borrowed), hash.hash_one(&keys[at]));
        }
    }

    #[test]
    fn facts_end_with_each_thing_that_they_were_read_from() {
        let user = UserId::generate(NOW);
        let (application, organization) = (ApplicationId::generate(NOW), OrganizationId::generate(NOW));
        let device = DeviceId::generate(NOW);
        let standing = standing(application, organization);
        let all = |facts: Facts, user, resource| facts.made_of(user, &resource).collect::<Vec<_>>();
        let of_application = [
            Change::Application(application),
            Change::Organization(organization),
            Change::Membership(user, application),
        ];
        let known = Facts::Application(Some(standing));
        assert_eq!(all(known.clone(), Some(user), Resource::Application(application)), of_application);
        assert_eq!(all(known, None, Resource::Application(application)), of_application[..2]);
        let of_device: Vec<_> = [Change::Device(device)].into_iter().chain(of_application).collect();
        assert_eq!(all(Facts::Device(Some(standing)), Some(user), Resource::Device(device)), of_device);

        for (nothing, resource, asked) in [
            (Facts::Application(None), Resource::Application(application), Change::Application(application)),
            (Facts::Device(None), Resource::Device(device), Change::Device(device)),
            (Facts::Organization(None), Resource::Organization(organization), Change::Organization(organization)),
            (Facts::User(None), Resource::User(user), Change::User(user)),
        ] {
            assert_eq!(all(nothing, Some(user), resource), [asked], "what is not there may come");
        }
        assert_eq!(all(Facts::Nothing, Some(user), Resource::Installation), []);
    }
}
