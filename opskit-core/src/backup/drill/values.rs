//! What holds between tables: foreign keys, and sequences that are not behind their columns.

use super::report::Check;
use crate::catalog::model::{Constraint, Definition, Model};
use crate::error::Result;
use crate::postgres::wire::WireConnection;

/// Foreign keys, and those that the server has not checked. Those of partitions are their parents'.
const FOREIGN_KEYS: &str = "select pg_catalog.count(*)::pg_catalog.text, \
   pg_catalog.count(*) filter (where not convalidated)::pg_catalog.text \
 from pg_catalog.pg_constraint where contype = 'f' and conparentid = 0";

/// Sequences that columns draw from, with the queries that compare them.
const SEQUENCES: &str = "select s.oid::pg_catalog.regclass::pg_catalog.text, \
   pg_catalog.format('select (m.v is null or (case when q.increment > 0 then m.v <= q.next else m.v >= q.next end))::pg_catalog.text \
     from (select %s(%I)::pg_catalog.numeric as v from %s) m, \
       (select last_value as next, %s as increment from %s) q', \
     case when p.seqincrement > 0 then 'pg_catalog.max' else 'pg_catalog.min' end, \
     a.attname, d.refobjid::pg_catalog.regclass, p.seqincrement, s.oid::pg_catalog.regclass) \
 from pg_catalog.pg_class s join pg_catalog.pg_sequence p on p.seqrelid = s.oid and not p.seqcycle \
   join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = s.oid \
     and d.refclassid = d.classid and d.refobjsubid > 0 and d.deptype in ('a', 'i') \
   join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid \
     and a.atttypid in (20, 21, 23, 1700) \
 where s.relkind = 'S' order by 1";

/// The server checks a foreign key while it is made. No more may be unchecked than were so in the source.
pub(super) async fn foreign_keys(session: &mut WireConnection, model: &Model) -> Result<Check> {
    let answer = session.query_one(FOREIGN_KEYS).await?;
    let count = |at: usize| -> usize {
        let field = answer.rows.first().and_then(|row| row.get(at)?.as_deref());
        field.and_then(|text| text.parse().ok()).unwrap_or_default()
    };
    let (all, unchecked) = (count(0), count(1));
    let before = model
        .objects
        .iter()
        .filter(|object| match &object.definition {
            Definition::Constraint(Constraint::Foreign(it)) => !is_checked(&it.definition),
            _ => false,
        });
    let before = before.count();
    Ok(Check {
        name: "foreign keys".to_owned(),
        ok: Some(unchecked <= before),
        detail: format!(
            "{all}, of which {unchecked} not checked by the server; {before} were so in the source"
        ),
    })
}

/// The server ends a definition with what keeps it from being checked.
fn is_checked(definition: &str) -> bool {
    !definition.ends_with(" NOT VALID") && !definition.ends_with(" NOT ENFORCED")
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
    fn what_was_not_checked_need_not_be() {
        assert!(is_checked("FOREIGN KEY (a) REFERENCES t(a) DEFERRABLE"));
        assert!(!is_checked("FOREIGN KEY (a) REFERENCES t(a) NOT VALID"));
        assert!(!is_checked("FOREIGN KEY (a) REFERENCES t(a) NOT ENFORCED"));
    }
}
