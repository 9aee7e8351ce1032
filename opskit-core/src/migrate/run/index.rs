//! What a statement outside of a transaction left when it was interrupted or failed.
//!
//! `CREATE INDEX CONCURRENTLY` that fails leaves an index that costs every writer and serves no reader, and `IF NOT
//! EXISTS` passes over it the next time. `DETACH PARTITION CONCURRENTLY` that was interrupted leaves a partition that is
//! neither attached nor detached, and can only be finished.

use super::super::words::Words;
use crate::error::Result;
use crate::name::{QualifiedName, quote_literal};
use crate::postgres::wire::WireConnection;

/// What there is of a statement's work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Leftover {
    /// Nothing that is in the way.
    Nothing,
    /// All of it.
    Done,
    /// Something that this statement takes away.
    Half(String),
}

/// A statement about indexes or partitions, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
enum About {
    /// `CREATE INDEX CONCURRENTLY`: the name, where it has one, and the table.
    Create {
        index: Option<String>,
        table: String,
    },
    /// `DROP INDEX CONCURRENTLY` of one.
    Drop { index: String },
    /// `REINDEX … CONCURRENTLY`.
    Reindex { relation: String },
    /// `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`: both names as they are written.
    Detach {
        parent: Vec<String>,
        partition: Vec<String>,
    },
}

/// Asks the server what is left of `statement`.
pub(super) async fn leftover(connection: &mut WireConnection, statement: &str) -> Result<Leftover> {
    let Some(about) = About::of(statement) else {
        return Ok(Leftover::Nothing);
    };
    let sets = connection.query(&about.sql()).await?;
    let rows = sets
        .into_iter()
        .next()
        .map(|set| set.rows)
        .unwrap_or_default();
    let found = rows.into_iter().filter_map(|row| {
        let mut fields = row.into_iter();
        let mut next = || fields.next().flatten();
        Some((QualifiedName::new(next()?, next()?), next()? == "t"))
    });
    let found: Vec<(QualifiedName, bool)> = found.collect();
    Ok(about.judge(&found))
}

impl About {
    fn of(statement: &str) -> Option<Self> {
        let mut words = Words::new(statement);
        match words.next_of(&["create", "drop", "reindex", "alter"])? {
            "create" => {
                words.next_is("unique");
                let begins = words.next_are(&["index", "concurrently"]);
                begins.then_some(())?;
                words.next_are(&["if", "not", "exists"]);
                let index = match words.next_is("on") {
                    true => None,
                    false => {
                        let name = words.name()?.pop();
                        words.next_is("on").then_some(())?;
                        name
                    }
                };
                words.next_is("only");
                let table = regclass(&words.name()?);
                Some(Self::Create { index, table })
            }
            "drop" => {
                let begins = words.next_are(&["index", "concurrently"]);
                begins.then_some(())?;
                words.next_are(&["if", "exists"]);
                let index = regclass(&words.name()?);
                Some(Self::Drop { index })
            }
            "alter" => {
                words.next_is("table").then_some(())?;
                words.next_are(&["if", "exists"]);
                let parent = words.name()?;
                words.next_are(&["detach", "partition"]).then_some(())?;
                let partition = words.name()?;
                words.next_is("concurrently").then_some(())?;
                Some(Self::Detach { parent, partition })
            }
            _ => {
                words.parenthesized();
                words.next_of(&["index", "table"])?;
                words.next_is("concurrently").then_some(())?;
                let relation = regclass(&words.name()?);
                Some(Self::Reindex { relation })
            }
        }
    }

    /// Asks for schema, name and validity of the indexes that matter. Not of those that somebody builds right now. Of a
    /// partition that is still attached, whether nobody began to detach it.
    fn sql(&self) -> String {
        let which = match self {
            Self::Detach { parent, partition } => {
                // Versions before 14 have no such column.
                return format!(
                    "select n.nspname, c.relname, not coalesce((pg_catalog.to_jsonb(h) operator(pg_catalog.->>) 'inhdetachpending')::pg_catalog.bool, false) \
                     from pg_catalog.pg_inherits h join pg_catalog.pg_class c on c.oid = h.inhrelid \
                     join pg_catalog.pg_namespace n on n.oid = c.relnamespace where h.inhparent = {} and h.inhrelid = {}",
                    regclass(parent),
                    regclass(partition)
                );
            }
            Self::Create {
                index: Some(index),
                table,
            } => {
                format!(
                    "c.relname = {} and i.indrelid = {table}",
                    quote_literal(index)
                )
            }
            Self::Create { index: None, table } => {
                format!("not i.indisvalid and i.indrelid = {table}")
            }
            Self::Drop { index } => format!("c.oid = {index}"),
            Self::Reindex { relation } => format!(
                "not i.indisvalid and c.relname operator(pg_catalog.~) '_ccnew[0-9]*$' and i.indrelid in \
                 (select {relation} union all select x.indrelid from pg_catalog.pg_index x where x.indexrelid = {relation})"
            ),
        };
        format!(
            "select n.nspname, c.relname, i.indisvalid from pg_catalog.pg_index i \
             join pg_catalog.pg_class c on c.oid = i.indexrelid \
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where {which} and not exists (select from pg_catalog.pg_stat_progress_create_index p \
             where p.index_relid = c.oid) order by 1, 2"
        )
    }

