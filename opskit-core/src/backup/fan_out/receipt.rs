//! What somebody has read and stored, and whether that is all.

use super::part::{FanOutPart, check_version, parse};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::export::{PartReport, TablePlan};
use crate::repository::BackupId;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// The version of the form of receipts.
pub(super) const RECEIPT_VERSION: u32 = 1;

/// What became of a part: rows that we and the server counted alike, and the files that hold them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FanOutReceipt {
    /// The version of this form.
    pub version: u32,
    /// The backup that it is of.
    pub backup: BackupId,
    /// The snapshot that was read, as `pg_current_snapshot()` tells it.
    pub snapshot: String,
    /// The table.
    pub table: QualifiedName,
    /// Rows, fingerprint, files.
    pub part: PartReport,
}

impl FanOutReceipt {
    /// Reads what this is as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] for what is no receipt, [`ErrorKind::Unsupported`] for one of another version of
    /// opskit.
    pub fn parse(json: &[u8]) -> Result<Self> {
        check_version(json, RECEIPT_VERSION, "the receipt")?;
        parse(json, "this is no receipt of a part")
    }

    /// This as JSON.
    ///
    /// # Errors
    /// Of kind `Internal`, which nothing should bring about.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write a receipt").with_source(source)
        })
    }

    /// How the part is called in errors.
    fn name(&self) -> String {
        format!("part {} of \"{}\"", self.part.part, self.table)
    }

    /// Refuses files that are none of the part's.
    fn check_files(&self) -> Result<()> {
        let stem = format!("data/{}/part-{:05}-", self.table.to_path(), self.part.part);
        let own = self
            .part
            .objects
            .iter()
            .all(|object| object.name.starts_with(&stem));
        if own && (1..=2).contains(&self.part.objects.len()) {
            return Ok(());
        }
        Err(refused(format!(
            "the receipt of {} tells of other files",
            self.name()
        )))
    }
}

/// The reports of all parts, by table, in the order of `tables`: each part must have its one receipt.
pub(super) fn reports(
    parts: &[FanOutPart],
    tables: &[TablePlan],
    receipts: &[FanOutReceipt],
) -> Result<Vec<Vec<PartReport>>> {
    let mut open: HashMap<(&QualifiedName, u32), &FanOutPart> = parts
        .iter()
        .map(|part| ((&part.ticket.table, part.ticket.part.number), part))
        .collect();
    let mut seen = HashSet::new();
    let mut of_table: HashMap<&QualifiedName, Vec<PartReport>> = HashMap::new();
    for receipt in receipts {
        let place = (&receipt.table, receipt.part.part);
        if !seen.insert(place) {
            return Err(refused(format!("{} came twice", receipt.name())));
        }
        let part = open.remove(&place);
        check_plan(receipt, parts.first(), part)?;
        receipt.check_files()?;
        let reports = of_table.entry(&receipt.table).or_default();
        reports.push(receipt.part.clone());
    }
    if let Some(first) = open
        .values()
        .min_by_key(|part| (&part.ticket.table, part.ticket.part.number))
    {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "{} of {} parts have no receipt, part {} of \"{}\" among them",
                open.len(),
                parts.len(),
                first.ticket.part.number,
                first.ticket.table
            ),
        )
        .with_hint("Run them, and give the receipts of all parts at once."));
    }
    let take = |table: &TablePlan| of_table.remove(&table.name).unwrap_or_default();
    Ok(tables.iter().map(take).collect())
}

/// Refuses the receipt of another plan.
fn check_plan(
    receipt: &FanOutReceipt,
    any: Option<&FanOutPart>,
    part: Option<&FanOutPart>,
) -> Result<()> {
    let other = any.filter(|any| any.backup != receipt.backup);
    if let Some(any) = other {
        return Err(refused(format!(
            "the receipt of {} is of backup {}, and this is {}",
            receipt.name(),
            receipt.backup,
            any.backup
        )));
    }
    match part {
        None => Err(refused(format!("the plan has no {}", receipt.name()))),
        Some(part) if part.ticket.snapshot() != receipt.snapshot => Err(refused(format!(
            "{} was read in another snapshot",
            receipt.name()
        ))),
        Some(_) => Ok(()),
    }
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
        .with_hint("Give the one receipt that each part of this plan was answered with.")
}
