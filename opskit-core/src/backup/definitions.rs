//! Definitions, and the proof that they are those of the snapshot.
//!
//! The server spells definitions out as they are at the moment, whatever the snapshot. So they are looked at
//! again in a transaction of its own that starts after the last of them was read: what is the same in the
//! snapshot and there did not change in between. What came new meanwhile is not in the snapshot, and does
//! not matter.

use super::documents::{Document, Documents};
use super::prints::{Print, first_difference, prints};
use super::request::BackupRequest;
use crate::catalog::ddl::{DdlOptions, Script};
use crate::catalog::facts::FactsOptions;
use crate::catalog::model::Model;
use crate::catalog::versions::{LABELS_SQL, first_change, versions_sql};
use crate::catalog::{Address, TextRow};
use crate::error::{Error, Result, changed_meanwhile};
use crate::postgres::catalog::{begin, read_model_in};
use crate::postgres::export::Leader;
use crate::postgres::facts::read_facts_in;
use crate::postgres::session::Session;
use std::collections::HashSet;

const DOING: &str = "cannot read the versions of definitions";

/// Every definition of the snapshot, as it is stored, and what is needed of it until then.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) documents: Documents,
    /// How many objects there are.
    pub(super) objects: u64,
    /// What cannot be carried: each object, and why.
    pub(super) lost: Vec<(String, String)>,
    pub(super) facts_digest: String,
    prints: Vec<Print>,
    again: FactsOptions,
    server_version: u32,
    versions: Vec<TextRow>,
    labels: Vec<TextRow>,
}

impl Definitions {
    /// Reads them in the snapshot of `leader`, one after the other: of a large catalog, not more than one of them
    /// is in memory at a time.
    pub(super) async fn read(leader: &mut Leader, request: &BackupRequest) -> Result<Self> {
        let version = leader.source.server_version;
        let session = &mut leader.session;
        let model = read_model_in(session, version, &request.scope).await?;
        let objects = model.objects.len() as u64;
        let made = Made::by(model, version)?;
        let options = FactsOptions::new(request.scope.clone());
        let facts = read_facts_in(session, version, options).await?;
        let versions = session.rows(DOING, versions_sql(&request.scope)).await?;
        let labels = session.rows(DOING, LABELS_SQL.to_owned()).await?;
        let mut lost = made.lost;
        let unexplained = facts.unexplained(&made.known).into_iter();
        lost.extend(unexplained.map(|it| (it.object, "no statement of ours makes it".to_owned())));
        let [pre_data, post_data] = made.script;
        Ok(Self {
            documents: Documents {
                model: made.model,
                facts: Document::of_facts(&facts)?,
                pre_data,
                post_data,
            },
            objects,
            lost,
            facts_digest: facts.digest(),
            again: FactsOptions::like(&facts),
            prints: prints(facts),
            server_version: version,
            versions,
            labels,
        })
    }

    /// Refuses what changed before `now`, a transaction that started after all was read. Once.
    pub(super) async fn refuse_changes(&mut self, now: &mut Session) -> Result<()> {
        let facts = read_facts_in(now, self.server_version, self.again.clone()).await?;
        let versions = now.rows(DOING, versions_sql(&facts.scope)).await?;
        let before = std::mem::take(&mut self.prints);
        let changed = first_difference(&before, &prints(facts))
            .or_else(|| first_change(&self.versions, &versions));
        changed.map_or(Ok(()), |object| Err(definition_changed(object)))
    }

    /// Refuses labels of enums that changed before the last row was read: values are sent with the labels
    /// of the moment. Ends the transaction of `leader`.
    pub(super) async fn refuse_other_labels(&self, leader: &mut Leader) -> Result<()> {
        if self.labels.is_empty() {
            return Ok(());
        }
        let session = &mut leader.session;
        session.execute("cannot end the snapshot", "COMMIT").await?;
        begin(
            session,
            leader.source.server_version,
            &leader.source.encoding,
        )
        .await?;
        let labels = session.rows(DOING, LABELS_SQL.to_owned()).await?;
        let changed = first_change(&self.labels, &labels);
        changed.map_or(Ok(()), |object| Err(definition_changed(object)))
    }
}

/// What the model becomes.
struct Made {
    model: Document,
    script: [Document; 2],
    /// What the script makes, or says that it does not.
    known: HashSet<Address>,
    lost: Vec<(String, String)>,
}

impl Made {
    fn by(model: Model, server_version: u32) -> Result<Self> {
        let script = Script::of(&model, &DdlOptions::new(server_version))?;
        let withheld = model.withheld();
        let document = Document::of_model(&model)?;
        drop(model);
        let refused = script.refused.iter();
        let refused = refused.map(|it| (it.object.clone(), it.reason.clone()));
        let withheld = withheld
            .iter()
            .map(|it| (it.object.clone(), it.what.clone()));
        let lost = refused.chain(withheld).collect();
        let refused = script.refused.iter().map(|refusal| refusal.about);
        let known = script.explained().iter().copied().chain(refused).collect();
        Ok(Self {
            model: document,
            script: Document::of_script(script)?,
            known,
            lost,
        })
    }
}

fn definition_changed(object: &str) -> Error {
    changed_meanwhile(format!(
        "the definition of {object} changed while the database was read"
    ))
}
