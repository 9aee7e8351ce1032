//! Definitions, and the proof that they are those of the snapshot.
//!
//! The server spells definitions out as they are at the moment, whatever the snapshot. So they are looked at
//! again in a transaction of its own that starts after the last of them was read: what is the same in the
//! snapshot and there did not change in between. What came new meanwhile is not in the snapshot, and does
//! not matter.

use super::request::BackupRequest;
use crate::catalog::TextRow;
use crate::catalog::ddl::{DdlOptions, Script};
use crate::catalog::facts::{Fact, Facts, FactsOptions};
use crate::catalog::model::Model;
use crate::catalog::versions::{LABELS_SQL, first_change, versions_sql};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::catalog::{begin, read_model_in};
use crate::postgres::export::Leader;
use crate::postgres::facts::read_facts_in;
use crate::postgres::session::Session;

const DOING: &str = "cannot read the versions of definitions";

/// Every definition of the snapshot.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) model: Model,
    pub(super) script: Script,
    pub(super) facts: Facts,
    versions: Vec<TextRow>,
    labels: Vec<TextRow>,
}

impl Definitions {
    /// Reads them in the snapshot of `leader`.
    pub(super) async fn read(leader: &mut Leader, request: &BackupRequest) -> Result<Self> {
        let version = leader.source.server_version;
        let session = &mut leader.session;
        let model = read_model_in(session, version, &request.scope).await?;
        let script = Script::of(&model, &DdlOptions::new(version))?;
        let options = FactsOptions::new(request.scope.clone());
        let facts = read_facts_in(session, version, options).await?;
        let versions = session.rows(DOING, versions_sql(&request.scope)).await?;
        let labels = session.rows(DOING, LABELS_SQL.to_owned()).await?;
        Ok(Self {
            model,
            script,
            facts,
            versions,
            labels,
        })
    }

    /// Refuses what changed before `now`, a transaction that started after all was read.
    pub(super) async fn refuse_changes(&self, now: &mut Session) -> Result<()> {
        let options = FactsOptions::like(&self.facts);
        let facts = read_facts_in(now, self.facts.server_version, options).await?;
        let versions = versions_sql(&self.facts.scope);
        let versions = now.rows(DOING, versions).await?;
        let changed = first_difference(&self.facts.objects, &facts.objects)
            .or_else(|| first_change(&self.versions, &versions));
        changed.map_or(Ok(()), |object| Err(changed_meanwhile(object)))
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
        changed.map_or(Ok(()), |object| Err(changed_meanwhile(object)))
    }
}

/// The first object of `before` that is not the same in `after`. Both are in order.
fn first_difference<'a>(before: &'a [Fact], after: &[Fact]) -> Option<&'a str> {
    let mut after = after.iter().peekable();
    let mut last = None;
    for fact in before {
        while let Some(new) = after.next_if(|other| other.key() < fact.key()) {
            // Something new of an object that was there.
            if [last, Some(&*fact.object)].contains(&Some(&*new.object)) {
                return Some(
                    last.filter(|it| *it == &*new.object)
                        .unwrap_or(&fact.object),
                );
            }
        }
        if after.next() != Some(fact) {
            return Some(&fact.object);
        }
        last = Some(&*fact.object);
    }
    last.filter(|object| after.peek().is_some_and(|new| &*new.object == *object))
}

fn changed_meanwhile(object: &str) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("the definition of {object} changed while the database was read"),
    )
    .with_hint("Run it again when no migration is going on.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(object: &str, part: &str, value: &str) -> Fact {
        Fact {
            about: None,
            object: object.into(),
            catalog: "pg_attribute".into(),
            part: Some(part.into()),
            attributes: [("value".into(), value.into())].into_iter().collect(),
        }
    }

    #[test]
    fn what_was_there_must_be_the_same_and_new_objects_may_come() {
        let before = [
            fact("b", "1", "x"),
            fact("b", "2", "x"),
            fact("d", "1", "x"),
        ];
        let and = |more: &[Fact]| {
            let mut all = [&before, more].concat();
            all.sort_by(|a, b| a.key().cmp(&b.key()));
            all
        };
        assert_eq!(first_difference(&before, &before), None);
        let new = [
            fact("a", "1", "x"),
            fact("c", "1", "x"),
            fact("e", "1", "x"),
        ];
        assert_eq!(first_difference(&before, &and(&new)), None);
        for (more, changed) in [("b", "b"), ("d", "d")] {
            for part in ["0", "3"] {
                let more = and(&[fact(more, part, "x")]);
                assert_eq!(first_difference(&before, &more), Some(changed), "{part}");
            }
        }
        assert_eq!(first_difference(&before, &before[1..]), Some("b"));
        assert_eq!(first_difference(&before, &before[..2]), Some("d"));
        let other = [before[0].clone(), before[1].clone(), fact("d", "1", "y")];
        assert_eq!(first_difference(&before, &other), Some("d"));
    }
}
