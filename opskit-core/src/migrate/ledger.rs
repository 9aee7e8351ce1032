//! The history tables of other tools, read and kept in step, so that a database can go back to its old tool.

use super::files::{Migration, MigrationId, Version, sqlx_checksum};
use crate::catalog::TextRow;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, quote_literal};
use serde::Serialize;
use siphasher::sip::SipHasher13;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

/// A tool whose history table is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tool {
    /// `sqlx migrate`: `_sqlx_migrations`, with the SHA-384 of each file.
    Sqlx,
    /// The Supabase CLI: `supabase_migrations.schema_migrations`, with the statements of each file.
    Supabase,
    /// `refinery`: `refinery_schema_history`, with a SipHash of name, version and text.
    Refinery,
}

/// The history table of another tool, found in a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ledger {
    /// Whose it is.
    pub tool: Tool,
    /// The table.
    pub table: QualifiedName,
    #[serde(skip)]
    columns: Vec<String>,
    #[serde(skip)]
    width: Width,
}

/// How long a migration took, as it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Elapsed {
    /// Since the transaction began that writes it down.
    OfTransaction,
    /// So long.
    Was(Duration),
}

impl Elapsed {
    fn nanoseconds(self) -> String {
        match self {
            Self::OfTransaction => {
                "(extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.now()) \
                                    * 1000000000)::pg_catalog.int8"
                    .to_owned()
            }
            Self::Was(time) => time.as_nanos().to_string(),
        }
    }
}

/// The versions that refinery was built with, which its hashes depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    /// 32 bits.
    Narrow,
    /// 64 bits.
    Wide,
}

/// What another tool says of a migration that it ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LedgerRow {
    pub(crate) version: Version,
    pub(crate) name: String,
    pub(crate) checksum: Option<String>,
    /// `false` where the tool itself says that it failed.
    pub(crate) success: bool,
    pub(crate) at: Option<String>,
}

/// Finds the tables: name, and columns with their types. Names without a schema are looked up as the tool does.
pub(crate) const FIND: &str = "\
select t.tool, n.nspname, c.relname, \
       pg_catalog.string_agg(a.attname || ' ' || a.atttypid::pg_catalog.regtype::pg_catalog.text, ',') \
from (values ('sqlx', '_sqlx_migrations'), ('supabase', 'supabase_migrations.schema_migrations'), \
             ('refinery', 'refinery_schema_history')) t (tool, name) \
join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(t.name) \
join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
group by 1, 2, 3 order by 1";

impl Ledger {
    pub(crate) fn from_row(row: &TextRow) -> Option<Self> {
        let field = |at: usize| row.get(at).and_then(Option::as_deref);
        let tool = match field(0)? {
            "sqlx" => Tool::Sqlx,
            "supabase" => Tool::Supabase,
            _ => Tool::Refinery,
        };
        let columns: Vec<(&str, &str)> = field(3)?
            .split(',')
            .filter_map(|column| column.split_once(' '))
            .collect();
        Some(Self {
            tool,
            table: QualifiedName::new(field(1)?, field(2)?),
            width: match columns.contains(&("version", "bigint")) {
                true => Width::Wide,
                false => Width::Narrow,
            },
            columns: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        })
    }

    /// Asks for all rows: version, name, checksum, success, time.
    pub(crate) fn read_sql(&self) -> String {
        let fields = match self.tool {
            Tool::Sqlx => {
                "description, pg_catalog.encode(checksum, 'hex'), success, installed_on::pg_catalog.text"
            }
            Tool::Supabase if self.has("name") => "name, null, true, null",
            Tool::Supabase => "'', null, true, null",
            Tool::Refinery => "name, checksum, true, applied_on",
        };
        let table = self.table.to_sql();
        format!("select version::pg_catalog.text, {fields} from {table} order by version")
    }

    pub(crate) fn row(&self, row: &TextRow) -> Result<LedgerRow> {
        let field = |at: usize| row.get(at).and_then(Clone::clone);
        let version = field(0).unwrap_or_default();
        let version = version.parse().map_err(|_| {
            Error::new(
                ErrorKind::Unsupported,
                format!(
                    "{} has a version that is no number: \"{version}\"",
                    self.table
                ),
            )
        })?;
        Ok(LedgerRow {
            version,
            name: field(1).unwrap_or_default(),
            checksum: field(2),
            success: field(3).as_deref() == Some("t"),
            at: field(4),
        })
    }

