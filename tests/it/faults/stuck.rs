//! Few threads, and servers that take their time: nobody waits for ever.

use super::{becomes, start};
use async_trait::async_trait;
use opskit_core::context::OpContext;
use opskit_core::postgres::export::ExportRequest;
use opskit_core::sink::{
    BackupSink, NullSink, PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject,
};
use opskit_core::{Error, ErrorKind, Result};
use opskit_tests::database;
use opskit_tests::export::{assert_kind, export};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A program that embeds the library may have few threads that block: the decoders may take all of them.
#[test]
fn faults_few_threads() {
    let few = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(2)
        .enable_all()
        .build()
        .unwrap();
    few.block_on(async {
        let db = database().await;
        db.psql(
            "create table big as select i, repeat('x', 1000) x from generate_series(1, 40000) i",
        )
        .await;
        let request = ExportRequest::tables(["big"]).unwrap();
        let request = request.with_jobs(4).with_part_bytes(4 << 20);
        let sink = Arc::new(NullSink::new(RowForm::Batches));
        let url = db.url();
        let exporting = export(&url, request, sink);
        let done = tokio::time::timeout(Duration::from_secs(60), exporting).await;
        assert_eq!(done.unwrap().unwrap().tables[0].rows, 40_000);
    });
}

/// As a full disk does.
#[derive(Debug)]
struct FullSink;

#[async_trait]
impl BackupSink for FullSink {
    fn row_form(&self) -> RowForm {
        RowForm::Frames
    }

    async fn open_part(&self, _: PartHeader) -> Result<Box<dyn PartWriter>> {
        Ok(Box::new(Self))
    }

    async fn put_object(&self, _: &str, _: &[u8]) -> Result<StoredObject> {
        Err(full())
    }

    async fn commit(&self, _: &[u8]) -> Result<()> {
        Err(full())
    }
}

#[async_trait]
impl PartWriter for FullSink {
    async fn write(&mut self, _: Rows<'_>) -> Result<()> {
        Err(full())
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        Err(full())
    }
}

fn full() -> Error {
    Error::new(ErrorKind::Storage, "the disk is full")
}

/// A disk that is full ends the run at once, whenever the next row would have come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_full_while_the_server_is_slow() {
    let db = database().await;
    let rows = "select repeat('x', 1000) from generate_series(1, 3000) union all select pg_sleep(300)::text";
    let begun = Instant::now();
    let run = start(
        &OpContext::default(),
        &db.url(),
        ExportRequest::query(rows),
        Arc::new(FullSink),
    );
    assert_kind(run.await.unwrap(), ErrorKind::Storage);
    assert!(begun.elapsed() < Duration::from_secs(60), "{begun:?}");
    becomes(&db, super::OURS, "0").await;
}
