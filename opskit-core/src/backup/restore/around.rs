//! What is around the objects: the roles that the target lacks, and what is set for the database.
//!
//! Roles come first, in one transaction: all of them or none. What is set for the database comes last, because
//! it changes how statements are understood. What the target's role may not do, and what a superuser does not
//! do for strangers, is left out by name.

use super::login;
use super::plan::SessionKind;
use super::request::{Carry, MissingRoles, Part, RestoreRequest, Trust};
use super::settings::{NOT_TRUSTED, Settable};
use super::target::{RoleHere, Target, field, rows};
use crate::catalog::CatalogId;
use crate::catalog::cluster::{
    ClusterModel, ClusterOptions, ClusterScript, Membership, Role, RoleAttribute, Setting,
    SettingHolds,
};
use crate::catalog::ddl::{Action, Statement};
use crate::catalog::model::Acl;
use crate::catalog::scope::is_platform_role;
use crate::error::Result;
use crate::name::quote_ident;
use crate::postgres::wire::WireConnection;
use std::collections::{BTreeSet, HashSet};

/// The statements, and what is left out.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// Makes the roles. One transaction.
    pub(super) roles: Vec<Statement>,
    /// What is set for the database.
    pub(super) database: Vec<Statement>,
    /// The roles that are made.
    pub(super) made: Vec<String>,
    pub(super) skipped: Vec<String>,
    pub(super) problems: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// What the target's role may do around the database.
#[derive(Debug)]
struct May {
    has: HashSet<RoleAttributeName>,
    owns_database: bool,
    set: Settable,
    is_superuser: bool,
    /// Whose word is taken for what the backup says.
    is_trusted: bool,
    version: u32,
}

type RoleAttributeName = &'static str;

const ATTRIBUTES: [(RoleAttribute, RoleAttributeName); 5] = [
    (RoleAttribute::Superuser, "SUPERUSER"),
    (RoleAttribute::CreateRole, "CREATEROLE"),
    (RoleAttribute::CreateDb, "CREATEDB"),
    (RoleAttribute::Replication, "REPLICATION"),
    (RoleAttribute::BypassRls, "BYPASSRLS"),
];

/// Plans what is done around the objects, and adds the roles that will be made to those of the target.
pub(super) async fn plan(
    admin: &mut WireConnection,
    cluster: Option<&ClusterModel>,
    target: &mut Target,
    request: &RestoreRequest,
    kind: SessionKind,
) -> Result<Around> {
    let mut around = Around::default();
    let Some(cluster) = cluster else {
        return Ok(around);
    };
    let may = May::read(admin, request, kind).await?;
    if request.roles == MissingRoles::Create && request.part != Part::Data {
        around.roles(cluster, target, &may);
    }
    if request.only.is_empty() && request.part != Part::Data {
        around.database(cluster, target, request, &may);
    }
    for name in &around.made {
        target.roles.push(RoleHere {
            name: name.clone(),
            may_act: true,
            is_privileged: may.is_trusted
                && cluster.roles.iter().any(|role| {
                    role.name == *name
                        && ATTRIBUTES
                            .iter()
                            .any(|(it, _)| role.attributes.contains(it))
                }),
        });
    }
    Ok(around)
}

impl May {
    async fn read(
        admin: &mut WireConnection,
        request: &RestoreRequest,
        kind: SessionKind,
    ) -> Result<Self> {
        let sql = "select r.rolsuper::pg_catalog.text, r.rolcreaterole::pg_catalog.text, r.rolcreatedb::pg_catalog.text, \
             r.rolreplication::pg_catalog.text, r.rolbypassrls::pg_catalog.text, \
             pg_catalog.pg_has_role(current_user, d.datdba, 'USAGE')::pg_catalog.text \
             from pg_catalog.pg_roles r, pg_catalog.pg_database d \
             where r.rolname = current_user and d.datname = pg_catalog.current_database()";
        let row = rows(admin, sql)
            .await?
            .into_iter()
            .next()
            .unwrap_or_default();
        let is_superuser = field(&row, 0) == "true";
        let is_trusted = kind == SessionKind::Own && request.trust == Trust::Backup;
        let attributes = ATTRIBUTES.iter().enumerate();
        Ok(Self {
            has: attributes
                .filter(|(at, _)| field(&row, *at) == "true")
                .map(|(_, (_, word))| *word)
                .collect(),
            owns_database: field(&row, 5) == "true",
            set: Settable::read(admin, (is_superuser, is_trusted)).await?,
            is_superuser,
            is_trusted,
            version: admin.server_version_num(),
        })
    }

    fn create_roles(&self) -> bool {
        self.is_superuser || self.has.contains("CREATEROLE")
    }

