//! Which version of a definition a snapshot has.
//!
//! A snapshot keeps the rows of the catalog, but the server spells definitions out as they are at the
//! moment (`pg_get_viewdef` and its like), and writes values of enums with the labels of the moment. Where
//! the rows are the same in the snapshot and in a later one, so is what was spelled out in between.

use super::TextRow;
use super::scope::Scope;
use std::collections::HashSet;

/// The query for the versions of what is spelled out from one row that may change in its place: rules
/// (and the views that they are), functions, triggers and domains. Folded by [`first_change`].
pub(crate) fn versions_sql(scope: &Scope) -> String {
    let on_relations = |what: &str, catalog: &str, relation: &str, and: &str| {
        format!(
            "select '{what} ' || n.nspname || '.' || c.relname, x.oid::pg_catalog.text, x.xmin::pg_catalog.text \
             from pg_catalog.{catalog} x join pg_catalog.pg_class c on c.oid = x.{relation} \
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace where {and} and ({} or {})",
            scope.condition("n"),
            // Users put triggers there.
            scope.platform_condition("n"),
        )
    };
    let in_schemas = |what: &str, catalog: &str, prefix: &str, and: &str| {
        format!(
            "select '{what} ' || n.nspname || '.' || x.{prefix}name, x.oid::pg_catalog.text, x.xmin::pg_catalog.text \
             from pg_catalog.{catalog} x join pg_catalog.pg_namespace n on n.oid = x.{prefix}namespace \
             where {and} and {}",
            scope.condition("n"),
        )
    };
    [
        on_relations("the rules of", "pg_rewrite", "ev_class", "true"),
        on_relations(
            "a trigger of",
            "pg_trigger",
            "tgrelid",
            "not x.tgisinternal",
        ),
        in_schemas("function", "pg_proc", "pro", "true"),
        in_schemas("domain", "pg_type", "typ", "x.typtype = 'd'"),
    ]
    .join(" union all ")
}

/// The query for the versions of the labels of all enums. Folded by [`first_change`].
pub(crate) const LABELS_SQL: &str = "select 'enum ' || n.nspname || '.' || t.typname, x.oid::pg_catalog.text, x.xmin::pg_catalog.text \
     from pg_catalog.pg_enum x join pg_catalog.pg_type t on t.oid = x.enumtypid \
     join pg_catalog.pg_namespace n on n.oid = t.typnamespace where n.nspname operator(pg_catalog.!~) '^pg_'";

/// The first object whose version is not there any more. What came new does not matter.
pub(crate) fn first_change<'a>(before: &'a [TextRow], after: &[TextRow]) -> Option<&'a str> {
    let after: HashSet<&TextRow> = after.iter().collect();
    let gone = before.iter().find(|row| !after.contains(row))?;
    Some(gone.first()?.as_deref().unwrap_or("an object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_new_is_no_change() {
        let row = |name: &str, version: &str| {
            vec![
                Some(name.to_owned()),
                Some("1".to_owned()),
                Some(version.to_owned()),
            ]
        };
        let before = [row("function public.f", "7"), row("function public.g", "8")];
        let more = [
            before[1].clone(),
            row("function public.h", "9"),
            before[0].clone(),
        ];
        assert_eq!(first_change(&before, &more), None);
        let changed = [row("function public.f", "9"), before[1].clone()];
        assert_eq!(first_change(&before, &changed), Some("function public.f"));
        assert_eq!(
            first_change(&before, &before[..1]),
            Some("function public.g")
        );
    }
}
