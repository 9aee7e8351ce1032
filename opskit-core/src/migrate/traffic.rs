//! Who else is there, and what is written.

use crate::error::Result;
use crate::name::QualifiedName;
use crate::postgres::wire::WireConnection;
use std::collections::BTreeMap;

/// Rows written per table since the server's counters began, and other clients, at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Traffic {
    written: BTreeMap<QualifiedName, u64>,
    clients: u64,
    /// Tables that were written to since the first look.
    pub(super) changed: Vec<QualifiedName>,
}

/// The counters of sessions that are idle are up to date a second after they wrote.
const WRITTEN: &str = "\
select schemaname, relname, (n_tup_ins + n_tup_upd + n_tup_del)::pg_catalog.text \
from pg_catalog.pg_stat_user_tables where schemaname <> 'opskit'";

const CLIENTS: &str = "\
select pg_catalog.count(*)::pg_catalog.text from pg_catalog.pg_stat_activity \
where datname = pg_catalog.current_database() and pid <> pg_catalog.pg_backend_pid() \
and backend_type = 'client backend' and application_name <> 'opskit'";

impl Traffic {
    pub(super) async fn look(connection: &mut WireConnection) -> Result<Self> {
        let mut traffic = Self::default();
        for set in connection.query(WRITTEN).await? {
            for row in set.rows {
                let mut fields = row.into_iter().flatten();
                if let (Some(schema), Some(table), Some(count)) =
                    (fields.next(), fields.next(), fields.next())
                {
                    traffic.written.insert(
                        QualifiedName::new(schema, table),
                        count.parse().unwrap_or(0),
                    );
                }
            }
        }
        let sets = connection.query(CLIENTS).await?;
        let count = sets
            .first()
            .and_then(|set| set.rows.first()?.first()?.as_deref()?.parse().ok());
        traffic.clients = count.unwrap_or(u64::MAX);
        Ok(traffic)
    }

    /// Looks again: what was written in between, by whomever.
    pub(super) async fn since(self, connection: &mut WireConnection) -> Result<Self> {
        let mut now = Self::look(connection).await?;
        let is_changed = |(table, count): (&QualifiedName, &u64)| {
            (self.written.get(table) != Some(count)).then(|| table.clone())
        };
        now.changed = now.written.iter().filter_map(is_changed).collect();
        now.clients = now.clients.max(self.clients);
        Ok(now)
    }

    /// Whether nobody else was there, and nothing was written.
    pub(super) fn is_still(&self) -> bool {
        self.clients == 0 && self.changed.is_empty()
    }

    /// How many other clients there were.
    pub(super) fn clients(&self) -> u64 {
        self.clients
    }
}
