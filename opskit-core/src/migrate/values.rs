//! What a rehearsal did to rows that were there: whether they say what they said, and whether a policy is one.

use super::judged::{Harm, HarmKind};
use super::run::Applied;
use crate::backup::restore::{platform_rows_sql, print};
use crate::catalog::diff::{FactsDiff, ObjectDiff, Side};
use crate::context::OpContext;
use crate::error::{ErrorKind, Result};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{Holds, TableEntry};
use std::collections::{BTreeMap, BTreeSet};

/// Tables of which rows were updated that do not say any more what they said in the backup. A new column that is filled
/// changes nothing that was there.
pub(super) async fn overwritten(
    ctx: &OpContext,
    url: &DatabaseUrl,
    tables: &[TableEntry],
    applied: &[Applied],
) -> Result<Vec<Harm>> {
    let mut updated: BTreeMap<&str, u64> = BTreeMap::new();
    let statements = applied.iter().flat_map(|done| &done.statements);
    let measured = statements.filter_map(|done| done.measured.as_ref());
    for rows in measured.flat_map(|measured| &measured.rows) {
        if rows.updated > 0 {
            *updated.entry(&rows.table).or_default() += rows.updated;
        }
    }
    let mut harms = Vec::new();
    for (table, count) in updated {
        let is_it = |entry: &&TableEntry| {
            entry.holds == Holds::Table
                && [entry.name.to_string(), entry.name.to_sql()].contains(&table.to_owned())
        };
        // One that was made only now had no rows to lose.
        let Some(entry) = tables.iter().find(is_it) else {
            continue;
        };
        let says = match print(ctx, url, platform_rows_sql(entry)).await {
            Ok((rows, found)) if rows == entry.rows && found == Some(entry.fingerprint) => continue,
            Ok((rows, _)) if rows == entry.rows => {
                format!("{count} rows changed, in columns that were there")
            }
            Ok(_) => format!("{count} rows changed, and there are more or fewer"),
            Err(error) if matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Connection) => {
                return Err(error);
            }
            Err(_) => format!("{count} rows changed, and their columns are not what they were"),
        };
        harms.push(Harm {
            kind: HarmKind::RowsChanged,
            object: table.to_owned(),
            says,
        });
    }
    Ok(harms)
}

/// All policies: the name that facts have for each, and its conditions.
const POLICIES: &str = "\
select 'policy ' || pg_catalog.quote_ident(p.polname) || ' on ' || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) from pg_catalog.pg_policy p \
join pg_catalog.pg_class c on c.oid = p.polrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where p.polpermissive";

/// New policies that hold whatever the row is: `true`, `1 = 1` and their like. What needs no row to be true is asked
/// without one.
pub(super) async fn open_policies(
    ctx: &OpContext,
    url: &DatabaseUrl,
    diff: &FactsDiff,
) -> Result<BTreeSet<String>> {
    let is_new = |object: &&ObjectDiff| object.only_in == Some(Side::B);
    let new: BTreeSet<&str> = diff
        .objects
        .iter()
        .filter(is_new)
        .map(|object| &*object.object)
        .collect();
    let mut open = BTreeSet::new();
    let mut session = WireConnection::connect(url, ctx.cancel()).await?;
    for row in session.query_one(POLICIES).await?.rows {
        let mut fields = row.into_iter();
        let Some(policy) = fields.next().flatten() else {
            continue;
        };
        if !new.contains(&*policy) {
            continue;
        }
        for condition in fields.flatten() {
            if holds_without_a_row(&mut session, &condition).await? {
                open.insert(policy.clone());
            }
        }
    }
    session.close().await;
    Ok(open)
}

/// Most conditions need a row, and are no sentence without one.
async fn holds_without_a_row(session: &mut WireConnection, condition: &str) -> Result<bool> {
    let begin = "begin transaction read only; set local statement_timeout = 1000";
    session.execute(begin).await?;
    let asked = session
        .query_one(&format!("select ({condition})::pg_catalog.bool"))
        .await;
    session.execute("rollback").await?;
    let answer = asked.ok().and_then(|answer| answer.rows.into_iter().next());
    Ok(answer.is_some_and(|row| row.first() == Some(&Some("t".to_owned()))))
}
