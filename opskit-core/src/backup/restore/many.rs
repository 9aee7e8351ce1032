//! A restore in many transactions, over several sessions.

use super::request::Part;
use super::schedule;
use super::sessions::{Opener, Sessions};
use super::work::Work;
use crate::catalog::ddl::Section;
use crate::error::Result;
use crate::postgres::load::Transaction;
use crate::postgres::wire::WireConnection;

impl Work<'_> {
    pub(super) async fn in_many(&mut self, sessions: &mut Sessions) -> Result<()> {
        let opener = sessions.opener().clone();
        let owner = sessions.owner();
        let mut worker = opener.open().await?;
        let admin = &mut sessions.admin;
        let start = self.now();
        self.begin(admin).await?;
        if let Some(login) = &sessions.login {
            login.enter(admin, &self.prepared.existing_schemas).await?;
            login.refer(admin, &self.prepared.standing).await?;
        }
        self.run_section(Section::PreData, admin, &mut worker)
            .await?;
        self.phase("objects before rows", start);
        let start = self.now();
        match self.request.part {
            Part::Schema => {}
            Part::Everything => self.rows_over(&opener, &owner).await?,
            Part::Data => self.rows_between(sessions, &mut worker).await?,
        }
        let admin = &mut sessions.admin;
        self.phase("rows", start);
        let start = self.now();
        let post = self.section(Section::PostData);
        let graph = std::mem::take(&mut self.prepared.graph);
        let work = (&graph, post.as_slice(), &self.prepared.sizes);
        let jobs = self.request.jobs;
        schedule::run(&mut self.steps, admin, &opener, work, jobs).await?;
        self.phase("indexes, constraints and the rest", start);
        let start = self.now();
        let sequences = self.sequences();
        // Those that this restore has made are the worker's; the names of others are nobody's to give.
        match self.request.part {
            Part::Data => self.own(admin, &sequences).await?,
            _ => self.own(&mut worker, &sequences).await?,
        }
        self.phase("sequences", start);
        let start = self.now();
        self.compare_rows(&opener).await?;
        self.compare_values(&owner).await?;
        self.phase("comparison of rows", start);
        let start = self.now();
        self.finish(sessions, &mut worker).await?;
        flush(&mut worker).await?;
        worker.close().await;
        self.phase("owners, privileges and comments", start);
        Ok(())
    }

    /// Loads all rows; those that are not of the user's tables over the owner's session.
    pub(super) async fn rows_over(&mut self, opener: &Opener, owner: &Opener) -> Result<()> {
        // First, because a check of the user's may look there.
        self.platform_rows(owner).await?;
        let failures = self.rows.load(opener).await?;
        self.steps.failures.extend(failures);
        // Neither runs any code of the backup, and objects that exist are somebody else's.
        let mut session = owner.open().await?;
        session = self
            .rows
            .load_large_objects(session, Transaction::Own)
            .await?;
        session = self.rows.load_extensions(session, Transaction::Own).await?;
        session.close().await;
        Ok(())
    }

    /// Loads the rows of the platform's tables: before what reacts to rows is made there.
    async fn platform_rows(&mut self, owner: &Opener) -> Result<()> {
        let session = owner.open().await?;
        let plan = &self.prepared.platform;
        let loading = self.rows.load_platform(session, plan, Transaction::Own);
        match Box::pin(loading).await {
            Ok(session) => session.close().await,
            Err(error) => self.steps.failed("rows of the platform's tables", error)?,
        }
        Ok(())
    }
}

/// A commit that waits for the disk, and so for all commits before it that did not.
async fn flush(session: &mut WireConnection) -> Result<()> {
    let sql =
        "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_catalog.pg_current_xact_id(); COMMIT";
    session.execute(sql).await
}
