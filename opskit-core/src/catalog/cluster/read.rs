//! Reading what is around a database.

use super::{ClusterModel, Database, Membership, Parameter, Role, Setting};
use crate::catalog::model::acl_items;
use crate::catalog::scope::login_prefix;
use crate::catalog::{TextRow, text};
use crate::error::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

/// Neither the server's own roles, nor those that a restore makes for as long as it runs (`login_prefix`).
const NOT_OWN: &str = concat!("operator(pg_catalog.!~) '^(pg_|", login_prefix!(), ")'");

/// The queries, and the fold of their answers.
#[derive(Debug)]
pub(crate) struct ClusterReader {
    server_version: u32,
    answers: Vec<Vec<TextRow>>,
}

impl ClusterReader {
    pub(crate) fn new(server_version: u32) -> Self {
        Self {
            server_version,
            answers: Vec::new(),
        }
    }

    /// The queries, each with what it reads. Each gives a JSON document a row.
    pub(crate) fn queries(&self) -> Vec<(&'static str, String)> {
        vec![
            ("the roles", roles()),
            ("the members of roles", memberships(self.server_version)),
            ("the settings of roles and the database", settings()),
            ("the database", database(self.server_version)),
            (
                "the privileges on parameters",
                parameters(self.server_version),
            ),
        ]
    }

    /// Takes the answer to the next query.
    pub(crate) fn take(&mut self, rows: Vec<TextRow>) {
        self.answers.push(rows);
    }

    /// What all answers say.
    ///
    /// # Errors
    /// Of kind `Internal` when an answer has another form than was asked for.
    pub(crate) fn finish(self) -> Result<ClusterModel> {
        let mut answers = self.answers.into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let roles: Vec<Role> = documents("the roles", &next())?;
        let memberships: Vec<Membership> = documents("the members of roles", &next())?;
        let settings: Vec<Setting> = documents("the settings", &next())?;
        let database: Vec<Database> = documents("the database", &next())?;
        let database = database.into_iter().next();
        let parameters: Vec<Parameter> = documents("the privileges on parameters", &next())?;
        Ok(ClusterModel {
            server_version: self.server_version,
            roles,
            memberships,
            settings,
            parameters,
            database: database.ok_or_else(|| {
                Error::new(
                    ErrorKind::Internal,
                    "the catalog does not know this database",
                )
            })?,
        })
    }
}

fn documents<T: DeserializeOwned>(what: &str, rows: &[TextRow]) -> Result<Vec<T>> {
    let one = |row: &TextRow| {
        serde_json::from_str(text(row, 0)?).map_err(|source| {
            let message = format!("cannot understand {what}");
            Error::new(ErrorKind::Internal, message).with_source(source)
        })
    };
    rows.iter().map(one).collect()
}

fn roles() -> String {
    format!(
        "select pg_catalog.json_build_object('oid', r.oid::pg_catalog.int8, 'name', r.rolname, \
         'attributes', pg_catalog.array_remove(array[case when r.rolsuper then 'superuser' end, \
           case when r.rolinherit then 'inherit' end, case when r.rolcreaterole then 'createrole' end, \
           case when r.rolcreatedb then 'createdb' end, case when r.rolcanlogin then 'login' end, \
           case when r.rolreplication then 'replication' end, \
           case when r.rolbypassrls then 'bypassrls' end], null), \
         'connection_limit', r.rolconnlimit, 'valid_until', r.rolvaliduntil::pg_catalog.text, \
         'comment', pg_catalog.shobj_description(r.oid, 'pg_authid')) \
         from pg_catalog.pg_roles r where r.rolname {NOT_OWN} order by r.rolname"
    )
}

fn memberships(server_version: u32) -> String {
    let options = if server_version >= 160_000 {
        "'inherit', m.inherit_option, 'set', m.set_option"
    } else {
        "'inherit', null, 'set', null"
    };
    format!(
        "select pg_catalog.json_build_object('role', r.rolname, 'member', u.rolname, \
         'grantor', case when m.grantor <> 10 then g.rolname end, \
         'options', pg_catalog.json_build_object('admin', m.admin_option, {options})) \
         from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.roleid \
         join pg_catalog.pg_roles u on u.oid = m.member \
         left join pg_catalog.pg_roles g on g.oid = m.grantor \
         where u.rolname {NOT_OWN} order by r.rolname, u.rolname, g.rolname"
    )
}

fn settings() -> String {
    format!(
        "select pg_catalog.json_build_object('role', r.rolname, \
         'holds', case when s.setdatabase = 0 then 'everywhere' else 'in_database' end, \
         'name', pg_catalog.split_part(c.setting, '=', 1), \
         'value', pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1)) \
         from pg_catalog.pg_db_role_setting s \
         cross join lateral pg_catalog.unnest(s.setconfig) with ordinality c (setting, at) \
         left join pg_catalog.pg_roles r on r.oid = s.setrole \
         where (s.setrole = 0 or r.rolname {NOT_OWN}) and (s.setdatabase = 0 or s.setdatabase = ( \
           select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())) \
         order by r.rolname nulls first, s.setdatabase, c.at"
    )
}

/// None before there were any.
fn parameters(server_version: u32) -> String {
    if server_version < 150_000 {
        return "select null where false".to_owned();
    }
    format!(
        "select pg_catalog.json_build_object('name', p.parname, \
         'acl', pg_catalog.json_build_object('items', {items}, 'base', {base})) \
         from pg_catalog.pg_parameter_acl p order by p.parname",
        items = acl_items("p.paracl"),
        base = acl_items("pg_catalog.acldefault('p', 10)"),
    )
}

fn database(server_version: u32) -> String {
    let since = |version, column: &'static str| {
        if server_version >= version {
            column
        } else {
            "null"
        }
    };
    let locale = if server_version >= 170_000 {
        "d.datlocale"
    } else {
        since(150_000, "d.daticulocale")
    };
    let provider = if server_version >= 150_000 {
        "case d.datlocprovider when 'i' then 'icu' when 'b' then 'builtin' else 'libc' end"
    } else {
        "'libc'"
    };
    format!(
        "select pg_catalog.json_build_object('oid', d.oid::pg_catalog.int8, 'name', d.datname, \
         'owner', pg_catalog.pg_get_userbyid(d.datdba), \
         'encoding', pg_catalog.pg_encoding_to_char(d.encoding), 'collate', d.datcollate, \
         'ctype', d.datctype, 'locale_provider', {provider}, 'locale', {locale}, \
         'icu_rules', {rules}, 'collation_version', {version}, 'connection_limit', d.datconnlimit, \
         'comment', pg_catalog.shobj_description(d.oid, 'pg_database'), \
         'acl', pg_catalog.json_build_object('items', {items}, 'base', {base})) \
         from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()",
        rules = since(160_000, "d.daticurules"),
        version = since(150_000, "d.datcollversion"),
        items = acl_items("coalesce(d.datacl, pg_catalog.acldefault('d', d.datdba))"),
        base = acl_items("pg_catalog.acldefault('d', d.datdba)"),
    )
}
