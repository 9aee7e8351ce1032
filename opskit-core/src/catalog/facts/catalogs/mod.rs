//! Which catalogs are walked, and what a row of each is about. A test proves that every catalog of a
//! server is either here or in [`NOT_WALKED`].
//!
//! Columns are not listed: what the server has is read, so that a column of a later version is a fact
//! from its first day. Listed is what is no fact, what means another object, and what only the
//! server can spell out.

mod cluster;
mod functions;
mod global;
mod relations;
mod text_search;

use crate::catalog::address::CatalogId;

/// Where the facts of a catalog belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// To the objects of the database.
    Objects,
    /// To the cluster, or to the database as a whole.
    Cluster,
}

/// Which statement explains a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The one that makes the row's object.
    Object,
    /// One of its own: defaults are made apart from their tables. The SQL gives the OID.
    Own(CatalogId, &'static str),
}

/// Which columns are attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Columns {
    /// All that the server has but these: those that say which object it is, those that follow from
    /// others, and those that a dump and a restore change.
    AllBut(&'static [&'static str]),
    /// These alone.
    Only(&'static [&'static str]),
}

/// What the number in a column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Objects, by their OIDs.
    Object(CatalogId),
    /// Columns of the relation that the named column holds.
    ColumnsOf(&'static str),
}

/// One catalog (or some of its rows) and how it is read. In SQL the row is `x`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    /// The catalog.
    pub(crate) catalog: &'static str,
    /// The view that is read in its place, where only superusers may read the catalog.
    pub(crate) source: Option<&'static str>,
    /// What it is joined with.
    pub(crate) joins: &'static str,
    /// Which rows.
    pub(crate) rows: &'static str,
    /// SQL for the address of the row's object.
    pub(crate) object: (&'static str, &'static str),
    /// Which statement explains it.
    pub(crate) about: About,
    /// Attributes that tell it from other rows of its object.
    pub(crate) part: &'static [&'static str],
    /// Which columns are attributes.
    pub(crate) columns: Columns,
    /// Columns that only SQL can spell out; left out where the server does not have them.
    pub(crate) spelled: &'static [(&'static str, &'static str)],
    /// Attributes that are no column.
    pub(crate) extra: &'static [(&'static str, &'static str)],
    /// A column of privileges, and SQL for those that the server grants of itself.
    pub(crate) acl: Option<(&'static str, &'static str)>,
    /// Columns of options, `name=value` each, that may hold secrets.
    pub(crate) options: &'static [&'static str],
    /// What numbers mean.
    pub(crate) targets: &'static [(&'static str, Target)],
    /// Where its facts belong.
    pub(crate) group: Group,
}

/// OIDs below this one are the server's own.
const MADE_LATER: &str = "x.oid >= 16384";

/// A walk over a catalog whose rows are objects themselves.
const WALK: Walk = Walk {
    catalog: "",
    source: None,
    joins: "",
    rows: MADE_LATER,
    object: ("0", "x.oid"),
    about: About::Object,
    part: &[],
    columns: Columns::AllBut(&["oid"]),
    spelled: &[],
    extra: &[],
    acl: None,
    options: &[],
    targets: &[],
    group: Group::Objects,
};

/// All walks.
pub(crate) fn walks() -> Vec<Walk> {
    let lists: [&[Walk]; 5] = [
        relations::WALKS,
        functions::WALKS,
        text_search::WALKS,
        global::WALKS,
        cluster::WALKS,
    ];
    lists.concat()
}

/// Catalogs that hold no facts of their own, with the reason.
pub(crate) const NOT_WALKED: &[(&str, &str)] = &[
    (
        "pg_init_privs",
        "says which privileges are no change; privileges of others' objects are compared with it",
    ),
    ("pg_largeobject", "holds data"),
    (
        "pg_replication_origin",
        "is a state of replication, not of the database",
    ),
    ("pg_shdepend", "follows from owners and privileges"),
    ("pg_statistic", "is gathered by ANALYZE"),
    ("pg_statistic_ext_data", "is gathered by ANALYZE"),
    ("pg_subscription_rel", "is a state of replication"),
];

use CatalogId as C;
use Target::{ColumnsOf, Object};