    /// Whether a new role may have an attribute.
    fn give(&self, attribute: RoleAttribute, word: RoleAttributeName) -> bool {
        let is_harmless = attribute == RoleAttribute::CreateDb;
        if !is_harmless && !self.is_trusted {
            return false;
        }
        let by_createrole = matches!(
            attribute,
            RoleAttribute::CreateDb | RoleAttribute::CreateRole
        );
        self.is_superuser
            || attribute != RoleAttribute::Superuser
                && (self.has.contains(word) && self.version >= 160_000
                    || by_createrole && self.version < 160_000)
    }
}

impl Around {
    fn roles(&mut self, cluster: &ClusterModel, target: &Target, may: &May) {
        let there: BTreeSet<&str> = target.roles.iter().map(|role| role.name.as_str()).collect();
        let lacking = cluster
            .roles
            .iter()
            .filter(|role| !there.contains(role.name.as_str()) && is_made(&role.name));
        let roles: Vec<Role> = lacking.map(|role| self.role(role, may)).collect();
        if roles.is_empty() {
            return;
        }
        if !may.create_roles() {
            self.problems
                .push(format!("role \"{}\" may not create roles", target.role));
            return;
        }
        let made: BTreeSet<&str> = roles.iter().map(|role| role.name.as_str()).collect();
        let memberships = cluster.memberships.iter();
        let memberships: Vec<Membership> = memberships
            .filter_map(|it| self.membership(it, (&made, &there), may))
            .collect();
        let settings = cluster.settings.iter();
        let of_made = settings.filter(|it| it.role.as_deref().is_some_and(|it| made.contains(it)));
        let settings: Vec<Setting> = of_made.filter_map(|it| self.setting(it, may)).collect();
        self.made = made.iter().map(|&name| name.to_owned()).collect();
        let logins = roles.iter();
        let logins = logins.filter(|role| role.attributes.contains(&RoleAttribute::Login));
        let logins: Vec<String> = logins.map(|role| format!("\"{}\"", role.name)).collect();
        if !logins.is_empty() {
            self.warnings.push(format!(
                "no backup has passwords: set those of the new roles {}",
                logins.join(", ")
            ));
        }
        let model = ClusterModel {
            roles,
            memberships,
            settings,
            parameters: Vec::new(),
            ..cluster.clone()
        };
        self.roles = script(&model, target)
            .into_iter()
            .filter(|it| it.about.catalog == CatalogId::ROLE)
            .collect();
        if !may.is_superuser {
            self.join(target);
        }
    }

    /// Only a member of a role may give it objects.
    fn join(&mut self, target: &Target) {
        let how = match target.version >= 160_000 {
            true => " WITH INHERIT TRUE, SET TRUE",
            false => "",
        };
        for name in self.made.clone() {
            let Some(first) = self.roles.first().cloned() else {
                return;
            };
            self.roles.push(Statement {
                object: format!("membership of {} in {name}", target.role),
                action: Action::Grant,
                sql: format!(
                    "GRANT {} TO {}{how}",
                    quote_ident(&name),
                    quote_ident(&target.role)
                ),
                ..first
            });
        }
        self.warnings.push(format!(
            "role \"{}\" becomes a member of the new roles, to give them their objects",
            target.role
        ));
    }

    fn role(&mut self, role: &Role, may: &May) -> Role {
        let mut role = role.clone();
        for (attribute, word) in ATTRIBUTES {
            if role.attributes.contains(&attribute) && !may.give(attribute, word) {
                role.attributes.retain(|it| *it != attribute);
                self.skipped.push(format!(
                    "{word} of role {}: {}",
                    role.name,
                    if may.is_trusted {
                        "the target's role may not give it"
                    } else {
                        NOT_TRUSTED
                    }
                ));
            }
        }
        role
    }

    /// A stranger's backup opens none of the roles that are there.
    fn membership(
        &mut self,
        it: &Membership,
        (made, there): (&BTreeSet<&str>, &BTreeSet<&str>),
        may: &May,
    ) -> Option<Membership> {
        let is_new = |name: &str| made.contains(name);
        if !is_new(&it.role) && !is_new(&it.member) {
            return None;
        }
        let exists = |name: &str| is_new(name) || there.contains(name);
        let reason = if !exists(&it.role) || !exists(&it.member) {
            "the target lacks one of the two"
        } else if !is_new(&it.role) && !may.is_trusted {
            NOT_TRUSTED
        } else {
            let names_grantor = may.is_superuser && may.is_trusted;
            let grantor = it.grantor.clone().filter(|_| names_grantor);
            return Some(Membership {
                grantor: grantor.filter(|grantor| exists(grantor)),
                ..it.clone()
            });
        };
        let what = format!("membership of role {} in {}: {reason}", it.member, it.role);
        self.skipped.push(what);
        None
    }

