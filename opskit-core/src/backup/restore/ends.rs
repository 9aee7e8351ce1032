//! The beginning and the end of a restore: the mark, roles, owners, what is set for the database.

use super::code;
use super::guard::Guard;
use super::lacking::label;
use super::login;
use super::mark::{self, Beginning};
use super::request::{OnError, Part};
use super::sessions::{Opener, Sessions};
use super::steps::as_role;
use super::work::Work;
use crate::catalog::Address;
use crate::catalog::ddl::{Section, Statement};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::WireConnection;
use crate::repository::Holds;
use std::collections::HashSet;

impl Work<'_> {
    /// Leaves the mark, makes the roles that the target lacks, and makes room.
    pub(super) async fn begin(&mut self, admin: &mut WireConnection) -> Result<()> {
        if self.prepared.marks && !self.prepared.has_mark {
            // Pages of large objects are written where they belong, as often as one likes, and tables of a platform
            // are never emptied.
            let stay =
                |holds: &Holds| matches!(holds, Holds::LargeObjects { .. } | Holds::PlatformTable);
            let tables = self.rows.tables.iter();
            let tables = tables.filter(|it| !stay(&it.holds));
            let tables = tables.map(|table| &table.name);
            let beginning = Beginning {
                backup: &self.rows.reader.manifest().id,
                part: self.request.part,
                brackets: &self.prepared.brackets,
                tables: tables.collect(),
            };
            mark::leave(admin, &beginning).await?;
        }
        let roles = std::mem::take(&mut self.prepared.roles);
        if !roles.is_empty() {
            // All of them or none; where failures are passed over, as many as there can be.
            let whole = self.request.on_error == OnError::Stop;
            if whole {
                admin.execute("BEGIN").await?;
            }
            self.around(admin, &roles).await?;
            if whole {
                admin.execute("COMMIT").await?;
            }
        }
        let drops = std::mem::take(&mut self.prepared.drops);
        self.own(admin, &drops).await?;
        if let (Some(login), true) = (&self.steps.login, self.target.is_superuser) {
            // One that owned what was just dropped can go now.
            login::sweep(admin, &self.target.database_oid, Some(login)).await?;
        }
        if self.request.part != Part::Data {
            let truncates = std::mem::take(&mut self.prepared.truncates);
            self.own(admin, &truncates).await?;
        }
        Ok(())
    }

    /// Owners, privileges and comments, and what is set for the database.
    pub(super) async fn finish(
        &mut self,
        sessions: &mut Sessions,
        worker: &mut WireConnection,
    ) -> Result<()> {
        let admin = &mut sessions.admin;
        let mut access = self.section(Section::Access);
        let denied: HashSet<Address> = self.steps.denied.iter().map(|it| it.0).collect();
        access.retain(|statement| !denied.contains(&statement.about));
        if let Some(login) = &sessions.login {
            let schemas = &self.prepared.open_schemas;
            let guard = Guard::read(admin, &login.role, schemas, self.target).await?;
            self.steps.guard = Some(guard);
        }
        self.steps.run(admin, worker, &access).await?;
        if let Some(login) = &sessions.login {
            self.refuse_code(admin, &login.role).await?;
        }
        let database = std::mem::take(&mut self.prepared.database);
        self.around(admin, &database).await
    }

    /// What nobody was made the owner of would become the superuser's.
    async fn refuse_code(&mut self, admin: &mut WireConnection, login: &str) -> Result<()> {
        for object in code::owned_by(admin, login).await? {
            let what =
                "its code would have a superuser's rights: it stays with a role that has none";
            let error = Error::new(ErrorKind::PermissionDenied, what)
                .with_hint("Give --trust-backup if you trust whoever could write to its source.");
            self.steps.failed(&object, error)?;
        }
        Ok(())
    }

    /// Runs statements about roles and the database, which are of our making.
    pub(super) async fn around(
        &mut self,
        admin: &mut WireConnection,
        statements: &[Statement],
    ) -> Result<()> {
        for statement in statements {
            let done = match &statement.as_role {
                Some(role) => as_role(admin, role, &statement.sql).await,
                None => admin.query_one(&statement.sql).await.map(drop),
            };
            match done {
                Ok(()) => self.steps.done += 1,
                Err(error) => self.steps.failed(&statement.object, error)?,
            }
        }
        Ok(())
    }

    /// What a platform did not allow, in words. It is no difference then.
    pub(super) fn denied(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for (_, object, why) in std::mem::take(&mut self.steps.denied) {
            self.prepared.unproven.labels.insert(label(&object));
            told.push(format!("{object}: {why}"));
        }
        told
    }

    /// Takes the mark away: the restore is done.
    pub(super) async fn unmark(&self, owner: &Opener) -> Result<()> {
        if !self.prepared.marks && !self.prepared.has_mark {
            return Ok(());
        }
        let mut session = owner.open().await?;
        if self.target.is_superuser {
            mark::quiet(&mut session).await?;
        }
        mark::remove(&mut session).await?;
        session.close().await;
        Ok(())
    }
}
