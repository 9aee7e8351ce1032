//! What becomes of what the target has.

use super::drops::{self, Drops};
use super::earlier::Earlier;
use super::gaps;
use super::pages;
use super::plan::RestorePlan;
use super::problems;
use super::request::{Part, RestoreRequest};
use super::stored::Stored;
use super::target::{self, Bracket, Target};
use super::values;
use crate::error::Result;
use crate::postgres::wire::WireConnection;
use crate::repository::Holds;

/// What is dropped, taken away for a while, or stays and is none of the backup's.
#[derive(Debug)]
pub(super) struct Changes {
    /// What is dropped first: in words, and as SQL.
    pub(super) drops: Vec<(String, String)>,
    /// What is taken away while rows are loaded into tables that exist.
    pub(super) brackets: Vec<Bracket>,
    /// Large objects of the target that are none of the backup's.
    pub(super) strangers: Vec<u32>,
    /// Why that cannot be.
    problems: Vec<String>,
}

impl Changes {
    /// Looks at the target; `replaced` are the relations of it that were asked for, where only some were.
    pub(super) async fn plan(
        admin: &mut WireConnection,
        (stored, schemas): (&Stored, &[String]),
        target: &Target,
        request: &RestoreRequest,
        earlier: &Earlier,
        replaced: Drops,
    ) -> Result<Self> {
        let (contents, model) = (&stored.contents, &stored.model);
        let drops = match request.only.is_empty() {
            true => drops::whole(admin, model, schemas, target, request).await?,
            false => replaced,
        };
        // What stands on the platform's tables is the platform's to take away.
        let tables = contents.tables.iter();
        let tables = tables.filter(|table| table.holds != Holds::PlatformTable);
        let names = tables.map(|table| &table.name);
        let brackets = match request.part {
            Part::Data => earlier.brackets(target::brackets(admin, names).await?),
            _ => Vec::new(),
        };
        let (ours, strangers) = values::large_objects(target, model);
        let filled = match (request.part, &earlier.mark) {
            (Part::Data, None) => pages::filled(admin, &ours).await?,
            _ => Vec::new(),
        };
        let emptied = gaps::emptied(admin, (contents, model), target, request).await?;
        let problems = [
            problems::losses(&drops.losses),
            problems::emptied(emptied),
            problems::filled(filled),
            problems::brackets(&brackets, target),
        ];
        Ok(Self {
            drops: drops.statements,
            brackets,
            strangers,
            problems: problems.into_iter().flatten().collect(),
        })
    }

    /// Tells the plan.
    pub(super) fn tell(&self, plan: &mut RestorePlan) {
        plan.drops = self.drops.iter().map(|(it, _)| it.clone()).collect();
        plan.suspends = self.brackets.iter().map(|it| it.object.clone()).collect();
        plan.problems.extend(self.problems.iter().cloned());
    }
}
