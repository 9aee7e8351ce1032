//! The statements that write the history. Each is run in the transaction of what it tells.

use super::super::files::{Digests, Migration, MigrationId};
use super::super::ledger::{Ledger, LedgerRow};
use crate::name::quote_literal;

/// The program that writes, as it names itself.
const TOOL: &str = concat!("opskit ", env!("CARGO_PKG_VERSION"));

/// A migration that is about to be written down.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draft<'a> {
    pub(crate) migration: &'a Migration,
    pub(crate) host: Option<&'a str>,
    pub(crate) backup_id: Option<&'a str>,
    /// Digest of the facts before the run, for its first migration.
    pub(crate) facts_before: Option<&'a str>,
}

impl Draft<'_> {
    /// Writes that the transaction that this is run in did the migration: it began when the transaction did.
    pub(crate) fn applied_sql(&self) -> String {
        self.insert(
            "applied",
            "pg_catalog.now()",
            "pg_catalog.clock_timestamp()",
            ELAPSED,
        )
    }

    /// Writes that it begins, statement by statement.
    pub(crate) fn begun_sql(&self) -> String {
        self.insert("incomplete", "pg_catalog.clock_timestamp()", "null", "null")
    }

    /// Writes that the last of its statements is done.
    pub(crate) fn finished_sql(&self) -> String {
        let key = quote_literal(&self.migration.id.key());
        let digests = &self.migration.digests;
        let (raw, text) = (quote_literal(&digests.raw), quote_literal(&digests.text));
        // What was not done yet may have been mended between two tries.
        format!(
            "update opskit.migrations set state = 'applied', digest = {raw}, text_digest = {text}, finished_at = pg_catalog.clock_timestamp(), \
             duration_ms = (extract(epoch from pg_catalog.clock_timestamp() - started_at) * 1000)::pg_catalog.int8 \
             where id = {key}; delete from opskit.migration_steps where id = {key}"
        )
    }

    /// Writes that it was done before opskit came.
    pub(crate) fn baseline_sql(&self) -> String {
        self.insert("baseline", "pg_catalog.now()", "pg_catalog.now()", "null")
    }

    fn insert(&self, state: &str, started: &str, finished: &str, duration: &str) -> String {
        let migration = self.migration;
        let optional = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), quote_literal);
        let columns = "id, version, name, digest, text_digest, state, started_at, finished_at, duration_ms, \
                       host, tool, backup_id, facts_before";
        let values = [
            quote_literal(&migration.id.key()),
            version(&migration.id),
            quote_literal(&migration.name),
            quote_literal(&migration.digests.raw),
            quote_literal(&migration.digests.text),
            quote_literal(state),
            started.to_owned(),
            finished.to_owned(),
            duration.to_owned(),
            optional(self.host),
            quote_literal(TOOL),
            optional(self.backup_id),
            optional(self.facts_before),
        ];
        let again = match migration.id {
            MigrationId::Repeatable(_) => AGAIN,
            MigrationId::Versioned(_) => "",
        };
        format!(
            "insert into opskit.migrations ({columns}) values ({}){again}",
            values.join(", ")
        )
    }
}

const ELAPSED: &str =
    "(extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.now()) * 1000)::pg_catalog.int8";

/// A repeatable migration has one row, that of its last run.
const AGAIN: &str = " on conflict (id) do update set sequence = default, name = excluded.name, digest = excluded.digest, \
text_digest = excluded.text_digest, state = excluded.state, started_at = excluded.started_at, \
finished_at = excluded.finished_at, duration_ms = excluded.duration_ms, role = excluded.role, \
host = excluded.host, tool = excluded.tool, backup_id = excluded.backup_id, \
facts_before = excluded.facts_before, facts_after = null, origin = null";

fn version(id: &MigrationId) -> String {
    id.version().map_or_else(
        || "null".to_owned(),
        |version| quote_literal(&version.to_string()),
    )
}

/// A statement of a migration that runs statement by statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepMark<'a> {
    pub(crate) id: &'a MigrationId,
    pub(crate) step: usize,
    pub(crate) digest: &'a str,
}

impl StepMark<'_> {
    /// Writes that it begins.
    pub(crate) fn begun_sql(&self) -> String {
        let key = quote_literal(&self.id.key());
        format!(
            "insert into opskit.migration_steps (id, step, digest, state) values ({key}, {}, '{}', 'begun') \
             on conflict (id, step) do update set digest = excluded.digest, begun_at = pg_catalog.clock_timestamp()",
            self.step, self.digest
        )
    }

    /// Writes that it is done.
    pub(crate) fn done_sql(&self) -> String {
        let key = quote_literal(&self.id.key());
        format!(
            "insert into opskit.migration_steps (id, step, digest, state, done_at) \
             values ({key}, {}, '{}', 'done', pg_catalog.clock_timestamp()) \
             on conflict (id, step) do update set state = 'done', done_at = pg_catalog.clock_timestamp()",
            self.step, self.digest
        )
    }
}

/// A changed file that somebody vouches for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repair<'a> {
    pub(crate) migration: &'a Migration,
    pub(crate) before: Option<&'a Digests>,
    pub(crate) reason: &'a str,
}

impl Repair<'_> {
    /// Takes the file as it is now for what ran, and keeps both digests and the reason.
    pub(crate) fn sql(&self) -> String {
        let (key, now) = (
            quote_literal(&self.migration.id.key()),
            &self.migration.digests,
        );
        let before = self
            .before
            .map_or_else(|| "null".to_owned(), |before| quote_literal(&before.raw));
        format!(
            "insert into opskit.migration_repairs (id, old_digest, new_digest, reason) \
             values ({key}, {before}, '{}', {}); \
             update opskit.migrations set digest = '{}', text_digest = '{}' where id = {key}",
            now.raw,
            quote_literal(self.reason),
            now.raw,
            now.text
        )
    }
}

/// Takes a migration out that was taken back.
pub(crate) fn deleted_sql(id: &MigrationId) -> String {
    format!(
        "delete from opskit.migrations where id = {}",
        quote_literal(&id.key())
    )
}

/// Takes over what another tool ran.
pub(super) fn adopted(ledger: &Ledger, row: &LedgerRow, file: Option<&Migration>) -> String {
    let digests = file.map(|file| &file.digests);
    let optional = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), quote_literal);
    let at = row.at.as_deref().map_or_else(
        || "pg_catalog.now()".to_owned(),
        |at| format!("{}::pg_catalog.timestamptz", quote_literal(at)),
    );
    format!(
        "insert into opskit.migrations (id, version, name, digest, text_digest, state, started_at, finished_at, tool, origin) \
         values ('{}', {}, {}, {}, {}, 'applied', {at}, {at}, {}, {})",
        row.version.number(),
        quote_literal(&row.version.to_string()),
        quote_literal(file.map_or(row.name.as_str(), |file| &file.name)),
        optional(digests.map(|digests| digests.raw.as_str())),
        optional(digests.map(|digests| digests.text.as_str())),
        quote_literal(TOOL),
        quote_literal(&ledger.table.to_string()),
    )
}
