//! What the gate looks for.

use serde::Serialize;

/// What a statement may do that somebody should have meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Danger {
    /// Rows or objects go.
    Loses,
    /// Somebody may see or do more than before.
    Weakens,
    /// Others wait while a table is rewritten or read whole.
    Blocks,
    /// Programs that run now stop to work.
    Breaks,
    /// What it does is not in its text.
    Hides,
}

/// A rule of the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, for `-- opskit: allow NAME "why"`.
    pub id: &'static str,
    /// What it is about.
    pub danger: Danger,
    /// What it says.
    pub says: &'static str,
    /// The way out.
    pub hint: &'static str,
}

const fn rule(id: &'static str, danger: Danger, says: &'static str, hint: &'static str) -> Rule {
    Rule {
        id,
        danger,
        says,
        hint,
    }
}

const KEEP: &str = "Stop using it first, and drop it in a later release, behind a verified backup.";
const WHERE: &str = "Say which rows: add WHERE.";
const LATER: &str = "Do it in steps that hold no strong lock for long.";
const TIGHT: &str = "Grant to the roles that need it, and no more than they need.";

macro_rules! rules {
    ($($name:ident = ($id:literal, $danger:ident, $says:literal, $hint:expr);)*) => {
        $(pub(super) const $name: Rule = rule($id, Danger::$danger, $says, $hint);)*
        /// Every rule.
        pub const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    DROP_TABLE = ("drop-table", Loses, "drops a table and its rows", KEEP);
    DROP_SCHEMA = ("drop-schema", Loses, "drops a schema", KEEP);
    DROP_DATABASE = ("drop-database", Loses, "drops a database", KEEP);
    DROP_COLUMN = ("drop-column", Loses, "drops a column and its values", KEEP);
    DROP_OBJECT = ("drop-object", Loses, "drops an object", KEEP);
    DROP_CASCADE = ("drop-cascade", Loses, "drops whatever depends on it as well", "Name what goes, and drop it without CASCADE.");
    DROP_OWNED = ("drop-owned", Loses, "drops all that a role owns", "Name what goes.");
    DROP_CONSTRAINT = ("drop-constraint", Weakens, "lets in rows that a constraint kept out", KEEP);
    DROP_POLICY = ("drop-policy", Weakens, "drops a policy of row-level security", "Make the new policy in the same migration.");
    DROP_TRIGGER = ("drop-trigger", Weakens, "drops a trigger", "Make the new trigger in the same migration.");
    DROP_ROLE = ("drop-role", Loses, "drops a role", KEEP);
    TRUNCATE = ("truncate", Loses, "removes all rows of a table", WHERE);
    DELETE_ALL = ("delete-all", Loses, "deletes rows without saying which", WHERE);
    UPDATE_ALL = ("update-all", Loses, "changes every row of a table", WHERE);
    DETACH = ("detach-partition", Loses, "takes a partition and its rows out of a table", KEEP);
    RLS_OFF = ("rls-off", Weakens, "switches row-level security off", "Change the policies instead.");
    POLICY_OPEN = ("policy-open", Weakens, "a policy that lets everything through", "Say in USING or WITH CHECK which rows.");
    POLICY_CHANGED = ("policy-changed", Weakens, "changes what a policy lets through", "Test it with `opskit migrate verify` as the roles that it is for.");
    GRANT_WIDE = ("grant-wide", Weakens, "grants to everybody (public or anon)", TIGHT);
    GRANT_ROLE = ("role-strong", Weakens, "makes a role stronger than row-level security", TIGHT);
    DEFINER = ("definer-search-path", Weakens, "SECURITY DEFINER without a search_path lets the caller choose what its names mean", "Add SET search_path = '' and write names with their schema.");
    AUTH_VIEW = ("view-of-auth", Weakens, "a view of the auth schema that runs with the rights of its owner", "Make it WITH (security_invoker = true), or put it into a schema that is not exposed.");
    OWNER = ("owner-changed", Weakens, "changes an owner, whom row-level security does not hold", TIGHT);
    REPLICA_ROLE = ("replication-role", Weakens, "switches triggers and foreign keys off", "Leave session_replication_role as it is.");
    TRIGGER_OFF = ("trigger-off", Weakens, "switches triggers or rules off", "Say why, or leave them on.");
    UNLOGGED = ("unlogged", Loses, "a table whose rows are gone after a crash", "Leave it logged.");
    VACUUM_FULL = ("vacuum-full", Blocks, "rewrites a table while nobody can read it", "Use VACUUM, or pg_repack.");
    CLUSTER = ("cluster", Blocks, "rewrites a table while nobody can read it", "Use pg_repack.");
    LOCK = ("lock-table", Blocks, "locks a table", LATER);
    REFRESH = ("refresh-blocks", Blocks, "nobody can read a materialised view while it is filled", "Use REFRESH MATERIALIZED VIEW CONCURRENTLY.");
    INDEX = ("index-blocks", Blocks, "nobody can write to a table while its index is built", "Use CREATE INDEX CONCURRENTLY.");
    REINDEX = ("reindex-blocks", Blocks, "nobody can write to a table while its index is rebuilt", "Use REINDEX … CONCURRENTLY.");
    INDEX_DROP = ("index-drop-blocks", Blocks, "nobody can read a table while one of its indexes is dropped", "Use DROP INDEX CONCURRENTLY.");
    COLUMN_TYPE = ("column-type", Blocks, "may rewrite the table while nobody can read it", "Add a column of the new type, fill it in batches, then swap.");
    NOT_NULL = ("set-not-null", Blocks, "reads the whole table while nobody can write", "Add CHECK (… IS NOT NULL) NOT VALID and validate it first.");
    CONSTRAINT = ("constraint-blocks", Blocks, "reads the whole table while nobody can write", "Add it NOT VALID, and validate it in a later statement.");
    UNIQUE = ("unique-blocks", Blocks, "builds an index while nobody can read or write", "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX.");
    VOLATILE_DEFAULT = ("volatile-default", Blocks, "rewrites the table to give each row a value of its own", "Add the column without the default, fill it in batches, then set the default.");
    TABLESPACE = ("tablespace", Blocks, "copies a table while nobody can read it", LATER);
    RENAME = ("rename", Breaks, "programs that know the old name stop to work", "Add the new one beside it, move the programs, then drop the old.");
    SET_SCHEMA = ("set-schema", Breaks, "programs that know the old name stop to work", "Leave a view behind.");
    REVOKE = ("revoke", Breaks, "takes rights away that programs may need", "Test it as the role.");
    FILE_COPY = ("copy-file", Hides, "reads or writes files of the server, or runs a program there", "Use COPY … FROM STDIN.");
    SYSTEM = ("alter-system", Weakens, "changes settings of the whole server", "Set them for the database or the role.");
    DYNAMIC = ("dynamic-sql", Hides, "runs text that is put together at run time", "Rehearse it: `opskit migrate rehearse` shows what it does.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_a_name_of_its_own() {
        let mut ids: Vec<_> = RULES.iter().map(|rule| rule.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), RULES.len());
    }
}
