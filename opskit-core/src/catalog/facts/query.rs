//! The SQL of a walk, from what it is and the columns that the server has.

use super::catalogs::{About, Columns, Target, Walk};
use super::{UNREADABLE, listing};
use crate::catalog::scope::Scope;
use crate::name::{quote_ident, quote_literal};
use std::collections::HashMap;
use std::sync::Arc;

/// Names of options and settings whose values are secrets, as a pattern.
const SECRET: &str = "(pass|secret|key|token|credential|private|auth)";

/// A column of a catalog of this server.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) is_nullable: bool,
    pub(super) is_readable: bool,
}

/// The columns of each catalog.
pub(super) type Catalogs = HashMap<String, Vec<Column>>;

/// One statement, and what its columns are.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) walk: Walk,
    pub(super) catalog: Arc<str>,
    /// The attributes from column [`FIRST_ATTRIBUTE`] on.
    pub(super) attributes: Vec<(Arc<str>, Option<Target>)>,
    /// Columns after the attributes, which say of what relation others are columns.
    pub(super) hidden: Vec<&'static str>,
    pub(super) sql: String,
}

/// Before the attributes stand the number of the walk, the address of the object and the OID of the row.
pub(super) const FIRST_ATTRIBUTE: usize = 4;

/// The first questions, which may be asked side by side: the names of everything; and the catalogs' columns
/// with a salt, and the names of columns.
pub(super) fn opening(scope: &Scope, server_version: u32) -> [String; 2] {
    let columns = format!(
        "select 'salt', pg_catalog.gen_random_uuid();\n\
         select 'attribute', c.relname, a.attname, t.typname, not a.attnotnull, \
         pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') \
         from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid \
         join pg_catalog.pg_type t on t.oid = a.atttypid where c.relnamespace = 11 and a.attnum > 0 \
         and (c.relkind = 'r' or c.relname in ('pg_roles', 'pg_user_mappings')) order by c.oid, a.attnum;\n{}",
        listing::COLUMNS
    );
    [listing::sql(scope, server_version), columns]
}

impl Reading {
    /// How a walk is done on a server with these columns; `None` where it has no such catalog.
    pub(super) fn new(at: usize, walk: Walk, catalogs: &Catalogs, salt: &str) -> Option<Self> {
        let columns = catalogs.get(walk.source.unwrap_or(walk.catalog))?;
        let mut attributes = Vec::new();
        let mut selected = Vec::new();
        for (name, sql) in expressions(&walk, columns) {
            let target = walk.targets.iter().find(|(of, _)| *of == name);
            attributes.push((Arc::from(name), target.map(|(_, target)| *target)));
            selected.push(with_digests(&sql, salt));
        }
        let hidden = hidden(&attributes);
        selected.extend(hidden.iter().map(|name| format!("x.{name}")));
        let own = match walk.about {
            About::Object => "null",
            About::Own(_, oid) => oid,
        };
        let (class, oid) = walk.object;
        let sql = format!(
            "select {at}, {class}, {oid}, {own}, {} from pg_catalog.{} x {} where {}",
            selected.join(", "),
            walk.source.unwrap_or(walk.catalog),
            walk.joins,
            walk.rows,
        );
        // A row that has nothing to say but that it is there.
        let sql = sql.replace(",  from", " from");
        Some(Self {
            walk,
            catalog: walk.catalog.into(),
            attributes,
            hidden,
            sql,
        })
    }

    /// Whether the role may not read what tells its rows apart.
    pub(super) fn is_unreadable(walk: &Walk, catalogs: &Catalogs) -> bool {
        let columns = catalogs.get(walk.source.unwrap_or(walk.catalog));
        columns.is_some_and(|columns| {
            let is_readable = |column: &Column| column.is_readable;
            let oid = columns.iter().find(|column| column.name == "oid");
            !oid.map_or_else(|| columns.iter().any(is_readable), is_readable)
        })
    }
}

/// Relations that some attribute's numbers are columns of.
fn hidden(attributes: &[(Arc<str>, Option<Target>)]) -> Vec<&'static str> {
    let mut hidden: Vec<&'static str> = attributes
        .iter()
        .filter_map(|(_, target)| match target {
            Some(Target::ColumnsOf(relation)) => Some(*relation),
            _ => None,
        })
        .collect();
    hidden.sort_unstable();
    hidden.dedup();
    hidden
}

