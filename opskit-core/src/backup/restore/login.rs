//! The temporary login: a role without rights that runs what may run code of the backup.

use super::code;
use super::only::Standing;
use super::target::{Target, field, grant_schema, rows};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, hex, quote_ident, quote_literal};
use crate::postgres::wire::WireConnection;
use crate::secret::Secret;
use std::time::Duration;

/// What the names of logins start with.
pub(super) use crate::catalog::scope::LOGIN_PREFIX as PREFIX;
/// How often, and how long apart, it is asked whether the sessions of a login are gone.
const ENDED_ASKED: u32 = 500;
const ENDED_WAIT: Duration = Duration::from_millis(20);

/// A role that this restore made, and what becomes of it at the end.
#[derive(Debug, Clone)]
pub(super) struct Login {
    pub(super) role: String,
    pub(super) password: Secret,
}

impl Login {
    /// Makes the role. While it is used, `admin` holds an advisory lock of its name; the lock goes with
    /// that session, however it ends, and the next restore then takes the role away.
    pub(super) async fn create(admin: &mut WireConnection, target: &Target) -> Result<Self> {
        let login = Self {
            role: format!("{PREFIX}{}_{}", target.database_oid, random(4)?),
            password: Secret::new(random(24)?),
        };
        lock(admin, &login.role).await?;
        let role = quote_ident(&login.role);
        // The server is given what it can check a password with, not the password.
        let verifier =
            postgres_protocol::password::scram_sha_256(login.password.expose().as_bytes());
        for sql in [
            format!(
                "CREATE ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS PASSWORD {}",
                quote_literal(&verifier)
            ),
            format!(
                "COMMENT ON ROLE {role} IS 'made by opskit for one restore; the next restore drops it'"
            ),
        ] {
            let done = admin.query_one(&sql).await;
            done.map_err(|error| error.while_doing("cannot make the login that restores"))?;
        }
        login.enter_database(admin, target).await?;
        Ok(login)
    }

    /// Lets it into the database, where not everybody may. A grant that is not needed would leave its
    /// trace in the privileges of the database.
    async fn enter_database(&self, admin: &mut WireConnection, target: &Target) -> Result<()> {
        for privilege in ["CONNECT", "TEMPORARY"] {
            let sql = format!(
                "select pg_catalog.has_database_privilege({}, {}, {})::pg_catalog.text",
                quote_literal(&self.role),
                quote_literal(&target.database),
                quote_literal(privilege)
            );
            if rows(admin, &sql)
                .await?
                .first()
                .is_some_and(|row| field(row, 0) == "true")
            {
                continue;
            }
            let sql = format!(
                "GRANT {privilege} ON DATABASE {} TO {}",
                quote_ident(&target.database),
                quote_ident(&self.role)
            );
            let done = admin.query_one(&sql).await;
            done.map_err(|error| error.while_doing("cannot let the login that restores in"))?;
        }
        Ok(())
    }

    /// Lets it work in schemas that exist.
    pub(super) async fn enter(&self, admin: &mut WireConnection, schemas: &[String]) -> Result<()> {
        for schema in schemas {
            let done = admin.query_one(&grant_schema(schema, &self.role)).await;
            done.map_err(|error| {
                error.while_doing(format!(
                    "cannot open schema \"{schema}\" to the login that restores"
                ))
            })?;
        }
        Ok(())
    }

    /// Lets what it makes use what stands.
    pub(super) async fn refer(
        &self,
        admin: &mut WireConnection,
        standing: &Standing,
    ) -> Result<()> {
        let role = quote_ident(&self.role);
        let schemas = standing.schemas.iter();
        let schemas =
            schemas.map(|name| format!("GRANT USAGE ON SCHEMA {} TO {role}", quote_ident(name)));
        let tables = standing.tables.iter();
        let tables =
            tables.map(|name| format!("GRANT REFERENCES ON TABLE {} TO {role}", name.to_sql()));
        for sql in schemas.chain(tables) {
            let done = admin.query_one(&sql).await;
            done.map_err(|error| {
                error.while_doing("cannot let the login that restores refer to what stands")
            })?;
        }
        Ok(())
    }

    /// Lets it load rows into tables that exist, whatever their policies say.
    pub(super) async fn load_into(
        &self,
        admin: &mut WireConnection,
        tables: impl Iterator<Item = &QualifiedName>,
    ) -> Result<()> {
        let passes = format!("ALTER ROLE {} BYPASSRLS", quote_ident(&self.role));
        let done = admin.query_one(&passes).await;
        done.map_err(|error| {
            error.while_doing("cannot let the login that restores pass policies")
        })?;
        for table in tables {
            let sql = format!(
                "GRANT SELECT, INSERT ON TABLE {} TO {}",
                table.to_sql(),
                quote_ident(&self.role)
            );
            let done = admin.query_one(&sql).await;
            done.map_err(|error| {
                error.while_doing(format!(
                    "cannot open table \"{table}\" to the login that restores"
                ))
            })?;
        }
        Ok(())
    }

