//! Loading rows into tables of the platform's: all of them, or none.

use super::super::rows::Rows;
use super::{OfPlatform, Reactions};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::load::Transaction;
use crate::postgres::wire::WireConnection;

impl Rows {
    /// Loads the tables of the platform's in one transaction, over a session of the target's role.
    pub(in super::super) async fn load_platform(
        &self,
        mut session: WireConnection,
        plan: &OfPlatform,
        transaction: Transaction,
    ) -> Result<WireConnection> {
        if plan.order.is_empty() {
            return Ok(session);
        }
        let is_own = transaction == Transaction::Own;
        if is_own {
            session.execute("BEGIN").await?;
        }
        if plan.reactions == Reactions::Off {
            session
                .execute("SET LOCAL session_replication_role = replica")
                .await?;
        }
        for name in &plan.order {
            let mut tables = self.tables.iter();
            if let Some(table) = tables.find(|table| table.name == *name) {
                session = self.table(table, session, Transaction::Callers).await?;
            }
        }
        if plan.reactions == Reactions::Off {
            session
                .execute("SET LOCAL session_replication_role = origin")
                .await?;
        }
        for (key, query) in &plan.checks {
            let refused = session.query_one(query).await;
            let refused =
                refused.map_err(|error| error.while_doing(format!("cannot check {key}")))?;
            if !refused.rows.is_empty() {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("the backup has rows that {key} refuses"),
                ));
            }
        }
        for (sequence, sql) in &plan.sequences {
            let set = session.query_one(sql).await;
            set.map_err(|error| error.while_doing(format!("cannot set {sequence}")))?;
        }
        if is_own {
            session.execute("COMMIT").await?;
        }
        Ok(session)
    }
}
