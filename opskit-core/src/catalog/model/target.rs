//! What an object is called, whatever it is: for comments, owners and privileges.

use crate::name::quote_ident;
use serde::{Deserialize, Serialize};

/// SQL for the arguments of an object of a class, where `i` is its address by name. What a procedure gives out
/// is no part of its address, and tells it from others after `ALTER`, `GRANT` and `COMMENT ON`; only where
/// every argument says whether it goes in or out is nothing left to guess. The server's own text says so from
/// version 14 on only, so it is put together here: the same whatever server was asked.
pub(crate) fn args_sql(class: &str, oid: &str) -> String {
    format!(
        "coalesce((select array[(select coalesce(pg_catalog.string_agg(pg_catalog.concat( \
             case a.mode when 'b' then 'INOUT ' when 'o' then 'OUT ' when 'v' then 'VARIADIC ' else 'IN ' end, \
             pg_catalog.format_type(a.type, null)), ', ' order by a.at), '') \
           from rows from (pg_catalog.unnest(coalesce(p.proallargtypes, p.proargtypes::pg_catalog.oid[])), \
             pg_catalog.unnest(p.proargmodes)) with ordinality a(type, mode, at))] from pg_catalog.pg_proc p \
         where {class} = 1255 and p.oid = {oid} and p.prokind = 'p'), i.object_args)"
    )
}

/// An object by its full name, as `pg_identify_object_as_address` gives it: columns and other parts
/// of objects too, and objects that are not in the model.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The server's word for its class: `table column`.
    pub kind: String,
    /// The parts of its name without quotes, but for types within other names, which are SQL.
    pub names: Vec<String>,
    /// The types of its arguments, as SQL.
    pub args: Vec<String>,
}

impl Target {
    /// The object after `COMMENT ON` and `SECURITY LABEL … ON`: `CONSTRAINT "c" ON "s"."t"`. None for
    /// classes that take neither.
    #[must_use]
    pub fn to_sql(&self) -> Option<String> {
        let class = self.class();
        Some(match (self.kind.as_str(), self.names.as_slice()) {
            ("table constraint" | "rule" | "trigger" | "policy", [schema, table, name]) => {
                format!(
                    "{class} {} ON {}",
                    quote_ident(name),
                    qualified(&[schema, table])
                )
            }
            ("domain constraint", [domain]) => {
                format!(
                    "CONSTRAINT {} ON DOMAIN {domain}",
                    quote_ident(self.args.first()?)
                )
            }
            ("cast", [from]) => format!("CAST ({from} AS {})", self.args.first()?),
            ("transform", [of]) => {
                format!(
                    "TRANSFORM FOR {of} LANGUAGE {}",
                    quote_ident(self.args.first()?)
                )
            }
            ("large object", [oid]) => format!("LARGE OBJECT {}", oid.parse::<u32>().ok()?),
            ("operator class" | "operator family", [method, schema, name]) => format!(
                "{class} {} USING {}",
                qualified(&[schema, name]),
                quote_ident(method)
            ),
            ("operator", [schema, name]) => self.operator(schema, name)?,
            ("function" | "procedure" | "aggregate", names) => {
                format!("{class} {}({})", qualified(names), self.args.join(", "))
            }
            ("default value" | "default acl" | "user mapping" | "toast table", _) => return None,
            ("publication relation" | "publication namespace", _) => return None,
            (_, names) => format!("{class} {}", qualified(names)),
        })
    }

    /// The operator's own name is written as it is: it has no letters.
    fn operator(&self, schema: &str, name: &str) -> Option<String> {
        let harmless = |c: char| "+-*/<>=~!@#%^&|`?".contains(c);
        if name.is_empty() || !name.chars().all(harmless) {
            return None;
        }
        let args = match self.args.as_slice() {
            [right] => format!("NONE, {right}"),
            [left, right] => format!("{left}, {right}"),
            _ => return None,
        };
        Some(format!("OPERATOR {}.{name} ({args})", quote_ident(schema)))
    }

    /// The class in SQL's words.
    fn class(&self) -> String {
        match self.kind.as_str() {
            kind if kind.ends_with(" column") => "COLUMN".to_owned(),
            // Functions, procedures and aggregates alike.
            "function" | "procedure" | "aggregate" => "ROUTINE".to_owned(),
            "table constraint" => "CONSTRAINT".to_owned(),
            "statistics object" => "STATISTICS".to_owned(),
            "foreign-data wrapper" => "FOREIGN DATA WRAPPER".to_owned(),
            // Domains too.
            "composite type" => "TYPE".to_owned(),
            kind => kind.to_uppercase(),
        }
    }

    /// The object after `GRANT … ON`, for a column the relation. None for classes without privileges.
    #[must_use]
    pub fn to_grant_sql(&self) -> Option<String> {
        Some(match (self.kind.as_str(), self.names.as_slice()) {
            (kind, [schema, relation, _]) if kind.ends_with(" column") => {
                format!("TABLE {}", qualified(&[schema, relation]))
            }
            ("table" | "view" | "materialized view" | "foreign table", names) => {
                format!("TABLE {}", qualified(names))
            }
            ("server", names) => format!("FOREIGN SERVER {}", qualified(names)),
            _ => return self.to_sql(),
        })
    }

    /// The column, when it is one.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        match self.names.as_slice() {
            [_, _, column] if self.kind.ends_with(" column") => Some(column),
            _ => None,
        }
    }
}

impl std::fmt::Display for Target {
    /// In words, for people: `table public.orders`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.names.join("."))?;
        match self.args.as_slice() {
            [] => Ok(()),
            args => write!(f, "({})", args.join(", ")),
        }
    }
}

fn qualified<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<String> = names
        .iter()
        .map(|name| quote_ident(name.as_ref()))
        .collect();
    quoted.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(kind: &str, names: &[&str], args: &[&str]) -> Target {
        let owned = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
        Target {
            kind: kind.to_owned(),
            names: owned(names),
            args: owned(args),
        }
    }

    #[test]
    fn every_part_of_a_name_is_quoted() {
        let policy = target("policy", &["a\"b", "t", "p; drop"], &[]);
        assert_eq!(
            policy.to_sql().unwrap(),
            r#"POLICY "p; drop" ON "a""b"."t""#
        );
    }

    #[test]
    fn an_operator_cannot_hide_sql() {
        assert_eq!(
            target("operator", &["s", "= (x"], &["a", "b"]).to_sql(),
            None
        );
        let minus = target("operator", &["s", "-"], &["integer"]);
        assert_eq!(minus.to_sql().unwrap(), r#"OPERATOR "s".- (NONE, integer)"#);
    }

    #[test]
    fn a_columns_privileges_are_its_tables() {
        let column = target("view column", &["s", "v", "c"], &[]);
        assert_eq!(column.to_grant_sql().unwrap(), r#"TABLE "s"."v""#);
        assert_eq!(column.column(), Some("c"));
    }
}
