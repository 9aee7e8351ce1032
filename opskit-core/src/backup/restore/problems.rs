//! Why a restore cannot be done, as far as can be told before.

use super::lacking;
use super::plan::SessionKind;
use super::present;
use super::request::{Carry, Existing, OnError, Part, RestoreRequest, Transactions};
use super::roles::NamedRoles;
use super::target::{Bracket, Target};
use crate::catalog::CatalogId;
use crate::catalog::model::{Model, Object};
use crate::name::start_of;
use crate::repository::{Contents, Holds};
use std::collections::BTreeSet;

/// How many names are listed before the rest is counted.
const NAMED: usize = 5;

/// How much of a name is told: twice what a name of an object and its schema may have.
const NAME_BYTES_MAX: usize = 300;

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
        let missing = contents
            .tables
            .iter()
            .filter(|table| table.holds == Holds::Table && !target.has_relation(&table.name));
        problems.extend(list(
            "the target lacks",
            missing.map(|table| format!("table {}", table.name)),
        ));
        return problems;
    }
    if request.existing == Existing::Refuse {
        let exists = present::already(model, &target.present);
        problems.extend(list(
            "the target has already",
            exists.into_iter().map(Object::describe),
        ));
    }
    problems.extend(roles(model, target, request));
    problems.extend(privileged(model, target, kind));
    let extensions = lacking::not_offered(model, &target.extensions);
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

/// Objects that only a superuser may make. Extensions are left to the server, which may let others make them.
pub(super) fn needs_superuser(model: &Model) -> impl Iterator<Item = &Object> {
    model.objects.iter().filter(|object| {
        object.address.catalog != CatalogId::EXTENSION && object.needs_superuser().is_some()
    })
}

/// Objects that only a superuser may make, where none makes them.
fn privileged(model: &Model, target: &Target, kind: SessionKind) -> Option<String> {
    let way = match (target.is_superuser, kind) {
        (true, SessionKind::Own) => return None,
        (true, SessionKind::TemporaryLogin) => "if you trust the backup, give --trust-backup",
        (false, _) => "restore as a superuser",
    };
    list(
        &format!("only a superuser may make ({way}):"),
        needs_superuser(model).map(Object::describe),
    )
}

/// Privileges on what is the server's or an extension's: a superuser gives none that a backup asks for.
pub(super) fn foreign_grants(objects: BTreeSet<String>) -> Option<String> {
    list(
        "privileges on objects that are not the backup's own (give --trust-backup, or leave privileges out with \
         --no-acl):",
        objects.into_iter(),
    )
}

/// What `--clean` would take with it.
pub(super) fn losses(losses: &[String]) -> Option<String> {
    list(
        "what is dropped would take with it what no restore of this backup brings back (drop or change that \
         yourself first):",
        losses.iter().cloned(),
    )
}

/// Tables that `--clean` would empty for good.
pub(super) fn emptied(tables: Vec<String>) -> Option<String> {
    list(
        "the backup has no rows of these, and the target has (leave them out with --only, or take --schema-only if \
         the rows may go):",
        tables.into_iter(),
    )
}

/// Large objects that `--data-only` would write over.
pub(super) fn filled(objects: Vec<String>) -> Option<String> {
    list(
        "the target has these with bytes of their own, which would be written over:",
        objects.into_iter(),
    )
}

/// What stands in the way of rows, and is somebody else's to take away.
pub(super) fn brackets(brackets: &[Bracket], target: &Target) -> Option<String> {
    let foreign = brackets.iter().filter(|it| {
        let is_own = || target.may_act_for(&it.owner) == Some(true);
        !target.is_superuser && !it.owner.is_empty() && !is_own()
    });
    list(
        &format!(
            "role \"{}\" may not take away, for as long as rows are loaded:",
            target.role
        ),
        foreign.map(|it| it.object.clone()),
    )
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

/// Roles that the target does not have, and owners that its role may not make ones.
fn roles(model: &Model, target: &Target, request: &RestoreRequest) -> Vec<String> {
    let named = NamedRoles::of(model);
    let (mut missing, mut foreign) = (BTreeSet::new(), Vec::new());
    // The server's own roles are on every server, and whoever can name them as owners need not be asked.
    let own = |role: &&String| !role.starts_with("pg_");
    if request.owners == Carry::Keep {
        for owner in named.owners.iter().filter(own) {
            match target.may_act_for(owner) {
                None => drop(missing.insert(owner)),
                Some(false) => foreign.push(format!("role \"{owner}\"")),
                Some(true) => {}
            }
        }
    }
    let is_missing = |role: &&String| target.may_act_for(role).is_none();
    missing.extend(named.users.iter().filter(own).filter(is_missing));
    if request.privileges == Carry::Keep {
        missing.extend(named.grantees.iter().filter(own).filter(is_missing));
    }
    let way = "(create them, let --create-roles do it, or leave owners and privileges out with --no-owner and --no-acl)";
    let missing = missing.into_iter().map(|role| format!("role \"{role}\""));
    let mut problems = Vec::new();
    problems.extend(list(&format!("the target lacks roles {way}:"), missing));
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

/// One sentence about several objects. Names that somebody forged are of any size.
pub(super) fn list(what: &str, objects: impl Iterator<Item = String>) -> Option<String> {
    let objects: Vec<String> = objects.collect();
    let more = objects.len().saturating_sub(NAMED);
    let named = objects
        .iter()
        .take(NAMED)
        .map(|object| start_of(object, NAME_BYTES_MAX))
        .collect::<Vec<_>>()
        .join(", ");
    match (objects.len(), more) {
        (0, _) => None,
        (_, 0) => Some(format!("{what} {named}")),
        _ => Some(format!("{what} {named} and {more} more")),
    }
}
