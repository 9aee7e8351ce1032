//! Reading facts: questions twice, and the fold of their answers row by row.

use super::catalogs::{self, Group, Walk};
use super::names::Names;
use super::query::{Catalogs, Column, Reading, changed_acl, opening};
use super::{FACTS_SCHEMA, Fact, Facts, FactsOptions, UNREADABLE, fold};
use crate::catalog::address::CatalogId;
use crate::catalog::{TextRow, flag, number, text};
use crate::error::{Error, ErrorKind, Result};
use std::sync::Arc;

/// The questions, and the fold of their answers. Rows are taken as they come, so that only facts are
/// kept.
#[derive(Debug)]
pub(crate) struct FactsReader {
    options: FactsOptions,
    server_version: u32,
    salt: String,
    catalogs: Catalogs,
    names: Names,
    readings: Vec<Reading>,
    objects: Vec<Fact>,
    cluster: Vec<Fact>,
}

impl FactsReader {
    pub(crate) fn new(options: FactsOptions, server_version: u32) -> Self {
        Self {
            salt: options.salt.clone().unwrap_or_default(),
            options,
            server_version,
            catalogs: Catalogs::new(),
            names: Names::default(),
            readings: Vec::new(),
            objects: Vec::new(),
            cluster: Vec::new(),
        }
    }

    /// The first questions, which may be asked side by side: what there is, and what it is called.
    pub(crate) fn opening(&self) -> [String; 2] {
        opening(&self.options.scope, self.server_version)
    }

    /// Takes a row of the answer to [`Self::opening`].
    pub(crate) fn take_opening(&mut self, row: &TextRow) -> Result<()> {
        match text(row, 0)? {
            "salt" if self.salt.is_empty() => text(row, 1)?.clone_into(&mut self.salt),
            "salt" => {}
            "attribute" => {
                let column = Column {
                    name: text(row, 2)?.to_owned(),
                    kind: text(row, 3)?.to_owned(),
                    is_nullable: flag(row, 4)?,
                    is_readable: flag(row, 5)?,
                };
                let of = text(row, 1)?.to_owned();
                self.catalogs.entry(of).or_default().push(column);
            }
            _ => self.names.take(row)?,
        }
        Ok(())
    }

    /// The second questions, which may be asked side by side too: every row.
    pub(crate) fn walks(&mut self) -> Vec<String> {
        let mut statements = Vec::new();
        for walk in catalogs::walks() {
            if Reading::is_unreadable(&walk, &self.catalogs) {
                self.put_unreadable(&walk);
                continue;
            }
            let at = self.readings.len();
            if let Some(reading) = Reading::new(at, walk, &self.catalogs, &self.salt) {
                statements.push(reading.sql.clone());
                if walk.group == Group::Objects {
                    statements.extend(changed_acl(at, &walk));
                }
                self.readings.push(reading);
            }
        }
        statements
    }

    /// Takes a row of the answer to [`Self::walks`].
    pub(crate) fn take_walk(&mut self, mut row: TextRow) -> Result<()> {
        let is_acl = text(&row, 0)? == "acl";
        let at: usize = number(&row, usize::from(is_acl))?;
        let reading = self.readings.get(at).ok_or_else(|| {
            Error::new(ErrorKind::Internal, "an answer to no question of the facts")
        })?;
        let fact = if is_acl {
            fold::acl(reading, &self.names, &row)?
        } else {
            fold::fact(reading, &self.names, &mut row)?
        };
        let group = reading.walk.group;
        if let Some(fact) = fact {
            self.put(group, fact);
        }
        Ok(())
    }

    /// Says of each object of a catalog that the role may not read that nothing is known of it.
    fn put_unreadable(&mut self, walk: &Walk) {
        let class = walk.object.0.parse().map_or(CatalogId(0), CatalogId);
        let facts: Vec<Fact> = self
            .names
            .of_class(class)
            .map(|(address, named)| Fact {
                about: Some(address),
                object: Arc::clone(&named.label),
                catalog: walk.catalog.into(),
                part: None,
                attributes: [(Arc::from("row"), Box::from(UNREADABLE))]
                    .into_iter()
                    .collect(),
            })
            .collect();
        facts
            .into_iter()
            .for_each(|fact| self.put(walk.group, fact));
    }

    fn put(&mut self, group: Group, fact: Fact) {
        match group {
            Group::Objects => self.objects.push(fact),
            Group::Cluster => self.cluster.push(fact),
        }
    }

    /// The facts of all answers.
    pub(crate) fn finish(mut self) -> Facts {
        for list in [&mut self.objects, &mut self.cluster] {
            list.sort_by(|a, b| a.key().cmp(&b.key()));
        }
        Facts {
            schema: FACTS_SCHEMA.to_owned(),
            server_version: self.server_version,
            salt: self.salt,
            scope: self.options.scope,
            outside: self.names.outside,
            objects: self.objects,
            cluster: self.cluster,
        }
    }
}
