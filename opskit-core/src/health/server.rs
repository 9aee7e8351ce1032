//! The one connection of a run.

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest wait for a lock: a probe never stands in the queue behind a change of the schema.
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);
/// How much later than the server this side gives up.
const GRACE: Duration = Duration::from_millis(500);

/// Which server a report is about, and who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServerIdentity {
    /// Of the cluster, where the role may read it.
    pub system_identifier: Option<String>,
    /// Of its history, where the role may read it.
    pub timeline: Option<String>,
    /// 150018 for 15.18.
    pub version_num: u32,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// When it was started.
    pub started_at: String,
    /// Who asked.
    pub role: String,
    /// The database.
    pub database: String,
    /// Whether the role sees all sessions, statistics and settings.
    pub is_monitor: bool,
}

/// The one connection of a run, on which probes ask.
#[derive(Debug)]
pub struct Server {
    connection: WireConnection,
    statement_timeout: Duration,
}

const IDENTITY: &str = "\
select current_setting('server_version_num'), pg_is_in_recovery()::text, pg_postmaster_start_time()::text, \
current_user::text, current_database()::text, (pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') \
and pg_has_role(current_user, 'pg_read_all_settings', 'USAGE'))::text";

const CONTROL: &str = "\
select (select system_identifier::text from pg_control_system()), \
(select timeline_id::text from pg_control_checkpoint())";

impl Server {
    pub(super) async fn connect(url: &DatabaseUrl, cancel: &Cancel) -> Result<Self> {
        Ok(Self {
            connection: WireConnection::connect(url, cancel).await?,
            statement_timeout: Duration::from_secs(5),
        })
    }

    /// Changes how long a question may take.
    pub(super) fn set_statement_timeout(&mut self, timeout: Duration) {
        self.statement_timeout = timeout.max(Duration::from_millis(1));
    }

    /// Asks one statement that only reads, and gives its rows as text. Names of the system need no schema.
    ///
    /// Each question is a transaction of its own with its own settings, so that nothing stays behind, with a
    /// transaction pooler in between too.
    ///
    /// # Errors
    /// `Busy` where it would wait for a lock, `Timeout` where it took too long, and what else the server says.
    pub async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let millis = self.statement_timeout.as_millis();
        let text = format!(
            "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {}; \
             SET LOCAL search_path = ''; SET LOCAL application_name = 'opskit-health'; {sql}; COMMIT",
            LOCK_TIMEOUT.as_millis()
        );
        let asked = self.connection.query(&text);
        let answer = tokio::time::timeout(self.statement_timeout + GRACE, asked).await;
        let Ok(answer) = answer else {
            return Err(Error::new(
                ErrorKind::Timeout,
                "the server did not answer in time",
            ));
        };
        match answer {
            Ok(sets) => Ok(sets.into_iter().flat_map(|set| set.rows).collect()),
            Err(error) => {
                // The error is what there is to tell, whether or not its transaction can be ended.
                let _ = tokio::time::timeout(GRACE, self.connection.execute("ROLLBACK")).await;
                Err(error)
            }
        }
    }

    pub(super) async fn identity(&mut self) -> Result<ServerIdentity> {
        let rows = self.ask(IDENTITY).await?;
        let row = rows.into_iter().next().unwrap_or_default();
        let mut fields = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || fields.next().unwrap_or_default();
        let version_num = next().parse().map_err(|source| {
            Error::new(ErrorKind::Internal, "the server gave no version").with_source(source)
        })?;
        let mut identity = ServerIdentity {
            system_identifier: None,
            timeline: None,
            version_num,
            in_recovery: next() == "true",
            started_at: next(),
            role: next(),
            database: next(),
            is_monitor: next() == "true",
        };
        // Some managed servers keep the control file to themselves.
        if let Ok(rows) = self.ask(CONTROL).await
            && let Some([system, timeline]) = rows.first().map(Vec::as_slice)
        {
            identity.system_identifier.clone_from(system);
            identity.timeline.clone_from(timeline);
        }
        Ok(identity)
    }

    pub(super) async fn close(self) {
        self.connection.close().await;
    }
}