    fn judge(&self, found: &[(QualifiedName, bool)]) -> Leftover {
        let drop = |names: Vec<&QualifiedName>| {
            let names: Vec<String> = names.into_iter().map(QualifiedName::to_sql).collect();
            // One at a time: CONCURRENTLY takes no list.
            Leftover::Half(format!("drop index concurrently if exists {}", names[0]))
        };
        let broken: Vec<_> = found
            .iter()
            .filter(|(_, valid)| !valid)
            .map(|(name, _)| name)
            .collect();
        match self {
            Self::Drop { .. } | Self::Detach { .. } if found.is_empty() => Leftover::Done,
            Self::Detach { parent, partition } if !broken.is_empty() => Leftover::Half(format!(
                "alter table {} detach partition {} finalize",
                written(parent),
                written(partition)
            )),
            Self::Drop { .. } | Self::Detach { .. } => Leftover::Nothing,
            _ if !broken.is_empty() => drop(broken),
            Self::Create { index: Some(_), .. } if !found.is_empty() => Leftover::Done,
            _ => Leftover::Nothing,
        }
    }
}

/// A name as an expression that gives the OID of what it means.
fn regclass(name: &[String]) -> String {
    format!("pg_catalog.to_regclass({})", quote_literal(&written(name)))
}

/// A name for SQL, each part quoted.
fn written(name: &[String]) -> String {
    let quoted = name.iter().map(|part| crate::name::quote_ident(part));
    quoted.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn created(statement: &str) -> Option<Option<String>> {
        match About::of(statement)? {
            About::Create { index, .. } => Some(index),
            _ => None,
        }
    }

    #[test]
    fn statements_about_indexes_are_read() {
        let name = Some(Some("Odd I".to_owned()));
        assert_eq!(
            created("create unique index concurrently if not exists \"Odd I\" on only s.t (a)"),
            name
        );
        assert_eq!(created("CREATE INDEX CONCURRENTLY ON t (a)"), Some(None));
        assert_eq!(created("create index i on t (a)"), None);
        assert!(matches!(
            About::of("drop index concurrently if exists s.i"),
            Some(About::Drop { .. })
        ));
        assert!(matches!(
            About::of("reindex (verbose) table concurrently t"),
            Some(About::Reindex { .. })
        ));
        assert_eq!(About::of("vacuum t"), None);
        assert_eq!(About::of("alter table p detach partition c"), None);
    }

    #[test]
    fn a_partition_that_is_half_detached_is_finished() {
        let about = About::of("alter table s.p detach partition \"C\" concurrently").unwrap();
        let partition = QualifiedName::new("s", "C");
        let half = "alter table \"s\".\"p\" detach partition \"C\" finalize".to_owned();
        assert_eq!(
            about.judge(&[(partition.clone(), false)]),
            Leftover::Half(half)
        );
        assert_eq!(about.judge(&[(partition, true)]), Leftover::Nothing);
        assert_eq!(about.judge(&[]), Leftover::Done);
    }

    #[test]
    fn an_invalid_index_is_taken_away_and_a_valid_one_is_the_work_done() {
        let about = About::of("create index concurrently i on t (a)").unwrap();
        let index = QualifiedName::new("public", "i");
        let half = Leftover::Half("drop index concurrently if exists \"public\".\"i\"".to_owned());
        assert_eq!(about.judge(&[(index.clone(), false)]), half);
        assert_eq!(about.judge(&[(index, true)]), Leftover::Done);
        assert_eq!(about.judge(&[]), Leftover::Nothing);
        assert_eq!(
            About::of("drop index concurrently i").unwrap().judge(&[]),
            Leftover::Done
        );
    }
}
