//! Foreign-data wrappers, servers, user mappings and foreign tables.
//!
//! Options may hold passwords and keys. Those of user mappings, and others whose name sounds like a
//! secret, are read by name only: their values never leave the server.

use super::read::{ReadContext, Reading, not_of_extension};
use super::table::partition_json;
use super::view::{ColumnSettings, column_settings};
use super::{CatalogId, Definition, Partition};
use crate::name::quote_literal;
use serde::{Deserialize, Serialize};

/// Names of options whose values are secrets.
const SECRET_OPTION: &str =
    "passw|passphrase|secret|token|credential|(api|access|private|account|service).?key|^key$|sas$";
/// Names that only say where a secret is kept.
const NO_SECRET_OPTION: &str = "(_id|_name|_file|_path|_required)$";

/// Options of a foreign object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Options {
    /// Names and values.
    pub known: Vec<(String, String)>,
    /// The names of those whose values are secrets.
    pub withheld: Vec<String>,
}

/// A foreign-data wrapper. Only a superuser may make one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignDataWrapper {
    /// Its handler, as schema and name.
    pub handler: Option<(String, String)>,
    /// Its validator, as schema and name.
    pub validator: Option<(String, String)>,
    /// Its options.
    pub options: Options,
}

/// A foreign server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignServer {
    /// Its wrapper.
    pub wrapper: String,
    /// `TYPE`.
    pub server_type: Option<String>,
    /// `VERSION`.
    pub version: Option<String>,
    /// Its options.
    pub options: Options,
}

/// What a role is on a foreign server. The object's name is the server's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserMapping {
    /// The role; none means everyone.
    pub role: Option<String>,
    /// The names of its options, when the reader may know them. All are secrets.
    pub withheld: Option<Vec<String>>,
}

/// A foreign table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignTable {
    /// Its server.
    pub server: String,
    /// Its options.
    pub options: Options,
    /// Its columns.
    pub columns: Vec<ForeignColumn>,
    /// What was set for single columns.
    pub settings: Vec<ColumnSettings>,
    /// The tables it inherits from, as schema and name. None for partitions.
    pub parents: Vec<(String, String)>,
    /// What it is a partition of.
    pub partition: Option<Partition>,
    /// NOT NULL constraints by name, from 18 on.
    pub constraints: Vec<(String, String)>,
}

/// A column of a foreign table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignColumn {
    /// Its name.
    pub name: String,
    /// Its type, as SQL.
    pub data_type: String,
    /// Its collation as schema and name, when it is not the one of its type.
    pub collation: Option<(String, String)>,
    /// `NOT NULL`, where that is not a constraint of its own.
    pub not_null: bool,
    /// Whether the table itself has it, and not only a parent.
    pub local: bool,
    /// Its options.
    pub options: Options,
}

/// The queries for everything foreign.
pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![wrappers(cx), servers(cx), mappings(cx), tables(cx)]
}

/// The array of options `array` as [`Options`].
fn options(array: &str) -> String {
    let secret = format!(
        "(pg_catalog.lower(o.option_name) operator(pg_catalog.~) {} \
          and pg_catalog.lower(o.option_name) operator(pg_catalog.!~) {})",
        quote_literal(SECRET_OPTION),
        quote_literal(NO_SECRET_OPTION)
    );
    format!(
        "(select pg_catalog.json_build_object( \
           'known', coalesce(pg_catalog.json_agg(pg_catalog.json_build_array( \
               o.option_name, coalesce(o.option_value, ''))) filter (where not {secret}), '[]'), \
           'withheld', coalesce(pg_catalog.json_agg(o.option_name) filter (where {secret}), '[]')) \
         from pg_catalog.pg_options_to_table({array}) o)"
    )
}

/// The function with the OID `oid`, as schema and name.
fn function(oid: &str) -> String {
    format!(
        "(select pg_catalog.json_build_array(fn.nspname, f.proname) from pg_catalog.pg_proc f \
         join pg_catalog.pg_namespace fn on fn.oid = f.pronamespace where f.oid = {oid})"
    )
}

fn wrappers(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select w.oid, null::pg_catalog.text, w.fdwname, pg_catalog.pg_get_userbyid(w.fdwowner), \
         pg_catalog.json_build_object('handler', {}, 'validator', {}, 'options', {}) \
         from pg_catalog.pg_foreign_data_wrapper w where {} and {}",
        function("w.fdwhandler"),
        function("w.fdwvalidator"),
        options("w.fdwoptions"),
        cx.scope.owner_condition("w.fdwowner"),
        not_of_extension(CatalogId::FOREIGN_DATA_WRAPPER, "w.oid"),
    );
    Reading {
        what: "the foreign-data wrappers",
        catalog: CatalogId::FOREIGN_DATA_WRAPPER,
        sql,
        definition: |json| Ok(Definition::ForeignDataWrapper(serde_json::from_str(json)?)),
    }
}

