//! Two of them.

use super::capture::State;
use crate::name::QualifiedName;
use serde::Serialize;
use std::collections::BTreeMap;

/// What became of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Change {
    /// It is not there any more.
    Gone,
    /// It has fewer rows.
    Fewer,
    /// It has as many rows, and others.
    Other,
    /// It has more rows.
    More,
    /// It was not there.
    New,
}

impl Change {
    /// Whether rows were lost that can be counted. Where rows were both lost and added nobody can tell by numbers:
    /// [`Self::Other`] and [`Self::More`] may hide it.
    #[must_use]
    pub fn is_loss(self) -> bool {
        matches!(self, Self::Gone | Self::Fewer)
    }
}

/// A table that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TableChange {
    /// Its name.
    pub table: QualifiedName,
    /// What became of it.
    pub change: Change,
    /// Its rows before.
    pub before: Option<u64>,
    /// Its rows after.
    pub after: Option<u64>,
}

/// What changed between two states.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StateDiff {
    /// `opskit.state-diff/1`.
    pub schema: &'static str,
    /// Tables that are the same.
    pub same: u64,
    /// Tables that are not, by name.
    pub changes: Vec<TableChange>,
}

impl StateDiff {
    /// What changed from one to the other.
    #[must_use]
    pub fn between(before: &State, after: &State) -> Self {
        let all = |state: &'_ State| -> BTreeMap<QualifiedName, (u64, crate::export::Fingerprint)> {
            let tables = state.tables.iter();
            tables
                .map(|table| (table.table.clone(), (table.rows, table.fingerprint)))
                .collect()
        };
        let (old, mut new) = (all(before), all(after));
        let (mut same, mut changes) = (0, Vec::new());
        for (table, was) in old {
            let is = new.remove(&table);
            let change = match is {
                Some(is) if is == was => {
                    same += 1;
                    continue;
                }
                None => Change::Gone,
                Some(is) if is.0 < was.0 => Change::Fewer,
                Some(is) if is.0 > was.0 => Change::More,
                Some(_) => Change::Other,
            };
            changes.push(TableChange {
                table,
                change,
                before: Some(was.0),
                after: is.map(|is| is.0),
            });
        }
        changes.extend(new.into_iter().map(|(table, is)| TableChange {
            table,
            change: Change::New,
            before: None,
            after: Some(is.0),
        }));
        changes.sort_by(|a, b| a.table.cmp(&b.table));
        Self {
            schema: "opskit.state-diff/1",
            same,
            changes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(tables: &[(&str, u64, &str)]) -> State {
        let table = |(name, rows, print): &(&str, u64, &str)| serde_json::json!({"table": {"schema": "public", "name": name}, "rows": rows, "fingerprint": format!("xxh3-128:{}", print.repeat(32))});
        let tables: Vec<_> = tables.iter().map(table).collect();
        let document = serde_json::json!({
            "schema": "opskit.state/1", "database": "d", "server_version": 150_018, "snapshot": "1:1:",
            "captured_at": "2026-11-30T00:00:00Z", "patterns": ["*.*"], "tables": tables,
        });
        State::from_json(document.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn each_kind_of_change_is_told() {
        let before = state(&[
            ("a", 1, "0"),
            ("b", 2, "1"),
            ("c", 3, "2"),
            ("d", 3, "3"),
            ("e", 1, "4"),
        ]);
        let after = state(&[
            ("a", 1, "0"),
            ("b", 1, "5"),
            ("c", 3, "6"),
            ("d", 4, "7"),
            ("f", 1, "8"),
        ]);
        let diff = StateDiff::between(&before, &after);
        let told: Vec<_> = diff
            .changes
            .iter()
            .map(|it| (&*it.table.name, it.change))
            .collect();
        assert_eq!(diff.same, 1);
        assert_eq!(
            told,
            [
                ("b", Change::Fewer),
                ("c", Change::Other),
                ("d", Change::More),
                ("e", Change::Gone),
                ("f", Change::New)
            ]
        );
        assert!(StateDiff::between(&after, &after).changes.is_empty());
    }
}
