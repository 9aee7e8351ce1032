//! A restore in one transaction, over one session.

use super::request::Part;
use super::sessions::Sessions;
use super::target::Bracket;
use super::work::Work;
use crate::catalog::ddl::Section;
use crate::error::Result;
use crate::postgres::load::Transaction;
use crate::postgres::wire::WireConnection;

impl Work<'_> {
    /// Everything over one session, which is the target's role's own.
    pub(super) async fn in_one(&mut self, sessions: &mut Sessions) -> Result<()> {
        let mut session = sessions.opener().open().await?;
        let start = self.now();
        session.execute("BEGIN").await?;
        let roles = std::mem::take(&mut self.prepared.roles);
        self.around(&mut session, &roles).await?;
        let drops = std::mem::take(&mut self.prepared.drops);
        self.own(&mut session, &drops).await?;
        self.run_section(Section::PreData, &mut sessions.admin, &mut session)
            .await?;
        let brackets = std::mem::take(&mut self.prepared.brackets);
        self.own(&mut session, &sides(&brackets, |bracket| &bracket.before))
            .await?;
        let truncates = std::mem::take(&mut self.prepared.truncates);
        self.own(&mut session, &truncates).await?;
        if self.request.part != Part::Schema {
            session = self.rows_in_one(session).await?;
        }
        self.own(&mut session, &sides(&brackets, |bracket| &bracket.after))
            .await?;
        self.run_section(Section::PostData, &mut sessions.admin, &mut session)
            .await?;
        let sequences = self.sequences();
        for check in brackets.iter().filter_map(|it| it.check.as_ref()) {
            session.query_one(check).await?;
        }
        self.own(&mut session, &sequences).await?;
        self.run_section(Section::Access, &mut sessions.admin, &mut session)
            .await?;
        let database = std::mem::take(&mut self.prepared.database);
        self.around(&mut session, &database).await?;
        session
            .execute("SET LOCAL synchronous_commit = on; COMMIT")
            .await?;
        session.close().await;
        self.phase("everything", start);
        let start = self.now();
        self.compare_rows(sessions.opener()).await?;
        self.compare_values(&sessions.owner()).await?;
        self.phase("comparison of rows", start);
        Ok(())
    }

    /// Loads all rows in the transaction that the session is in.
    async fn rows_in_one(&self, session: WireConnection) -> Result<WireConnection> {
        let (rows, transaction) = (&self.rows, Transaction::Callers);
        let plan = &self.prepared.platform;
        let session = rows.load_platform(session, plan, transaction).await?;
        let session = rows.load_over(session).await?;
        let session = rows.load_large_objects(session, transaction).await?;
        rows.load_extensions(session, transaction).await
    }
}

/// One side of brackets, as statements.
fn sides(brackets: &[Bracket], side: impl Fn(&Bracket) -> &String) -> Vec<(String, String)> {
    let pair = |bracket: &Bracket| (bracket.object.clone(), side(bracket).clone());
    brackets.iter().map(pair).collect()
}
