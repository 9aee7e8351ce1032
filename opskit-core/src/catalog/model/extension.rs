//! Extensions. Their members are theirs, not objects of the model.

use super::read::{ReadContext, Reading};
use super::shape::{json, parse, qualified};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// An extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extension {
    /// Its version.
    pub version: String,
    /// The schema of its members.
    pub schema: String,
    /// That schema belongs to the user, or to the server: it is there before the extension.
    pub schema_is_known: bool,
    /// Who made it. There is no way to change that.
    pub made_by: String,
    /// Who may make it, `None` where the server no longer has its files.
    pub control: Option<ExtensionControl>,
    /// Tables whose rows are the user's.
    pub configuration: Vec<ConfigurationTable>,
}

/// What the control file of an extension says of who may make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtensionControl {
    /// Only a superuser may, or who may use a trusted one.
    pub superuser: bool,
    /// Whoever may create objects in the database may make it.
    pub trusted: bool,
}

/// A table (or sequence) of an extension whose rows belong in a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConfigurationTable {
    /// Its OID where it was read.
    pub oid: u32,
    /// Its name.
    pub name: QualifiedName,
    /// `pg_class.relkind`.
    pub kind: char,
    /// Which rows: `WHERE …`, or nothing for all.
    pub condition: String,
}

/// The query for all extensions, also those a platform made: what is in scope may need them.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let relation = qualified("pg_class", "rel", "k.oid");
    let configuration = format!(
        "array(select pg_catalog.json_build_object('oid', k.oid::pg_catalog.int8, 'name', {relation}, \
         'kind', c.relkind, 'condition', coalesce(k.condition, '')) \
         from rows from (pg_catalog.unnest(x.extconfig), pg_catalog.unnest(x.extcondition)) \
         with ordinality k (oid, condition, at) \
         join pg_catalog.pg_class c on c.oid = k.oid order by k.at)"
    );
    let known = format!("(n.nspname = 'pg_catalog' or {})", cx.in_scope("n"));
    let control = "case when v.name is not null then \
                   pg_catalog.json_build_object('superuser', v.superuser, 'trusted', v.trusted) end";
    let sql = format!(
        "select x.oid, null::pg_catalog.text, x.extname, null::pg_catalog.text, {} \
         from pg_catalog.pg_extension x join pg_catalog.pg_namespace n on n.oid = x.extnamespace \
         left join pg_catalog.pg_available_extension_versions v \
         on v.name = x.extname and v.version = x.extversion",
        json(&[
            ("version", "x.extversion"),
            ("schema", "n.nspname"),
            ("schema_is_known", &known),
            ("made_by", "pg_catalog.pg_get_userbyid(x.extowner)"),
            ("control", control),
            ("configuration", &configuration),
        ]),
    );
    Reading {
        what: "the extensions",
        catalog: CatalogId::EXTENSION,
        sql,
        definition: |json| parse(json, Definition::Extension),
    }
}
