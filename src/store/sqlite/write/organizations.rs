//! Organizations and their administrators are written.

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::{Change, Organization, OrganizationId, Plan, Timestamp, UserId};
use crate::store::sqlite::constraints::{Parent, Violation};
use crate::store::{StoreError, WriteOrganizations};

impl WriteOrganizations for SqliteTransaction<'_> {
    fn insert_organization(&mut self, organization: &Organization) -> Result<(), StoreError> {
        let owner = organization.personal_to.map(Parent::User);
        self.insert(
            &[("organizations.id", "organization"), ("organizations.personal_to", "organization")],
            owner.as_slice(),
            "INSERT INTO organizations (id, name, plan, personal_to, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                organization.id,
                organization.name,
                organization.plan,
                organization.personal_to,
                organization.created_at,
            ],
        )?;
        self.changed(Change::Organization(organization.id))
    }

    fn delete_organization(&mut self, id: OrganizationId) -> Result<(), StoreError> {
        self.run("DELETE FROM organization_administrators WHERE organization_id = ?1", [id])?;
        if let Err(error) = self.touch("organization", "DELETE FROM organizations WHERE id = ?1", [id]) {
            let Some(Violation::Reference) = Violation::of(&error) else { return Err(error) };
            return Err(StoreError::Exists("application"));
        }
        self.changed(Change::Organization(id))
    }

    fn set_plan(&mut self, organization: OrganizationId, plan: Plan) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE organizations SET plan = ?2 WHERE id = ?1";
        self.touch("organization", SQL, params![organization, plan])?;
        self.changed(Change::Organization(organization))
    }

    fn insert_administrator(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert(
            &[("organization_administrators.organization_id, organization_administrators.user_id", "administrator")],
            &[Parent::Organization(organization), Parent::User(user)],
            "INSERT INTO organization_administrators (organization_id, user_id, created_at) VALUES (?1, ?2, ?3)",
            params![organization, user, at],
        )?;
        self.changed(Change::Organization(organization))
    }

    fn delete_administrator(&mut self, organization: OrganizationId, user: UserId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM organization_administrators WHERE organization_id = ?1 AND user_id = ?2";
        self.touch("administrator", SQL, params![organization, user])?;
        self.changed(Change::Organization(organization))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ApplicationId;
    use crate::store::sqlite::samples::{NOW, Sample, organization};
    use crate::store::{Read, Transaction};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const OTHER: UserId = UserId::from_bytes([2; 16]);
    const NOBODY: UserId = UserId::from_bytes([99; 16]);
    const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
    const APPLICATION: ApplicationId = ApplicationId::from_bytes([1; 16]);

    fn personal(n: u8, owner: UserId) -> Organization {
        Organization { personal_to: Some(owner), ..organization(n) }
    }

    #[test]
    fn organizations_are_written() {
        let sample = Sample::populated();
        let changes = sample.write(|transaction| transaction.insert_organization(&personal(2, USER)));
        assert_eq!(changes, [Change::Organization(personal(2, USER).id)]);
        let second = sample.refusal(|transaction| transaction.insert_organization(&personal(3, USER)));
        assert_eq!(second, "organization exists already");
        let orphan = sample.refusal(|transaction| transaction.insert_organization(&personal(3, NOBODY)));
        assert_eq!(orphan, "user does not exist");

        let changes = sample.write(|transaction| transaction.set_plan(ORGANIZATION, Plan::Paid));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        assert_eq!(sample.store.organization(ORGANIZATION).unwrap().unwrap().plan, Plan::Paid);

        let full = sample.refusal(|transaction| transaction.delete_organization(ORGANIZATION));
        assert_eq!(full, "application exists already");
        sample.write(|transaction| transaction.delete_application(APPLICATION));
        let changes = sample.write(|transaction| transaction.delete_organization(ORGANIZATION));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        for step in [
            |transaction: &mut dyn Transaction| transaction.delete_organization(ORGANIZATION),
            |transaction: &mut dyn Transaction| transaction.set_plan(ORGANIZATION, Plan::Free),
        ] {
            assert_eq!(sample.refusal(step), "organization does not exist");
        }
    }

    #[test]
    fn administrators_are_written() {
        let sample = Sample::populated();
        let unknown = OrganizationId::from_bytes([99; 16]);
        let refusal = |organization, user| {
            sample.refusal(|transaction| transaction.insert_administrator(organization, user, NOW))
        };
        assert_eq!(refusal(ORGANIZATION, USER), "administrator exists already");
        assert_eq!(refusal(unknown, USER), "organization does not exist");
        assert_eq!(refusal(ORGANIZATION, NOBODY), "user does not exist");

        let changes = sample.write(|transaction| transaction.insert_administrator(ORGANIZATION, OTHER, NOW));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        let changes = sample.write(|transaction| transaction.delete_administrator(ORGANIZATION, OTHER));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        let refusal = sample.refusal(|transaction| transaction.delete_administrator(ORGANIZATION, OTHER));
        assert_eq!(refusal, "administrator does not exist");
    }
}
