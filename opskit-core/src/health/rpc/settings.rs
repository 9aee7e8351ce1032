//! What the function tells, and to whom.

use crate::name::QualifiedName;
use std::time::Duration;

/// What is told about how many rows a table has. Whoever has the `anon` key can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counts {
    /// Nothing.
    #[default]
    Withheld,
    /// What the server's statistics say, which costs nothing.
    Estimated,
    /// Counted by each refresh.
    Exact,
}

/// The largest value of a column, such as the time of the last payment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "nothing else identifies one")]
pub struct Latest {
    /// What it is called in the answer.
    pub key: String,
    /// The table.
    pub table: QualifiedName,
    /// The column. Without an index on it, each refresh reads the table.
    pub column: String,
}

/// What `public.health_check` tells, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RpcSettings {
    /// The name of the service, told as it is.
    pub service: Option<String>,
    /// The release, told as it is.
    pub release: Option<String>,
    /// The schemas that PostgREST serves: no table of them may be open to callers without row-level security.
    pub schemas: Vec<String>,
    /// Who may call. Those that do not exist when the function is installed are left out.
    pub callers: Vec<String>,
    /// Tables and views that callers may reach without row-level security, because somebody wants it so.
    pub open: Vec<QualifiedName>,
    /// Tables whose rows are counted.
    pub tables: Vec<QualifiedName>,
    /// How.
    pub counts: Counts,
    /// Largest values of columns.
    pub latest: Vec<Latest>,
    /// From which age on the kept numbers are called stale. Whole seconds count.
    pub max_age: Duration,
}

impl Default for RpcSettings {
    fn default() -> Self {
        Self {
            service: None,
            release: None,
            schemas: vec!["public".to_owned()],
            callers: ["anon", "authenticated", "service_role"]
                .map(str::to_owned)
                .to_vec(),
            open: Vec::new(),
            tables: Vec::new(),
            counts: Counts::default(),
            latest: Vec::new(),
            max_age: Duration::from_secs(15 * 60),
        }
    }
}

impl RpcSettings {
    /// Whether anything is kept between calls, which then may be stale.
    pub(super) fn keeps(&self) -> bool {
        !self.latest.is_empty() || (!self.tables.is_empty() && self.counts != Counts::Withheld)
    }
}
