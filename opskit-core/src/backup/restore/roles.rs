//! The roles that a model names.

use crate::catalog::model::{Acl, Definition, Model};
use std::collections::BTreeSet;

/// Every role that objects belong to, or that is granted something.
pub(in crate::backup) fn roles_of(model: &Model) -> BTreeSet<String> {
    let mut roles = BTreeSet::new();
    for object in &model.objects {
        roles.extend(object.owner.clone());
        match &object.definition {
            Definition::Policy(policy) => roles.extend(policy.roles.iter().cloned()),
            Definition::DefaultAcl(default) => of_acl(&default.acl, &mut roles),
            Definition::UserMapping(mapping) => roles.extend(mapping.role.clone()),
            _ => {}
        }
    }
    roles.extend(
        model
            .access
            .owners
            .iter()
            .map(|about| about.is.role.clone()),
    );
    for about in &model.access.privileges {
        of_acl(&about.is.acl, &mut roles);
    }
    // Everybody is no role.
    roles.remove("public");
    roles
}

fn of_acl(acl: &Acl, roles: &mut BTreeSet<String>) {
    for item in acl.items.iter().chain(&acl.base) {
        roles.extend(item.grantee.clone());
        roles.insert(item.grantor.clone());
    }
}
