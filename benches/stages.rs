//! Each stage alone, from recorded bytes: scan, decode, encode, Parquet.
#![expect(clippy::unwrap_used, reason = "a benchmark may stop")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opskit_benches::{Stream, lineitem, payments, single_columns};
use opskit_core::export::parquet::{ParquetOptions, ParquetWriter};
use opskit_core::export::{DecodeOptions, Decoder, ExactBatch, RowEncoder};
use opskit_core::pgtype::RowType;
use std::hint::black_box;

const ROWS: usize = 100_000;

/// Batches of a stream; the decoder gets what a socket would give it.
fn decode(stream: &Stream, row_type: &RowType) -> Vec<ExactBatch> {
    let mut decoder = Decoder::new(row_type, DecodeOptions::default());
    let mut batches = Vec::new();
    for chunk in stream.bytes.chunks(512 << 10) {
        let mut rest = chunk;
        while !rest.is_empty() {
            let used = decoder.push(rest).unwrap();
            rest = &rest[used..];
            batches.extend(decoder.full_batch().unwrap());
        }
    }
    batches.extend(decoder.finish().unwrap().0);
    batches
}

fn stages(criterion: &mut Criterion) {
    for stream in [lineitem(ROWS), payments(ROWS)] {
        let mut group = criterion.benchmark_group(&stream.name);
        group.throughput(Throughput::Bytes(stream.bytes.len() as u64));
        group.sample_size(20);
        group.bench_function("decode", |bencher| {
            bencher.iter(|| black_box(decode(&stream, &stream.row_type)));
        });
        let batches = decode(&stream, &stream.row_type);
        group.bench_function("parquet", |bencher| {
            bencher.iter(|| {
                let options = ParquetOptions::default();
                let mut writer = ParquetWriter::new(Vec::new(), &stream.row_type, options).unwrap();
                batches
                    .iter()
                    .for_each(|batch| writer.write(&batch.batch).unwrap());
                black_box(writer.finish().unwrap())
            });
        });
        group.bench_function("encode", |bencher| {
            let mut out = Vec::with_capacity(stream.bytes.len());
            bencher.iter(|| {
                out.clear();
                let mut encoder = RowEncoder::new(stream.row_type.clone());
                encoder.start(&mut out);
                batches
                    .iter()
                    .for_each(|batch| encoder.encode(batch, &mut out).unwrap());
                encoder.end(&mut out);
                black_box(out.len())
            });
            assert!(
                out == stream.bytes,
                "what is encoded is not what was decoded"
            );
        });
        group.finish();
    }
}

fn types(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode by type");
    group.sample_size(20);
    for stream in single_columns(ROWS) {
        group.throughput(Throughput::Elements(ROWS as u64));
        group.bench_function(&stream.name, |bencher| {
            bencher.iter(|| black_box(decode(&stream, &stream.row_type)));
        });
    }
    group.finish();
}

criterion_group!(benches, stages, types);
criterion_main!(benches);
