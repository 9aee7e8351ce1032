//! Results as people read them.

use crate::units;
use opskit_core::export::Exactness;
use opskit_core::postgres::export::{ExportPlan, ExportReport, TableReport};
use opskit_core::repository::{BackupId, BackupType, Excluded, Origin};
use std::fmt::Write as _;
use std::time::Duration;

/// Rows of words, as columns that line up; the columns from the second on are numbers.
pub(crate) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        let widths = rows.iter().filter_map(|row| row.get(at));
        widths.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match at {
                0 => write!(line, "{cell:<width$}"),
                _ => write!(line, "  {cell:>width$}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// What a backup holds, in one word.
pub(crate) fn type_word(backup_type: BackupType) -> &'static str {
    match backup_type {
        BackupType::Schema => "schema",
        _ => "full",
    }
}

/// Which backup it is, and of which database.
pub(crate) fn of(id: &BackupId, origin: &Origin) -> String {
    format!("{id}, {} backup of {origin}", type_word(origin.backup_type))
}

/// What is not in a backup: one line each.
pub(crate) fn excluded(out: &mut String, excluded: &[Excluded]) {
    for excluded in excluded {
        let _ = writeln!(out, "not in it: {}: {}", excluded.object, excluded.reason);
    }
}

fn table_row(table: &TableReport) -> Vec<String> {
    let objects = || table.parts.iter().flat_map(|part| &part.objects);
    let bytes = objects().map(|object| object.bytes).sum();
    let mut row = vec![
        table.table.to_string(),
        units::counted(table.rows, "row"),
        units::counted(objects().count() as u64, "file"),
        units::size(bytes),
    ];
    row.extend(table.fingerprint.map(|fingerprint| fingerprint.to_string()));
    row
}

/// One line per table: rows, files, stored size, fingerprint.
pub(crate) fn tables(report: &ExportReport) -> String {
    let rows: Vec<_> = report.tables.iter().map(table_row).collect();
    aligned(&rows)
}

/// The tables, then the totals and where they went.
pub(crate) fn export(report: &ExportReport, exactness: Exactness, target: &str) -> String {
    let elapsed = Duration::from_millis(report.elapsed_ms);
    let mut out = tables(report);
    let _ = writeln!(
        out,
        "{} in {} ({}), {} stored: {}",
        units::counted(report.rows, "row"),
        units::elapsed(elapsed),
        units::rate(report.wire_bytes, elapsed),
        units::size(report.stored_bytes),
        if target == "-" {
            "standard output"
        } else {
            target
        },
    );
    let misfits = report.tables.iter().map(|table| table.misfits).sum();
    if misfits > 0 {
        let fate = match exactness {
            Exactness::Interop => "left NULL, as asked",
            _ => "kept bit for bit in .exact files",
        };
        let _ = writeln!(
            out,
            "{} without a standard form: {fate}",
            units::counted(misfits, "value")
        );
    }
    out
}

/// What would be read.
pub(crate) fn plan(plan: &ExportPlan) -> String {
    let mut out = String::new();
    let rows: Vec<Vec<String>> = plan
        .tables
        .iter()
        .map(|table| {
            vec![
                table.name.to_string(),
                units::counted(table.row_type.columns.len() as u64, "column"),
                units::size(table.parts.iter().map(|part| part.heap_bytes).sum()),
                units::counted(table.parts.len() as u64, "part"),
            ]
        })
        .collect();
    out.push_str(&aligned(&rows));
    let _ = writeln!(
        out,
        "{}, {} on the server's disk, {}; rows are not known before they are read",
        units::counted(plan.tables.len() as u64, "table"),
        units::size(plan.heap_bytes()),
        units::counted(plan.parts() as u64, "part"),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let text = aligned(&[row(["a", "1,000 rows"]), row(["longer", "1 row"])]);
        assert_eq!(text, "a       1,000 rows\nlonger       1 row\n");
    }
}
