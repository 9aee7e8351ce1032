//! Why a restore cannot be done, as far as can be told before.

use super::plan::SessionKind;
use super::request::{Carry, Existing, OnError, Part, RestoreRequest, Transactions};
use super::select::name_of;
use super::target::Target;
use crate::catalog::CatalogId;
use crate::catalog::ddl::{Action, Statement};
use crate::catalog::model::{Model, Object};
use crate::repository::{Contents, Holds};
use std::collections::BTreeSet;

/// How many names are listed before the rest is counted.
const NAMED: usize = 5;

pub(super) fn of(
    contents: &Contents,
    model: &Model,
    target: &Target,
    request: &RestoreRequest,
    kind: SessionKind,
) -> Vec<String> {
    let mut problems = Vec::new();
    let (source, here) = (model.server_version / 10_000, target.version / 10_000);
    if source > here {
        problems.push(format!(
            "the backup is of PostgreSQL {source} and the target is {here}: an older server does not know \
             all that a newer one writes into definitions and values"
        ));
    }
    if target.is_standby {
        problems.push("the target is a standby, which takes no writes".to_owned());
    }
    if request.transactions == Transactions::One {
        problems.extend(in_one_transaction(model, target, request, kind));
    }
    if request.part == Part::Data {
        let missing = contents.tables.iter().filter(|table| {
            let name = (table.name.schema.clone(), table.name.name.clone());
            table.holds == Holds::Table && !target.relations.contains(&name)
        });
        problems.extend(list(
            "the target lacks",
            missing.map(|table| format!("table {}", table.name)),
        ));
        return problems;
    }
    if request.existing == Existing::Refuse {
        let exists = model.objects.iter().filter(|object| {
            object.address.catalog == CatalogId::CLASS
                && name_of(object)
                    .is_some_and(|name| target.relations.contains(&(name.schema, name.name)))
        });
        let exists = exists.chain(same_large_objects(model, target));
        problems.extend(list(
            "the target has already",
            exists.map(|object| object.describe()),
        ));
    }
    problems.extend(roles(model, target, request));
    problems.extend(privileged(model, target, kind));
    let extensions = model.objects.iter().filter(|object| {
        object.address.catalog == CatalogId::EXTENSION && !target.extensions.contains(&object.name)
    });
    problems.extend(list(
        "the target's server does not offer",
        extensions.map(|object| object.describe()),
    ));
    let makes_schemas = model.objects.iter().any(|object| {
        object.address.catalog == CatalogId::NAMESPACE && !target.schemas.contains(&object.name)
    });
    if makes_schemas && !target.may_create {
        problems.push(format!(
            "role \"{}\" may not create schemas in the target",
            target.role
        ));
    }
    problems
}

/// Objects that only a superuser may make, where none makes them. Extensions are left to the server, which
/// may let others make them.
fn privileged(model: &Model, target: &Target, kind: SessionKind) -> Option<String> {
    let way = match (target.is_superuser, kind) {
        (true, SessionKind::Own) => return None,
        (true, SessionKind::TemporaryLogin) => "if you trust the backup, give --trust-backup",
        (false, _) => "restore as a superuser",
    };
    let objects = model.objects.iter().filter(|object| {
        object.address.catalog != CatalogId::EXTENSION && object.needs_superuser().is_some()
    });
    list(
        &format!("only a superuser may make ({way}):"),
        objects.map(Object::describe),
    )
}

/// Privileges on what is the server's or an extension's: a superuser gives none that a backup asks for.
pub(super) fn foreign_grants(statements: &[Statement], kind: SessionKind) -> Option<String> {
    if kind == SessionKind::Own {
        return None;
    }
    let grants = statements
        .iter()
        .filter(|it| it.action == Action::GrantOnForeign);
    let objects: BTreeSet<&String> = grants.map(|it| &it.object).collect();
    list(
        "privileges on objects that are not the backup's own (give --trust-backup, or leave privileges out with \
         --no-acl):",
        objects.into_iter().cloned(),
    )
}

/// Large objects that the target has too: they have no names but their numbers.
pub(super) fn same_large_objects<'a>(
    model: &'a Model,
    target: &'a Target,
) -> impl Iterator<Item = &'a Object> {
    let objects = model.objects.iter();
    objects.filter(|object| {
        object.address.catalog == CatalogId::LARGE_OBJECT
            && target.large_objects.contains(&object.address.oid)
    })
}

fn in_one_transaction(
    model: &Model,
    target: &Target,
    request: &RestoreRequest,
    kind: SessionKind,
) -> Vec<String> {
    let mut problems = Vec::new();
    if kind == SessionKind::TemporaryLogin {
        problems.push(
            "one transaction cannot span the session of a superuser and the login that restores: restore as \
             a role that is no superuser, or give --trust-backup"
                .to_owned(),
        );
    }
    if request.on_error == OnError::KeepGoing {
        problems.push("one transaction cannot go on after an error".to_owned());
    }
    // A table has a TOAST table with its index, and each index is locked too.
    let locks = 3 * model
        .objects
        .iter()
        .filter(|object| object.address.catalog == CatalogId::CLASS)
        .count() as u64;
    if locks > target.locks {
        problems.push(format!(
            "one transaction would need about {locks} locks and the server has room for {}: raise \
             max_locks_per_transaction, or restore in many transactions",
            target.locks
        ));
    }
    problems
}

/// Owners that the target does not have, or that its role may not make owners.
fn roles(model: &Model, target: &Target, request: &RestoreRequest) -> Vec<String> {
    if request.owners == Carry::Leave {
        return Vec::new();
    }
    let owners = model
        .objects
        .iter()
        .filter_map(|object| object.owner.as_ref());
    let said = model.access.owners.iter().map(|about| &about.is.role);
    let owners: BTreeSet<&String> = owners.chain(said).collect();
    let (mut missing, mut foreign) = (Vec::new(), Vec::new());
    // The server's own roles are on every server, and whoever can name them as owners need not be asked.
    for owner in owners.into_iter().filter(|owner| !owner.starts_with("pg_")) {
        match target.may_act_for(owner) {
            None => missing.push(format!("role \"{owner}\"")),
            Some(false) => foreign.push(format!("role \"{owner}\"")),
            Some(true) => {}
        }
    }
    let way = "(create them, or leave owners out with --no-owner)";
    let mut problems: Vec<String> = list(
        &format!("the target lacks owners {way}:"),
        missing.into_iter(),
    )
    .into_iter()
    .collect();
    problems.extend(list(
        &format!("role \"{}\" may not give objects to", target.role),
        foreign.into_iter(),
    ));
    problems
}

pub(super) fn warnings(contents: &Contents, target: &Target) -> Vec<String> {
    let mut warnings = contents.warnings.clone();
    if contents.source.encoding != target.encoding {
        warnings.push(format!(
            "the backup is of a database in {} and the target is in {}: text that the target cannot hold \
             stops the restore",
            contents.source.encoding, target.encoding
        ));
    }
    warnings
}

/// One sentence about several objects.
fn list(what: &str, objects: impl Iterator<Item = String>) -> Option<String> {
    let objects: Vec<String> = objects.collect();
    let more = objects.len().saturating_sub(NAMED);
    let named = objects
        .iter()
        .take(NAMED)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match (objects.len(), more) {
        (0, _) => None,
        (_, 0) => Some(format!("{what} {named}")),
        _ => Some(format!("{what} {named} and {more} more")),
    }
}
