//! Which objects and rows of a backup are restored: what is not asked for, not allowed, or not possible here goes.

use super::graph::Graph;
use super::lacking;
use super::only::{self, Standing};
use super::outside::Absent;
use super::plan::SessionKind;
use super::platform::{self, OfPlatform, Seen};
use super::rehearsal::{self, Asleep};
use super::request::{Acting, Part, RestoreRequest};
use super::stored::Stored;
use super::strangers;
use super::target::Target;
use crate::catalog::Address;
use crate::catalog::model::{Definition, Model, Object, TableOwner};
use crate::error::Result;
use crate::postgres::wire::WireConnection;
use std::collections::HashSet;

/// What was decided, and what is told of it.
#[derive(Debug)]
pub(super) struct Chosen {
    /// What the target has of what some tables need.
    pub(super) standing: Standing,
    /// What is loaded into tables of the platform's.
    pub(super) platform: OfPlatform,
    /// Triggers and policies on tables of a platform, which may not allow them.
    pub(super) optional: HashSet<Address>,
    pub(super) unproven: Unproven,
    pub(super) skipped: Vec<String>,
    pub(super) problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What is not as it was by intent, so that it is no difference.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    /// Objects that were left out, as [`label`](super::lacking::label) spells them.
    pub(super) labels: HashSet<String>,
    pub(super) asleep: Vec<Asleep>,
    /// Schemas that extensions bring, which in the source were not the user's.
    pub(super) brought: HashSet<String>,
}

impl Chosen {
    /// Leaves out of the backup what is not restored.
    pub(super) async fn of(
        admin: &mut WireConnection,
        stored: &mut Stored,
        (graph, target): (&Graph, &Target),
        (request, kind): (&RestoreRequest, SessionKind),
        seen: &Seen,
    ) -> Result<Self> {
        let parts = (&mut stored.model, &mut stored.contents);
        let standing = only::cut(admin, parts, graph, target, request).await?;
        let mut skipped = standing.named.clone();
        let absent = Absent::look(admin, &stored.model, request).await?;
        let optional = on_platform(&stored.model);
        let parts = (&mut stored.model, &mut stored.contents);
        let gone = absent.leave_out(parts, graph, &optional, request);
        skipped.extend(gone.named);
        let mut unproven = lessen(stored, graph, target, (request, kind), &mut skipped);
        unproven.labels.extend(gone.labels);
        let (platform, told) = platform::choose(seen, &mut stored.contents, &stored.model);
        skipped.extend(told.skipped);
        Ok(Self {
            standing,
            platform,
            problems: absent.problem(&optional, request).into_iter().collect(),
            optional,
            unproven,
            skipped,
            warnings: told.warnings,
        })
    }
}

/// What stands on tables of a platform.
fn on_platform(model: &Model) -> HashSet<Address> {
    let is_on = |object: &&Object| match &object.definition {
        Definition::Trigger(it) => it.table_owner == TableOwner::Platform,
        Definition::Policy(it) => it.table_owner == TableOwner::Platform,
        _ => false,
    };
    let objects = model.objects.iter().filter(is_on);
    objects.map(|object| object.address).collect()
}

/// Leaves out what is not asked for, and leaves out and disables what a rehearsal does not make as it was.
fn lessen(
    stored: &mut Stored,
    graph: &Graph,
    target: &Target,
    (request, kind): (&RestoreRequest, SessionKind),
    skipped: &mut Vec<String>,
) -> Unproven {
    let parts = (&mut stored.model, &mut stored.contents);
    let left = strangers::leave_out(parts, graph, target, request, kind);
    skipped.extend(left.named);
    let asleep = match request.acting {
        Acting::Disabled => rehearsal::put_to_sleep(&mut stored.model, graph),
        Acting::AsStored => Vec::new(),
    };
    skipped.extend(asleep.iter().map(|it| it.told.clone()));
    if request.part == Part::Schema {
        stored.contents.tables.clear();
    }
    Unproven {
        labels: left.labels,
        asleep,
        brought: brought(&stored.model, target),
    }
}

/// The schemas, as facts name them, that extensions make here and that belonged to a platform in the source.
fn brought(model: &Model, target: &Target) -> HashSet<String> {
    let schemas = model
        .objects
        .iter()
        .filter_map(|object| match &object.definition {
            Definition::Extension(it) if !it.schema_is_known => Some(&it.schema),
            _ => None,
        });
    let new = schemas.filter(|schema| !target.schemas.contains(*schema));
    new.map(|schema| lacking::label(&format!("schema {schema}")))
        .collect()
}
