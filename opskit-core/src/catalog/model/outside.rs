//! What objects of the user's need that is not theirs: a platform's function in a policy, a table of a schema
//! that was left out. Without it they cannot be made.

use super::{Address, CatalogId};
use crate::catalog::{TextRow, number, text};
use crate::error::Result;
use crate::name::quote_literal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// An object of the model needs something outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Outside {
    /// The object.
    pub object: Address,
    /// What it needs.
    pub on: Identity,
}

/// What something is called by `pg_identify_object`, the same in every database that has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The class: `function`.
    pub kind: String,
    /// Its schema, without quotes.
    pub schema: String,
    /// Its name with schema and arguments, quoted where needed: `auth.uid()`.
    pub name: String,
}

/// The classes that objects of another schema are needed of: their OID, their catalog, the column of the schema.
const CLASSES: [(CatalogId, &str, &str); 6] = [
    (CatalogId::CLASS, "pg_class", "relnamespace"),
    (CatalogId::PROC, "pg_proc", "pronamespace"),
    (CatalogId::TYPE, "pg_type", "typnamespace"),
    (CatalogId::OPERATOR, "pg_operator", "oprnamespace"),
    (CatalogId::COLLATION, "pg_collation", "collnamespace"),
    (CatalogId::TS_CONFIGURATION, "pg_ts_config", "cfgnamespace"),
];

/// The query for what there is in schemas, named `n`, that fulfil a condition. Each row gives catalog, OID, class, schema
/// and name.
fn sql(condition: &str) -> String {
    let class = |(catalog, name, schema): &(CatalogId, &str, &str)| {
        format!(
            "select {}::pg_catalog.oid, c.oid, c.{schema} from pg_catalog.{name} c \
             where c.oid >= 16384 and c.{schema} = any(array(select n.oid from pg_catalog.pg_namespace n where {condition}))",
            catalog.0
        )
    };
    let classes: Vec<String> = CLASSES.iter().map(class).collect();
    format!(
        "select o.catalog, o.oid, i.type, n.nspname, i.identity from ({}) o(catalog, oid, namespace) \
         join pg_catalog.pg_namespace n on n.oid = o.namespace \
         cross join lateral pg_catalog.pg_identify_object(o.catalog, o.oid, 0) i where i.identity is not null",
        classes.join(" union all ")
    )
}

/// The query for what is outside: in schemas that are not the user's, nor the server's, nor a session's.
pub(super) fn outside_sql(in_scope: &str) -> String {
    sql(&format!(
        "not {in_scope} and n.nspname operator(pg_catalog.!~) '^(pg_.*|information_schema)$'"
    ))
}

/// The query for what there is in these schemas.
pub(crate) fn identities_sql(schemas: &BTreeSet<&str>) -> String {
    let names: Vec<String> = schemas.iter().map(|name| quote_literal(name)).collect();
    sql(&format!("n.nspname in ({})", names.join(", ")))
}

/// A row of an answer to such a query.
pub(crate) fn identity_from(row: &TextRow) -> Result<(Address, Identity)> {
    let address = Address::new(CatalogId(number(row, 0)?), number(row, 1)?);
    let identity = Identity {
        kind: text(row, 2)?.to_owned(),
        schema: text(row, 3)?.to_owned(),
        name: text(row, 4)?.to_owned(),
    };
    Ok((address, identity))
}

/// What things outside are called.
pub(super) type Identities = HashMap<Address, Identity>;
