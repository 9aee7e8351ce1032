//! The user's own checks: queries whose rows say what holds.

use super::report::Check;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::WireConnection;

/// Runs the query with this number. Each of its rows is `name, ok, detail`; the last may be missing.
pub(super) async fn run(
    session: &mut WireConnection,
    number: usize,
    sql: &str,
) -> Result<Vec<Check>> {
    let sql = sql.trim().trim_end_matches(';');
    let answer = session.query_one(sql).await;
    let answer = answer.map_err(|error| {
        let is_name = error.kind() == ErrorKind::NotFound;
        let error = error.while_doing("cannot run the checks");
        match is_name {
            true => error.with_hint("Write names with their schema: the search path is empty."),
            false => error,
        }
    })?;
    if answer.columns.len() < 2 {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a query of checks must give rows of name, ok, detail",
        ));
    }
    if answer.rows.is_empty() {
        return Ok(vec![Check {
            name: format!("query {number}"),
            ok: None,
            detail: "it gave no row, so it checked nothing".to_owned(),
        }]);
    }
    let checks = answer.rows.into_iter().map(|row| {
        let mut fields = row.into_iter();
        let mut next = || fields.next().flatten();
        Check {
            name: next().unwrap_or_default(),
            ok: next().map(|ok| matches!(ok.as_str(), "t" | "true" | "1")),
            detail: next().unwrap_or_default(),
        }
    });
    Ok(checks.collect())
}
