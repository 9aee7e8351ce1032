//! SQL that several classes need to shape their answers.

use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use serde::de::DeserializeOwned;

/// OIDs from here on were given after `initdb`: what is below belongs to the server.
pub(super) const FIRST_USER_OID: u32 = 16_384;

/// A class whose objects live in schemas. In its SQL, `x` is the object's row and `n` its schema's.
#[derive(Debug)]
pub(super) struct Listing<'a> {
    /// What is read, for errors: "the tables".
    pub(super) what: &'static str,
    /// The catalog of the objects.
    pub(super) catalog: CatalogId,
    /// Its name, without a schema.
    pub(super) table: &'static str,
    /// What its columns start with: `typ` of `typname`.
    pub(super) prefix: &'static str,
    /// Whether it has a column for the owner.
    pub(super) owner: Owner,
    /// The fields of the definition and the SQL of their values.
    pub(super) fields: &'a [(&'a str, &'a str)],
    /// Which rows, beside what is in scope and not of an extension.
    pub(super) filter: &'a str,
    /// Makes the definition of its JSON.
    pub(super) definition: fn(&str) -> serde_json::Result<Definition>,
}

/// Whether objects of a class have owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Role,
    None,
}

impl Listing<'_> {
    pub(super) fn reading(self, cx: &ReadContext<'_>) -> Reading {
        let Self { table, prefix, .. } = self;
        let owner = match self.owner {
            Owner::Role => format!("pg_catalog.pg_get_userbyid(x.{prefix}owner)"),
            Owner::None => "null::pg_catalog.text".to_owned(),
        };
        let sql = format!(
            "select x.oid, n.nspname, x.{prefix}name, {owner}, {} from pg_catalog.{table} x \
             join pg_catalog.pg_namespace n on n.oid = x.{prefix}namespace \
             where {} and {} and {}",
            json(self.fields),
            cx.in_scope("n"),
            not_of_extension(self.catalog, "x.oid"),
            self.filter,
        );
        Reading {
            what: self.what,
            catalog: self.catalog,
            sql,
            definition: self.definition,
        }
    }
}

/// Reads a definition from its JSON: `|json| parse(json, Definition::Cast)`.
pub(super) fn parse<T: DeserializeOwned>(
    json: &str,
    wrap: fn(T) -> Definition,
) -> serde_json::Result<Definition> {
    serde_json::from_str(json).map(wrap)
}

/// The SQL of a JSON document with these fields, as text.
pub(super) fn json(fields: &[(&str, &str)]) -> String {
    format!("{}::pg_catalog.text", json_value(fields))
}

/// The SQL of a JSON object with these fields.
pub(super) fn json_value(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, sql)| format!("'{name}', {sql}"))
        .collect();
    format!("pg_catalog.json_build_object({})", pairs.join(", "))
}

/// The SQL of a [`QualifiedName`](crate::name::QualifiedName), NULL where there is no such object.
pub(super) fn qualified(table: &str, prefix: &str, oid: &str) -> String {
    format!(
        "(select pg_catalog.json_build_object('schema', qn.nspname, 'name', q.{prefix}name) \
         from pg_catalog.{table} q join pg_catalog.pg_namespace qn on qn.oid = q.{prefix}namespace \
         where q.oid = {oid})"
    )
}

/// [`qualified`] of a function.
pub(super) fn function(oid: &str) -> String {
    qualified("pg_proc", "pro", oid)
}

/// [`qualified`] of an operator.
pub(super) fn operator(oid: &str) -> String {
    qualified("pg_operator", "opr", oid)
}

/// The SQL of the collation `oid` where it is not the one that comes with the type `of`.
pub(super) fn own_collation(oid: &str, of: &str) -> String {
    let wanted = format!(
        "nullif({oid}, (select b.typcollation from pg_catalog.pg_type b where b.oid = {of}))"
    );
    qualified("pg_collation", "coll", &wanted)
}

/// The SQL of a type's text, NULL for none.
pub(super) fn type_text(oid: &str) -> String {
    format!("case when {oid} <> 0 then pg_catalog.format_type({oid}, null) end")
}

/// The condition that nothing else made the object as a part of itself (the constructors of a range).
pub(super) fn not_internal(catalog: CatalogId, oid: &str) -> String {
    format!(
        "not exists (select from pg_catalog.pg_depend i where i.classid = {} and i.objid = {oid} \
         and i.objsubid = 0 and i.deptype = 'i')",
        catalog.0
    )
}
