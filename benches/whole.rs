//! The whole path from a scratch server: into nothing, as frames and as batches, and into Parquet.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{Export, ExportRequest};
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::WireConnection;
use opskit_core::scratch::ScratchServer;
use opskit_core::sink::{BackupSink, DirectorySink, FileFormat, NullSink, RowForm};
use std::sync::Arc;

const ROWS: u64 = 200_000;

const TABLE: &str = "create table t as select n as id, n % 977 as k, (n % 100000)::numeric(12,2) / 7 as amount, \
    now() + n * interval '1 s' as at, md5(n::text) as code, jsonb_build_object('n', n) as data \
    from generate_series(1, 200000) n; vacuum (freeze, analyze) t";

async fn export(url: &DatabaseUrl, sink: Arc<dyn BackupSink>) -> u64 {
    let ctx = OpContext::default();
    let request = ExportRequest::tables(["public.t"])
        .unwrap()
        .with_part_bytes(8 << 20);
    let export = Export::open(&ctx, url, request).await.unwrap();
    export.run(&ctx, sink).await.unwrap().rows
}

fn whole(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime
        .block_on(ScratchServer::builder().start(&OpContext::default()))
        .unwrap();
    let url = DatabaseUrl::parse(&server.url("postgres"), &ConnectEnv::default()).unwrap();
    runtime.block_on(async {
        let mut connection = WireConnection::connect(&url, &Cancel::never())
            .await
            .unwrap();
        for statement in TABLE.split("; ") {
            connection.execute(statement).await.unwrap();
        }
    });
    let mut group = criterion.benchmark_group("whole path");
    group.sample_size(10).throughput(Throughput::Elements(ROWS));
    for (name, form) in [
        ("frames into nothing", RowForm::Frames),
        ("batches into nothing", RowForm::Batches),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| runtime.block_on(export(&url, Arc::new(NullSink::new(form)))));
        });
    }
    group.bench_function("into Parquet", |bencher| {
        bencher.iter(|| {
            let place = std::env::temp_dir().join(format!("opskit-bench-{}", std::process::id()));
            let format = FileFormat::Parquet(ParquetOptions::default());
            let sink = DirectorySink::create(&place, format).unwrap();
            let rows = runtime.block_on(export(&url, Arc::new(sink)));
            std::fs::remove_dir_all(&place).unwrap();
            rows
        });
    });
    group.finish();
    runtime.block_on(server.stop()).unwrap();
}

criterion_group!(benches, whole);
criterion_main!(benches);
