//! Objects of a backup that is sealed: on their way into the store, and out of it.

use super::BackupId;
use super::store::Upload;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::export::parquet::ParquetKey;
use crate::seal::{DataKey, SealReader, SealWriter};
use crate::sink::{DigestWriter, StoredObject};
use std::io::{self, Read, Write};

/// What seals and opens the objects of one backup.
#[derive(Debug)]
pub(super) struct Sealing {
    key: DataKey,
    repository: String,
    id: BackupId,
}

impl Sealing {
    pub(super) fn new(key: DataKey, repository: &str, id: &BackupId) -> Self {
        Self {
            key,
            repository: repository.to_owned(),
            id: id.clone(),
        }
    }

    /// The key of Parquet files, which seal themselves.
    pub(super) fn parquet(&self) -> ParquetKey {
        ParquetKey::new(*self.key.parquet())
    }

    pub(super) fn key(&self) -> &DataKey {
        &self.key
    }

    /// An object that is sealed as it is written.
    pub(super) fn seal(&self, upload: Box<dyn Upload>, name: &str) -> Result<Object> {
        let key = self.key.object(&self.repository, self.id.as_str(), name);
        let writer = SealWriter::new(DigestWriter::new(upload), &key);
        let writer =
            writer.map_err(|source| storage(format!("cannot write \"{name}\""), source))?;
        Ok(Object::Sealed(Box::new(writer), name.to_owned()))
    }

    /// Opens an object as it is read; the reader gives errors where it is not what was sealed.
    pub(super) fn open<R: Read>(&self, sealed: R, name: &str) -> Result<SealReader<R>> {
        let key = self.key.object(&self.repository, self.id.as_str(), name);
        SealReader::new(sealed, &key).map_err(|source| cannot_open(name, source))
    }

    /// Opens an object that was read whole.
    pub(super) fn open_whole(&self, sealed: &[u8], name: &str) -> Result<Vec<u8>> {
        let mut opened = Vec::with_capacity(sealed.len());
        let read = self.open(sealed, name)?.read_to_end(&mut opened);
        read.map_err(|source| cannot_open(name, source))?;
        Ok(opened)
    }
}

pub(super) fn cannot_open(name: &str, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::InvalidData => Error::new(
            ErrorKind::Damaged,
            format!("object \"{name}\" cannot be opened: {source}"),
        ),
        _ => storage(format!("cannot read \"{name}\""), source),
    }
}

/// An object that is being written.
#[derive(Debug)]
pub(super) enum Object {
    /// As it comes.
    Plain(Box<dyn Upload>),
    /// Sealed, under its name.
    Sealed(Box<SealWriter<DigestWriter<Box<dyn Upload>>>>, String),
}

impl Object {
    /// Makes it durable. `told` is what it is as it was written, which is what is stored where it is plain.
    pub(super) fn finish(self, told: StoredObject) -> Result<StoredObject> {
        match self {
            Self::Plain(upload) => {
                upload.finish()?;
                Ok(told)
            }
            Self::Sealed(writer, name) => {
                let failed = |source| storage(format!("cannot write \"{name}\""), source);
                let mut digest = writer.finish().map_err(failed)?;
                digest.flush().map_err(failed)?;
                let (upload, stored) = digest.finish(told.name);
                upload.finish()?;
                Ok(stored)
            }
        }
    }
}

impl Write for Object {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(upload) => upload.write(bytes),
            Self::Sealed(writer, _) => writer.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(upload) => upload.flush(),
            Self::Sealed(writer, _) => writer.flush(),
        }
    }
}
