//! What a backup says of itself.

use super::schedule::Sizes;
use super::select;
use crate::backup::DOCUMENT_BYTES_MAX;
use crate::catalog::CatalogId;
use crate::catalog::cluster::ClusterModel;
use crate::catalog::facts::Facts;
use crate::catalog::model::{Model, is_servers};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::repository::{BackupReader, CLUSTER, Contents, FACTS, Holds, MODEL};
use std::collections::HashMap;
use std::sync::Arc;

/// What a backup says of itself.
pub(super) struct Stored {
    pub(super) contents: Contents,
    pub(super) model: Model,
    pub(super) facts: Option<Facts>,
    pub(super) cluster: Option<ClusterModel>,
}

impl Stored {
    /// How many bytes of rows each table has.
    pub(super) fn sizes(&self) -> Sizes {
        let tables = self.contents.tables.iter();
        let bytes: HashMap<&QualifiedName, u64> = tables
            .map(|table| {
                let parts = table.parts.iter().map(|part| part.wire_bytes);
                (&table.name, parts.sum())
            })
            .collect();
        let objects = self.model.objects.iter();
        let tables = objects.filter(|object| object.address.catalog == CatalogId::CLASS);
        tables
            .filter_map(|object| {
                let bytes = bytes.get(&select::name_of(object)?)?;
                Some((object.address, *bytes))
            })
            .collect()
    }
}

/// Reads what the backup says, on a thread that may block.
pub(super) async fn read(reader: &Arc<BackupReader>) -> Result<Stored> {
    let reader = Arc::clone(reader);
    let reading = tokio::task::spawn_blocking(move || {
        let contents = reader.contents()?;
        let model = reader.read_object(MODEL, DOCUMENT_BYTES_MAX)?;
        let model = Model::from_json(&model)?;
        let facts = match reader.has_object(FACTS) {
            true => Some(Facts::from_json(
                &reader.read_object(FACTS, DOCUMENT_BYTES_MAX)?,
            )?),
            false => None,
        };
        let cluster = match reader.has_object(CLUSTER) {
            true => Some(ClusterModel::from_json(
                &reader.read_object(CLUSTER, DOCUMENT_BYTES_MAX)?,
            )?),
            false => None,
        };
        check_tables(&contents)?;
        Ok(Stored {
            contents,
            model,
            facts,
            cluster,
        })
    });
    reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader of the backup stopped").with_source(source)
    })?
}

/// Refuses rows for the server's own tables, which no backup has.
fn check_tables(contents: &Contents) -> Result<()> {
    let forged = contents.tables.iter().find(|table| {
        !matches!(table.holds, Holds::LargeObjects { .. }) && is_servers(&table.name.schema)
    });
    let names = contents.sequences.iter().map(|sequence| &sequence.name);
    let sequence = names.clone().find(|name| is_servers(&name.schema));
    match forged.map(|table| &table.name).or(sequence) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Damaged,
            format!("the sealed manifest is forged: \"{name}\" is the server's own"),
        )),
    }
}
