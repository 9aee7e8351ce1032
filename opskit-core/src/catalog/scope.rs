//! What belongs to the user: the schemas that facts, models, backups and comparisons cover.

use crate::name::{QualifiedName, quote_literal};
use serde::{Deserialize, Serialize};

/// The schema that a restore keeps its mark in until it is done.
pub(crate) const MARK_SCHEMA: &str = "opskit_restore";
/// With what the names of the roles begin that a restore makes for as long as it runs: nobody's, like the schema. A
/// macro, because the constant text of queries is put together of it.
macro_rules! login_prefix {
    () => {
        "opskit_restore_"
    };
}
pub(crate) use login_prefix;
/// The same.
pub(crate) const LOGIN_PREFIX: &str = login_prefix!();

/// Schemas of managed platforms. They are outside only when a platform role or an extension owns
/// them too: a schema of the user's may have the same name.
const PLATFORM_SCHEMAS: &[&str] = &[
    "_analytics",
    "_realtime",
    "_supavisor",
    "auth",
    "cron",
    "dbdev",
    "etl",
    "extensions",
    "graphql",
    "graphql_public",
    "net",
    "pgbouncer",
    "pgmq",
    "pgsodium",
    "pgsodium_masks",
    "pgtle",
    "realtime",
    "repack",
    "storage",
    "supabase_functions",
    "supabase_migrations",
    "tiger",
    "tiger_data",
    "topology",
    "vault",
];

/// Those of them whose tables hold what the users of the database made: accounts, and what is said of files.
const PLATFORM_DATA: &[&str] = &["auth", "storage"];

/// Tables in them in which the platform keeps its own books: which of its migrations ran here.
const PLATFORM_BOOKS: &[&str] = &["migrations", "schema_migrations"];

/// Roles that a managed platform keeps for itself.
const PLATFORM_ROLES: &str = "^(supabase_.*|dashboard_user|pgbouncer|pgsodium_key.*|pgtle_admin|rdsadmin|rds_.*|cloud_admin|neon_.*|azure_.*|azuresu|cloudsql.*|alloydb.*)$";

/// Which schemas belong to the user.
///
/// Outside are the server's own schemas, those that a managed platform owns, and those the user
/// ignores. What is outside is named in every report; nothing is left out silently.
///
/// ```
/// use opskit_core::catalog::Scope;
/// let scope = Scope::default().ignoring(["scratchpad"]);
/// assert!(scope.condition("n").contains("scratchpad"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    ignored: Vec<String>,
}

impl Scope {
    /// Leaves schemas out, by their exact names.
    #[must_use]
    pub fn ignoring<S: Into<String>>(mut self, schemas: impl IntoIterator<Item = S>) -> Self {
        self.ignored.extend(schemas.into_iter().map(Into::into));
        self
    }

    /// The schemas that the user left out.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The SQL condition that a row of `pg_namespace`, named `n` in the query, is in scope.
    #[must_use]
    pub fn condition(&self, n: &str) -> String {
        let ignored = if self.ignored.is_empty() {
            String::new()
        } else {
            format!(" and {n}.nspname not in ({})", literals(&self.ignored))
        };
        format!(
            "({n}.nspname operator(pg_catalog.!~) '^(pg_.*|information_schema|{MARK_SCHEMA})$' \
             and not ({n}.nspname in ({}) and {}){ignored})",
            literals(PLATFORM_SCHEMAS),
            platform_keeps(n),
        )
    }

    /// The SQL condition that a row of `pg_namespace`, named `n` in the query, is a schema of a managed
    /// platform, in which users may put triggers and policies of theirs.
    #[must_use]
    pub fn platform_condition(&self, n: &str) -> String {
        let ignored = if self.ignored.is_empty() {
            String::new()
        } else {
            format!(" and {n}.nspname not in ({})", literals(&self.ignored))
        };
        format!(
            "({n}.nspname in ({}) and {}{ignored})",
            literals(PLATFORM_SCHEMAS),
            platform_keeps(n),
        )
    }

    /// The SQL condition that a row of `pg_namespace`, named `n` in the query, is a schema of a managed
    /// platform whose tables hold rows of the user's. Their definitions are the platform's all the same.
    pub(crate) fn platform_data_condition(&self, n: &str) -> String {
        format!(
            "({n}.nspname in ({}) and {})",
            literals(PLATFORM_DATA),
            self.platform_condition(n)
        )
    }

    /// The SQL condition that an object outside schemas (a publication, a server), whose owner is the
    /// OID `owner`, is in scope.
    #[must_use]
    pub fn owner_condition(&self, owner: &str) -> String {
        format!("(not {})", platform_role(owner))
    }
}

/// Whether a schema of this name, where it is a platform's, holds rows of the user's.
pub(crate) fn holds_platform_data(schema: &str) -> bool {
    PLATFORM_DATA.contains(&schema)
}

/// Whether a table of such a schema tells of the platform itself, so that its rows are true in one place only.
pub(crate) fn is_platform_book(table: &QualifiedName) -> bool {
    PLATFORM_BOOKS.contains(&table.name.as_str())
}

/// Whether a role of this name is a platform's.
pub(crate) fn is_platform_role(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "dashboard_user",
        "pgbouncer",
        "pgtle_admin",
        "rdsadmin",
        "cloud_admin",
        "azuresu",
    ];
    const STARTS: [&str; 7] = [
        "supabase_",
        "pgsodium_key",
        "rds_",
        "neon_",
        "azure_",
        "cloudsql",
        "alloydb",
    ];
    NAMES.contains(&name) || STARTS.iter().any(|start| name.starts_with(start))
}

/// The SQL condition that a schema is the platform's: it owns it, or functions in it. Supabase gives the
/// schema `extensions` to the user and keeps its own functions there.
fn platform_keeps(n: &str) -> String {
    format!(
        "({} or {n}.nspname = 'extensions' and exists (select from pg_catalog.pg_proc p where p.pronamespace = {n}.oid and {}))",
        platform_role(&format!("{n}.nspowner")),
        platform_role("p.proowner"),
    )
}

/// The SQL condition that a role is the platform's.
fn platform_role(owner: &str) -> String {
    format!(
        "pg_catalog.pg_get_userbyid({owner}) operator(pg_catalog.~) {}",
        quote_literal(PLATFORM_ROLES)
    )
}

fn literals<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| quote_literal(name.as_ref()))
        .collect();
    quoted.join(", ")
}
