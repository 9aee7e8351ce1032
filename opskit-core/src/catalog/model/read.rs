//! Reading the model: which queries, and how their answers become objects.

use super::access::{self, Access, AccessReading};
use super::column::columns_sql;
use super::links::{Owners, Pairs, needs_sql, parts_sql};
use super::outside::{Identities, identity_from, outside_sql};
use super::target::Target;
use super::{Column, Definition, MODEL_VERSION, Model, Object};
use super::{aggregate, cast, collation, conversion, data_type, domain, extension, function};
use super::{constraint, default, index, schema, sequence, statistics, table};
use super::{default_acl, foreign, large_object, policy, publication, trigger, view};
use super::{language, operator, operator_class, text_search};
use crate::catalog::address::{Address, CatalogId};
use crate::catalog::scope::Scope;
use crate::catalog::{TextRow, number, text};
use crate::error::{Error, ErrorKind, Result, changed_meanwhile};
use std::collections::HashMap;

/// What the queries of the model are about.
#[derive(Debug, Clone)]
pub(crate) struct ReadContext<'a> {
    /// The server's version, as a number: 150018.
    pub(crate) server_version: u32,
    /// What belongs to the user.
    pub(crate) scope: &'a Scope,
}

impl ReadContext<'_> {
    /// `then` on servers from `version` (140000) on, `otherwise` on older ones.
    pub(crate) fn since<'t>(&self, version: u32, then: &'t str, otherwise: &'t str) -> &'t str {
        if self.server_version >= version {
            then
        } else {
            otherwise
        }
    }

    /// The condition that a row of `pg_namespace`, named `n`, is in scope.
    pub(crate) fn in_scope(&self, n: &str) -> String {
        self.scope.condition(n)
    }
}

/// The condition that no extension made the object; `oid` is the SQL for its OID.
///
/// That it is an extension what members refer to goes without saying, but lets the server find the few
/// members by an index instead of reading all dependencies.
pub(crate) fn not_of_extension(catalog: CatalogId, oid: &str) -> String {
    format!(
        "not exists (select from pg_catalog.pg_depend e where e.refclassid = {} and e.classid = {} \
         and e.objid = {oid} and e.objsubid = 0 and e.deptype = 'e')",
        CatalogId::EXTENSION.0,
        catalog.0
    )
}

/// One query, and what its rows are.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What is read, for errors: "the tables".
    pub(crate) what: &'static str,
    /// The catalog that the first column's OIDs belong to.
    pub(crate) catalog: CatalogId,
    /// Returns `oid, schema, name, owner, definition`.
    pub(crate) sql: String,
    /// Makes the definition of the last column's JSON, which has the fields by name or in order.
    pub(crate) definition: fn(&str) -> serde_json::Result<Definition>,
}

/// The queries for all classes. Those that take longest stand first, so that two sessions that take one
/// after the other end at about the same time.
fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    let mut readings = vec![
        constraint::reading(cx),
        table::reading(cx),
        default::reading(cx),
        index::reading(cx),
        schema::reading(cx),
        sequence::reading(cx),
        statistics::reading(cx),
        extension::reading(cx),
        collation::reading(cx),
        function::reading(cx),
        aggregate::reading(cx),
        operator::reading(cx),
        cast::reading(cx),
        conversion::reading(cx),
        policy::reading(cx),
        large_object::reading(cx),
        default_acl::reading(cx),
    ];
    readings.extend(view::readings(cx));
    readings.extend(trigger::readings(cx));
    readings.extend(publication::readings(cx));
    readings.extend(foreign::readings(cx));
    readings.extend(data_type::readings(cx));
    readings.extend(domain::readings(cx));
    readings.extend(operator_class::readings(cx));
    readings.extend(language::readings(cx));
    readings.extend(text_search::readings(cx));
    readings
}

/// The queries of the model, and the fold of their answers.
#[derive(Debug)]
pub(crate) struct ModelReader {
    server_version: u32,
    readings: Vec<Reading>,
    columns_sql: String,
    outside_sql: String,
    access_readings: Vec<AccessReading>,
    objects: Vec<Object>,
    access: Access,
    parts: Pairs,
    needs: Pairs,
    outside: Identities,
    /// By table.
    columns: HashMap<u32, Vec<Column>>,
}

