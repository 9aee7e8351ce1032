//! The statements for roles and the database.

use super::{
    ClusterModel, Database, Membership, Parameter, Role, RoleAttribute, Setting, SettingHolds,
};
use crate::catalog::address::{Address, CatalogId};
use crate::catalog::ddl::{Action, On, Section, Statement, changes};
use crate::name::{quote_ident, quote_literal};
use serde::Serialize;
use std::collections::BTreeSet;

/// From this version on memberships say whether they are inherited.
const MEMBERSHIP_OPTIONS: u32 = 160_000;

/// Settings whose value is a list of quoted names, which must be given name by name.
const LISTS: &[&str] = &[
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// How the statements are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterOptions {
    /// The version of the server that they are for.
    pub target_version: u32,
    /// The name of the database there.
    pub database: String,
    /// The roles that are there already: they stay as they are, memberships and settings too.
    pub existing: BTreeSet<String>,
}

/// The statements for roles and the database. Roles and memberships are in the section
/// [`PreData`](Section::PreData); settings, comments and privileges are in [`Access`](Section::Access).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ClusterScript {
    /// In an order in which they work.
    pub statements: Vec<Statement>,
}

impl ClusterScript {
    /// Writes the statements.
    #[must_use]
    pub fn of(model: &ClusterModel, options: &ClusterOptions) -> Self {
        let mut out = Out {
            options,
            statements: Vec::new(),
        };
        let is_new = |name: &str| !options.existing.contains(name);
        // In the order in which they were made, which others tell by too.
        let mut roles: Vec<&Role> = model.roles.iter().collect();
        roles.sort_by_key(|role| role.oid);
        for role in roles.into_iter().filter(|role| is_new(&role.name)) {
            out.role(role);
        }
        for membership in in_order(&model.memberships) {
            if is_new(&membership.member) || is_new(&membership.role) {
                out.membership(model, membership);
            }
        }
        for setting in &model.settings {
            let everywhere = setting.holds == SettingHolds::Everywhere;
            if !everywhere || setting.role.as_deref().is_none_or(is_new) {
                out.setting(model, setting);
            }
        }
        out.database(&model.database);
        for parameter in &model.parameters {
            out.parameter(parameter, &model.database);
        }
        out.statements.sort_by_key(|statement| statement.section);
        Self {
            statements: out.statements,
        }
    }
}

/// Who grants a role on must have been granted it with the option before.
fn in_order(memberships: &[Membership]) -> Vec<&Membership> {
    let mut waiting: Vec<&Membership> = memberships.iter().collect();
    let mut ordered: Vec<&Membership> = Vec::new();
    loop {
        let may = |it: &&Membership, ordered: &[&Membership]| {
            it.grantor.as_ref().is_none_or(|grantor| {
                let gives =
                    |m: &&Membership| m.role == it.role && m.options.admin && m.member == *grantor;
                ordered.iter().any(gives)
            })
        };
        let (ready, rest): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|it| may(it, &ordered));
        if ready.is_empty() {
            // Old versions remember grantors that lost the option: the order does not matter there.
            ordered.extend(rest);
            return ordered;
        }
        ordered.extend(ready);
        waiting = rest;
    }
}

struct Out<'a> {
    options: &'a ClusterOptions,
    statements: Vec<Statement>,
}