    fn setting(&mut self, it: &Setting, may: &May) -> Option<Setting> {
        let Some(why) = may.set.refuses(&it.name) else {
            return Some(it.clone());
        };
        let whose = match &it.role {
            Some(role) => format!("role {role}"),
            None => "the database".to_owned(),
        };
        self.skipped
            .push(format!("setting {} of {whose}: {why}", it.name));
        None
    }

    fn database(
        &mut self,
        cluster: &ClusterModel,
        target: &Target,
        request: &RestoreRequest,
        may: &May,
    ) {
        let exists = self.exists(target);
        let mut model = ClusterModel {
            roles: Vec::new(),
            memberships: Vec::new(),
            ..cluster.clone()
        };
        model.settings = self.settings_in(cluster, target, &exists, may);
        self.grants(&mut model, &exists, request, may);
        let owner = model.database.owner.clone();
        let may_own = exists.contains(&owner)
            && (may.is_superuser || target.may_act_for(&owner) == Some(true));
        let mut statements = script(&model, target);
        statements.retain(|it| match it.action {
            Action::Owner => request.owners == Carry::Keep && may_own,
            Action::Grant => request.privileges == Carry::Keep,
            _ => true,
        });
        if !may.is_superuser && !may.owns_database {
            let done = statements.iter().filter(|it| it.action != Action::Owner);
            let done: BTreeSet<&str> = done.map(|it| it.object.as_str()).collect();
            self.skipped.extend(
                done.into_iter()
                    .map(|object| format!("{object}: the database belongs to somebody else")),
            );
            return;
        }
        if request.owners == Carry::Keep && !may_own {
            self.skipped.push(format!(
                "owner of the database: role \"{owner}\" is not there, or not the target's role's to give to"
            ));
        }
        self.database = statements;
    }

    /// All roles that there will be.
    fn exists(&self, target: &Target) -> HashSet<String> {
        let there = target.roles.iter().map(|role| &role.name);
        there.chain(&self.made).cloned().collect()
    }

    /// Leaves the privileges that can be granted.
    fn grants(
        &mut self,
        model: &mut ClusterModel,
        exists: &HashSet<String>,
        request: &RestoreRequest,
        may: &May,
    ) {
        let granted = |acl: &mut Acl| {
            let known = |name: &String| exists.contains(name);
            let all = acl.items.len();
            acl.items
                .retain(|item| item.grantee.as_ref().is_none_or(known) && known(&item.grantor));
            all - acl.items.len()
        };
        if granted(&mut model.database.acl) > 0 {
            self.skipped
                .push("privileges on the database of roles that the target lacks".to_owned());
        }
        if may.is_superuser && may.is_trusted && request.privileges == Carry::Keep {
            for parameter in &mut model.parameters {
                granted(&mut parameter.acl);
            }
        } else {
            let left = model.parameters.drain(..);
            let left = left.map(|it| format!("privileges on parameter {}: {NOT_TRUSTED}", it.name));
            self.skipped.extend(left);
        }
    }

    /// What is set for the database, and in it for roles that were there before.
    fn settings_in(
        &mut self,
        cluster: &ClusterModel,
        target: &Target,
        exists: &HashSet<String>,
        may: &May,
    ) -> Vec<Setting> {
        let mut kept = Vec::new();
        for it in &cluster.settings {
            match (&it.role, it.holds) {
                (None, SettingHolds::Everywhere) => self.skipped.push(format!(
                    "setting {} of all roles: it is the cluster's",
                    it.name
                )),
                (None, SettingHolds::InDatabase) => kept.extend(self.setting(it, may)),
                // Those of new roles came with them.
                (Some(role), _) if self.made.contains(role) => {}
                (Some(role), SettingHolds::InDatabase) if exists.contains(role) => {
                    let is_open = may.is_superuser || target.may_act_for(role) == Some(true);
                    if is_open && (may.is_trusted || !target.is_privileged(role)) {
                        kept.extend(self.setting(it, may));
                    } else {
                        let what = format!("setting {} of role {role}: {NOT_TRUSTED}", it.name);
                        self.skipped.push(what);
                    }
                }
                _ => {}
            }
        }
        kept
    }
}

/// Whether a role of this name is made where it is lacking: not the server's own, nor a platform's, nor the login of
/// another restore.
pub(in crate::backup) fn is_made(name: &str) -> bool {
    !name.starts_with("pg_") && !is_platform_role(name) && !name.starts_with(login::PREFIX)
}

fn script(model: &ClusterModel, target: &Target) -> Vec<Statement> {
    let options = ClusterOptions {
        target_version: target.version,
        database: target.database.clone(),
        existing: target.roles.iter().map(|role| role.name.clone()).collect(),
    };
    ClusterScript::of(model, &options).statements
}
