//! Documents of a backup, compressed from when they are known until they are stored: definitions of many tables take
//! a multiple of what their rows take on the way.

use super::DOCUMENT_BYTES_MAX;
use crate::catalog::ddl::{Script, Section, Statement};
use crate::catalog::facts::Facts;
use crate::catalog::model::Model;
use crate::error::{Error, ErrorKind, Result};
use serde::Serialize;
use std::fmt;
use std::io::{self, BufWriter, Write};

/// Fast, and small enough.
const ZSTD_LEVEL: i32 = 1;

/// How much text is handed to the compressor at a time.
const BUFFER_BYTES: usize = 64 << 10;

/// One document.
pub(super) struct Document {
    packed: Vec<u8>,
    /// What it has when it is unpacked.
    bytes: u64,
}

/// What a restore and people read of definitions.
#[derive(Debug)]
pub(super) struct Documents {
    pub(super) model: Document,
    pub(super) facts: Document,
    /// The script up to the rows, as SQL.
    pub(super) pre_data: Document,
    /// The rest of it.
    pub(super) post_data: Document,
}

/// Compresses, and counts what it was given.
struct Packing {
    encoder: zstd::Encoder<'static, Vec<u8>>,
    bytes: u64,
}

impl Write for Packing {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let written = self.encoder.write(text)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.encoder.flush()
    }
}

/// The size is what is of interest.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Document({} bytes, {} compressed)",
            self.bytes,
            self.packed.len()
        )
    }
}

impl Document {
    pub(super) fn of_model(model: &Model) -> Result<Self> {
        Self::json("model", model)
    }

    pub(super) fn of_facts(facts: &Facts) -> Result<Self> {
        Self::json("facts", facts)
    }

    /// The script in two: what stands before rows, and what after.
    pub(super) fn of_script(script: Script) -> Result<[Self; 2]> {
        let (pre, post) = script
            .statements
            .into_iter()
            .partition(|statement| statement.section == Section::PreData);
        Ok([Self::statements(pre)?, Self::statements(post)?])
    }

    fn statements(statements: Vec<Statement>) -> Result<Self> {
        let mut script = Script::default();
        script.statements = statements;
        Self::written("script", |writer| write!(writer, "{script}"))
    }

    fn json(what: &str, value: &impl Serialize) -> Result<Self> {
        Self::written(what, |writer| {
            serde_json::to_writer(writer, value).map_err(io::Error::from)
        })
    }

    fn written(
        what: &str,
        write: impl FnOnce(&mut BufWriter<Packing>) -> io::Result<()>,
    ) -> Result<Self> {
        let packed = || {
            let packing = Packing {
                encoder: zstd::Encoder::new(Vec::new(), ZSTD_LEVEL)?,
                bytes: 0,
            };
            let mut writer = BufWriter::with_capacity(BUFFER_BYTES, packing);
            write(&mut writer)?;
            let packing = writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            Ok((packing.bytes, packing.encoder.finish()?))
        };
        let (bytes, packed) =
            packed().map_err(|source: io::Error| cannot_write(what).with_source(source))?;
        check_size(what, bytes, DOCUMENT_BYTES_MAX)?;
        Ok(Self { packed, bytes })
    }

    /// The document itself.
    pub(super) fn text_of(&self, what: &str) -> Result<Vec<u8>> {
        let mut text = Vec::with_capacity(self.bytes as usize);
        let unpacked = zstd::stream::copy_decode(self.packed.as_slice(), &mut text);
        unpacked.map_err(|source| cannot_write(what).with_source(source))?;
        Ok(text)
    }
}

/// A document, compact, unless it is larger than what is read again.
pub(super) fn json(what: &str, value: &impl Serialize, bytes_max: u64) -> Result<Vec<u8>> {
    let text =
        serde_json::to_vec(value).map_err(|source| cannot_write(what).with_source(source))?;
    check_size(what, text.len() as u64, bytes_max)?;
    Ok(text)
}

fn check_size(what: &str, bytes: u64, bytes_max: u64) -> Result<()> {
    if bytes <= bytes_max {
        return Ok(());
    }
    let (bytes, most) = (bytes >> 20, bytes_max >> 20);
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("the {what} of the backup would have {bytes} MiB, and no more than {most} MiB are read again"),
    )
    .with_hint("Leave schemas out, or make several backups."))
}

fn cannot_write(what: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("cannot write the {what} of the backup"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_as_it_was() {
        let values: Vec<String> = (0..50_000).map(|at| format!("column {at}")).collect();
        let document = Document::json("model", &values).unwrap();
        let text = document.text_of("model").unwrap();
        assert_eq!(text, serde_json::to_vec(&values).unwrap());
        assert!(document.packed.len() < text.len() / 3);
        assert!(!format!("{document:?}").contains("column"));
    }

    #[test]
    fn what_would_not_be_read_is_not_written() {
        assert_eq!(json("model", &["x"], 5).unwrap(), br#"["x"]"#);
        let error = json("model", &["xy"], 5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(
            error.to_string().starts_with("the model of the backup"),
            "{error}"
        );
    }
}
