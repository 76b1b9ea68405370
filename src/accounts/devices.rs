//! Devices of applications.

use super::{AccountError, Accounts, Actor, Result};
use crate::audit;
use crate::authz::Resource;
use crate::model::{ApplicationId, Device, DeviceId, EventAction, Name};

impl Accounts {
    /// The devices of an application, after `after`, `limit` at most.
    pub fn devices(
        &self,
        actor: &Actor,
        application: ApplicationId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>> {
        self.visible_application(&*self.store, actor, application)?;
        Ok(self.store.devices(application, after, limit)?)
    }

    /// Registers a device with an application, under its own identifier or a new one.
    pub fn add_device(
        &self,
        actor: &Actor,
        application: ApplicationId,
        id: Option<DeviceId>,
        name: &str,
    ) -> Result<Device> {
        let name = Name::parse(name).map_err(AccountError::name("name"))?;
        let now = self.now();
        let mut tx = self.begin()?;
        self.visible_application(&*tx, actor, application)?;
        self.authorize(&*tx, actor, "AddDevice", &Resource::Application(application))?;
        let id = id.unwrap_or_else(|| DeviceId::generate(now));
        let device = Device { id, application, name, created_at: now };
        tx.insert_device(&device)?;
        let event = audit::event(&actor.author(), EventAction::DeviceAdded, now);
        self.finish(tx, [event.application(application).detail(id)])?;
        Ok(device)
    }

    /// Removes a device from its application.
    pub fn remove_device(&self, actor: &Actor, application: ApplicationId, id: DeviceId) -> Result<()> {
        let mut tx = self.begin()?;
        self.visible_application(&*tx, actor, application)?;
        let registered = tx.device(id)?.is_some_and(|device| device.application == application);
        if !registered {
            return Err(AccountError::NotFound("device"));
        }
        self.authorize(&*tx, actor, "RemoveDevice", &Resource::Device(id))?;
        tx.delete_device(id)?;
        let event = audit::event(&actor.author(), EventAction::DeviceRemoved, self.now());
        self.finish(tx, [event.application(application).detail(id)])
    }
}
