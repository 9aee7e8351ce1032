//! What the target's platform has of the tables that a backup has rows for.

use super::super::plan::SessionKind;
use super::super::request::{Existing, Part, RestoreRequest};
use super::super::target::{Target, field, rows};
use super::super::values::{platform_rows_sql, print};
use super::super::{present, stored::Stored};
use crate::catalog::scope::is_platform_book;
use crate::catalog::{Address, CatalogId, Scope, TextRow};
use crate::context::OpContext;
use crate::error::{ErrorKind, Result};
use crate::export::ColumnMap;
use crate::name::{QualifiedName, quote_ident, quote_literal};
use crate::postgres::load::LoadTable;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{Holds, TableEntry};
use std::collections::{HashMap, HashSet};

/// The tables of the target's platform, as far as the backup has rows for them.
#[derive(Debug, Default)]
pub(in super::super) struct Seen {
    pub(super) tables: HashMap<QualifiedName, Found>,
    pub(super) keys: Vec<Key>,
    /// Whether the role may have triggers and foreign keys do nothing.
    pub(super) may_turn_off: bool,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) oid: u32,
    pub(super) state: State,
    /// What would react to its rows.
    pub(super) triggers: Vec<Trigger>,
    pub(super) sequences: Vec<Sequence>,
}

/// What rows can find there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// No rows, and all that the backup's need.
    Empty,
    /// The backup's rows.
    Same,
    /// Other rows.
    Filled,
    /// Why none can be loaded.
    Refused(String),
}

/// A trigger for new rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trigger {
    pub(super) name: String,
    pub(super) when: When,
}

/// When it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// Unless reactions are off.
    On,
    /// Only when they are off.
    Off,
    /// Always.
    Always,
}

/// A sequence of a column.
#[derive(Debug)]
pub(super) struct Sequence {
    /// Its name as SQL, which is how the server prints it.
    pub(super) name: String,
    pub(super) may_set: bool,
    /// What makes it go on behind the rows of the table.
    pub(super) set: String,
}

/// A foreign key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) from: u32,
    pub(super) to: u32,
    /// The table that it refers to, in words.
    pub(super) table: String,
    /// The query for a row that it refuses.
    pub(super) check: String,
}

/// Looks at each table: what is there, what the role may do, what would react.
pub(in super::super) async fn look(
    admin: &mut WireConnection,
    (ctx, url): (&OpContext, &DatabaseUrl),
    stored: &Stored,
    target: &Target,
    (request, kind): (&RestoreRequest, SessionKind),
) -> Result<Seen> {
    let tables = stored.contents.tables.iter();
    let is_wanted =
        |it: &&TableEntry| it.holds == Holds::PlatformTable && !is_platform_book(&it.name);
    let wanted: Vec<&TableEntry> = tables.filter(is_wanted).collect();
    if wanted.is_empty() || request.part == Part::Schema {
        return Ok(Seen::default());
    }
    let there: HashMap<QualifiedName, TextRow> = rows(admin, &tables_sql())
        .await?
        .into_iter()
        .map(|row| (QualifiedName::new(field(&row, 0), field(&row, 1)), row))
        .collect();
    let mut seen = Seen::default();
    for table in wanted {
        let Some(row) = there.get(&table.name) else {
            continue;
        };
        let state = match refusal(admin, table, row, kind).await? {
            Some(why) => State::Refused(why),
            None => state(admin, (ctx, url), table).await?,
        };
        let found = Found {
            oid: number(row, 2),
            state,
            triggers: Vec::new(),
            sequences: Vec::new(),
        };
        seen.tables.insert(table.name.clone(), found);
    }
    let goes = goes_first(stored, target, request);
    seen.add_around(admin, &goes).await?;
    seen.may_turn_off = may_turn_off(admin).await?;
    Ok(seen)
}

/// Tables of the platform's: schema, name and OID; whether the role may read, and add rows; whether it sees some rows
/// only; the columns that must be given.
fn tables_sql() -> String {
    format!(
        "select n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.oid::pg_catalog.text, \
           (pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'))::pg_catalog.text, \
           pg_catalog.has_table_privilege(c.oid, 'INSERT')::pg_catalog.text, pg_catalog.row_security_active(c.oid)::pg_catalog.text, \
           (select coalesce(pg_catalog.json_agg(a.attname order by a.attnum), '[]') from pg_catalog.pg_attribute a \
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attnotnull and not a.atthasdef \
               and a.attidentity = '')::pg_catalog.text \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind = 'r' and {} and not exists (select from pg_catalog.pg_depend d \
           where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.objsubid = 0 and d.deptype = 'e')",
        Scope::default().platform_data_condition("n")
    )
}