fn servers(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select s.oid, null::pg_catalog.text, s.srvname, pg_catalog.pg_get_userbyid(s.srvowner), \
         pg_catalog.json_build_object('wrapper', w.fdwname, 'server_type', s.srvtype, \
           'version', s.srvversion, 'options', {}) \
         from pg_catalog.pg_foreign_server s \
         join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw where {} and {}",
        options("s.srvoptions"),
        cx.scope.owner_condition("s.srvowner"),
        not_of_extension(CatalogId::FOREIGN_SERVER, "s.oid"),
    );
    Reading {
        what: "the foreign servers",
        catalog: CatalogId::FOREIGN_SERVER,
        sql,
        definition: |json| Ok(Definition::ForeignServer(serde_json::from_str(json)?)),
    }
}

/// The view shows the options to those who may see them, and NULL to others and where there are none:
/// the condition tells the two apart.
fn mappings(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select m.umid, null::pg_catalog.text, m.srvname, null::pg_catalog.text, \
         pg_catalog.json_build_object('role', case when m.umuser <> 0 then m.usename end, \
           'withheld', case when pg_catalog.current_setting('is_superuser') = 'on' \
               or (m.umuser = 0 or m.usename = current_user) \
                  and pg_catalog.pg_has_role(s.srvowner, 'USAGE') \
               or m.usename = current_user and pg_catalog.has_server_privilege(m.srvid, 'USAGE') \
             then (select coalesce(pg_catalog.json_agg(o.option_name), '[]') \
                   from pg_catalog.pg_options_to_table(m.umoptions) o) end) \
         from pg_catalog.pg_user_mappings m \
         join pg_catalog.pg_foreign_server s on s.oid = m.srvid where {} and {}",
        cx.scope.owner_condition("s.srvowner"),
        not_of_extension(CatalogId::USER_MAPPING, "m.umid"),
    );
    Reading {
        what: "the user mappings",
        catalog: CatalogId::USER_MAPPING,
        sql,
        definition: |json| Ok(Definition::UserMapping(serde_json::from_str(json)?)),
    }
}

fn tables(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select c.oid, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), \
         pg_catalog.json_build_object('server', s.srvname, 'options', {options}, \
           'columns', {columns}, 'settings', {settings}, \
           'constraints', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_array( \
               k.conname, pg_catalog.pg_get_constraintdef(k.oid)) order by k.conname) \
             from pg_catalog.pg_constraint k where k.conrelid = c.oid \
             and k.contype = 'n' \
             and (k.conislocal or c.relispartition)), '[]'), \
           'parents', case when c.relispartition then '[]' else {parents} end, \
           'partition', {partition}) \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         join pg_catalog.pg_foreign_table f on f.ftrelid = c.oid \
         join pg_catalog.pg_foreign_server s on s.oid = f.ftserver \
         where {scope} and {own}",
        options = options("f.ftoptions"),
        columns = columns(cx),
        settings = column_settings(cx),
        partition = partition_json("c"),
        parents = "coalesce((select pg_catalog.json_agg(pg_catalog.json_build_array(pn.nspname, p.relname) \
             order by i.inhseqno) from pg_catalog.pg_inherits i \
             join pg_catalog.pg_class p on p.oid = i.inhparent \
             join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace \
             where i.inhrelid = c.oid), '[]')",
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the foreign tables",
        catalog: CatalogId::CLASS,
        sql,
        definition: |json| Ok(Definition::ForeignTable(serde_json::from_str(json)?)),
    }
}

fn columns(cx: &ReadContext<'_>) -> String {
    // From 18 on every NOT NULL is a row of pg_constraint.
    let not_null = cx.since(180_000, "false", "a.attnotnull");
    format!(
        "coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object( \
           'name', a.attname, 'data_type', pg_catalog.format_type(a.atttypid, a.atttypmod), \
           'collation', (select pg_catalog.json_build_array(cn.nspname, co.collname) \
                         from pg_catalog.pg_collation co \
                         join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace \
                         join pg_catalog.pg_type t on t.oid = a.atttypid \
                         where co.oid = a.attcollation and a.attcollation <> t.typcollation), \
           'not_null', {not_null}, \
           'local', a.attislocal, 'options', {options}) order by a.attnum) \
         from pg_catalog.pg_attribute a \
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]')",
        options = options("a.attfdwoptions"),
    )
}
