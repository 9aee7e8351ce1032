//! A sink whose rows somebody else takes, one batch at a time.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use opskit_core::cancel::Cancel;
use opskit_core::sink::{
    BackupSink, PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject,
};
use opskit_core::{Error, ErrorKind, Result};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Gives every batch on, in the order in which they come, whatever part they are of.
#[derive(Debug)]
pub(crate) struct FeedSink {
    pub(crate) schema: SchemaRef,
    pub(crate) feed: mpsc::Sender<RecordBatch>,
    /// A reader that stops may leave the way full.
    pub(crate) cancel: Cancel,
    /// Rows of a batch at most.
    pub(crate) batch_rows: usize,
}

#[async_trait]
impl BackupSink for FeedSink {
    fn row_form(&self) -> RowForm {
        RowForm::Batches
    }

    async fn open_part(&self, _header: PartHeader) -> Result<Box<dyn PartWriter>> {
        Ok(Box::new(FeedPart {
            schema: Arc::clone(&self.schema),
            feed: self.feed.clone(),
            cancel: self.cancel.clone(),
            batch_rows: self.batch_rows,
            rows: 0,
        }))
    }

    async fn put_object(&self, name: &str, _bytes: &[u8]) -> Result<StoredObject> {
        Err(Error::new(
            ErrorKind::Internal,
            format!("a stream has no place for \"{name}\""),
        ))
    }

    async fn commit(&self, _manifest: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct FeedPart {
    schema: SchemaRef,
    feed: mpsc::Sender<RecordBatch>,
    cancel: Cancel,
    batch_rows: usize,
    rows: u64,
}

impl FeedPart {
    async fn give(&self, batch: RecordBatch) -> Result<()> {
        let given = self.feed.send(batch).await;
        given.map_err(|_| Error::new(ErrorKind::Cancelled, "the stream was closed"))
    }
}

#[async_trait]
impl PartWriter for FeedPart {
    async fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        let Rows::Batch(exact) = rows else {
            return Err(Error::new(
                ErrorKind::Internal,
                "a stream takes batches only",
            ));
        };
        self.rows += exact.batch.num_rows() as u64;
        // Partitions may differ in what is only told about their columns; a stream has one schema.
        let batch = exact
            .batch
            .with_schema(Arc::clone(&self.schema))
            .map_err(|source| {
                Error::new(ErrorKind::Internal, "a batch does not fit its stream")
                    .with_source(source)
            })?;
        // The decoder looks at bounds once per block; whoever reads was promised them.
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = self.batch_rows.min(batch.num_rows() - at);
            self.cancel.guard(self.give(batch.slice(at, rows))).await?;
            at += rows;
        }
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        Ok(PartReceipt {
            rows: Some(self.rows),
            objects: Vec::new(),
        })
    }
}
