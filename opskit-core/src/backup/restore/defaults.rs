//! The target's default privileges: what it grants on everything that its role makes. A backup says of
//! each object who may do what, so that is taken back where the object is made, before it has rows.

use super::plan::SessionKind;
use super::request::{Carry, RestoreRequest};
use super::steps::{Who, who};
use super::target::{field, rows};
use crate::catalog::Address;
use crate::catalog::ddl::{Action, Section, Statement};
use crate::catalog::model::{Definition, Model, Object, Target};
use crate::error::Result;
use crate::name::quote_ident;
use crate::postgres::wire::WireConnection;
use std::collections::{BTreeSet, HashMap};

/// Default privileges of one role.
#[derive(Debug, Default)]
struct Defaults {
    role: String,
    entries: Vec<Entry>,
}

/// What one of them grants to one grantee.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// Where it holds; everywhere when none. Those replace the server's own, those of a schema are added.
    in_schema: Option<String>,
    /// The class of objects, by the letter of the catalog.
    of: String,
    /// Nobody when none.
    grantee: Option<String>,
}

/// Whose an object is once it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The role's that has the defaults.
    Own,
    /// Made by that role, and then the temporary login's, with all that an owner has.
    HandedOver,
    /// The temporary login's, which has no defaults.
    Logins,
}

/// The grantee that is everybody: no role can have this name.
const PUBLIC: &str = "public";

const ENTRIES: &str = "select distinct current_user::pg_catalog.text, n.nspname::pg_catalog.text, d.defaclobjtype::pg_catalog.text, \
   case when x.grantee = 0 then 'public' else pg_catalog.pg_get_userbyid(x.grantee) end::pg_catalog.text \
 from pg_catalog.pg_default_acl d left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace \
   left join lateral pg_catalog.aclexplode(case when pg_catalog.cardinality(d.defaclacl) > 0 then d.defaclacl end) x on true \
 where d.defaclrole = (select r.oid from pg_catalog.pg_roles r where r.rolname = current_user) order by 1, 2, 3, 4";

/// Puts behind the statements that make objects what takes back what the target grants on them by itself.
pub(super) async fn take_back(
    session: &mut WireConnection,
    statements: Vec<Statement>,
    model: &Model,
    request: &RestoreRequest,
    kind: SessionKind,
) -> Result<Vec<Statement>> {
    if request.privileges == Carry::Leave {
        return Ok(statements);
    }
    let defaults = Defaults::read(session).await?;
    let whose = |it: &Statement| match (kind, who(it)) {
        (SessionKind::Own, _) => Whose::Own,
        (_, Who::Admin) => Whose::HandedOver,
        (_, Who::Worker) => Whose::Logins,
    };
    Ok(defaults.take_back(statements, model, whose))
}

impl Defaults {
    /// Those of the session's role.
    async fn read(session: &mut WireConnection) -> Result<Self> {
        let found = rows(session, ENTRIES).await?;
        let entry = |row: &crate::catalog::TextRow| Entry {
            in_schema: row.get(1).cloned().flatten(),
            of: field(row, 2),
            grantee: row.get(3).cloned().flatten(),
        };
        Ok(Self {
            role: found.first().map(|row| field(row, 0)).unwrap_or_default(),
            entries: found.iter().map(entry).collect(),
        })
    }

