//! What holds between tables: foreign keys, and sequences that are not behind their columns.

use super::report::Check;
use crate::catalog::TextRow;
use crate::catalog::model::{Constraint, Definition, Model};
use crate::error::Result;
use crate::postgres::wire::WireConnection;
use std::collections::HashSet;

/// Foreign keys by schema, table and name, and whether the server checked them.
const KEYS: &str = "select n.nspname::pg_catalog.text, c.relname::pg_catalog.text, k.conname::pg_catalog.text, \
   k.convalidated::pg_catalog.text \
 from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid \
   join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
 where k.contype = 'f' and k.conparentid = 0 order by 1, 2, 3";

/// Sequences that columns draw from, with the queries that compare them. A value that was not given yet is the
/// next one.
const SEQUENCES: &str = "select s.oid::pg_catalog.regclass::pg_catalog.text, \
   pg_catalog.format('select (m.v is null or m.v %s q.last_value or (q.is_called and m.v = q.last_value))::pg_catalog.text \
     from (select %s(%I)::pg_catalog.numeric as v from %s) m, %s q', \
     case when p.seqincrement > 0 then '<' else '>' end, \
     case when p.seqincrement > 0 then 'pg_catalog.max' else 'pg_catalog.min' end, \
     a.attname, d.refobjid::pg_catalog.regclass, s.oid::pg_catalog.regclass) \
 from pg_catalog.pg_class s join pg_catalog.pg_sequence p on p.seqrelid = s.oid and not p.seqcycle \
   join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = s.oid \
     and d.refclassid = d.classid and d.refobjsubid > 0 and d.deptype in ('a', 'i') \
   join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid \
     and a.atttypid in (20, 21, 23, 1700) \
 where s.relkind = 'S' order by 1";

pub(super) async fn foreign_keys(session: &mut WireConnection, model: &Model) -> Result<Check> {
    let found = session.query_one(KEYS).await?.rows;
    let before = unchecked_before(model);
    let (unchecked, new) = unchecked_now(&found, &before);
    Ok(Check {
        name: "foreign keys".to_owned(),
        ok: Some(new.is_empty()),
        detail: match new.as_slice() {
            [] => format!(
                "{} of {} checked by the server; the others were not valid before either",
                found.len() - unchecked,
                found.len()
            ),
            some => format!(
                "not checked, although they were valid before: {}",
                some.join(", ")
            ),
        },
    })
}

/// How many keys of the answer to [`KEYS`] are not valid, and which of them were before.
fn unchecked_now(found: &[TextRow], before: &HashSet<[&str; 3]>) -> (usize, Vec<String>) {
    let mut unchecked = 0;
    let mut new = Vec::new();
    for row in found {
        let field = |at: usize| row.get(at).and_then(Option::as_deref).unwrap_or_default();
        if field(3) == "true" {
            continue;
        }
        unchecked += 1;
        let key = [field(0), field(1), field(2)];
        if !before.contains(&key) {
            let [schema, table, name] = key;
            new.push(format!("{name} of {schema}.{table}"));
        }
    }
    (unchecked, new)
}

/// The server writes it at the end, and nothing else may stand there.
fn is_unchecked(definition: &str) -> bool {
    definition.ends_with(" NOT VALID") || definition.ends_with(" NOT ENFORCED")
}

/// The foreign keys that the source had not checked either: schema, table and name.
fn unchecked_before(model: &Model) -> HashSet<[&str; 3]> {
    let objects = model.objects.iter();
    let keys = objects.filter_map(|object| match &object.definition {
        Definition::Constraint(Constraint::Foreign(key)) if is_unchecked(&key.definition) => {
            let table = &key.table;
            Some([&*table.schema, &*table.name, &*object.name])
        }
        _ => None,
    });
    keys.collect()
}

pub(super) async fn sequences(session: &mut WireConnection) -> Result<Check> {
    let found = session.query_one(SEQUENCES).await?;
    let mut behind = Vec::new();
    for row in &found.rows {
        let (Some(Some(name)), Some(Some(sql))) = (row.first(), row.get(1)) else {
            continue;
        };
        let answer = session.query_one(sql).await?;
        let ahead = answer.rows.first().and_then(|row| row.first()?.as_deref());
        if ahead != Some("true") {
            behind.push(name.clone());
        }
    }
    Ok(Check {
        name: "sequences".to_owned(),
        ok: Some(behind.is_empty()),
        detail: match behind.as_slice() {
            [] => format!("{} not behind their columns", found.rows.len()),
            some => format!("behind their columns: {}", some.join(", ")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_valid_must_be_so() {
        let row = |name: &str, valid: &str| {
            ["public", "t", name, valid]
                .map(|text| Some(text.to_owned()))
                .to_vec()
        };
        let found = [
            row("checked", "true"),
            row("old", "false"),
            row("new", "false"),
        ];
        let before = HashSet::from([["public", "t", "old"], ["public", "u", "new"]]);
        let (unchecked, new) = unchecked_now(&found, &before);
        assert_eq!((unchecked, new), (2, vec!["new of public.t".to_owned()]));
    }
}
