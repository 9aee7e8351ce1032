//! What objects need that no backup brings: the platform's own, or what was left out of the backup.

use super::graph::Graph;
use super::lacking::{self, LeftOut};
use super::problems;
use super::request::{Missing, OnError, Part, RestoreRequest};
use super::target;
use crate::catalog::Address;
use crate::catalog::model::{Model, OutsideIdentity, identities_sql, identity_from};
use crate::error::Result;
use crate::postgres::wire::WireConnection;
use crate::repository::Contents;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// What is needed and not here, and by whom.
#[derive(Debug, Default)]
pub(super) struct Absent(BTreeMap<Address, BTreeSet<OutsideIdentity>>);

impl Absent {
    /// Asks the target for what objects of the model need outside.
    pub(super) async fn look(
        admin: &mut WireConnection,
        model: &Model,
        request: &RestoreRequest,
    ) -> Result<Self> {
        if request.part == Part::Data || model.outside.is_empty() {
            return Ok(Self::default());
        }
        let schemas = model.outside.iter().map(|it| it.on.schema.as_str());
        let here = target::rows(admin, &identities_sql(&schemas.collect())).await?;
        let here = here.iter().map(|row| Ok(identity_from(row)?.1));
        let here = here.collect::<Result<HashSet<OutsideIdentity>>>()?;
        let mut absent = Self::default();
        for it in model.outside.iter().filter(|it| !here.contains(&it.on)) {
            absent.0.entry(it.object).or_default().insert(it.on.clone());
        }
        Ok(absent)
    }

    /// Leaves out what cannot be made: in a rehearsal all of it, otherwise what a platform may not allow anyway.
    pub(super) fn leave_out(
        &self,
        (model, contents): (&mut Model, &mut Contents),
        graph: &Graph,
        optional: &HashSet<Address>,
        request: &RestoreRequest,
    ) -> LeftOut {
        let goes = |object: &Address| request.missing == Missing::Skip || optional.contains(object);
        let lacking = self.0.iter().filter(|(object, _)| goes(object));
        let reason = |(object, on): (&Address, &BTreeSet<OutsideIdentity>)| {
            let first = on.first()?;
            let more = match on.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            let why = format!(
                "it needs {}{more}, which this database does not have",
                told(first)
            );
            Some((*object, why))
        };
        let roots: HashMap<Address, String> = lacking.filter_map(reason).collect();
        lacking::leave_out(model, contents, graph, &roots)
    }

    /// Why a restore is refused.
    pub(super) fn problem(
        &self,
        optional: &HashSet<Address>,
        request: &RestoreRequest,
    ) -> Option<String> {
        if request.missing == Missing::Skip || request.on_error == OnError::KeepGoing {
            return None;
        }
        let needed = self
            .0
            .iter()
            .filter(|(object, _)| !optional.contains(object));
        let needed: BTreeSet<&OutsideIdentity> = needed.flat_map(|(_, on)| on).collect();
        problems::list(
            "the target lacks what objects of the backup need and no backup brings (with --keep-going what needs them fails, and all else is restored):",
            needed.into_iter().map(told),
        )
    }
}

fn told(on: &OutsideIdentity) -> String {
    format!("{} {}", on.kind, on.name)
}