    /// Puts what takes them back behind the statements that make objects. Only objects that this role makes.
    fn take_back(
        &self,
        statements: Vec<Statement>,
        model: &Model,
        whose: impl Fn(&Statement) -> Whose,
    ) -> Vec<Statement> {
        if self.entries.is_empty() {
            return statements;
        }
        let objects: HashMap<Address, &Object> = model
            .objects
            .iter()
            .map(|object| (object.address, object))
            .collect();
        let owners = model.access.owners.iter();
        let names: HashMap<Address, &Target> =
            owners.map(|about| (about.address, &about.target)).collect();
        // An object that is made in steps is whole after the last of them.
        let mut last: HashMap<Address, usize> = HashMap::new();
        for (at, statement) in statements.iter().enumerate() {
            if statement.action == Action::Create && statement.section != Section::Access {
                last.insert(statement.about, at);
            }
        }
        let mut all = Vec::with_capacity(statements.len());
        let mut later = Vec::new();
        for (at, statement) in statements.into_iter().enumerate() {
            if statement.section == Section::Access {
                all.append(&mut later);
            }
            let whose = whose(&statement);
            let is_whole = last.get(&statement.about) == Some(&at) && whose != Whose::Logins;
            let object = objects.get(&statement.about).filter(|_| is_whole);
            let name = names.get(&statement.about).copied();
            let undone = object.map_or_else(Vec::new, |object| self.undo((object, name), whose));
            let undoing = undone.into_iter().map(|sql| Statement {
                // What is made after the rows is made by several sessions at once.
                section: match statement.section {
                    Section::PreData => Section::PreData,
                    _ => Section::Access,
                },
                action: Action::Grant,
                sql,
                ..statement.clone()
            });
            match statement.section {
                Section::PreData => {
                    let undoing: Vec<Statement> = undoing.collect();
                    all.push(statement);
                    all.extend(undoing);
                }
                _ => {
                    later.extend(undoing.collect::<Vec<_>>());
                    all.push(statement);
                }
            }
        }
        all.append(&mut later);
        all
    }

    /// The statements that leave a new object with what the server itself gives to one.
    fn undo(&self, (object, name): (&Object, Option<&Target>), whose: Whose) -> Vec<String> {
        let mut all = Vec::new();
        for (of, name) in subjects(object, name) {
            let applies = |entry: &&Entry| {
                let here = entry.in_schema.is_none() || entry.in_schema == object.schema;
                entry.of == of && here
            };
            let entries: Vec<&Entry> = self.entries.iter().filter(applies).collect();
            let everywhere = entries.iter().any(|entry| entry.in_schema.is_none());
            let open_to_all = matches!(of, "f" | "T");
            let grantees: BTreeSet<&String> = entries
                .iter()
                .filter_map(|entry| entry.grantee.as_ref())
                .filter(|grantee| **grantee != self.role && !(open_to_all && *grantee == PUBLIC))
                .collect();
            all.extend(
                grantees
                    .into_iter()
                    .map(|grantee| format!("REVOKE ALL ON {name} FROM {}", grantee_sql(grantee))),
            );
            if everywhere && whose == Whose::Own {
                all.push(format!(
                    "GRANT ALL ON {name} TO {}",
                    quote_ident(&self.role)
                ));
            }
            if everywhere && open_to_all {
                all.push(format!("GRANT ALL ON {name} TO PUBLIC"));
            }
        }
        all
    }
}

fn grantee_sql(grantee: &str) -> String {
    match grantee {
        PUBLIC => "PUBLIC".to_owned(),
        role => quote_ident(role),
    }
}

/// What of an object has privileges: the letter of its class, and its name after `ON`. An aggregate is declared
/// with more than its name takes there, and so has that as the server gives addresses.
fn subjects(object: &Object, named: Option<&Target>) -> Vec<(&'static str, String)> {
    let name = object.sql_identity();
    match &object.definition {
        Definition::Schema => vec![("n", format!("SCHEMA {name}"))],
        Definition::View(_) | Definition::MaterializedView(_) | Definition::ForeignTable(_) => {
            vec![("r", format!("TABLE {name}"))]
        }
        Definition::Table(table) => {
            let identities = table
                .columns
                .iter()
                .filter_map(|column| column.identity.as_ref());
            let sequences = identities
                .map(|identity| ("S", format!("SEQUENCE {}", identity.sequence.to_sql())));
            let mut all = vec![("r", format!("TABLE {name}"))];
            all.extend(sequences);
            all
        }
        Definition::Sequence(_) => vec![("S", format!("SEQUENCE {name}"))],
        Definition::Function(_) | Definition::Aggregate(_) => {
            let named = named.and_then(Target::to_grant_sql);
            vec![("f", named.unwrap_or_else(|| format!("ROUTINE {name}")))]
        }
        Definition::Type(_) | Definition::Domain(_) => vec![("T", format!("TYPE {name}"))],
        Definition::LargeObject => vec![("L", format!("LARGE OBJECT {}", object.address.oid))],
        _ => Vec::new(),
    }
}
