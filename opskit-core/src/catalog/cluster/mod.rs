//! What is around a database: the roles of its cluster and their settings, and the database itself.
//!
//! Apart from the [`model`](super::model), because it is made over another connection: roles must be
//! there before anything else, and settings come when everything is there, because they change how
//! statements are understood. Passwords are never read.

mod ddl;
mod read;

pub use ddl::{ClusterOptions, ClusterScript};
pub(crate) use read::ClusterReader;

use super::model::Acl;
use crate::error::{Result, unreadable_json};
use serde::{Deserialize, Serialize};

/// Roles, their settings, and the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterModel {
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// The roles that are not the server's own, by name.
    pub roles: Vec<Role>,
    /// Who is a member of what.
    pub memberships: Vec<Membership>,
    /// What was set for roles and for the database.
    pub settings: Vec<Setting>,
    /// The database.
    pub database: Database,
    /// Who may set which parameters.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
}

/// The privileges on a parameter of the server, from 15 on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its privileges.
    pub acl: Acl,
}

impl ClusterModel {
    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Damaged`](crate::ErrorKind::Damaged) for what is none.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        let what = "cannot understand the stored roles and settings";
        serde_json::from_slice(text).map_err(|source| unreadable_json(what, &source))
    }
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Its OID, by which reports name it.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// What it is and may do.
    pub attributes: Vec<RoleAttribute>,
    /// How many connections it may have; -1 means any number.
    pub connection_limit: i32,
    /// Until when its password is valid.
    pub valid_until: Option<String>,
    /// Its comment.
    pub comment: Option<String>,
}

/// What a role is and may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleAttribute {
    /// `SUPERUSER`.
    Superuser,
    /// `INHERIT`.
    Inherit,
    /// `CREATEROLE`.
    CreateRole,
    /// `CREATEDB`.
    CreateDb,
    /// `LOGIN`.
    Login,
    /// `REPLICATION`.
    Replication,
    /// `BYPASSRLS`.
    BypassRls,
}

/// One role is a member of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The role that is granted.
    pub role: String,
    /// Who is a member.
    pub member: String,
    /// Who granted it, when it was not the first superuser.
    pub grantor: Option<String>,
    /// `WITH ADMIN`, from 16 on `INHERIT` and `SET`.
    pub options: MembershipOptions,
}

/// How one role is a member of another. What a version does not know is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipOptions {
    /// Whether the member may grant it on.
    pub admin: bool,
    /// Whether it has the role's privileges without `SET ROLE`.
    pub inherit: Option<bool>,
    /// Whether it may `SET ROLE`.
    pub set: Option<bool>,
}

/// A setting of a role, of the database, or of a role in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The role; all when none.
    pub role: Option<String>,
    /// Where it holds.
    pub holds: SettingHolds,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Where a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingHolds {
    /// In all databases.
    Everywhere,
    /// In this one.
    InDatabase,
}

/// The database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its OID.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: String,
    /// Its encoding.
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// `libc`, `icu` or `builtin`.
    pub locale_provider: String,
    /// The locale of a provider other than `libc`.
    pub locale: Option<String>,
    /// ICU's rules.
    pub icu_rules: Option<String>,
    /// The version of its collation.
    pub collation_version: Option<String>,
    /// How many connections it may have; -1 means any number.
    pub connection_limit: i32,
    /// Its comment.
    pub comment: Option<String>,
    /// Its privileges.
    pub acl: Acl,
}
