//! Going back by a second database: restored beside the first, compared, and renamed into its place.

use super::back::Back;
use super::outcome::Outcome;
use super::run::Locked;
use crate::backup::restore::RestoreReport;
use crate::catalog::diff::{Compared, FactsDiff};
use crate::catalog::facts::FactsOptions;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{quote_ident, quote_literal, random_hex};
use crate::postgres::facts::read_facts;
use crate::postgres::wire::WireConnection;
use crate::repository::{BackupId, Repository};

/// The longest name that a server takes, in bytes.
const NAME_BYTES_MAX: usize = 63;

/// The database that sessions connect to that rename another.
const ADMIN: &str = "postgres";

impl Back<'_> {
    /// Restores into a new database and renames it into the place of the one that was migrated, which stays under
    /// another name. Until the two names change, nothing is different for anybody.
    pub(super) async fn swap(
        &self,
        id: &BackupId,
        repository: &Repository,
        locked: &mut Locked,
    ) -> Result<Outcome> {
        let name = self.runner.url.dbname().to_owned();
        let (new, kept) = (beside(&name, "restored"), beside(&name, "migrated"));
        let mut admin =
            WireConnection::connect(&self.runner.url.with_dbname(ADMIN), self.ctx.cancel()).await?;
        let settings = settings_of(&mut admin, &name).await?;
        admin.execute(&create_sql(&settings, &new)).await?;
        if let Err(error) = Box::pin(self.fill(id, repository, &new)).await {
            // What nobody knows of is no use to anybody.
            let _ = admin
                .execute(&format!("drop database {}", quote_ident(&new)))
                .await;
            return Err(error);
        }
        locked.leave().await;
        let renamed = rename(&mut admin, &name, &kept, &new).await;
        admin.close().await;
        *locked = Locked::open(self.ctx, &self.runner.url, locked.limits()).await?;
        renamed?;
        Ok(Outcome::SwapDatabase { kept })
    }

    async fn fill(&self, id: &BackupId, repository: &Repository, new: &str) -> Result<()> {
        let url = self.runner.url.with_dbname(new);
        let report: RestoreReport = Box::pin(self.restore_to(repository, id, &url)).await?;
        let now = read_facts(self.ctx, &url, FactsOptions::like(self.before)).await?;
        let diff = FactsDiff::between(self.before, &now, Compared::Objects);
        if report.is_same() && diff.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::CheckFailed,
            "the restored database is not what was there before",
        ))
    }
}

/// Both renames, or none.
async fn rename(admin: &mut WireConnection, name: &str, kept: &str, new: &str) -> Result<()> {
    let sql = |from: &str, to: &str| {
        format!(
            "alter database {} rename to {}",
            quote_ident(from),
            quote_ident(to)
        )
    };
    // Renaming is allowed in a transaction.
    let both = format!("begin; {}; {}; commit", sql(name, kept), sql(new, name));
    let renamed = admin.execute(&both).await;
    if renamed.is_err() {
        let _ = admin.execute("rollback").await;
        let _ = admin
            .execute(&format!("drop database {}", quote_ident(new)))
            .await;
    }
    renamed.map_err(|error| {
        error.while_doing("cannot swap the databases; sessions may still be connected")
    })
}

/// What a database was made with: encoding, locales, owner.
async fn settings_of(admin: &mut WireConnection, name: &str) -> Result<[String; 4]> {
    let sql = format!(
        "select pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype, pg_catalog.pg_get_userbyid(datdba) \
         from pg_catalog.pg_database where datname = {}",
        quote_literal(name)
    );
    let row = admin
        .query_one(&sql)
        .await?
        .rows
        .into_iter()
        .next()
        .unwrap_or_default();
    let mut fields = row.into_iter();
    Ok(std::array::from_fn(|_| {
        fields.next().flatten().unwrap_or_default()
    }))
}

fn create_sql(settings: &[String; 4], new: &str) -> String {
    let [encoding, collate, ctype, owner] = settings;
    format!(
        "create database {} template template0 encoding {} lc_collate {} lc_ctype {} owner {}",
        quote_ident(new),
        quote_literal(encoding),
        quote_literal(collate),
        quote_literal(ctype),
        quote_ident(owner)
    )
}

/// A name like another, that nothing has.
fn beside(name: &str, word: &str) -> String {
    let end = format!("_{word}_{}", &random_hex()[..6]);
    let room = name.floor_char_boundary(NAME_BYTES_MAX - end.len());
    format!("{}{end}", &name[..room])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_whatever_it_is_like() {
        let name = beside(&"é".repeat(40), "restored");
        assert!(name.len() <= NAME_BYTES_MAX);
        assert!(name.starts_with("éé"));
        assert_ne!(beside("shop", "migrated"), beside("shop", "migrated"));
    }
}
