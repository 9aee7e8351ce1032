//! Owners, privileges, comments, labels and row-level security: what comes last.
//!
//! Until here everything belongs to whoever runs the script. Row-level security comes before the owners,
//! because only an owner may switch it on, and after the data, which it could filter. Schemas have their
//! owners and privileges before what is in them, because an owner needs privileges on the schema. Event
//! triggers are the very last: they would fire for every other statement.

use super::acl::{On, changes};
use super::trigger::create_event_trigger;
use super::{Action, Emitter, Grants, Owners, Place, Section, Statement};
use crate::catalog::address::{Address, CatalogId};
use crate::catalog::model::{
    About, Acl, AclItem, DefaultAcl, Definition, Model, Object, Owner, Privileges, RowSecurity,
    Target, TypeDefinition,
};
use crate::name::{QualifiedName, quote_ident, quote_literal};

/// The server from which on `PUBLIC` may create nothing in the schema `public`, and its owner is the
/// owner of the database.
const SAFE_PUBLIC: u32 = 150_000;

/// The servers that leave the multiranges of a range with their owner when the range gets another.
const MULTIRANGES_STAY: std::ops::Range<u32> = 140_000..170_000;

/// The comment that every database has on its schema `public`.
const PUBLIC_COMMENT: &str = "standard public schema";

pub(super) fn finish(model: &Model, out: &mut Emitter<'_>) {
    for about in &model.access.row_security {
        row_security(about, out);
    }
    for of in [is_schema, is_other] {
        owners(model, of, out);
        privileges(model, of, out);
    }
    uncomment_public(model, out);
    described(model, |address| !is_event_trigger(address), out);
    for object in &model.objects {
        if let Definition::DefaultAcl(default) = &object.definition {
            default_acl(object, default, out);
        }
    }
    for object in &model.objects {
        if let Definition::EventTrigger(trigger) = &object.definition {
            create_event_trigger(object, trigger, out);
        }
    }
    owners(model, is_event_trigger, out);
    described(model, is_event_trigger, out);
}

fn is_schema(address: Address) -> bool {
    address.catalog == CatalogId::NAMESPACE
}

fn is_event_trigger(address: Address) -> bool {
    address.catalog == CatalogId::EVENT_TRIGGER
}

fn is_other(address: Address) -> bool {
    !is_schema(address) && !is_event_trigger(address)
}

fn push<T>(
    about: &About<T>,
    action: Action,
    as_role: Option<String>,
    sql: String,
    out: &mut Emitter<'_>,
) {
    out.say(Statement {
        about: about.address,
        object: about.target.to_string(),
        section: Section::Access,
        action,
        as_role,
        on: Some(about.target.clone()),
        sql,
    });
}

fn row_security(about: &About<RowSecurity>, out: &mut Emitter<'_>) {
    let Some(table) = about.target.to_grant_sql() else {
        return;
    };
    let RowSecurity { enabled, forced } = about.is;
    for (_, flag) in [(enabled, "ENABLE"), (forced, "FORCE")]
        .iter()
        .filter(|(on, _)| *on)
    {
        let sql = format!("ALTER {table} {flag} ROW LEVEL SECURITY");
        push(about, Action::Create, None, sql, out);
    }
}

fn owners(model: &Model, of: fn(Address) -> bool, out: &mut Emitter<'_>) {
    if out.options.owners == Owners::OfSession {
        return;
    }
    for about in model.access.owners.iter().filter(|about| of(about.address)) {
        if is_public(&about.target) && has_its_owner(about, out.options.target_version) {
            continue;
        }
        if let Some(object) = about.target.to_sql() {
            let sql = format!("ALTER {object} OWNER TO {}", quote_ident(&about.is.role));
            push(about, Action::Owner, None, sql, out);
        }
        if let Some(multirange) = multirange(model, about.address)
            && MULTIRANGES_STAY.contains(&out.options.target_version)
        {
            let QualifiedName { schema, name } = multirange;
            let with = About {
                target: Target {
                    names: vec![schema.clone(), name.clone()],
                    ..about.target.clone()
                },
                ..about.clone()
            };
            let owner = quote_ident(&about.is.role);
            let sql = format!("ALTER TYPE {} OWNER TO {owner}", multirange.to_sql());
            push(&with, Action::Owner, None, sql, out);
        }
    }
}

/// The type of the multiranges of a range.
fn multirange(model: &Model, address: Address) -> Option<&QualifiedName> {
    let at = model
        .objects
        .binary_search_by_key(&address, |object| object.address);
    match &model.objects.get(at.ok()?)?.definition {
        Definition::Type(TypeDefinition::Range(range)) => range.multirange.as_ref(),
        _ => None,
    }
}

fn is_public(target: &Target) -> bool {
    target.kind == "schema" && target.names == ["public"]
}

fn has_its_owner(about: &About<Owner>, target_version: u32) -> bool {
    target_version >= SAFE_PUBLIC && about.is.role == "pg_database_owner"
}

