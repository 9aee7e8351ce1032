//! The proof: what stands in the Parquet files is what the server sends, bit for bit.

use crate::units;
use opskit_core::export::RowEncoder;
use opskit_core::export::parquet::ParquetPart;
use opskit_core::postgres::export::{ExportReport, PartReport, TableReport};
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::path::Path;

/// What was compared, and agreed. Anything that differs is an error instead.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Proof {
    tables: u64,
    parts: u64,
    /// Bytes of `COPY … (FORMAT binary)` that were compared.
    bytes: u64,
    /// Values that were put back from side files.
    exact_values: u64,
    /// The side files.
    side_files: Vec<String>,
}

/// An export and the directory it is in.
type Stored<'a> = (&'a Path, &'a ExportReport);

/// Compares on a thread of its own, so that signals are seen meanwhile.
pub(super) async fn prove(parquet: Stored<'_>, copies: Stored<'_>) -> Result<Proof, Error> {
    let owned = |(directory, report): Stored<'_>| (directory.to_owned(), report.clone());
    let (parquet, copies) = (owned(parquet), owned(copies));
    let work = move || Proof::find((&parquet.0, &parquet.1), (&copies.0, &copies.1));
    tokio::task::spawn_blocking(work).await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the comparison stopped").with_source(source)
    })?
}

impl Proof {
    /// Compares an export to Parquet with one of the server's own bytes.
    fn find(parquet: Stored<'_>, copies: Stored<'_>) -> Result<Self, Error> {
        let mut proof = Self::default();
        let (found, wanted) = (&parquet.1.tables, &copies.1.tables);
        if found.len() != wanted.len() {
            return Err(differs("the two exports have different tables"));
        }
        for (found, wanted) in found.iter().zip(wanted) {
            proof.table((parquet.0, found), (copies.0, wanted))?;
        }
        Ok(proof)
    }

    fn table(
        &mut self,
        (parquet, found): (&Path, &TableReport),
        (copies, wanted): (&Path, &TableReport),
    ) -> Result<(), Error> {
        let name = &found.table;
        if found.table != wanted.table || found.parts.len() != wanted.parts.len() {
            return Err(differs(format!("\"{name}\" was cut in different parts")));
        }
        if found.fingerprint.is_none() || found.fingerprint != wanted.fingerprint {
            return Err(differs(format!("the fingerprints of \"{name}\" differ")));
        }
        for (found, wanted) in found.parts.iter().zip(&wanted.parts) {
            let again = self.encode_again(parquet, found)?;
            let sent = read(&object(copies, wanted, 0)?)?;
            if again != sent {
                let part = found.part;
                return Err(differs(format!("part {part} of \"{name}\" differs")));
            }
            self.parts += 1;
            self.bytes += sent.len() as u64;
        }
        self.tables += 1;
        Ok(())
    }

    /// The stream of the server, made from the files.
    fn encode_again(&mut self, directory: &Path, part: &PartReport) -> Result<Vec<u8>, Error> {
        let side = match part.objects.get(1) {
            Some(side) => {
                self.side_files.push(side.name.clone());
                Some(open(&directory.join(&side.name))?)
            }
            None => None,
        };
        let part = ParquetPart::open(open(&object(directory, part, 0)?)?, side)?;
        let mut encoder = RowEncoder::new(part.row_type().clone());
        let mut stream = Vec::new();
        encoder.start(&mut stream);
        for batch in part {
            let batch = batch?;
            self.exact_values += batch.exact.len() as u64;
            encoder.encode(&batch, &mut stream)?;
        }
        encoder.end(&mut stream);
        Ok(stream)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "read back and encoded again: {} of {}, byte for byte what the server sends; {} of {} (NaN, infinity, a two-dimensional array) came from side files",
            units::size(self.bytes),
            units::counted(self.tables, "table"),
            units::counted(self.exact_values, "value"),
            units::counted(self.side_files.len() as u64, "file"),
        )
    }
}

fn object(directory: &Path, part: &PartReport, at: usize) -> Result<std::path::PathBuf, Error> {
    let object = part.objects.get(at);
    object
        .map(|object| directory.join(&object.name))
        .ok_or_else(|| differs("a part has no file"))
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| unreadable(path, source))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| unreadable(path, source))
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    let message = format!("cannot read \"{}\"", path.display());
    Error::new(ErrorKind::Storage, message).with_source(source)
}

fn differs(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Damaged, message)
}