/// The attributes of a walk, and the SQL for each.
fn expressions(walk: &Walk, columns: &[Column]) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for column in columns {
        let name = column.name.as_str();
        let spelled = walk.spelled.iter().find(|(of, _)| *of == name);
        let wanted = match walk.columns {
            Columns::AllBut(left_out) => !left_out.contains(&name),
            Columns::Only(these) => these.contains(&name),
        };
        if !wanted && spelled.is_none() {
            continue;
        }
        let sql = match spelled {
            _ if !column.is_readable => quote_literal(UNREADABLE),
            Some((_, sql)) => (*sql).to_owned(),
            None => expression(walk, column),
        };
        all.push((name.to_owned(), sql));
    }
    let extra = walk.extra.iter();
    all.extend(extra.map(|(name, sql)| ((*name).to_owned(), (*sql).to_owned())));
    all
}

/// A column's value; NULL for the ordinary nothing of its type.
fn expression(walk: &Walk, column: &Column) -> String {
    let name = column.name.as_str();
    let field = format!("x.{}", quote_ident(name));
    if let Some((_, default)) = walk.acl.filter(|(of, _)| *of == name) {
        let (is, by_itself) = (sorted_acl(&field), sorted_acl(default));
        return format!(
            "case when {field} is not null and {is} is distinct from {by_itself} then {is} end"
        );
    }
    if walk.options.contains(&name) {
        return sorted_options(&field);
    }
    match column.kind.as_str() {
        "bool" => format!("case when {field} then 't' end"),
        "char" => format!("nullif(pg_catalog.btrim({field}::pg_catalog.text), '')"),
        kind if kind == "oid" || kind.starts_with("reg") => {
            format!("nullif({field}::pg_catalog.oid, 0)")
        }
        "int2" | "int4" | "int8" | "float4" if !column.is_nullable => format!("nullif({field}, 0)"),
        _ => field,
    }
}

/// Privileges as text, in an order that does not depend on who was granted first.
fn sorted_acl(acl: &str) -> String {
    format!(
        "case when {acl} is not null then coalesce((select pg_catalog.array_agg(i::pg_catalog.text order by i::pg_catalog.text collate pg_catalog.\"C\") \
         from pg_catalog.unnest({acl}) i)::pg_catalog.text, '{{}}') end"
    )
}

/// Options as text, in order of their names, those that look like secrets as digests.
fn sorted_options(options: &str) -> String {
    format!(
        "case when {options} is not null then (select pg_catalog.array_agg(\
         case when pg_catalog.split_part(o, '=', 1) ~* {} then pg_catalog.split_part(o, '=', 1) || '=' || {{digest:o}} else o end \
         order by o collate pg_catalog.\"C\") from pg_catalog.unnest({options}) o)::pg_catalog.text end",
        quote_literal(SECRET)
    )
}

/// Replaces each `{digest:…}` by SQL, so that a secret never leaves its server.
fn with_digests(sql: &str, salt: &str) -> String {
    let mut parts = sql.split("{digest:");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (secret, rest) = part.split_once('}').unwrap_or((part, ""));
        // To the encoding that it has already: nothing that could fail.
        out.push_str(&format!(
            "('sha256:' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to({} || {secret}, \
             pg_catalog.getdatabaseencoding())), 'hex')){rest}",
            quote_literal(salt)
        ));
    }
    out
}

/// The statement that finds objects of extensions and of the server whose privileges were changed.
pub(super) fn changed_acl(at: usize, walk: &Walk) -> Option<String> {
    let (column, default) = walk.acl?;
    let (part, number, oid) = match walk.catalog {
        "pg_attribute" => ("x.attname", "x.attnum", "x.attrelid"),
        // What is granted by default, and on large objects, is never an extension's.
        "pg_default_acl" | "pg_largeobject_metadata" => return None,
        _ => ("null", "0", "x.oid"),
    };
    let (class, _) = walk.object;
    let field = format!("x.{column}");
    let initial = format!("coalesce(p.initprivs, {default})");
    Some(format!(
        "select 'acl', {at}, {class}, {oid}, {part}, {}, {} from pg_catalog.{} x {} \
         left join pg_catalog.pg_init_privs p on p.classoid = {class} and p.objoid = {oid} and p.objsubid = {number} \
         where {field} is distinct from p.initprivs and ({oid} < 16384 or {oid} in \
         (select d.objid from pg_catalog.pg_depend d where d.classid = {class} and d.deptype = 'e'))",
        sorted_acl(&format!("coalesce({field}, {default})")),
        sorted_acl(&initial),
        walk.catalog,
        walk.joins,
    ))
}