fn privileges(model: &Model, of: fn(Address) -> bool, out: &mut Emitter<'_>) {
    if out.options.privileges == Grants::None {
        return;
    }
    // A table before its columns: what is revoked from a role on the table is revoked on columns too.
    let mut granted: Vec<&About<Privileges>> = model
        .access
        .privileges
        .iter()
        .filter(|about| of(about.address))
        .collect();
    granted.sort_by_key(|about| about.target.column().is_some());
    for about in granted {
        let Some(object) = about.target.to_grant_sql() else {
            continue;
        };
        let on = On {
            object: &object,
            column: about.target.column(),
            owner: &about.is.owner,
        };
        let all = if is_public(&about.target) {
            changes(&of_public(&about.is, out.options.target_version), on)
        } else {
            changes(&about.is.acl, on)
        };
        let action = if is_of_user(model, about) {
            Action::Grant
        } else {
            Action::GrantOnForeign
        };
        if action == Action::GrantOnForeign {
            out.given_elsewhere(about.address);
        }
        for change in all {
            push(about, action, change.as_role, change.sql, out);
        }
    }
}

/// Whether the object is one that this script makes, or `public`. What the model says about its maker is
/// not believed: it may come from a backup.
fn is_of_user(model: &Model, about: &About<Privileges>) -> bool {
    let names = about.target.names.as_slice();
    let system = |name: &String| name == "information_schema" || name.starts_with("pg_");
    if names.len() > 1 && names.first().is_some_and(system) {
        return false;
    }
    object_at(model, about.address).is_some() || is_identity_sequence(model, about)
}

fn object_at(model: &Model, address: Address) -> Option<&Object> {
    let objects = &model.objects;
    let at = objects.binary_search_by_key(&address, |object| object.address);
    at.ok().map(|at| &objects[at])
}

/// Whether it is the sequence of an identity column, which comes with its table.
fn is_identity_sequence(model: &Model, about: &About<Privileges>) -> bool {
    let [schema, name] = about.target.names.as_slice() else {
        return false;
    };
    let parts = &model.parts;
    let Ok(at) = parts.binary_search_by_key(&about.address, |part| part.part) else {
        return false;
    };
    let Some(Definition::Table(table)) = object_at(model, parts[at].of).map(|it| &it.definition)
    else {
        return false;
    };
    let mut identities = table.columns.iter().filter_map(|it| it.identity.as_ref());
    about.target.kind == "sequence"
        && identities.any(|it| it.sequence.schema == *schema && it.sequence.name == *name)
}

/// The schema `public` is there already, with the privileges that its server gave it.
fn of_public(privileges: &Privileges, target_version: u32) -> Acl {
    let item = |grantee: Option<&str>, all: &[&str]| AclItem {
        grantee: grantee.map(str::to_owned),
        grantor: privileges.owner.clone(),
        privileges: all.iter().map(|&privilege| privilege.to_owned()).collect(),
        grantable: Vec::new(),
    };
    let all = ["USAGE", "CREATE"];
    let everyones: &[&str] = if target_version >= SAFE_PUBLIC {
        &["USAGE"]
    } else {
        &all
    };
    Acl {
        items: privileges.acl.items.clone(),
        base: vec![item(Some(&privileges.owner), &all), item(None, everyones)],
    }
}

fn described(model: &Model, of: fn(Address) -> bool, out: &mut Emitter<'_>) {
    let access = &model.access;
    for about in access.comments.iter().filter(|about| of(about.address)) {
        if is_public(&about.target) && about.is.text == PUBLIC_COMMENT {
            continue;
        }
        if let Some(object) = about.target.to_sql() {
            let sql = format!("COMMENT ON {object} IS {}", quote_literal(&about.is.text));
            push(about, Action::Describe, None, sql, out);
        }
    }
    for about in access.labels.iter().filter(|about| of(about.address)) {
        if let Some(object) = about.target.to_sql() {
            let sql = format!(
                "SECURITY LABEL FOR {} ON {object} IS {}",
                quote_ident(&about.is.provider),
                quote_literal(&about.is.label)
            );
            push(about, Action::Describe, None, sql, out);
        }
    }
}

/// The schema `public` is there already, with a comment.
fn uncomment_public(model: &Model, out: &mut Emitter<'_>) {
    let has_comment = model
        .access
        .comments
        .iter()
        .any(|about| is_public(&about.target));
    let is_schema =
        |object: &&Object| object.definition == Definition::Schema && object.name == "public";
    if let Some(public) = model
        .objects
        .iter()
        .find(is_schema)
        .filter(|_| !has_comment)
    {
        let sql = "COMMENT ON SCHEMA \"public\" IS NULL".to_owned();
        out.push(
            Section::Access,
            Place::InTurn,
            Action::Describe,
            public,
            sql,
        );
    }
}

fn default_acl(object: &Object, default: &DefaultAcl, out: &mut Emitter<'_>) {
    if out.options.privileges == Grants::None {
        return;
    }
    let on = On {
        object: &default.of,
        column: None,
        owner: &object.name,
    };
    let schema = match &default.in_schema {
        Some(schema) => format!(" IN SCHEMA {}", quote_ident(schema)),
        None => String::new(),
    };
    let role = quote_ident(&object.name);
    for change in changes(&default.acl, on) {
        let sql = format!(
            "ALTER DEFAULT PRIVILEGES FOR ROLE {role}{schema} {}",
            change.sql
        );
        out.push(Section::Access, Place::InTurn, Action::Grant, object, sql);
    }
}
