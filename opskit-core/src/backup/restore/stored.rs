//! What a backup says of itself.

use super::expected::Expected;
use super::schedule::Sizes;
use super::select;
use crate::backup::DOCUMENT_BYTES_MAX;
use crate::catalog::CatalogId;
use crate::catalog::cluster::ClusterModel;
use crate::catalog::model::{Definition, Model, Object, is_servers};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::repository::{BackupReader, CLUSTER, Contents, Holds, MODEL};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a backup says of itself.
pub(super) struct Stored {
    pub(super) contents: Contents,
    pub(super) model: Model,
    pub(super) expected: Option<Expected>,
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
        let expected = Expected::read(&reader)?;
        let model = Model::from_json(&reader.read_object(MODEL, DOCUMENT_BYTES_MAX)?)?;
        let cluster = match reader.has_object(CLUSTER) {
            true => Some(ClusterModel::from_json(
                &reader.read_object(CLUSTER, DOCUMENT_BYTES_MAX)?,
            )?),
            false => None,
        };
        check_tables(&contents, &model)?;
        Ok(Stored {
            contents,
            model,
            expected,
            cluster,
        })
    });
    reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader of the backup stopped").with_source(source)
    })?
}

/// Refuses rows for the server's own tables, which no backup has, and for tables that are not the backup's: what it
/// makes no table of would be rows of somebody else's.
fn check_tables(contents: &Contents, model: &Model) -> Result<()> {
    let tables = contents.tables.iter();
    let servers = tables.clone().find(|table| {
        !matches!(table.holds, Holds::LargeObjects { .. }) && is_servers(&table.name.schema)
    });
    let names = contents.sequences.iter().map(|sequence| &sequence.name);
    let sequence = names.clone().find(|name| is_servers(&name.schema));
    if let Some(name) = servers.map(|table| &table.name).or(sequence) {
        return Err(forged(&format!("\"{name}\" is the server's own")));
    }
    let is_table = |object: &&Object| matches!(object.definition, Definition::Table(_));
    let own = model.objects.iter().filter(is_table);
    let own: HashSet<QualifiedName> = own.filter_map(select::name_of).collect();
    let mut tables = tables.filter(|table| table.holds == Holds::Table);
    match tables.find(|table| !own.contains(&table.name)) {
        None => Ok(()),
        Some(table) => Err(forged(&format!(
            "it has rows of \"{}\" and does not make that table",
            table.name
        ))),
    }
}

fn forged(how: &str) -> Error {
    let what = format!("the sealed manifest is forged: {how}");
    Error::new(ErrorKind::Damaged, what)
}
