//! How objects hang together: what needs what, and what is only a part of something.

use super::outside::{Identities, Outside};
use super::{Address, CatalogId, Definition, Need, Object, Part};
use crate::catalog::{TextRow, number, text};
use crate::error::{Error, ErrorKind, Result};
use std::collections::{HashMap, HashSet};

/// What has an address of its own but comes with another object. Each query gives the part's catalog
/// and OID, then those of what brings it, which may be a part again.
const PARTS: &[&str] = &[
    // The row type of a relation. A composite type is the other way round: its relation is the part.
    "select case when c.relkind = 'c' then 1259 else 1247 end, case when c.relkind = 'c' then c.oid else t.oid end, \
     case when c.relkind = 'c' then 1247 else 1259 end, case when c.relkind = 'c' then t.oid else c.oid end \
     from pg_catalog.pg_type t join pg_catalog.pg_class c on c.oid = t.typrelid where t.oid >= 16384",
    // Array types.
    "select 1247, t.typarray, 1247, t.oid from pg_catalog.pg_type t where t.typarray >= 16384",
    // TOAST tables and their indexes.
    "select 1259, c.reltoastrelid, 1259, c.oid from pg_catalog.pg_class c where c.reltoastrelid >= 16384",
    "select 1259, i.indexrelid, 1259, i.indrelid from pg_catalog.pg_index i \
     join pg_catalog.pg_class c on c.oid = i.indrelid and c.relkind = 't' where i.indexrelid >= 16384",
    // The index of a constraint.
    "select 1259, k.conindid, 2606, k.oid from pg_catalog.pg_constraint k where k.contype in ('p', 'u', 'x')",
    // The sequence of an identity column.
    "select 1259, d.objid, 1259, d.refobjid from pg_catalog.pg_depend d \
     join pg_catalog.pg_class s on s.oid = d.objid and s.relkind = 'S' \
     where d.classid = 1259 and d.refclassid = 1259 and d.deptype = 'i'",
    // The query of a view.
    "select 2618, r.oid, 1259, r.ev_class from pg_catalog.pg_rewrite r where r.rulename = '_RETURN' and r.oid >= 16384",
    // NOT NULL constraints, from version 18 on.
    "select 2606, k.oid, 1259, k.conrelid from pg_catalog.pg_constraint k where k.contype = 'n' and k.conrelid <> 0",
    // What a foreign key of a partitioned table makes for each partition.
    "select 2606, k.oid, 2606, k.conparentid from pg_catalog.pg_constraint k where k.contype = 'f' and k.conparentid <> 0",
    // The triggers that a partitioned table gives its partitions. Nothing can need those of a foreign key.
    "select 2620, t.oid, 2620, t.tgparentid from pg_catalog.pg_trigger t where t.tgparentid <> 0",
    "select 2606, t.tgconstraint, 2620, t.oid from pg_catalog.pg_trigger t where not t.tgisinternal and t.tgconstraint <> 0",
    // Operators and functions within an operator class, or within its family alone.
    "select d.classid, d.objid, d.refclassid, d.refobjid from pg_catalog.pg_depend d \
     where d.classid in (2602, 2603) and d.refclassid in (2616, 2753) and d.deptype in ('a', 'i')",
    // The constructors of a range, and its cast into multiranges.
    "select d.classid, d.objid, 1247, d.refobjid from pg_catalog.pg_depend d \
     where d.classid = 1255 and d.refclassid = 1247 and d.deptype = 'i'",
    "select d.classid, d.objid, 1247, r.rngtypid from pg_catalog.pg_depend d \
     join pg_catalog.pg_range r on r.rngtypid = d.refobjid \
     where d.classid = 2605 and d.refclassid = 1247 and d.deptype = 'i'",
    // Whatever belongs to an extension.
    "select d.classid, d.objid, d.refclassid, d.refobjid from pg_catalog.pg_depend d \
     where d.deptype = 'e' and d.objsubid = 0",
];

/// The parts that versions before 14 do not know.
const PARTS_14: &str = "select 1247, r.rngmultitypid, 1247, r.rngtypid from pg_catalog.pg_range r \
     where r.rngmultitypid >= 16384";

/// What needs what, as the server knows it.
///
/// - Within one relation, and what is needed of a schema, is known without it; so is that a default needs
///   its relation. TOAST tables, indexes of constraints, sequences of identity columns and triggers of foreign keys
///   are parts, and need what they are parts of.
/// - A sequence that belongs to a column does not need it: the column's default needs the sequence.
/// - A foreign key of a partition that its parent's has taken over comes first, so that the parent's finds it.
/// - So does a check constraint that is not validated and that a child declares too; one that only the
///   child has validated is validated after the parent's is there.
const NEEDS: &str = "select d.classid, d.objid, d.refclassid, d.refobjid from pg_catalog.pg_depend d \
     where d.deptype not in ('e', 'x') and d.objid >= 16384 and (d.classid, d.objid) <> (d.refclassid, d.refobjid) \
     and not (d.refclassid = 2615 and d.classid in (1259, 1247)) \
     and not (d.classid in (1247, 1259, 2620) and d.deptype = 'i') \
     and not (d.classid = 2604 and d.deptype in ('a', 'i')) \
     and not (d.classid = 1259 and d.refclassid = 1259 and d.deptype = 'a' and d.refobjsubid > 0 \
     and exists (select from pg_catalog.pg_class s where s.oid = d.objid and s.relkind = 'S')) \
     and not (d.classid = 2606 and d.refclassid = 2606 and d.deptype = 'P' \
     and exists (select from pg_catalog.pg_constraint k where k.oid = d.objid and k.contype = 'f')) \
     union all \
     select 2606, k.conparentid, 2606, k.oid from pg_catalog.pg_constraint k where k.contype = 'f' and k.conparentid <> 0 \
     union all \
     select 2606, p.oid, 2606, k.oid from pg_catalog.pg_constraint k join pg_catalog.pg_inherits i on i.inhrelid = k.conrelid \
     join pg_catalog.pg_constraint p on p.conrelid = i.inhparent and p.conname = k.conname and p.contype = 'c' \
     where k.contype = 'c' and k.conislocal and not k.convalidated and not p.convalidated \
     union all \
     select 2606, k.oid, 2606, p.oid from pg_catalog.pg_constraint k join pg_catalog.pg_inherits i on i.inhrelid = k.conrelid \
     join pg_catalog.pg_constraint p on p.conrelid = i.inhparent and p.conname = k.conname and p.contype = 'c' \
     where k.contype = 'c' and not k.conislocal and k.convalidated and not p.convalidated";

