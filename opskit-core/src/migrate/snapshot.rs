//! The facts that a run left, kept with the history: what drift is told by.

use super::files::MigrationId;
use super::history::{SCHEMA, rows};
use crate::catalog::Scope;
use crate::catalog::diff::{Compared, FactsDiff};
use crate::catalog::facts::{Facts, FactsOptions};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::name::quote_literal;
use crate::postgres::facts::read_facts;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::io::Read as _;

/// How many snapshots are kept.
const KEPT: usize = 10;

/// The largest document that is read.
const DOCUMENT_BYTES_MAX: u64 = 1 << 30;

/// The facts that a run left.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    pub(super) after: String,
    pub(super) taken_at: String,
    pub(super) facts: Facts,
}

/// What is different from what the last run left.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct DriftReport {
    /// The form of this document.
    pub schema: &'static str,
    /// The database.
    pub database: String,
    /// The last migration of the run that left the facts that are compared with.
    pub after: String,
    /// When they were read, in UTC.
    pub taken_at: String,
    /// What is different: `a` is what the run left, `b` is now.
    pub diff: FactsDiff,
}

impl DriftReport {
    /// Whether somebody changed something.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        !self.diff.is_empty()
    }
}

/// Compares the database with a snapshot of it. Objects only: roles and settings belong to the cluster, which others
/// change too.
pub(super) async fn drift(
    ctx: &OpContext,
    url: &DatabaseUrl,
    before: &Snapshot,
) -> Result<(DriftReport, Facts)> {
    let now = read_facts(ctx, url, FactsOptions::like(&before.facts)).await?;
    let report = DriftReport {
        schema: "opskit.migrate-drift/1",
        database: url.dbname().to_owned(),
        after: before.after.clone(),
        taken_at: before.taken_at.clone(),
        diff: FactsDiff::between(&before.facts, &now, Compared::Objects),
    };
    Ok((report, now))
}

/// What facts are read with, where there are none to compare with. The history is outside: it changes with each run.
pub(super) fn options(scope: &Scope) -> FactsOptions {
    FactsOptions::new(scope.clone().ignoring([SCHEMA]))
}

/// The last snapshot.
pub(super) async fn last(connection: &mut WireConnection) -> Result<Option<Snapshot>> {
    let sql = "select id, pg_catalog.to_char(taken_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
               pg_catalog.encode(document, 'base64') from opskit.migration_facts order by taken_at desc limit 1";
    let found = rows(connection, sql).await?;
    let Some(row) = found.into_iter().next() else {
        return Ok(None);
    };
    let mut fields = row.into_iter();
    let mut next = || fields.next().flatten().unwrap_or_default();
    let (after, taken_at, document) = (next(), next(), next());
    let facts = unpack(&document)?;
    Ok(Some(Snapshot {
        after,
        taken_at,
        facts,
    }))
}

/// The statements that keep a snapshot, as that of the run that ended with this migration.
pub(super) fn keep_sql(id: &MigrationId, facts: &Facts) -> Result<Vec<String>> {
    let digest = quote_literal(&facts.digest());
    let (key, shown) = (quote_literal(&id.key()), quote_literal(&id.to_string()));
    let document = pack(facts)?;
    Ok(vec![
        format!(
            "insert into opskit.migration_facts (digest, id, document) values ({digest}, {shown}, \
             pg_catalog.decode('{document}', 'base64')) on conflict (digest) do update \
             set id = excluded.id, taken_at = excluded.taken_at, document = excluded.document"
        ),
        format!(
            "delete from opskit.migration_facts where digest not in \
             (select digest from opskit.migration_facts order by taken_at desc limit {KEPT})"
        ),
        format!("update opskit.migrations set facts_after = {digest} where id = {key}"),
    ])
}

fn pack(facts: &Facts) -> Result<String> {
    let json = facts.to_json()?;
    let packed = zstd::encode_all(json.as_bytes(), 3)
        .map_err(|source| storage("cannot pack the facts", source))?;
    Ok(STANDARD.encode(packed))
}

fn unpack(text: &str) -> Result<Facts> {
    let damaged = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(
            ErrorKind::Damaged,
            "the facts in \"opskit.migration_facts\" cannot be read",
        )
        .with_source(source)
        .with_hint("Take a new snapshot: opskit migrate drift --accept.")
    };
    // The server breaks lines.
    let text: String = text.split_ascii_whitespace().collect();
    let packed = STANDARD
        .decode(text)
        .map_err(|source| damaged(source.into()))?;
    let reader = zstd::Decoder::new(packed.as_slice()).map_err(|source| damaged(source.into()))?;
    let mut json = Vec::new();
    reader
        .take(DOCUMENT_BYTES_MAX)
        .read_to_end(&mut json)
        .map_err(|source| damaged(source.into()))?;
    Facts::from_json(&json).map_err(|source| damaged(source.into()))
}
