//! Reading the model: which queries, and how their answers become objects.

use super::access::{self, Access, AccessReading};
use super::target::Target;
use super::{
    Definition, MODEL_VERSION, Model, Object, default_acl, foreign, large_object, policy, publication, schema,
    trigger, view,
};
use crate::catalog::address::{Address, CatalogId};
use crate::catalog::scope::Scope;
use crate::catalog::{TextRow, number, text};
use crate::error::{Error, ErrorKind, Result};

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
pub(crate) fn not_of_extension(catalog: CatalogId, oid: &str) -> String {
    format!(
        "not exists (select from pg_catalog.pg_depend e where e.classid = {} and e.objid = {oid} \
         and e.objsubid = 0 and e.deptype = 'e')",
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
    /// Makes the definition of the last column's JSON.
    pub(crate) definition: fn(&str) -> serde_json::Result<Definition>,
}

/// The queries of the model, and the fold of their answers.
#[derive(Debug)]
pub(crate) struct ModelReader {
    server_version: u32,
    readings: Vec<Reading>,
    access_readings: Vec<AccessReading>,
    objects: Vec<Object>,
    access: Access,
}

impl ModelReader {
    pub(crate) fn new(cx: &ReadContext<'_>) -> Self {
        Self {
            server_version: cx.server_version,
            readings: readings(cx),
            access_readings: access::readings(cx),
            objects: Vec::new(),
            access: Access::default(),
        }
    }

    /// What each query is about, and the query.
    pub(crate) fn queries(&self) -> Vec<(&'static str, String)> {
        let objects = self.readings.iter().map(|r| (r.what, r.sql.clone()));
        let access = self.access_readings.iter().map(|r| (r.what, r.sql.clone()));
        objects.chain(access).collect()
    }

    /// Takes the answer to the query `at`.
    pub(crate) fn take(&mut self, at: usize, rows: &[TextRow]) -> Result<()> {
        if let Some(reading) = at
            .checked_sub(self.readings.len())
            .and_then(|at| self.access_readings.get(at))
        {
            return take_access(&mut self.access, reading, rows);
        }
        let reading = self
            .readings
            .get(at)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "an answer to no query of the model"))?;
        for row in rows {
            let definition = (reading.definition)(text(row, 4)?)
                .map_err(|source| not_understood(reading.what, source))?;
            self.objects.push(Object {
                address: Address::new(reading.catalog, number(row, 0)?),
                schema: row[1].clone(),
                name: text(row, 2)?.to_owned(),
                owner: row[3].clone(),
                definition,
            });
        }
        Ok(())
    }

    /// The model of all answers.
    pub(crate) fn finish(mut self) -> Model {
        self.objects.sort_by_key(|object| object.address);
        let objects = &self.objects;
        self.access.retain(|address| {
            let at = objects.binary_search_by_key(&address, |object| object.address);
            at.is_ok()
        });
        Model {
            version: MODEL_VERSION,
            server_version: self.server_version,
            objects: self.objects,
            needs: Vec::new(),
            access: self.access,
        }
    }
}

/// The queries for objects, class by class.
fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    let mut all = vec![
        schema::reading(cx),
        policy::reading(cx),
        large_object::reading(cx),
        default_acl::reading(cx),
    ];
    all.extend(view::readings(cx));
    all.extend(trigger::readings(cx));
    all.extend(publication::readings(cx));
    all.extend(foreign::readings(cx));
    all
}

fn take_access(access: &mut Access, reading: &AccessReading, rows: &[TextRow]) -> Result<()> {
    let wrong = |source| not_understood(reading.what, source);
    for row in rows {
        let address = Address::new(CatalogId(number(row, 0)?), number(row, 1)?);
        let target = Target {
            kind: text(row, 2)?.to_owned(),
            names: serde_json::from_str(text(row, 3)?).map_err(wrong)?,
            args: serde_json::from_str(text(row, 4)?).map_err(wrong)?,
        };
        (reading.take)(access, address, target, text(row, 5)?).map_err(wrong)?;
    }
    Ok(())
}

fn not_understood(what: &str, source: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("cannot understand {what}")).with_source(source)
}
