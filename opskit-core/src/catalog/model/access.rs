//! What is said about objects beside their definitions: owners, privileges, comments, security labels,
//! row-level security.
//!
//! It is read class by class of the catalog rather than object by object of the model, because some of
//! it is about objects that the model leaves to others: columns, constraints, members of extensions
//! whose privileges were changed.

use super::acl::{Acl, items};
use super::read::{ReadContext, not_of_extension};
use super::subject::{COLUMN, SUBJECTS, Subject};
use super::target::{Target, args_sql};
use super::{Address, CatalogId};
use serde::{Deserialize, Serialize};

/// Everything that is said about objects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Access {
    /// Owners of the objects of the model.
    pub owners: Vec<About<Owner>>,
    /// Privileges that differ from those of a new object.
    pub privileges: Vec<About<Privileges>>,
    /// Comments.
    pub comments: Vec<About<Comment>>,
    /// Security labels.
    pub labels: Vec<About<SecurityLabel>>,
    /// Tables with row-level security.
    pub row_security: Vec<About<RowSecurity>>,
}

impl Access {
    /// The classes of the objects that something is said about.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &str> {
        fn of<T>(list: &[About<T>]) -> impl Iterator<Item = &str> {
            list.iter().map(|about| about.target.kind.as_str())
        }
        let first = of(&self.owners).chain(of(&self.privileges));
        let rest = of(&self.labels).chain(of(&self.row_security));
        first.chain(of(&self.comments)).chain(rest)
    }
}

/// Something said about an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About<T> {
    /// The object; for a column its table.
    pub address: Address,
    /// What it is called.
    pub target: Target,
    /// What is said.
    pub is: T,
}

/// Who owns an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The role.
    pub role: String,
}

/// The privileges of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Privileges {
    /// The owner, whom grants without another grantor come from.
    pub owner: String,
    /// Who made the object.
    pub maker: Maker,
    /// The privileges.
    pub acl: Acl,
}

/// Who made an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// The user.
    User,
    /// An extension of the user's.
    Extension,
    /// The server: it is in every database.
    Server,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Its text.
    pub text: String,
}

/// A security label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityLabel {
    /// Who understands it.
    pub provider: String,
    /// Its text.
    pub label: String,
}

/// Row-level security of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSecurity {
    /// Whether policies apply.
    pub enabled: bool,
    /// Whether they apply to the table's owner too.
    pub forced: bool,
}

/// A query for things said about objects: `catalog, oid, target, json`.
#[derive(Debug)]
pub(crate) struct AccessReading {
    /// What is read, for errors.
    pub(crate) what: &'static str,
    /// The query.
    pub(crate) sql: String,
    /// Puts an answer where it belongs.
    pub(crate) take: fn(&mut Access, Address, Target, &str) -> serde_json::Result<()>,
}

macro_rules! into {
    ($list:ident) => {
        |access, address, target, json| {
            let is = serde_json::from_str(json)?;
            access.$list.push(About {
                address,
                target,
                is,
            });
            Ok(())
        }
    };
}

/// The queries.
pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<AccessReading> {
    vec![
        AccessReading {
            what: "the owners",
            sql: owners(cx),
            take: into!(owners),
        },
        AccessReading {
            what: "the privileges",
            sql: privileges(cx),
            take: into!(privileges),
        },
        AccessReading {
            what: "the comments",
            sql: described(
                cx,
                "pg_description",
                "json_build_object('text', d.description)",
            ),
            take: into!(comments),
        },
        AccessReading {
            what: "the security labels",
            sql: described(
                cx,
                "pg_seclabel",
                "json_build_object('provider', d.provider, 'label', d.label)",
            ),
            take: into!(labels),
        },
        AccessReading {
            what: "the row-level security",
            sql: row_security(cx),
            take: into!(row_security),
        },
    ]
}

impl Access {
    /// Leaves out what is about objects that others should have read into the model, and did not; and
    /// gives the rest an order that does not depend on addresses.
    pub(super) fn settle(&mut self, in_model: impl Fn(Address) -> bool) {
        self.owners.retain(|about| in_model(about.address));
        // On a platform's table only those of the user's are in the model.
        let known = |address: Address| {
            !matches!(address.catalog, CatalogId::TRIGGER | CatalogId::POLICY) || in_model(address)
        };
        self.comments.retain(|about| known(about.address));
        self.labels.retain(|about| known(about.address));
        sort(&mut self.owners);
        sort(&mut self.privileges);
        sort(&mut self.comments);
        sort(&mut self.labels);
        sort(&mut self.row_security);
    }
}

fn sort<T>(list: &mut [About<T>]) {
    list.sort_by(|one, other| one.target.cmp(&other.target));
}

