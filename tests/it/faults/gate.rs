//! A sink that stops at the first rows, so that a test can do something in the middle of a COPY.

use async_trait::async_trait;
use opskit_core::Result;
use opskit_core::sink::{
    BackupSink, PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;

/// Passes everything on, and waits once before the first rows of the first part.
#[derive(Debug)]
pub(super) struct GateSink {
    inner: Box<dyn BackupSink>,
    gate: Arc<Gate>,
}

/// Both sides of the gate.
#[derive(Debug)]
pub(super) struct Gate {
    passed: AtomicBool,
    reached: Semaphore,
    open: Semaphore,
}

impl Gate {
    /// Waits until rows have come.
    pub(super) async fn reached(&self) {
        self.reached.acquire().await.unwrap().forget();
    }

    /// Lets the rows pass.
    pub(super) fn open(&self) {
        self.open.add_permits(1);
    }
}

impl GateSink {
    pub(super) fn new(inner: impl BackupSink + 'static) -> (Arc<Self>, Arc<Gate>) {
        let gate = Arc::new(Gate {
            passed: AtomicBool::new(false),
            reached: Semaphore::new(0),
            open: Semaphore::new(0),
        });
        (
            Arc::new(Self {
                inner: Box::new(inner),
                gate: Arc::clone(&gate),
            }),
            gate,
        )
    }
}

#[async_trait]
impl BackupSink for GateSink {
    fn row_form(&self) -> RowForm {
        self.inner.row_form()
    }

    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>> {
        let inner = self.inner.open_part(header).await?;
        Ok(Box::new(GatePart {
            inner,
            gate: Arc::clone(&self.gate),
        }))
    }

    async fn put_object(&self, name: &str, bytes: &[u8]) -> Result<StoredObject> {
        self.inner.put_object(name, bytes).await
    }

    async fn commit(&self, manifest: &[u8]) -> Result<()> {
        self.inner.commit(manifest).await
    }
}

#[derive(Debug)]
struct GatePart {
    inner: Box<dyn PartWriter>,
    gate: Arc<Gate>,
}

#[async_trait]
impl PartWriter for GatePart {
    async fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        if !self.gate.passed.swap(true, Ordering::Relaxed) {
            self.gate.reached.add_permits(1);
            self.gate.open.acquire().await.unwrap().forget();
        }
        self.inner.write(rows).await
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        self.inner.finish().await
    }
}
