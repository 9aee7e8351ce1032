//! Rehearsals: what does things by itself is there and disabled, and nothing is read from other servers.

use super::graph::Graph;
use crate::catalog::Address;
use crate::catalog::model::{Definition, Firing, Model};
use crate::name::QualifiedName;
use std::collections::HashSet;

/// The table that tells `pg_cron` what to run.
pub(super) const JOBS: (&str, &str) = ("cron", "job");

/// Something that is not as it was.
#[derive(Debug, Clone)]
pub(super) struct Asleep {
    /// In words, with the reason.
    pub(super) told: String,
    /// The object as the facts name it, without quotes.
    pub(super) label: String,
    /// The attribute of its facts that differs.
    pub(super) attribute: &'static str,
}

/// Disables event triggers, and leaves materialised views empty that would ask other servers.
pub(super) fn put_to_sleep(model: &mut Model, graph: &Graph) -> Vec<Asleep> {
    let foreign: HashSet<Address> = model
        .objects
        .iter()
        .filter(|object| matches!(object.definition, Definition::ForeignTable(_)))
        .map(|object| object.address)
        .collect();
    let mut asleep = Vec::new();
    for object in &mut model.objects {
        let label = super::lacking::label(&object.describe());
        let told = object.describe();
        match &mut object.definition {
            Definition::EventTrigger(it) if it.firing != Firing::Disabled => {
                it.firing = Firing::Disabled;
                asleep.push(Asleep {
                    told: format!("{told}: it is disabled in a rehearsal"),
                    label,
                    attribute: "evtenabled",
                });
            }
            Definition::MaterializedView(it) if it.populated => {
                let needs = graph.closure([object.address]);
                if needs.iter().any(|need| foreign.contains(need)) {
                    it.populated = false;
                    asleep.push(Asleep {
                        told: format!("{told}: its rows come from another server, which a rehearsal does not ask"),
                        label,
                        attribute: "relispopulated",
                    });
                }
            }
            _ => {}
        }
    }
    asleep
}

/// The statement that keeps jobs from running, for the table that has them.
pub(super) fn stop_jobs(table: &QualifiedName) -> Option<String> {
    let is_jobs = (table.schema.as_str(), table.name.as_str()) == JOBS;
    is_jobs.then(|| format!("UPDATE {} SET active = false", table.to_sql()))
}