    /// Lets it read every table, and every row of it.
    pub(super) async fn read_all(&self, admin: &mut WireConnection, target: &Target) -> Result<()> {
        let role = quote_ident(&self.role);
        let mut statements = vec![format!("ALTER ROLE {role} INHERIT BYPASSRLS")];
        if target.version >= 140_000 {
            statements.push(format!("GRANT pg_read_all_data TO {role}"));
        } else {
            for schema in target
                .schemas
                .iter()
                .filter(|name| !name.starts_with("pg_"))
            {
                let schema = quote_ident(schema);
                statements.push(format!("GRANT USAGE ON SCHEMA {schema} TO {role}"));
                statements.push(format!(
                    "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}"
                ));
                statements.push(format!(
                    "GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
                ));
            }
        }
        for sql in statements {
            let done = admin.query_one(&sql).await;
            done.map_err(|error| error.while_doing("cannot let the login that checks read"))?;
        }
        Ok(())
    }

    /// Gives what it still owns to the target's role, and drops it. Where that would give code of the backup
    /// the rights of that role, it stays, without any of its own; tells what it owns then.
    pub(super) async fn drop_role(&self, admin: &mut WireConnection) -> Result<Vec<String>> {
        drop_role(admin, &self.role).await
    }
}

/// Drops the logins that earlier restores of this database left because they were killed. One that still owns
/// what runs its owner's code stays, and can log in no more.
/// `but` is the one of this restore, whose lock this session holds itself.
pub(super) async fn sweep(
    admin: &mut WireConnection,
    database_oid: &str,
    but: Option<&str>,
) -> Result<Vec<String>> {
    let prefix = format!("{PREFIX}{database_oid}_");
    let sql = format!(
        "select rolname::pg_catalog.text from pg_catalog.pg_roles where pg_catalog.starts_with(rolname, {}) and rolname <> {}",
        quote_literal(&prefix),
        quote_literal(but.unwrap_or_default())
    );
    let mut swept = Vec::new();
    for row in rows(admin, &sql).await? {
        let role = field(&row, 0);
        let held = format!(
            "select pg_catalog.pg_try_advisory_lock({})::pg_catalog.text",
            key(&role)
        );
        let held = rows(admin, &held).await?;
        let is_free = held.first().is_some_and(|row| field(row, 0) == "true");
        if is_free && drop_role(admin, &role).await?.is_empty() {
            swept.push(role);
        }
    }
    Ok(swept)
}

async fn lock(admin: &mut WireConnection, role: &str) -> Result<()> {
    let sql = format!("select pg_catalog.pg_advisory_lock({})", key(role));
    admin.query_one(&sql).await.map(drop)
}

fn key(role: &str) -> String {
    format!("pg_catalog.hashtextextended({}, 0)", quote_literal(role))
}

async fn drop_role(admin: &mut WireConnection, role: &str) -> Result<Vec<String>> {
    let doing = || format!("cannot drop role \"{role}\", which was made for the restore");
    let told = |error: Error| error.while_doing(doing());
    let name = quote_ident(role);
    let shut = format!("ALTER ROLE {name} NOLOGIN NOINHERIT NOBYPASSRLS");
    admin.query_one(&shut).await.map_err(told)?;
    end_sessions(admin, role).await.map_err(told)?;
    let code = code::owned_by(admin, role).await.map_err(told)?;
    if !code.is_empty() {
        return Ok(code);
    }
    for sql in [
        format!("REASSIGN OWNED BY {name} TO CURRENT_USER"),
        format!("DROP OWNED BY {name}"),
        format!("DROP ROLE {name}"),
    ] {
        admin.query_one(&sql).await.map_err(told)?;
    }
    Ok(code)
}

/// Ends the sessions of a role, and waits until they are gone: what they were about to commit counts.
async fn end_sessions(admin: &mut WireConnection, role: &str) -> Result<()> {
    let sql = format!(
        "select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usename = {}",
        quote_literal(role)
    );
    for _ in 0..ENDED_ASKED {
        if rows(admin, &sql).await?.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(ENDED_WAIT).await;
    }
    let what = format!("sessions of role \"{role}\" do not end");
    Err(Error::new(ErrorKind::Busy, what))
}

/// Random bytes, in hexadecimal.
fn random(bytes: usize) -> Result<String> {
    let mut drawn = vec![0; bytes];
    let source = rustls::crypto::ring::default_provider().secure_random;
    source
        .fill(&mut drawn)
        .map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))?;
    Ok(hex(&drawn))
}
