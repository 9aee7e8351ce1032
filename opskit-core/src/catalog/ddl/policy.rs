//! Row-level security policies.

use super::options::qualified;
use super::{Emitter, Section};
use crate::catalog::model::{Object, Policy, PolicyKind};
use crate::name::quote_ident;

pub(super) fn create(object: &Object, policy: &Policy, out: &mut Emitter<'_>) {
    let kind = match policy.kind {
        PolicyKind::Permissive => "PERMISSIVE",
        PolicyKind::Restrictive => "RESTRICTIVE",
    };
    let roles: Vec<String> = policy.roles.iter().map(|role| quote_ident(role)).collect();
    let roles = if roles.is_empty() {
        "PUBLIC".to_owned()
    } else {
        roles.join(", ")
    };
    let mut sql = format!(
        "CREATE POLICY {} ON {} AS {kind} FOR {} TO {roles}",
        quote_ident(&object.name),
        qualified(object.schema.as_deref(), &policy.table),
        policy.command,
    );
    if let Some(using) = &policy.using {
        sql.push_str(&format!(" USING ({using})"));
    }
    if let Some(check) = &policy.check {
        sql.push_str(&format!(" WITH CHECK ({check})"));
    }
    out.create(Section::PostData, object, sql);
}