/// The selected columns for the object `s.classid, s.objid, s.objsubid`, but for the last. Where the class
/// gives kind and names itself, the server need not look the object up.
fn identity() -> String {
    format!(
        "s.classid, s.objid, case when s.kind is not null \
         then pg_catalog.json_build_array(s.kind, s.names, '{{}}'::pg_catalog.text[]) \
         else (select pg_catalog.json_build_array(i.type, coalesce(s.names, i.object_names), {args}) \
           from pg_catalog.pg_identify_object_as_address(s.classid, s.objid, s.objsubid) i) end",
        args = args_sql("s.classid", "s.objid"),
    )
}

/// All rows of the classes that `wanted` picks, as `classid, objid, objsubid, kind, names, owner, acl,
/// fresh`.
fn subjects(cx: &ReadContext<'_>, wanted: fn(&Subject) -> bool, condition: Condition) -> String {
    let selects: Vec<String> = SUBJECTS
        .iter()
        .filter(|subject| wanted(subject))
        .map(|subject| subject.select(cx, condition))
        .collect();
    selects.join(" union all ")
}

/// Which rows of a class are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// Those that can change their owner.
    Owned,
    /// Those with privileges that somebody changed.
    Granted,
    /// Those that can have comments and labels.
    Described,
}

fn owners(cx: &ReadContext<'_>) -> String {
    let identity = identity();
    format!(
        "select {identity}, pg_catalog.json_build_object('role', pg_catalog.pg_get_userbyid(s.owner)) \
         from ({}) s",
        subjects(cx, |subject| subject.owner.is_some(), Condition::Owned)
    )
}

/// Members of extensions and the server's own objects are compared with what they were made with. Many
/// objects have the same privileges, so each list of them is spelled out once.
fn privileges(cx: &ReadContext<'_>) -> String {
    let identity = identity();
    format!(
        "with s as materialized (select * from (select a.*, coalesce(a.acl, a.fresh) as now, \
             coalesce(p.initprivs, a.fresh) as base \
           from ({} union all {}) a \
           left join pg_catalog.pg_init_privs p on p.classoid = a.classid and p.objoid = a.objid \
             and p.objsubid = a.objsubid \
           where a.acl is not null or p.initprivs is not null or a.names = array['public']) a \
           where a.now is distinct from a.base or a.names = array['public']), \
         l as materialized (select u.acl, {items} as list \
           from (select s.now from s union select s.base from s) u(acl)) \
         select {identity}, pg_catalog.json_build_object( \
           'owner', pg_catalog.pg_get_userbyid(s.owner), \
           'maker', case when exists (select from pg_catalog.pg_depend e where e.refclassid = {extension} \
                and e.classid = s.classid and e.objid = s.objid and e.objsubid = 0 and e.deptype = 'e') then 'extension' \
              when s.objid < 16384 and s.names is distinct from array['public'] \
                and s.classid <> {large_object} then 'server' else 'user' end, \
           'acl', pg_catalog.json_build_object('items', is_now.list, 'base', is_base.list)) \
         from s left join l is_now on is_now.acl = s.now left join l is_base on is_base.acl = s.base",
        subjects(cx, |subject| subject.acl.is_some(), Condition::Granted),
        COLUMN.select(cx, Condition::Granted),
        extension = CatalogId::EXTENSION.0,
        large_object = CatalogId::LARGE_OBJECT.0,
        items = items("u.acl"),
    )
}

/// An extension has its comment from its files, and only its owner may say so again.
fn described(cx: &ReadContext<'_>, catalog: &str, json: &str) -> String {
    let identity = identity();
    format!(
        "select {identity}, s.said \
         from (select a.classid, a.objid, d.objsubid, \
               case when d.objsubid = 0 then a.kind else a.kind || ' column' end as kind, \
               case when d.objsubid = 0 then a.names when a.kind is not null then a.names || ( \
                 select c.attname::pg_catalog.text from pg_catalog.pg_attribute c \
                 where c.attrelid = a.objid and c.attnum = d.objsubid) end as names, \
               pg_catalog.{json} as said \
               from ({}) a join pg_catalog.{catalog} d on d.classoid = a.classid and d.objoid = a.objid \
               where not exists (select from pg_catalog.pg_extension e join pg_catalog.pg_available_extensions v on v.name = e.extname \
                 where a.classid = {extension} and e.oid = a.objid and pg_catalog.to_jsonb(d.*) operator(pg_catalog.->>) 'description' = v.comment)) s",
        subjects(cx, |_| true, Condition::Described),
        extension = CatalogId::EXTENSION.0,
    )
}

fn row_security(cx: &ReadContext<'_>) -> String {
    let identity = identity();
    format!(
        "select {identity}, pg_catalog.json_build_object('enabled', s.relrowsecurity, \
           'forced', s.relforcerowsecurity) \
         from (select {class}::pg_catalog.oid as classid, c.oid as objid, 0 as objsubid, \
               null::pg_catalog.text as kind, \
               null::pg_catalog.text[] as names, c.relrowsecurity, c.relforcerowsecurity \
               from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
               where (c.relrowsecurity or c.relforcerowsecurity) and {scope} and {own}) s",
        class = CatalogId::CLASS.0,
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    )
}
