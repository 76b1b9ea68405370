//! Applications, their members and their devices are written.

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::{Application, ApplicationId, Change, Device, DeviceId, Membership, Role, UserId};
use crate::store::sqlite::constraints::Parent;
use crate::store::{Read, StoreError, WriteApplications};

impl WriteApplications for SqliteTransaction<'_> {
    fn insert_application(&mut self, application: &Application) -> Result<(), StoreError> {
        self.insert(
            &[("applications.id", "application"), ("applications.organization_id, applications.name", "application")],
            &[Parent::Organization(application.organization), Parent::User(application.owner)],
            "INSERT INTO applications (id, name, application_type, organization_id, owner_id, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                application.id,
                application.name,
                application.application_type,
                application.organization,
                application.owner,
                application.created_at,
            ],
        )?;
        self.changed(Change::Application(application.id))
    }

    fn delete_application(&mut self, id: ApplicationId) -> Result<(), StoreError> {
        const MEMBERSHIPS: &str = "DELETE FROM memberships WHERE application_id = ?1 RETURNING user_id";
        const DEVICES: &str = "DELETE FROM devices WHERE application_id = ?1 RETURNING id";
        let roles = self.returning(MEMBERSHIPS, [id], |columns| Ok(Change::Membership(columns.take()?, id)))?;
        let devices = self.returning(DEVICES, [id], |columns| columns.take().map(Change::Device))?;
        self.run("DELETE FROM departures WHERE application_id = ?1", [id])?;
        self.touch("application", "DELETE FROM applications WHERE id = ?1", [id])?;
        self.changed(Change::Application(id))?;
        self.all_changed(roles.into_iter().chain(devices))
    }

    fn insert_membership(&mut self, membership: &Membership) -> Result<(), StoreError> {
        self.insert(
            &[("memberships.application_id, memberships.user_id", "member")],
            &[Parent::Application(membership.application), Parent::User(membership.user)],
            "INSERT INTO memberships (application_id, user_id, role, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![membership.application, membership.user, membership.role, membership.created_at],
        )?;
        self.changed(Change::Membership(membership.user, membership.application))
    }

    fn set_role(&mut self, application: ApplicationId, user: UserId, role: Role) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE memberships SET role = ?3 WHERE application_id = ?1 AND user_id = ?2";
        self.touch("member", SQL, params![application, user, role])?;
        self.changed(Change::Membership(user, application))
    }

    fn delete_membership(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM memberships WHERE application_id = ?1 AND user_id = ?2";
        self.touch("member", SQL, params![application, user])?;
        self.changed(Change::Membership(user, application))
    }

    fn record_departure(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError> {
        if self.has_left(application, user)? {
            return Ok(());
        }
        self.insert(
            &[],
            &[Parent::Application(application), Parent::User(user)],
            "INSERT INTO departures (application_id, user_id) VALUES (?1, ?2)",
            params![application, user],
        )?;
        self.changed(Change::Membership(user, application))
    }

    fn delete_departure(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM departures WHERE application_id = ?1 AND user_id = ?2";
        match self.run(SQL, params![application, user])? {
            0 => Ok(()),
            _ => self.changed(Change::Membership(user, application)),
        }
    }

    fn insert_device(&mut self, device: &Device) -> Result<(), StoreError> {
        self.insert(
            &[("devices.id", "device")],
            &[Parent::Application(device.application)],
            "INSERT INTO devices (id, application_id, name, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![device.id, device.application, device.name, device.created_at],
        )?;
        self.changed(Change::Device(device.id))
    }

    fn delete_device(&mut self, id: DeviceId) -> Result<(), StoreError> {
        self.touch("device", "DELETE FROM devices WHERE id = ?1", [id])?;
        self.changed(Change::Device(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Transaction;
    use crate::store::sqlite::samples::{Sample, application, device, membership, organization};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const OTHER: UserId = UserId::from_bytes([2; 16]);
    const NOBODY: UserId = UserId::from_bytes([99; 16]);
    const APPLICATION: ApplicationId = ApplicationId::from_bytes([1; 16]);

    #[test]
    fn application_names_are_unique_within_their_organization() {
        let sample = Sample::populated();
        let same_name = Application { name: application(1).name, ..application(2) };
        let refusal = sample.refusal(|transaction| transaction.insert_application(&same_name));
        assert_eq!(refusal, "application exists already");
        let elsewhere = Application { organization: organization(2).id, ..same_name };
        let refusal = sample.refusal(|transaction| transaction.insert_application(&elsewhere));
        assert_eq!(refusal, "organization does not exist");
        let changes = sample.write(|transaction| {
            transaction.insert_organization(&organization(2))?;
            transaction.insert_application(&elsewhere)
        });
        assert_eq!(changes, [Change::Organization(organization(2).id), Change::Application(elsewhere.id)]);
        let unowned = Application { owner: NOBODY, ..application(3) };
        assert_eq!(sample.refusal(|transaction| transaction.insert_application(&unowned)), "user does not exist");
    }

    #[test]
    fn an_application_goes_with_its_members_and_devices() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.insert_membership(&membership(1, 2, Role::Observer))?;
            transaction.insert_device(&device(1))?;
            transaction.insert_device(&device(2))
        });
        sample.write(|transaction| transaction.record_departure(APPLICATION, OTHER));
        let changes = sample.write(|transaction| transaction.delete_application(APPLICATION));
        assert_eq!(changes.len(), 5);
        for change in [
            Change::Application(APPLICATION),
            Change::Membership(USER, APPLICATION),
            Change::Membership(OTHER, APPLICATION),
            Change::Device(device(1).id),
            Change::Device(device(2).id),
        ] {
            assert!(changes.contains(&change), "{change:?}");
        }
        assert_eq!(sample.store.application(APPLICATION).unwrap(), None);
        assert_eq!(sample.store.device(device(1).id).unwrap(), None);
        assert!(sample.store.members(APPLICATION, None, 9).unwrap().is_empty());
        assert!(!sample.store.has_left(APPLICATION, OTHER).unwrap());
        let refusal = sample.refusal(|transaction| transaction.delete_application(APPLICATION));
        assert_eq!(refusal, "application does not exist");
    }

    #[test]
    fn memberships_are_written() {
        let sample = Sample::populated();
        let change = [Change::Membership(OTHER, APPLICATION)];
        let refusal = |application, user| {
            sample.refusal(|transaction| transaction.insert_membership(&membership(application, user, Role::Observer)))
        };
        assert_eq!(refusal(1, 1), "member exists already");
        assert_eq!(refusal(99, 1), "application does not exist");
        assert_eq!(refusal(1, 99), "user does not exist");

        let new = membership(1, 2, Role::Observer);
        assert_eq!(sample.write(|transaction| transaction.insert_membership(&new)), change);
        assert_eq!(sample.write(|transaction| transaction.set_role(APPLICATION, OTHER, Role::Developer)), change);
        assert_eq!(sample.store.role(APPLICATION, OTHER).unwrap(), Some(Role::Developer));
        assert_eq!(sample.write(|transaction| transaction.delete_membership(APPLICATION, OTHER)), change);
        for step in [
            |transaction: &mut dyn Transaction| transaction.delete_membership(APPLICATION, OTHER),
            |transaction: &mut dyn Transaction| transaction.set_role(APPLICATION, OTHER, Role::Observer),
        ] {
            assert_eq!(sample.refusal(step), "member does not exist");
        }
    }

    #[test]
    fn departures_are_written_once_and_forgotten_once() {
        let sample = Sample::populated();
        let change = [Change::Membership(OTHER, APPLICATION)];
        for expected in [&change[..], &[]] {
            assert_eq!(sample.write(|transaction| transaction.record_departure(APPLICATION, OTHER)), expected);
            assert!(sample.store.has_left(APPLICATION, OTHER).unwrap());
        }
        for expected in [&change[..], &[]] {
            assert_eq!(sample.write(|transaction| transaction.delete_departure(APPLICATION, OTHER)), expected);
            assert!(!sample.store.has_left(APPLICATION, OTHER).unwrap());
        }
        let refusal = sample.refusal(|transaction| transaction.record_departure(APPLICATION, NOBODY));
        assert_eq!(refusal, "user does not exist");
        let unknown = ApplicationId::from_bytes([99; 16]);
        let refusal = sample.refusal(|transaction| transaction.record_departure(unknown, OTHER));
        assert_eq!(refusal, "application does not exist");
    }

    #[test]
    fn devices_are_written() {
        let sample = Sample::populated();
        let change = [Change::Device(device(1).id)];
        assert_eq!(sample.write(|transaction| transaction.insert_device(&device(1))), change);
        assert_eq!(sample.refusal(|transaction| transaction.insert_device(&device(1))), "device exists already");
        let stray = Device { application: ApplicationId::from_bytes([99; 16]), ..device(2) };
        assert_eq!(sample.refusal(|transaction| transaction.insert_device(&stray)), "application does not exist");
        assert_eq!(sample.write(|transaction| transaction.delete_device(device(1).id)), change);
        assert_eq!(sample.refusal(|transaction| transaction.delete_device(device(1).id)), "device does not exist");
    }
}