impl Out<'_> {
    fn say(&mut self, about: Address, object: &str, section: Section, action: Action, sql: String) {
        self.statements.push(Statement {
            about,
            object: object.to_owned(),
            section,
            action,
            as_role: None,
            on: None,
            sql,
        });
    }

    fn role(&mut self, role: &Role) {
        let about = Address::new(CatalogId::ROLE, role.oid);
        let (object, name) = (format!("role {}", role.name), quote_ident(&role.name));
        let words = ATTRIBUTES.map(|(attribute, word)| {
            let no = if role.attributes.contains(&attribute) {
                ""
            } else {
                "NO"
            };
            format!("{no}{word}")
        });
        let mut sql = format!("CREATE ROLE {name} {}", words.join(" "));
        if role.connection_limit != -1 {
            sql.push_str(&format!(" CONNECTION LIMIT {}", role.connection_limit));
        }
        if let Some(until) = &role.valid_until {
            sql.push_str(&format!(" VALID UNTIL {}", quote_literal(until)));
        }
        self.say(about, &object, Section::PreData, Action::Create, sql);
        if let Some(comment) = &role.comment {
            let sql = format!("COMMENT ON ROLE {name} IS {}", quote_literal(comment));
            self.say(about, &object, Section::Access, Action::Describe, sql);
        }
    }

    fn membership(&mut self, model: &ClusterModel, membership: &Membership) {
        let member = &membership.member;
        let oid = model
            .roles
            .iter()
            .find(|role| role.name == *member)
            .map_or(0, |role| role.oid);
        let mut options = Vec::new();
        let word = |is: bool| if is { "TRUE" } else { "FALSE" };
        if self.options.target_version >= MEMBERSHIP_OPTIONS {
            options.extend(
                membership
                    .options
                    .inherit
                    .map(|is| format!("INHERIT {}", word(is))),
            );
            options.extend(membership.options.set.map(|is| format!("SET {}", word(is))));
        }
        if membership.options.admin {
            options.insert(0, "ADMIN OPTION".to_owned());
        }
        let mut sql = format!(
            "GRANT {} TO {}",
            quote_ident(&membership.role),
            quote_ident(member)
        );
        if !options.is_empty() {
            sql.push_str(&format!(" WITH {}", options.join(", ")));
        }
        if let Some(grantor) = &membership.grantor {
            sql.push_str(&format!(" GRANTED BY {}", quote_ident(grantor)));
        }
        let about = Address::new(CatalogId::ROLE, oid);
        let object = format!("membership of {member} in {}", membership.role);
        self.say(about, &object, Section::PreData, Action::Grant, sql);
    }

    fn setting(&mut self, model: &ClusterModel, setting: &Setting) {
        let database = quote_ident(&self.options.database);
        let whose = match (&setting.role, setting.holds) {
            (Some(role), SettingHolds::Everywhere) => format!("ROLE {}", quote_ident(role)),
            (Some(role), SettingHolds::InDatabase) => {
                format!("ROLE {} IN DATABASE {database}", quote_ident(role))
            }
            (None, SettingHolds::InDatabase) => format!("DATABASE {database}"),
            (None, SettingHolds::Everywhere) => "ROLE ALL".to_owned(),
        };
        let sql = format!(
            "ALTER {whose} SET {} TO {}",
            quote_ident(&setting.name),
            value(setting)
        );
        let role = model
            .roles
            .iter()
            .find(|role| Some(&role.name) == setting.role.as_ref());
        let about = match role {
            Some(role) => Address::new(CatalogId::ROLE, role.oid),
            None => Address::new(CatalogId::DATABASE, model.database.oid),
        };
        let object = format!("setting {}", setting.name);
        self.say(about, &object, Section::Access, Action::Configure, sql);
    }

    /// Whoever the server's first role is, it is taken for the grantor.
    fn parameter(&mut self, parameter: &Parameter, database: &Database) {
        let name: Vec<String> = parameter.name.split('.').map(quote_ident).collect();
        let grantors = parameter.acl.base.iter().map(|item| &item.grantor);
        let first = grantors.min().cloned().unwrap_or_default();
        let on = On {
            object: &format!("PARAMETER {}", name.join(".")),
            column: None,
            owner: &first,
        };
        let about = Address::new(CatalogId::PARAMETER_ACL, database.oid);
        let object = format!("parameter {}", parameter.name);
        for change in changes(&parameter.acl, on) {
            self.say(about, &object, Section::Access, Action::Grant, change.sql);
            if let Some(last) = self.statements.last_mut() {
                last.as_role = change.as_role;
            }
        }
    }

    fn database(&mut self, database: &Database) {
        let about = Address::new(CatalogId::DATABASE, database.oid);
        let name = quote_ident(&self.options.database);
        let object = format!("database {}", database.name);
        let owner = quote_ident(&database.owner);
        let sql = format!("ALTER DATABASE {name} OWNER TO {owner}");
        self.say(about, &object, Section::Access, Action::Owner, sql);
        if database.connection_limit != -1 {
            let sql = format!(
                "ALTER DATABASE {name} CONNECTION LIMIT {}",
                database.connection_limit
            );
            self.say(about, &object, Section::Access, Action::Configure, sql);
        }
        if let Some(comment) = &database.comment {
            let sql = format!("COMMENT ON DATABASE {name} IS {}", quote_literal(comment));
            self.say(about, &object, Section::Access, Action::Describe, sql);
        }
        let on = On {
            object: &format!("DATABASE {name}"),
            column: None,
            owner: &database.owner,
        };
        for change in changes(&database.acl, on) {
            self.say(about, &object, Section::Access, Action::Grant, change.sql);
            if let Some(last) = self.statements.last_mut() {
                last.as_role = change.as_role;
            }
        }
    }
}

const ATTRIBUTES: [(RoleAttribute, &str); 7] = [
    (RoleAttribute::Superuser, "SUPERUSER"),
    (RoleAttribute::Inherit, "INHERIT"),
    (RoleAttribute::CreateRole, "CREATEROLE"),
    (RoleAttribute::CreateDb, "CREATEDB"),
    (RoleAttribute::Login, "LOGIN"),
    (RoleAttribute::Replication, "REPLICATION"),
    (RoleAttribute::BypassRls, "BYPASSRLS"),
];

/// A list is given name by name: as one literal it would be one name.
fn value(setting: &Setting) -> String {
    if !LISTS.contains(&setting.name.to_lowercase().as_str()) {
        return quote_literal(&setting.value);
    }
    let names: Vec<String> = split(&setting.value)
        .iter()
        .map(|name| quote_literal(name))
        .collect();
    if names.is_empty() {
        "''".to_owned()
    } else {
        names.join(", ")
    }
}

/// The names of a list such as `"$user", public`.
fn split(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = list.trim();
    while !rest.is_empty() {
        let mut name = String::new();
        let mut chars = rest.char_indices().peekable();
        let quoted = rest.starts_with('"');
        if quoted {
            chars.next();
        }
        let mut end = rest.len();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' if quoted && chars.next_if(|(_, next)| *next == '"').is_some() => {
                    name.push('"');
                }
                '"' if quoted => {
                    end = rest[at..].find(',').map_or(rest.len(), |comma| at + comma);
                    break;
                }
                ',' if !quoted => {
                    end = at;
                    break;
                }
                c => name.push(c),
            }
        }
        names.push(if quoted { name } else { name.trim().to_owned() });
        rest = rest.get(end + 1..).unwrap_or_default().trim_start();
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_as_the_server_quotes_them() {
        assert_eq!(split(r#""$user", public"#), ["$user", "public"]);
        assert_eq!(split(r#""a,""b", c , "d""#), ["a,\"b", "c", "d"]);
        assert_eq!(split(""), Vec::<String>::new());
        assert_eq!(split("\"\""), [""]);
    }
}
