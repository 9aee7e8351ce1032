//! What a superuser does not make from a backup that nobody vouches for.

use super::plan::SessionKind;
use super::problems::list;
use super::target::Target;
use crate::catalog::Address;
use crate::catalog::model::{Definition, Extension, Model, Object};
use crate::repository::{Contents, Holds};
use std::collections::BTreeMap;

/// Extensions that are not trusted by their files, and give nobody a way to files, programs, other servers or
/// the rights of others.
const HARMLESS: &[&str] = &[
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "hypopg",
    "insert_username",
    "intagg",
    "moddatetime",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_visibility",
    "pgrowlocks",
    "pgstattuple",
    "plpgsql",
    "postgis",
    "postgis_topology",
    "refint",
    "sslinfo",
    "tcn",
    "vector",
];

/// An object that is not made, and why.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) address: Address,
    pub(super) object: String,
    pub(super) reason: &'static str,
}

/// What of a model would need `--trust-backup`. Nothing where no superuser is in play.
pub(super) fn objects(model: &Model, target: &Target, kind: SessionKind) -> Vec<Refused> {
    if kind == SessionKind::Own {
        return Vec::new();
    }
    let refused = |object: &Object| {
        let reason = match &object.definition {
            Definition::Extension(it) => extension(&object.name, it, model.server_version, target)?,
            Definition::ForeignServer(_) | Definition::UserMapping(_) => {
                "it reaches other servers with rights that only a superuser gives"
            }
            Definition::DefaultAcl(_) if target.is_privileged(&object.name) => {
                "it opens what a role with more rights than to own things will make"
            }
            _ => return None,
        };
        Some(Refused {
            address: object.address,
            object: object.describe(),
            reason,
        })
    };
    model.objects.iter().filter_map(refused).collect()
}

/// Why an extension is not made.
fn extension(
    name: &str,
    it: &Extension,
    server_version: u32,
    target: &Target,
) -> Option<&'static str> {
    if target.installed.contains(name) || !target.extensions.contains(name) {
        return None;
    }
    if !is_harmless(name, target) {
        return Some("the extension is not trusted");
    }
    if it.schema.starts_with("pg_") || it.schema == "information_schema" {
        return Some("an extension among the server's own objects");
    }
    // Another major makes the version that it has.
    let is_named = target.version / 10_000 == server_version / 10_000;
    let is_default = target.default_versions.get(name) == Some(&it.version);
    (is_named && !is_default).then_some("not the version that the server would make")
}

fn is_harmless(name: &str, target: &Target) -> bool {
    target.trusted.contains(name) || HARMLESS.contains(&name)
}

/// Extensions whose tables are to get rows that a superuser does not load: they say what is run for whom.
pub(super) fn rows(contents: &Contents, target: &Target, kind: SessionKind) -> Vec<String> {
    if kind == SessionKind::Own {
        return Vec::new();
    }
    let tables = contents.tables.iter().filter(|table| match &table.holds {
        Holds::ExtensionTable { extension } => !is_harmless(extension, target),
        _ => false,
    });
    tables
        .map(|table| format!("rows of table {}", table.name))
        .collect()
}

/// All of that as problems.
pub(super) fn problems(refused: &[Refused], rows: &[String]) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for it in refused {
        let objects = by_reason.entry(it.reason).or_default();
        objects.push(it.object.clone());
    }
    let mut problems: Vec<String> = by_reason
        .into_iter()
        .filter_map(|(reason, objects)| {
            let what = format!("only with --trust-backup ({reason}):");
            list(&what, objects.into_iter())
        })
        .collect();
    problems.extend(list(
        "only with --trust-backup (they say what an extension that is not trusted does):",
        rows.iter().cloned(),
    ));
    problems
}
