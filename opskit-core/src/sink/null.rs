//! A sink that counts and forgets, for benchmarks and for checking that a table can be read.

use super::{
    BackupSink, PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject, wrong_form,
};
use crate::error::Result;
use async_trait::async_trait;

/// Takes rows in any one form, counts them, and keeps nothing.
///
/// ```
/// use opskit_core::sink::{BackupSink, NullSink, RowForm};
/// assert_eq!(NullSink::new(RowForm::Frames).row_form(), RowForm::Frames);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NullSink {
    form: RowForm,
}

impl NullSink {
    /// A sink that asks for rows as `form`.
    #[must_use]
    pub fn new(form: RowForm) -> Self {
        Self { form }
    }
}

#[async_trait]
impl BackupSink for NullSink {
    fn row_form(&self) -> RowForm {
        self.form
    }

    async fn open_part(&self, _header: PartHeader) -> Result<Box<dyn PartWriter>> {
        Ok(Box::new(NullPart {
            form: self.form,
            rows: 0,
        }))
    }

    async fn put_object(&self, name: &str, bytes: &[u8]) -> Result<StoredObject> {
        Ok(super::digest::stored_object(name, bytes))
    }

    async fn commit(&self, _manifest: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct NullPart {
    form: RowForm,
    rows: u64,
}

#[async_trait]
impl PartWriter for NullPart {
    async fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        match (rows, self.form) {
            (Rows::Batch(exact), RowForm::Batches) => self.rows += exact.batch.num_rows() as u64,
            (Rows::Bytes(_), RowForm::Frames | RowForm::Csv | RowForm::JsonLines) => {}
            _ => return Err(wrong_form(self.form)),
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        Ok(PartReceipt {
            rows: (self.form == RowForm::Batches).then_some(self.rows),
            objects: Vec::new(),
        })
    }
}