impl ModelReader {
    pub(crate) fn new(cx: &ReadContext<'_>) -> Self {
        Self {
            server_version: cx.server_version,
            readings: readings(cx),
            columns_sql: columns_sql(cx),
            outside_sql: outside_sql(&cx.in_scope("n")),
            access_readings: access::readings(cx),
            objects: Vec::new(),
            access: Access::default(),
            parts: Pairs::default(),
            needs: Pairs::default(),
            outside: Identities::new(),
            columns: HashMap::new(),
        }
    }

    /// The queries, each with what it reads, for errors: "the tables".
    pub(crate) fn queries(&self) -> Vec<(&'static str, String)> {
        let classes = self.readings.iter().map(|r| (r.what, r.sql.clone()));
        let others = [
            ("the columns", self.columns_sql.clone()),
            ("the parts of objects", parts_sql(self.server_version)),
            ("the dependencies", needs_sql()),
            ("what is not the user's", self.outside_sql.clone()),
        ];
        let access = self.access_readings.iter().map(|r| (r.what, r.sql.clone()));
        classes.chain(others).chain(access).collect()
    }

    /// Takes a row of the answer to the query `at`. Answers may come side by side.
    pub(crate) fn take(&mut self, at: usize, row: &TextRow) -> Result<()> {
        if let Some(reading) = self.readings.get(at) {
            self.objects.push(reading.object(row)?);
            return Ok(());
        }
        match at - self.readings.len() {
            0 => self.take_columns(row),
            1 => self.parts.take(row),
            2 => self.needs.take(row),
            3 => {
                let (address, identity) = identity_from(row)?;
                self.outside.insert(address, identity);
                Ok(())
            }
            other => self.take_access(other - 4, row),
        }
    }

    fn take_columns(&mut self, row: &TextRow) -> Result<()> {
        let columns = serde_json::from_str(text(row, 1)?)
            .map_err(|source| not_understood("the columns", source))?;
        self.columns.insert(number(row, 0)?, columns);
        Ok(())
    }

    fn take_access(&mut self, at: usize, row: &TextRow) -> Result<()> {
        let reading = self
            .access_readings
            .get(at)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "an answer to no query of the model"))?;
        let wrong = |source| not_understood(reading.what, source);
        let address = Address::new(CatalogId(number(row, 0)?), number(row, 1)?);
        let target: Target = serde_json::from_str(text(row, 2)?).map_err(wrong)?;
        (reading.take)(&mut self.access, address, target, text(row, 3)?).map_err(wrong)
    }

    /// The model of all answers.
    pub(crate) fn finish(mut self) -> Model {
        for object in &mut self.objects {
            if let Definition::Table(table) = &mut object.definition {
                table.columns = self.columns.remove(&object.address.oid).unwrap_or_default();
            }
        }
        self.objects.sort_unstable_by_key(|object| object.address);
        let objects = &self.objects;
        self.access.settle(|address| {
            let at = objects.binary_search_by_key(&address, |object| object.address);
            at.is_ok()
        });
        let owners = Owners::of(&self.objects, self.parts);
        Model {
            version: MODEL_VERSION,
            server_version: self.server_version,
            outside: owners.outside(&self.needs, &self.outside),
            needs: owners.needs(&self.objects, self.needs),
            parts: owners.parts(),
            objects: self.objects,
            access: self.access,
        }
    }
}

impl Reading {
    fn object(&self, row: &TextRow) -> Result<Object> {
        let definition = (self.definition)(text(row, 4)?);
        let definition = definition.map_err(|source| match spells_nothing(&source) {
            true => gone(self.what, source),
            false => not_understood(self.what, source),
        })?;
        Ok(Object {
            address: Address::new(self.catalog, number(row, 0)?),
            schema: row[1].clone(),
            name: text(row, 2)?.to_owned(),
            owner: row[3].clone(),
            definition,
        })
    }
}

/// Whether it is the text of a definition that is missing. The server has none for what was dropped since the
/// snapshot, although the snapshot has the row.
fn spells_nothing(error: &serde_json::Error) -> bool {
    error.is_data() && error.to_string().starts_with("invalid type: null")
}

fn gone(what: &str, source: serde_json::Error) -> Error {
    changed_meanwhile(format!("{what} changed while they were read")).with_source(source)
}

fn not_understood(what: &str, source: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot understand {what}")).with_source(source)
}
