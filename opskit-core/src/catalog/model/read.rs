//! Reading the model: which queries, and how their answers become objects.

use super::links::{Owners, needs_sql, parts_sql};
use super::{
    Definition, MODEL_VERSION, Model, Object, constraint, default, index, schema, sequence,
    statistics, table,
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
    objects: Vec<Object>,
    parts: Vec<TextRow>,
    needs: Vec<TextRow>,
}

impl ModelReader {
    pub(crate) fn new(cx: &ReadContext<'_>) -> Self {
        Self {
            server_version: cx.server_version,
            readings: vec![
                schema::reading(cx),
                table::reading(cx),
                sequence::reading(cx),
                default::reading(cx),
                constraint::reading(cx),
                index::reading(cx),
                statistics::reading(cx),
            ],
            objects: Vec::new(),
            parts: Vec::new(),
            needs: Vec::new(),
        }
    }

    /// The queries, each with what it reads, for errors: "the tables".
    pub(crate) fn queries(&self) -> Vec<(&'static str, String)> {
        let classes = self.readings.iter().map(|r| (r.what, r.sql.clone()));
        let links = [
            ("the parts of objects", parts_sql(self.server_version)),
            ("the dependencies", needs_sql()),
        ];
        classes.chain(links).collect()
    }

    /// Takes the answer to the query `at`.
    pub(crate) fn take(&mut self, at: usize, rows: Vec<TextRow>) -> Result<()> {
        let Some(reading) = self.readings.get(at) else {
            match at - self.readings.len() {
                0 => self.parts = rows,
                1 => self.needs = rows,
                _ => {
                    let what = "an answer to no query of the model";
                    return Err(Error::new(ErrorKind::Internal, what));
                }
            }
            return Ok(());
        };
        for row in &rows {
            self.objects.push(reading.object(row)?);
        }
        Ok(())
    }

    /// The model of all answers.
    ///
    /// # Errors
    /// Of kind `Internal` when an answer has another form than was asked for.
    pub(crate) fn finish(mut self) -> Result<Model> {
        self.objects.sort_by_key(|object| object.address);
        let owners = Owners::of(&self.objects, &self.parts)?;
        Ok(Model {
            version: MODEL_VERSION,
            server_version: self.server_version,
            needs: owners.needs(&self.needs)?,
            parts: owners.parts(),
            objects: self.objects,
        })
    }
}

impl Reading {
    fn object(&self, row: &TextRow) -> Result<Object> {
        let definition = (self.definition)(text(row, 4)?).map_err(|source| {
            let what = format!("cannot understand {}", self.what);
            Error::new(ErrorKind::Internal, what).with_source(source)
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
