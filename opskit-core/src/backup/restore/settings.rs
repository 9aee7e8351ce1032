//! Which settings of a backup may be set for a database or a role: what a role may set at all, and what a
//! superuser sets for strangers.
//!
//! A name with a dot belongs to whoever reads it. Applications keep plain values there, and such come back. A
//! language or a library may take one for code that it runs (`plperl.on_init`, `plv8.start_proc`), also one that
//! is installed later. So a stranger's name is refused where it could be one of theirs.

use super::target::{field, rows};
use crate::error::Result;
use crate::postgres::wire::WireConnection;
use std::collections::HashSet;

/// Settings that anybody may set for themselves, and that decide whose code others run.
const DECIDES: [&str; 6] = [
    "default_table_access_method",
    "local_preload_libraries",
    "role",
    "row_security",
    "search_path",
    "session_authorization",
];

/// What procedural languages, and the server's own tools, are called.
const PREFIXES: [&str; 2] = ["pl", "pg"];

/// Why a setting is left out.
pub(super) const NOT_TRUSTED: &str = "only with --trust-backup, by a role that may";
const MAY_NOT: &str = "the target's role may not set it";
const MAY_RUN: &str =
    "only with --trust-backup: an extension or a language may read it, and run what it says";

/// What may be set by the target's role, of a backup that has its word taken or not.
#[derive(Debug)]
pub(super) struct Settable {
    is_superuser: bool,
    is_trusted: bool,
    /// Settings that anybody may set.
    by_anybody: HashSet<String>,
    /// First parts of names that extensions, libraries and languages have.
    taken: HashSet<String>,
}

/// What there is to load is a list of files, and a few extensions have settings by another name than theirs.
const TAKEN: &str = "select name::pg_catalog.text from pg_catalog.pg_available_extensions \
 union all select extname::pg_catalog.text from pg_catalog.pg_extension \
 union all select lanname::pg_catalog.text from pg_catalog.pg_language \
 union all select pg_catalog.split_part(name, '.', 1) from pg_catalog.pg_settings where pg_catalog.strpos(name, '.') > 0 \
 union all select pg_catalog.regexp_replace(f.name, '[.-].*$', '') from pg_catalog.pg_config c \
   cross join lateral pg_catalog.pg_ls_dir(c.setting) f(name) where c.name = 'PKGLIBDIR'";

impl Settable {
    /// Asks the server. What can be loaded is only looked for where a superuser sets for a stranger.
    pub(super) async fn read(
        admin: &mut WireConnection,
        (is_superuser, is_trusted): (bool, bool),
    ) -> Result<Self> {
        let by_anybody =
            "select pg_catalog.lower(name) from pg_catalog.pg_settings where context = 'user'";
        let by_anybody = rows(admin, by_anybody).await?;
        let taken = match is_superuser && !is_trusted {
            true => rows(admin, TAKEN).await?,
            false => Vec::new(),
        };
        Ok(Self {
            is_superuser,
            is_trusted,
            by_anybody: by_anybody.iter().map(|row| field(row, 0)).collect(),
            taken: taken.iter().map(|row| bare(&field(row, 0))).collect(),
        })
    }

    /// Why a setting may not be set for others. None when it may.
    pub(super) fn refuses(&self, name: &str) -> Option<&'static str> {
        if self.is_superuser && self.is_trusted {
            return None;
        }
        let name = name.to_lowercase();
        let is_known = self.by_anybody.contains(&name);
        match (self.is_superuser, name.split_once('.')) {
            (true, None) if is_known && !DECIDES.contains(&name.as_str()) => None,
            (true, None) => Some(NOT_TRUSTED),
            (true, Some((owner, _))) if self.is_taken(owner) => Some(MAY_RUN),
            (true, Some(_)) => None,
            // Only a superuser sets what the server does not know.
            (false, _) if is_known => None,
            (false, _) => Some(MAY_NOT),
        }
    }

    fn is_taken(&self, owner: &str) -> bool {
        PREFIXES.iter().any(|prefix| owner.starts_with(prefix)) || self.taken.contains(&bare(owner))
    }
}

/// A name as those are compared: `pg_cron` has settings of `cron`.
fn bare(name: &str) -> String {
    let name = name.to_lowercase();
    let bare = name.strip_prefix("pg_").or_else(|| name.strip_prefix("pg"));
    let bare = bare.filter(|bare| !bare.is_empty());
    bare.map_or_else(
        || name.replace(['-', '_'], ""),
        |bare| bare.replace(['-', '_'], ""),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settable(words: &str) -> Settable {
        let names = |list: &[&str]| list.iter().map(|it| bare(it)).collect();
        Settable {
            is_superuser: words.contains("superuser"),
            is_trusted: words.contains("trusted"),
            by_anybody: ["work_mem", "search_path"].map(str::to_owned).into(),
            taken: names(&["pg_cron", "auto_explain", "timescaledb", "uuid-ossp", "v8"]),
        }
    }

    #[test]
    fn a_stranger_sets_nothing_that_somebody_may_run() {
        let stranger = settable("superuser");
        for name in [
            "plperl.on_plperlu_init",
            "PLPERL.on_init",
            "pltclu.start_proc",
            "plv8.start_proc",
            "pljava.vmoptions",
            "cron.database_name",
            "Auto_Explain.log_min_duration",
            "timescaledb.x.y",
            "pgaudit.log",
        ] {
            assert_eq!(stranger.refuses(name), Some(MAY_RUN), "{name}");
        }
        for name in ["search_path", "Role", "shared_preload_libraries"] {
            assert_eq!(stranger.refuses(name), Some(NOT_TRUSTED), "{name}");
        }
        for name in [
            "work_mem",
            "app.jwt_secret",
            "my.setting",
            "request.jwt.claims",
        ] {
            assert_eq!(stranger.refuses(name), None, "{name}");
        }
    }

    #[test]
    fn who_is_trusted_and_who_is_no_superuser_sets_what_they_may() {
        assert_eq!(
            settable("trusted superuser").refuses("plperl.on_init"),
            None
        );
        let owner = settable("owner");
        assert_eq!(owner.refuses("app.tenant"), Some(MAY_NOT));
        assert_eq!(owner.refuses("shared_preload_libraries"), Some(MAY_NOT));
        assert_eq!(owner.refuses("search_path"), None);
        let trusts = settable("trusted owner");
        assert_eq!(trusts.refuses("app.tenant"), Some(MAY_NOT));
    }
}
