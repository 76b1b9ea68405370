//! Members of applications and their roles.

use super::{AccountError, Accounts, Actor, Result, Target, user_by_login};
use crate::audit;
use crate::authz::Resource;
use crate::model::{ApplicationId, EventAction, Membership, Role, User, UserId};

/// A member of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: User,
    /// What the user may do.
    pub membership: Membership,
}

impl Accounts {
    /// The members of an application.
    pub fn members(&self, actor: &Actor, application: ApplicationId) -> Result<Vec<Member>> {
        self.visible_application(&*self.store, actor, application)?;
        let members = self.store.members(application, None, u32::MAX)?;
        Ok(members.into_iter().map(|(user, membership)| Member { user, membership }).collect())
    }

    /// Makes the user whom `login` names a member.
    pub fn add_member(&self, actor: &Actor, application: ApplicationId, login: &str, role: Role) -> Result<Member> {
        let now = self.now();
        let mut tx = self.begin()?;
        self.visible_application(&*tx, actor, application)?;
        // Who exists is told only to those who may add members.
        self.authorize(&*tx, actor, "AddMember", &Resource::Application(application))?;
        let user = user_by_login(&*tx, login)?.ok_or(AccountError::NotFound("user"))?;
        let target = Target { member: Some(user.id), role: Some(role) };
        self.authorize_for(&*tx, actor, "AddMember", &Resource::Application(application), target)?;
        let membership = Membership { application, user: user.id, role, created_at: now };
        tx.insert_membership(&membership)?;
        let event = audit::event(&actor.author(), EventAction::MemberAdded, now);
        self.finish(tx, [event.application(application).user(user.id).detail(role)])?;
        Ok(Member { user, membership })
    }

    /// Changes a member's role.
    pub fn set_role(&self, actor: &Actor, application: ApplicationId, user: UserId, role: Role) -> Result<()> {
        let mut tx = self.begin()?;
        self.visible_application(&*tx, actor, application)?;
        self.authorize(&*tx, actor, "ChangeMember", &Resource::Application(application))?;
        let target = Target { member: Some(user), role: Some(role) };
        self.authorize_for(&*tx, actor, "ChangeMember", &Resource::Application(application), target)?;
        tx.set_role(application, user, role)?;
        let event = audit::event(&actor.author(), EventAction::MemberRoleSet, self.now());
        self.finish(tx, [event.application(application).user(user).detail(role)])
    }

    /// Ends a membership: an administrator removes a member, or a member leaves.
    pub fn remove_member(&self, actor: &Actor, application: ApplicationId, user: UserId) -> Result<()> {
        let mut tx = self.begin()?;
        self.visible_application(&*tx, actor, application)?;
        let action = if actor.user_id() == Some(user) { "LeaveApplication" } else { "RemoveMember" };
        let target = match action {
            "RemoveMember" => Target { member: Some(user), role: None },
            _ => Target::default(),
        };
        self.authorize_for(&*tx, actor, action, &Resource::Application(application), target)?;
        tx.role(application, user)?.ok_or(AccountError::NotFound("member"))?;
        tx.delete_membership(application, user)?;
        let event = audit::event(&actor.author(), EventAction::MemberRemoved, self.now());
        self.finish(tx, [event.application(application).user(user)])
    }
}