    /// Whether the file is the one that ran, as far as the tool keeps what tells it.
    pub(crate) fn is_of(&self, row: &LedgerRow, migration: &Migration) -> bool {
        match &row.checksum {
            Some(checksum) => self.checksum(migration).as_ref() == Some(checksum),
            None => true,
        }
    }

    fn checksum(&self, migration: &Migration) -> Option<String> {
        let text = migration.script.text();
        match self.tool {
            Tool::Sqlx => Some(sqlx_checksum(text)),
            Tool::Supabase => None,
            Tool::Refinery => {
                let version = migration.id.version()?.number();
                refinery_checksum(&migration.name, version, text, self.width)
            }
        }
    }

    /// Adds a migration that ran, as the tool would have done it. Nothing for one without a version, which none of the
    /// tools knows.
    pub(crate) fn insert_sql(&self, migration: &Migration, elapsed: Elapsed) -> Option<String> {
        let version = migration.id.version()?;
        let table = self.table.to_sql();
        let number = version.number();
        let checksum = self.checksum(migration).unwrap_or_default();
        let name = quote_literal(&migration.name);
        Some(match self.tool {
            Tool::Sqlx => format!(
                "insert into {table} (version, description, success, checksum, execution_time) values \
                 ({number}, {}, true, pg_catalog.decode('{checksum}', 'hex'), {})",
                quote_literal(&migration.name.replace('_', " ")),
                elapsed.nanoseconds()
            ),
            Tool::Supabase => {
                let mut columns = vec![("version", quote_literal(&version.to_string()))];
                if self.has("name") {
                    columns.push(("name", name));
                }
                if self.has("statements") {
                    columns.push(("statements", statements(migration)));
                }
                let (names, values): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
                format!(
                    "insert into {table} ({}) values ({})",
                    names.join(", "),
                    values.join(", ")
                )
            }
            Tool::Refinery => format!(
                "insert into {table} (version, name, applied_on, checksum) values ({number}, {name}, \
                 pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC', \
                 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '{checksum}')"
            ),
        })
    }

    /// Changes what the tool takes for the digest of a file, when a changed file was accepted.
    pub(crate) fn repair_sql(&self, migration: &Migration) -> Option<String> {
        let (table, number) = (self.table.to_sql(), migration.id.version()?.number());
        let checksum = self.checksum(migration)?;
        let value = match self.tool {
            Tool::Sqlx => format!("pg_catalog.decode('{checksum}', 'hex')"),
            _ => format!("'{checksum}'"),
        };
        Some(format!(
            "update {table} set checksum = {value} where version = {number}"
        ))
    }

    /// Takes a migration out that was taken back.
    pub(crate) fn delete_sql(&self, id: &MigrationId) -> Option<String> {
        let version = id.version()?;
        let value = match self.tool {
            Tool::Supabase => quote_literal(&version.to_string()),
            _ => version.number().to_string(),
        };
        Some(format!(
            "delete from {} where version = {value}",
            self.table.to_sql()
        ))
    }

    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }
}

fn statements(migration: &Migration) -> String {
    let script = &migration.script;
    let texts = script.statements().iter();
    let texts: Vec<String> = texts
        .map(|one| quote_literal(script.text_of(one)))
        .collect();
    format!("array[{}]::pg_catalog.text[]", texts.join(", "))
}

/// SipHash-1-3 over name, version and text, in the way in which Rust's `Hash` feeds them.
fn refinery_checksum(name: &str, version: i64, text: &str, width: Width) -> Option<String> {
    let mut hasher = SipHasher13::new();
    name.hash(&mut hasher);
    match width {
        Width::Wide => version.hash(&mut hasher),
        Width::Narrow => i32::try_from(version).ok()?.hash(&mut hasher),
    }
    text.hash(&mut hasher);
    Some(hasher.finish().to_string())
}