/// The query for the parts of things.
pub(super) fn parts_sql(server_version: u32) -> String {
    let since_14 = (server_version >= 140_000).then_some(PARTS_14);
    let all: Vec<&str> = PARTS.iter().copied().chain(since_14).collect();
    in_lists(&all.join(" union all "))
}

/// The query for what needs what.
pub(super) fn needs_sql() -> String {
    in_lists(NEEDS)
}

/// Pairs of addresses, some hundred thousand, as a few rows: two catalogs, and the lists of OIDs there.
fn in_lists(pairs: &str) -> String {
    format!(
        "select p.catalog, p.of_catalog, pg_catalog.array_agg(p.oid), pg_catalog.array_agg(p.of_oid) \
         from ({pairs}) p(catalog, oid, of_catalog, of_oid) group by p.catalog, p.of_catalog"
    )
}

/// The pairs of an answer to a query made by [`in_lists`].
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<(Address, Address)>);

impl Pairs {
    /// Takes a row.
    pub(super) fn take(&mut self, row: &TextRow) -> Result<()> {
        let (catalog, of) = (CatalogId(number(row, 0)?), CatalogId(number(row, 1)?));
        let (left, right) = (oids(text(row, 2)?), oids(text(row, 3)?));
        let pair = |(left, right)| Ok((Address::new(catalog, left?), Address::new(of, right?)));
        for found in left.zip(right).map(pair) {
            self.0.push(found?);
        }
        Ok(())
    }
}

/// The OIDs of an array's text: `{1,2}`.
fn oids(array: &str) -> impl Iterator<Item = Result<u32>> {
    let inner = array.trim_start_matches('{').trim_end_matches('}');
    let inner = inner.split(',').filter(|oid| !oid.is_empty());
    inner.map(|oid| {
        let wrong = |_| Error::new(ErrorKind::Internal, "the catalog gave no list of OIDs");
        oid.parse().map_err(wrong)
    })
}

/// Which object of the model an address belongs to.
#[derive(Debug)]
pub(super) struct Owners {
    objects: HashSet<Address>,
    brought_by: HashMap<Address, Address>,
}

impl Owners {
    /// Folds the answer to [`parts_sql`].
    pub(super) fn of(objects: &[Object], parts: Pairs) -> Self {
        Self {
            objects: objects.iter().map(|object| object.address).collect(),
            brought_by: parts.0.into_iter().collect(),
        }
    }

    /// The object of the model that `address` is, or is a part of.
    fn owner(&self, mut address: Address) -> Option<Address> {
        // Parts nest a few levels; a bound in case the catalog is damaged.
        for _ in 0..16 {
            if self.objects.contains(&address) {
                return Some(address);
            }
            address = *self.brought_by.get(&address)?;
        }
        None
    }

    /// All parts of objects of the model, sorted.
    pub(super) fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = self
            .brought_by
            .keys()
            .filter(|part| !self.objects.contains(part))
            .filter_map(|part| {
                let of = self.owner(*part)?;
                Some(Part { part: *part, of })
            })
            .collect();
        parts.sort_unstable();
        parts
    }

    /// What objects of the model need that is in none, sorted, each once.
    pub(super) fn outside(&self, pairs: &Pairs, identities: &Identities) -> Vec<Outside> {
        let found = pairs.0.iter().filter_map(|(object, on)| {
            let on = identities.get(on).filter(|_| self.owner(*on).is_none())?;
            let object = self.owner(*object)?;
            Some(Outside {
                object,
                on: on.clone(),
            })
        });
        let mut outside: Vec<Outside> = found.collect();
        outside.sort_unstable();
        outside.dedup();
        outside
    }

    /// Folds the answer to [`needs_sql`]: needs between objects of the model, sorted, each once.
    pub(super) fn needs(&self, objects: &[Object], pairs: Pairs) -> Vec<Need> {
        let of_default = |object: &Object| match &object.definition {
            Definition::Default(default) => Some((object.address, default.relation)),
            _ => None,
        };
        let defaults = objects.iter().filter_map(of_default);
        let mut needs = Vec::with_capacity(pairs.0.len());
        for (object, on) in pairs.0.into_iter().chain(defaults) {
            if let (Some(owner), Some(on)) = (self.owner(object), self.owner(on))
                && owner != on
            {
                let of_a_query = object.catalog == CatalogId::RULE;
                let object = if of_a_query { object } else { owner };
                needs.push(Need { object, on });
            }
        }
        needs.sort_unstable();
        needs.dedup();
        needs
    }
}
