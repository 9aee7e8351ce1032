//! What the name of a file says.

use super::version::{MigrationId, Version};
use crate::error::Result;

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Brings the schema forward.
    Up,
    /// Takes the migration of its version back.
    Down,
}

/// A name that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FileName {
    pub(super) id: MigrationId,
    /// What stands behind the version.
    pub(super) name: String,
    pub(super) role: Role,
}

impl FileName {
    /// Reads `20261127_add_orders.sql`, `7_orders.up.sql`, `7_orders.down.sql`, `V7__orders.sql`, `R__views.sql`.
    /// `Ok(None)` for a name that is of no migration.
    pub(super) fn parse(file: &str) -> Result<Option<Self>> {
        let Some(stem) = file.strip_suffix(".sql") else {
            return Ok(None);
        };
        let (stem, role) = match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
            (Some(stem), _) => (stem, Role::Up),
            (_, Some(stem)) => (stem, Role::Down),
            _ => (stem, Role::Up),
        };
        if let Some(name) = stem.strip_prefix("R__").filter(|name| !name.is_empty()) {
            let id = MigrationId::Repeatable(name.to_owned());
            return Ok(Some(Self {
                id,
                name: name.to_owned(),
                role,
            }));
        }
        let refinery = stem
            .strip_prefix(['V', 'U'])
            .and_then(|rest| rest.split_once("__"));
        let Some((version, name)) = refinery.or_else(|| stem.split_once('_')) else {
            return Ok(None);
        };
        if name.is_empty() || version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(None);
        }
        let version: Version = version.parse()?;
        Ok(Some(Self {
            id: MigrationId::Versioned(version),
            name: name.to_owned(),
            role,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(file: &str) -> Option<(String, String, Role)> {
        let name = FileName::parse(file).unwrap()?;
        Some((name.id.to_string(), name.name, name.role))
    }

    #[test]
    fn names_of_all_layouts_are_read() {
        let cases = [
            (
                "20261127_add_orders.sql",
                "20261127",
                "add_orders",
                Role::Up,
            ),
            ("7_orders.up.sql", "7", "orders", Role::Up),
            ("0007_orders.down.sql", "0007", "orders", Role::Down),
            ("V7__orders.sql", "7", "orders", Role::Up),
            ("U8__orders_late.sql", "8", "orders_late", Role::Up),
            ("R__views.sql", "R__views", "views", Role::Up),
        ];
        for (file, id, name, role) in cases {
            let expected = Some((id.to_owned(), name.to_owned(), role));
            assert_eq!(parsed(file), expected, "{file}");
        }
    }

    #[test]
    fn other_files_are_none() {
        for file in [
            "seed.sql",
            "README.md",
            "V__x.sql",
            "1_.sql",
            "_x.sql",
            "1.sql",
            "v1_x.sql",
            ".sql",
            "R__.sql",
        ] {
            assert_eq!(parsed(file), None, "{file}");
        }
    }

    #[test]
    fn a_version_that_no_number_holds_is_an_error_rather_than_skipped() {
        assert!(FileName::parse("99999999999999999999_x.sql").is_err());
    }
}
