//! Who may ask what a credential is worth.

use super::{Accounts, Actor, Result};
use crate::authz::Resource;

impl Accounts {
    /// Whether the actor may introspect credentials; an error if not.
    pub fn authorize_introspection(&self, actor: &Actor) -> Result<()> {
        self.authorize(&*self.store, actor, "IntrospectCredential", &Resource::Installation)
    }
}
