//! Which database is meant.

use crate::App;
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::{Error, ErrorKind};

/// The database that was named: by `--db`, else by `DATABASE_URL`, else by `SUPABASE_DB_URL`, else by
/// the `PG*` variables.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    named: Named,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// By someone.
    Somewhere,
    /// By nobody: it is the server that `libpq` would try.
    Nowhere,
}

impl Database {
    pub(crate) fn find(db: Option<&str>, app: &App) -> Result<Self, Error> {
        let env = &app.env;
        let text = db
            .or(env.database_url.as_deref())
            .or(env.supabase_db_url.as_deref());
        let url = DatabaseUrl::parse(text.unwrap_or_default(), &env.connect)?;
        if db.is_some() && url.has_password_in_url() {
            app.printer.warning(
                "a password in an argument shows in the process list; use DATABASE_URL, PGPASSWORD or a password file",
            );
        }
        let by_variable = ["PGHOST", "PGHOSTADDR", "PGSERVICE"]
            .iter()
            .any(|name| env.connect.vars.contains_key(*name));
        let named = if text.is_some() || by_variable {
            Named::Somewhere
        } else {
            Named::Nowhere
        };
        Ok(Self { url, named })
    }

    /// Adds the likely reason to an error of connecting.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if self.named == Named::Nowhere && error.kind() == ErrorKind::Connection {
            error.with_hint(
                "No database was named, so a local server was tried: set DATABASE_URL, or give --db.",
            )
        } else {
            error
        }
    }
}
