//! The tables that rows are loaded into.

use super::part::Transaction;
use super::staging;
use crate::catalog::{columns_from, columns_sql, types_from, types_sql};
use crate::error::{Error, ErrorKind, Result};
use crate::export::ColumnMap;
use crate::name::{QualifiedName, quote_ident, quote_literal};
use crate::pgtype::RowType;
use crate::postgres::wire::WireConnection;

/// A table as the server has it.
///
/// ```no_run
/// use opskit_core::name::QualifiedName;
/// use opskit_core::postgres::{load::LoadTable, wire::WireConnection};
/// # async fn example(connection: &mut WireConnection) -> opskit_core::Result<()> {
/// let table = LoadTable::find(connection, &QualifiedName::new("public", "orders")).await?;
/// println!("{} columns", table.row_type().columns.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadTable {
    name: QualifiedName,
    row_type: RowType,
}

impl LoadTable {
    /// Looks a table up, with the types of its columns.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such table.
    pub async fn find(connection: &mut WireConnection, name: &QualifiedName) -> Result<Self> {
        let doing = || format!("cannot look at table \"{name}\"");
        let sql = format!(
            "select c.oid::pg_catalog.text from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where n.nspname = {} and c.relname = {} and c.relkind in ('r', 'p', 'f')",
            quote_literal(&name.schema),
            quote_literal(&name.name)
        );
        let found = connection.query_one(&sql).await;
        let found = found.map_err(|error| error.while_doing(doing()))?;
        let oid = found.rows.first().and_then(|row| row.first()?.as_deref());
        let oid: u32 = oid.and_then(|oid| oid.parse().ok()).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("there is no table \"{name}\""))
        })?;
        let columns = connection.query_one(&columns_sql(&[oid])).await;
        let columns = columns.map_err(|error| error.while_doing(doing()))?.rows;
        let mut oids: Vec<u32> = columns
            .iter()
            .filter_map(|row| row.get(1)?.as_deref()?.parse().ok())
            .collect();
        oids.sort_unstable();
        oids.dedup();
        let types = connection
            .query_one(&types_sql(&oids, connection.server_version_num()))
            .await;
        let types = types_from(&types.map_err(|error| error.while_doing(doing()))?.rows)?;
        Ok(Self {
            name: name.clone(),
            row_type: columns_from(&columns, &types)?,
        })
    }

    /// A temporary table of this session's that was made with these columns.
    pub(crate) fn temporary(name: &str, row_type: RowType) -> Self {
        Self {
            name: QualifiedName::new("pg_temp", name),
            row_type,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &QualifiedName {
        &self.name
    }

    /// Its columns.
    #[must_use]
    pub fn row_type(&self) -> &RowType {
        &self.row_type
    }

    /// Removes all its rows. Where the transaction is open still, rows can be written frozen then.
    ///
    /// # Errors
    /// Of kind `PermissionDenied`, `Busy` when somebody else has the table, `Connection`.
    pub async fn empty(&self, connection: &mut WireConnection) -> Result<()> {
        let sql = format!("TRUNCATE TABLE ONLY {}", self.name.to_sql());
        connection.query_one(&sql).await.map(drop)
    }

    /// The statements that load rows whose columns are `map`'s.
    pub(super) fn statements(&self, map: &ColumnMap, transaction: Transaction) -> LoadStatements {
        if map.has_text() {
            return LoadStatements {
                before: Some(staging::create(self, map)),
                copy: staging::copy(map),
                after: Some(staging::insert(self, map)),
            };
        }
        let freeze = match transaction {
            Transaction::Truncating | Transaction::Emptied => ", FREEZE",
            Transaction::Own | Transaction::Callers => "",
        };
        LoadStatements {
            before: None,
            copy: format!(
                "COPY {}{} FROM STDIN (FORMAT binary{freeze})",
                self.name.to_sql(),
                column_list(map)
            ),
            after: None,
        }
    }
}

/// What runs before, for and after the rows of a part, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoadStatements {
    pub(super) before: Option<String>,
    pub(super) copy: String,
    pub(super) after: Option<String>,
}

/// The columns that are sent; none where that is all that can be written.
pub(super) fn column_list(map: &ColumnMap) -> String {
    let columns = &map.sent().columns;
    if columns.is_empty() {
        return String::new();
    }
    let names: Vec<String> = columns
        .iter()
        .map(|column| quote_ident(&column.name))
        .collect();
    format!(" ({})", names.join(", "))
}
