//! The types of columns, with the types that they are made of.

use super::{TextRow, number, text};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::pgtype::{Attribute, TypeCatalog, TypeInfo, TypeKind};

/// The query for these types and all types that they are made of.
///
/// A send function counts by its name only where nobody but the server or an extension made it;
/// otherwise its bytes are unknown and kept as they are.
pub(crate) fn types_sql(oids: &[u32], server_version: u32) -> String {
    let list: Vec<String> = oids.iter().map(u32::to_string).collect();
    let list = list.join(",");
    let multirange = if server_version >= 140_000 {
        "union all select r.rngtypid from pg_catalog.pg_range r where r.rngmultitypid = t.oid"
    } else {
        ""
    };
    let multirange_of = if server_version >= 140_000 {
        "(select r.rngtypid from pg_catalog.pg_range r where r.rngmultitypid = t.oid)"
    } else {
        "null"
    };
    let is_array = "(t.typelem <> 0 and t.typsend = 'pg_catalog.array_send'::pg_catalog.regproc)";
    format!(
        "with recursive need(oid) as ( \
           select pg_catalog.unnest('{{{list}}}'::pg_catalog.oid[]) \
           union select made.oid from need join pg_catalog.pg_type t on t.oid = need.oid cross join lateral ( \
             select t.typelem where {is_array} \
             union all select t.typbasetype where t.typbasetype <> 0 \
             union all select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid {multirange} \
             union all select a.atttypid from pg_catalog.pg_attribute a \
               where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped \
           ) made(oid)) \
         select t.oid::pg_catalog.text, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, \
           coalesce((select case when p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace or exists \
               (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass \
                 and d.objid = p.oid and d.deptype = 'e') then p.proname::pg_catalog.text else '?' end \
             from pg_catalog.pg_proc p where p.oid = t.typsend), ''), \
           t.typtype::pg_catalog.text, \
           case when {is_array} then t.typelem::pg_catalog.text end, \
           t.typbasetype::pg_catalog.text, t.typtypmod::pg_catalog.text, \
           (select r.rngsubtype from pg_catalog.pg_range r where r.rngtypid = t.oid)::pg_catalog.text, \
           {multirange_of}::pg_catalog.text, \
           (select pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, a.atttypid::pg_catalog.int8, a.atttypmod) \
              order by a.attnum)::pg_catalog.text from pg_catalog.pg_attribute a \
            where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped) \
         from need join pg_catalog.pg_type t on t.oid = need.oid \
           join pg_catalog.pg_namespace n on n.oid = t.typnamespace"
    )
}

/// Folds the answer to [`types_sql`].
pub(crate) fn types_from(rows: &[TextRow]) -> Result<TypeCatalog> {
    let infos: Result<Vec<TypeInfo>> = rows
        .iter()
        .map(|row| {
            Ok(TypeInfo {
                oid: number(row, 0)?,
                name: QualifiedName::new(text(row, 1)?, text(row, 2)?),
                send: text(row, 3)?.to_owned(),
                kind: kind(row)?,
            })
        })
        .collect();
    Ok(TypeCatalog::new(infos?))
}

fn kind(row: &TextRow) -> Result<TypeKind> {
    if row.get(5).is_some_and(Option::is_some) {
        return Ok(TypeKind::Array(number(row, 5)?));
    }
    Ok(match text(row, 4)? {
        "d" => TypeKind::Domain(number(row, 6)?, number(row, 7)?),
        "r" => TypeKind::Range(number(row, 8)?),
        "m" => TypeKind::Multirange(number(row, 9)?),
        "c" => TypeKind::Composite(attributes(row)?),
        _ => TypeKind::Base,
    })
}

fn attributes(row: &TextRow) -> Result<Vec<Attribute>> {
    let Some(json) = row.get(10).and_then(Option::as_deref) else {
        return Ok(Vec::new());
    };
    let tuples: Vec<(String, u32, i32)> = serde_json::from_str(json).map_err(|source| {
        Error::new(
            ErrorKind::Internal,
            "the catalog gave attributes in another form",
        )
        .with_source(source)
    })?;
    let attribute = |(name, type_oid, modifier)| Attribute {
        name,
        type_oid,
        modifier,
    };
    Ok(tuples.into_iter().map(attribute).collect())
}
