//! Whether the database is what the backup says: facts, counts, fingerprints.

use super::chosen::Unproven;
use super::expected::{self, Expected};
use super::lacking::label;
use super::report::Difference;
use super::request::{Carry, Part, RestoreRequest};
use super::target;
use crate::catalog::diff::{Compared, FactsDiff, ObjectDiff, Side};
use crate::context::OpContext;
use crate::error::Result;
use crate::export::Fingerprint;
use crate::name::{QualifiedName, quote_ident};
use crate::postgres::export::{Export, ExportRequest};
use crate::postgres::facts::read_facts;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{BackupReader, Holds, TableEntry};
use crate::sink::{NullSink, RowForm};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What was compared, and what differs.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    pub(crate) compared: Vec<String>,
    pub(crate) differences: Vec<Difference>,
    pub(crate) warnings: Vec<String>,
}

impl Comparison {
    /// Compares how many rows there are, and their fingerprint.
    pub(super) fn rows_of(&mut self, table: &TableEntry, found: (u64, Option<Fingerprint>)) {
        let name = table.name.clone();
        if found.0 != table.rows {
            self.differences.push(Difference::Rows {
                table: name,
                wanted: table.rows,
                found: found.0,
            });
        } else if found.1 != Some(table.fingerprint) {
            self.differences
                .push(Difference::Fingerprint { table: name });
        }
    }
}

/// Compares rows by their count and fingerprint.
pub(crate) async fn rows(
    ctx: &OpContext,
    url: &DatabaseUrl,
    tables: &[TableEntry],
    jobs: usize,
    into: &mut Comparison,
) -> Result<()> {
    let whole: Vec<&TableEntry> = tables
        .iter()
        .filter(|table| table.holds == Holds::Table)
        .collect();
    if whole.is_empty() {
        return Ok(());
    }
    let there = existing(ctx, url, &whole).await?;
    let mut reports = Vec::new();
    if !there.is_empty() {
        let request = ExportRequest::tables(there.iter().map(pattern))?.with_jobs(jobs);
        let quiet = OpContext::new(ctx.cancel().clone());
        let export = Export::open(&quiet, url, request).await?;
        let sink = Arc::new(NullSink::new(RowForm::Frames));
        reports = Box::pin(export.run(&quiet, sink)).await?.tables;
    }
    let found: HashMap<&QualifiedName, _> =
        reports.iter().map(|table| (&table.table, table)).collect();
    for table in &whole {
        let report = found.get(&table.name);
        let found = report.map_or((0, None), |report| (report.rows, report.fingerprint));
        into.rows_of(table, found);
    }
    into.compared
        .push(format!("rows and fingerprints of {} tables", whole.len()));
    Ok(())
}

/// Those tables that are there: one that could not be made is a difference and no reason to stop.
async fn existing(
    ctx: &OpContext,
    url: &DatabaseUrl,
    tables: &[&TableEntry],
) -> Result<Vec<QualifiedName>> {
    let mut session = WireConnection::connect(url, ctx.cancel()).await?;
    let found = target::relations(&mut session, 'r').await?;
    session.close().await;
    let names = tables.iter().map(|table| table.name.clone());
    Ok(names.filter(|name| found.contains(name)).collect())
}

/// A name as a pattern that finds nothing else.
fn pattern(name: &QualifiedName) -> String {
    format!("{}.{}", quote_ident(&name.schema), quote_ident(&name.name))
}

/// Compares objects by their facts.
pub(super) async fn facts(
    (ctx, url): (&OpContext, &DatabaseUrl),
    (expected, reader): (&Expected, &Arc<BackupReader>),
    (request, unproven): (&RestoreRequest, &Unproven),
    into: &mut Comparison,
) -> Result<()> {
    if request.part == Part::Data || !request.only.is_empty() {
        return Ok(());
    }
    let found = read_facts(ctx, url, expected.options.clone()).await?;
    into.compared
        .push(format!("{} facts about objects", expected.count));
    if found.digest() == expected.digest {
        return Ok(());
    }
    let wanted = expected::facts(reader).await?;
    let mut diff = FactsDiff::between(&wanted, &found, Compared::Objects);
    if request.owners == Carry::Leave {
        without_attributes(&mut diff.objects, "owner");
    }
    if request.privileges == Carry::Leave || request.owners == Carry::Leave {
        // Privileges name the owner.
        without_attributes(&mut diff.objects, "acl");
    }
    if request.privileges == Carry::Leave {
        let of_privileges = |object: &ObjectDiff| object.object.starts_with("default privileges ");
        diff.objects.retain(|object| !of_privileges(object));
    }
    without_unproven(&mut diff.objects, unproven);
    for object in &diff.objects {
        into.differences.push(Difference::Object {
            text: describe(object),
        });
    }
    for object in &diff.respelled {
        into.warnings.push(format!(
            "{} is spelled otherwise, or is of another version, on this version of the server",
            object.object
        ));
    }
    Ok(())
}

/// Leaves out what is missing or asleep by intent: the plan has named it.
fn without_unproven(objects: &mut Vec<ObjectDiff>, unproven: &Unproven) {
    objects.retain_mut(|object| {
        let name = label(&object.object);
        match object.only_in {
            Some(Side::A) => return !is_left_out(&unproven.labels, &name),
            Some(Side::B) => return !unproven.brought.contains(&name),
            None => {}
        }
        let mut asleep = unproven.asleep.iter().filter(|it| it.label == name);
        if let Some(asleep) = asleep.next() {
            for row in &mut object.rows {
                row.attributes.retain(|it| it.name != asleep.attribute);
            }
            object
                .rows
                .retain(|row| row.only_in.is_some() || !row.attributes.is_empty());
        }
        !object.rows.is_empty()
    });
}

/// The query of a view has facts of its own.
fn is_left_out(labels: &HashSet<String>, name: &str) -> bool {
    let of_view = |view: &str| {
        let kinds = ["view", "materialized view"];
        kinds
            .iter()
            .any(|kind| labels.contains(&format!("{kind} {view}")))
    };
    labels.contains(name) || name.strip_prefix("query of ").is_some_and(of_view)
}

/// Leaves out what was not to be restored.
fn without_attributes(objects: &mut Vec<ObjectDiff>, suffix: &str) {
    for object in objects.iter_mut() {
        for row in &mut object.rows {
            row.attributes
                .retain(|attribute| !attribute.name.ends_with(suffix));
        }
        object
            .rows
            .retain(|row| row.only_in.is_some() || !row.attributes.is_empty());
    }
    objects.retain(|object| object.only_in.is_some() || !object.rows.is_empty());
}

fn describe(object: &ObjectDiff) -> String {
    match object.only_in {
        Some(Side::A) => return format!("{} is missing", object.object),
        Some(Side::B) => return format!("{} is not in the backup", object.object),
        None => {}
    }
    let rows = object.rows.iter().map(|row| {
        let part = row
            .part
            .as_deref()
            .map(|part| format!(" {part}"))
            .unwrap_or_default();
        let names: Vec<&str> = row
            .attributes
            .iter()
            .map(|attribute| attribute.name.as_str())
            .collect();
        format!("{}{part} ({})", row.catalog, names.join(", "))
    });
    format!(
        "{} differs in {}",
        object.object,
        rows.collect::<Vec<_>>().join(", ")
    )
}