/// Why no row of the backup can be loaded, whatever rows the table has.
async fn refusal(
    admin: &mut WireConnection,
    table: &TableEntry,
    row: &TextRow,
    kind: SessionKind,
) -> Result<Option<String>> {
    let is = |at: usize| field(row, at) == "true";
    if kind == SessionKind::TemporaryLogin {
        let why =
            "only with --trust-backup (they say who may come in, and the platform acts on that)";
        return Ok(Some(why.to_owned()));
    }
    let may = match (is(3), is(4), is(5)) {
        (false, _, _) => {
            Some("this role may not read the table, to see whether it has rows of its own")
        }
        (true, false, _) => Some("this role may not add rows to the table"),
        (true, true, true) => {
            Some("row-level security of the table stands between it and this role")
        }
        (true, true, false) => None,
    };
    if let Some(why) = may {
        return Ok(Some(why.to_owned()));
    }
    let target = LoadTable::find(admin, &table.name).await?;
    if let Err(error) = ColumnMap::new(&table.row_type, target.row_type()) {
        return Ok(Some(error.to_string()));
    }
    let given: HashSet<&String> = table.row_type.columns.iter().map(|it| &it.name).collect();
    let needed: Vec<String> = serde_json::from_str(&field(row, 6)).unwrap_or_default();
    let lacking = needed.iter().find(|name| !given.contains(name));
    Ok(lacking.map(|name| {
        format!("the table needs a value for column \"{name}\", which the backup has not")
    }))
}

async fn state(
    admin: &mut WireConnection,
    (ctx, url): (&OpContext, &DatabaseUrl),
    table: &TableEntry,
) -> Result<State> {
    let count = format!(
        "select pg_catalog.count(*)::pg_catalog.text from only {}",
        table.name.to_sql()
    );
    let found = rows(admin, &count).await?;
    let found: u64 = found
        .first()
        .map_or(0, |row| field(row, 0).parse().unwrap_or(u64::MAX));
    if found == 0 {
        return Ok(State::Empty);
    }
    if found != table.rows {
        return Ok(State::Filled);
    }
    let found = print(ctx, url, platform_rows_sql(table)).await?;
    Ok(match found == (table.rows, Some(table.fingerprint)) {
        true => State::Same,
        false => State::Filled,
    })
}

/// Objects of the target that are dropped before rows are loaded.
fn goes_first(stored: &Stored, target: &Target, request: &RestoreRequest) -> HashSet<Address> {
    let is_whole = request.part == Part::Everything && request.only.is_empty();
    if !is_whole || request.existing == Existing::Refuse {
        return HashSet::new();
    }
    let ours = present::of_model(&stored.model, &target.present);
    ours.into_iter().map(|it| it.address).collect()
}

impl Seen {
    /// Adds triggers, sequences and foreign keys; no triggers that are gone before rows come. Those that a restore left
    /// which was stopped came after its rows, which are there then.
    async fn add_around(
        &mut self,
        admin: &mut WireConnection,
        gone: &HashSet<Address>,
    ) -> Result<()> {
        let oids: Vec<String> = self.tables.values().map(|it| it.oid.to_string()).collect();
        if oids.is_empty() {
            return Ok(());
        }
        let oids = oids.join(", ");
        let mut by_oid: HashMap<u32, &mut Found> =
            self.tables.values_mut().map(|it| (it.oid, it)).collect();
        for row in rows(admin, &triggers_sql(&oids)).await? {
            let address = Address::new(CatalogId::TRIGGER, number(&row, 1));
            if let Some(found) = by_oid
                .get_mut(&number(&row, 0))
                .filter(|_| !gone.contains(&address))
            {
                found.triggers.push(Trigger {
                    name: field(&row, 2),
                    when: match field(&row, 3).as_str() {
                        "A" => When::Always,
                        "R" => When::Off,
                        _ => When::On,
                    },
                });
            }
        }
        for row in rows(admin, &sequences_sql(&oids)).await? {
            if let Some(found) = by_oid.get_mut(&number(&row, 0)) {
                found.sequences.push(sequence(&row));
            }
        }
        let keys = rows(admin, &keys_sql(&oids)).await?;
        self.keys = keys.iter().map(key).collect();
        Ok(())
    }
}

