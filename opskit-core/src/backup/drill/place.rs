//! Where a drill restores to.

use crate::backup::restore::roles_of;
use crate::catalog::model::Model;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::name::{quote_ident, quote_literal, random_hex};
use crate::postgres::url::{ConnectEnv, DatabaseUrl};
use crate::postgres::wire::WireConnection;
use crate::repository::Contents;
use crate::scratch::{ScratchEnv, ScratchServer, ServerBinaries};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The database of a drill on a scratch server.
const DATABASE: &str = "drill";
/// Rows take more on the server's disk than on the wire, indexes and the log come on top.
const DISK_FACTOR: u64 = 4;
/// What an empty server takes.
const DISK_BASE: u64 = 256 << 20;

/// A scratch server with an empty database that has the roles of the backup.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) server: ScratchServer,
    pub(super) url: DatabaseUrl,
    /// What is not as it was in the source.
    pub(super) unproven: Vec<String>,
}

impl Place {
    pub(super) async fn make(
        ctx: &OpContext,
        contents: &Contents,
        (model, known): (&Model, &BTreeSet<String>),
        bin_dir: Option<&Path>,
    ) -> Result<Self> {
        let base = std::env::temp_dir();
        check_disk(&base, needed(contents))?;
        let dir = match bin_dir {
            Some(dir) => dir.to_owned(),
            None => binaries(contents.source.server_version)?,
        };
        let server = ScratchServer::builder()
            .bin_dir(Some(dir))
            .encoding(&contents.source.encoding)
            .locale(&contents.source.collate)
            // No role of the backup is this one, whatever its author calls them.
            .superuser(format!("opskit_{}", random_hex()))
            .option("max_locks_per_transaction", "1024")
            .start(ctx)
            .await?;
        let replaced = server.substitutions().iter().map(|change| {
            format!(
                "{} \"{}\": this machine has none, \"{}\" was taken",
                change.setting, change.wanted, change.used
            )
        });
        let unproven = replaced.collect();
        let parse =
            |database: &str| DatabaseUrl::parse(&server.url(database), &ConnectEnv::default());
        let (first, url) = (parse("postgres")?, parse(DATABASE)?);
        let mut session = WireConnection::connect(&first, ctx.cancel()).await?;
        prepare(&mut session, model, known).await?;
        session.close().await;
        Ok(Self {
            server,
            url,
            unproven,
        })
    }
}

/// Makes the database, and roles that may do nothing. Those that the backup knows more of are made by the
/// restore.
async fn prepare(
    session: &mut WireConnection,
    model: &Model,
    known: &BTreeSet<String>,
) -> Result<()> {
    for role in roles_of(model).difference(known) {
        let asked = session
            .query_one(&format!(
                "select from pg_catalog.pg_roles where rolname = {}",
                quote_literal(role)
            ))
            .await?;
        if asked.rows.is_empty() && !role.starts_with("pg_") {
            session
                .query_one(&format!("CREATE ROLE {}", quote_ident(role)))
                .await?;
        }
    }
    let sql = format!(
        "CREATE DATABASE {} TEMPLATE template0",
        quote_ident(DATABASE)
    );
    session.query_one(&sql).await.map(drop)
}

/// The oldest server here that is not older than the source's.
pub(crate) fn binaries(source_version: u32) -> Result<PathBuf> {
    let major = source_version / 10_000;
    let mut found = ServerBinaries::all(&ScratchEnv::from_process())?;
    found.sort_by_key(ServerBinaries::version);
    let fits = found
        .iter()
        .find(|binaries| u32::from(binaries.version().major) >= major);
    fits.map(|binaries| binaries.dir().to_owned()).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            format!("no PostgreSQL {major} or newer is installed here"),
        )
        .with_hint("Install one, name its programs with --pg-bin, or give an empty database with --to.")
    })
}

/// About how much a server with these rows takes.
fn needed(contents: &Contents) -> u64 {
    let parts = contents.tables.iter().flat_map(|table| &table.parts);
    let rows = parts.fold(0_u64, |sum, part| sum.saturating_add(part.wire_bytes));
    rows.saturating_mul(DISK_FACTOR).saturating_add(DISK_BASE)
}

/// Refuses to start what would fill the disk.
fn check_disk(base: &Path, needed: u64) -> Result<()> {
    let disk = rustix::fs::statvfs(base).map_err(|errno| {
        storage(
            format!("cannot look at \"{}\"", base.display()),
            errno.into(),
        )
    })?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= needed {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Storage,
        format!(
            "the drill needs about {} MiB in \"{}\", which has {} MiB free",
            needed >> 20,
            base.display(),
            free >> 20
        ),
    )
    .with_hint("Free some space, or set TMPDIR to a directory on a larger disk."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_disk_that_is_too_small_is_refused() {
        let base = std::env::temp_dir();
        check_disk(&base, 0).unwrap();
        let error = check_disk(&base, u64::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert!(error.to_string().contains("MiB free"), "{error}");
    }
}
