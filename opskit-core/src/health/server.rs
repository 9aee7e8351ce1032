//! The one connection of a run.

use crate::catalog::Scope;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use time::OffsetDateTime;

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
    url: DatabaseUrl,
    ctx: OpContext,
    connection: WireConnection,
    /// What was asked last may still be answered on this connection.
    is_stuck: bool,
    major: u32,
    statement_timeout: Duration,
}

const IDENTITY: &str = "\
select current_setting('server_version_num'), pg_is_in_recovery()::text, pg_postmaster_start_time()::text, \
current_user::text, current_database()::text, pg_has_role(current_user, 'pg_monitor', 'USAGE')::text";

const CONTROL: &str = "\
select (select system_identifier::text from pg_control_system()), \
(select timeline_id::text from pg_control_checkpoint())";

impl Server {
    pub(super) async fn connect(url: &DatabaseUrl, ctx: &OpContext) -> Result<Self> {
        Ok(Self {
            url: url.clone(),
            ctx: ctx.clone(),
            connection: WireConnection::connect(url, ctx.cancel()).await?,
            is_stuck: false,
            major: 0,
            statement_timeout: Duration::from_secs(5),
        })
    }

    /// The major version, once it was asked who it is.
    pub(super) fn major(&self) -> u32 {
        self.major
    }

    /// This machine's time.
    pub(super) fn time(&self) -> OffsetDateTime {
        self.ctx.clock().now()
    }

    /// Changes how long a question may take.
    pub(super) fn set_statement_timeout(&mut self, timeout: Duration) {
        self.statement_timeout = timeout.max(Duration::from_millis(1));
    }

    /// Asks one statement that only reads, and gives its rows as text. Names of the system need no schema, and `{user}`
    /// is the condition that the row of `pg_namespace` named `n` is a schema of the user's.
    ///
    /// Each question is a transaction of its own with its own settings, so that nothing stays behind, with a
    /// transaction pooler in between too.
    ///
    /// # Errors
    /// `Busy` where it would wait for a lock, `Timeout` where it took too long, and what else the server says.
    pub async fn ask(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        let sql = sql.replace("{user}", &Scope::default().condition("n"));
        self.transaction(&format!("SET LOCAL search_path = ''; {sql}"))
            .await
    }

    /// The same for a query of the user's, who may leave schemas out where the role finds them.
    pub(super) async fn ask_as_user(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.transaction(sql).await
    }

    async fn transaction(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        if std::mem::take(&mut self.is_stuck) {
            self.connection = WireConnection::connect(&self.url, self.ctx.cancel()).await?;
        }
        let millis = self.statement_timeout.as_millis();
        let text = format!(
            "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {millis}; SET LOCAL lock_timeout = {}; \
             SET LOCAL application_name = 'opskit-health'; {sql}; COMMIT",
            LOCK_TIMEOUT.as_millis()
        );
        let asked = self.connection.query(&text);
        let answer = tokio::time::timeout(self.statement_timeout + GRACE, asked).await;
        let Ok(answer) = answer else {
            self.is_stuck = true;
            return Err(Error::new(
                ErrorKind::Timeout,
                "the server did not answer in time",
            ));
        };
        match answer {
            Ok(sets) => Ok(sets.into_iter().flat_map(|set| set.rows).collect()),
            Err(error) => {
                // The error is what there is to tell, whether or not its transaction can be ended.
                let ended = self.connection.execute("ROLLBACK");
                self.is_stuck = !matches!(tokio::time::timeout(GRACE, ended).await, Ok(Ok(_)));
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
        self.major = version_num / 10_000;
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
        // A run that follows at once would be a second connection until this one is gone.
        self.connection.end().await;
    }
}
