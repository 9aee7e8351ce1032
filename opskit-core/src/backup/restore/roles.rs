//! The roles that a model names.

use crate::catalog::model::{Acl, Definition, Model};
use std::collections::BTreeSet;

/// Roles, by what they are named for.
#[derive(Debug, Default)]
pub(super) struct NamedRoles {
    pub(super) owners: BTreeSet<String>,
    /// Whom policies and user mappings are for: their statements need the role.
    pub(super) users: BTreeSet<String>,
    pub(super) grantees: BTreeSet<String>,
    grantors: BTreeSet<String>,
}

impl NamedRoles {
    pub(super) fn of(model: &Model) -> Self {
        let mut named = Self::default();
        for object in &model.objects {
            named.owners.extend(object.owner.clone());
            match &object.definition {
                Definition::Policy(policy) => named.users.extend(policy.roles.iter().cloned()),
                Definition::UserMapping(mapping) => named.users.extend(mapping.role.clone()),
                Definition::DefaultAcl(default) => {
                    named.grantees.insert(object.name.clone());
                    named.acl(&default.acl);
                }
                _ => {}
            }
        }
        let owners = model.access.owners.iter();
        named
            .owners
            .extend(owners.map(|about| about.is.role.clone()));
        for about in &model.access.privileges {
            named.acl(&about.is.acl);
        }
        // Everybody is no role.
        named.users.remove("public");
        named.grantees.remove("public");
        named
    }

    fn acl(&mut self, acl: &Acl) {
        for item in &acl.items {
            self.grantees.extend(item.grantee.clone());
        }
        for item in acl.items.iter().chain(&acl.base) {
            self.grantors.insert(item.grantor.clone());
        }
    }
}

/// Every role that objects belong to, or that is granted something.
pub(in crate::backup) fn roles_of(model: &Model) -> BTreeSet<String> {
    let named = NamedRoles::of(model);
    let all = [named.owners, named.users, named.grantees, named.grantors];
    all.into_iter().flatten().collect()
}