/// Triggers for new rows: the table, its own OID, its name, when it runs.
fn triggers_sql(tables: &str) -> String {
    format!(
        "select g.tgrelid::pg_catalog.text, g.oid::pg_catalog.text, g.tgname::pg_catalog.text, g.tgenabled::pg_catalog.text \
         from pg_catalog.pg_trigger g where g.tgrelid in ({tables}) and not g.tgisinternal and g.tgenabled <> 'D' \
           and g.tgtype & 4 <> 0 order by g.tgname"
    )
}

/// Sequences of columns: the table, the sequence, whether the role may set it, table and column as SQL.
fn sequences_sql(tables: &str) -> String {
    format!(
        "select d.refobjid::pg_catalog.text, s.oid::pg_catalog.regclass::pg_catalog.text, \
           pg_catalog.has_sequence_privilege(s.oid, 'UPDATE')::pg_catalog.text, \
           d.refobjid::pg_catalog.regclass::pg_catalog.text, a.attname::pg_catalog.text \
         from pg_catalog.pg_depend d join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S' \
           join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid \
         where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.refclassid = d.classid and d.objsubid = 0 \
           and d.deptype in ('a', 'i') and d.refobjid in ({tables}) order by 2"
    )
}

fn sequence(row: &TextRow) -> Sequence {
    let name = field(row, 1);
    let set = format!(
        "SELECT pg_catalog.setval({}::pg_catalog.regclass, m.last) FROM (SELECT pg_catalog.max({})::pg_catalog.int8 AS last \
         FROM ONLY {}) m WHERE m.last > 0",
        quote_literal(&name),
        quote_ident(&field(row, 4)),
        field(row, 3)
    );
    Sequence {
        name,
        may_set: field(row, 2) == "true",
        set,
    }
}

/// Foreign keys: the name, from, to, the table referred to, and the query for a row that the key refuses.
fn keys_sql(tables: &str) -> String {
    format!(
        "select pg_catalog.format('foreign key %s on %s', k.conname, k.conrelid::pg_catalog.regclass), k.conrelid::pg_catalog.text, \
           k.confrelid::pg_catalog.text, k.confrelid::pg_catalog.regclass::pg_catalog.text, \
           (select pg_catalog.format('select 1 from only %s c where %s and not exists (select from %s p where %s) limit 1', \
             k.conrelid::pg_catalog.regclass, pg_catalog.string_agg(pg_catalog.format('c.%I is not null', a.attname), ' and '), \
             k.confrelid::pg_catalog.regclass, pg_catalog.string_agg(pg_catalog.format('p.%I operator(%I.%s) c.%I', \
               b.attname, n.nspname, o.oprname, a.attname), ' and ')) \
            from rows from (pg_catalog.unnest(k.conkey), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conpfeqop)) u(a, b, o) \
              join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.a \
              join pg_catalog.pg_attribute b on b.attrelid = k.confrelid and b.attnum = u.b \
              join pg_catalog.pg_operator o on o.oid = u.o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace) \
         from pg_catalog.pg_constraint k where k.contype = 'f' and k.conrelid in ({tables}) order by 1"
    )
}

fn key(row: &TextRow) -> Key {
    Key {
        name: field(row, 0),
        from: number(row, 1),
        to: number(row, 2),
        table: field(row, 3),
        check: field(row, 4),
    }
}

/// A superuser may, and others whom the server or the platform lets.
async fn may_turn_off(admin: &mut WireConnection) -> Result<bool> {
    match admin
        .query_one("SET session_replication_role = replica")
        .await
    {
        Ok(_) => {
            admin.query_one("RESET session_replication_role").await?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        Err(error) => Err(error.while_doing("cannot look at the target")),
    }
}

fn number(row: &TextRow, at: usize) -> u32 {
    field(row, at).parse().unwrap_or_default()
}
