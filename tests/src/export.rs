//! Running exports, and asking the server for the same rows by its own means.
#![expect(clippy::unwrap_used, reason = "everything here is part of a test")]

use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::export::RowEncoder;
use opskit_core::export::parquet::{ParquetOptions, ParquetPart};
use opskit_core::pgtype::RowType;
use opskit_core::postgres::export::{Export, ExportReport, ExportRequest};
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::{CopyBuffer, CopyStatus, WireConnection};
use opskit_core::sink::{BackupSink, DirectorySink, FileFormat};
use opskit_core::{ErrorKind, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What our exports set, so that the server's own COPY gives the same.
pub const SETTINGS: &str = "set search_path = ''; set datestyle = 'ISO'; set intervalstyle = 'postgres'; set timezone = 'UTC'; \
     set bytea_output = 'hex'; set extra_float_digits = 3; set synchronize_seqscans = off";

/// A URL, read without the environment.
///
/// # Panics
///
/// When it is none.
#[must_use]
pub fn parse(url: &str) -> DatabaseUrl {
    DatabaseUrl::parse(url, &ConnectEnv::default()).unwrap()
}

/// A connection of the wire client.
///
/// # Panics
///
/// When there is none to be had.
pub async fn wire(url: &str) -> WireConnection {
    WireConnection::connect(&parse(url), &Cancel::never())
        .await
        .unwrap()
}

/// What the server's own COPY gives, whole.
///
/// # Panics
///
/// When it fails.
pub async fn copy(url: &str, encoding: &str, sql: &str) -> Vec<u8> {
    let mut connection = wire(url).await;
    connection
        .execute(&format!("{SETTINGS}; set client_encoding = '{encoding}'"))
        .await
        .unwrap();
    let mut copy = connection
        .copy_out(sql)
        .await
        .unwrap_or_else(|e| panic!("{e:?}, in: {sql}"));
    let (mut all, mut buffer) = (Vec::new(), CopyBuffer::with_capacity(1 << 20));
    loop {
        let status = copy.read(&mut buffer, 256 << 10).await.unwrap();
        all.extend_from_slice(buffer.as_slice());
        buffer.clear();
        if status == CopyStatus::End {
            break;
        }
    }
    copy.finish().await.unwrap();
    all
}

/// Runs an export.
///
/// # Errors
///
/// Those of the library.
pub async fn export(
    url: &str,
    request: ExportRequest,
    sink: Arc<dyn BackupSink>,
) -> Result<ExportReport> {
    let ctx = OpContext::default();
    Export::open(&ctx, &parse(url), request)
        .await?
        .run(&ctx, sink)
        .await
}

/// Exports tables as Parquet into a directory.
///
/// # Errors
///
/// Those of the library.
pub async fn export_parquet(url: &str, request: ExportRequest, to: &Path) -> Result<ExportReport> {
    let sink = DirectorySink::create(to, FileFormat::Parquet(ParquetOptions::default()))?;
    export(url, request, Arc::new(sink)).await
}

/// The Parquet parts in the folder of a table, in order.
///
/// # Panics
///
/// When the folder cannot be read.
#[must_use]
pub fn parts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut parts: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "parquet"))
        .collect();
    parts.sort();
    parts
}

/// Opens a part with its side file.
///
/// # Panics
///
/// When it is damaged.
#[must_use]
pub fn open_part(path: &Path) -> ParquetPart {
    let side = path.with_extension("exact");
    let side = side.exists().then(|| File::open(side).unwrap());
    ParquetPart::open(File::open(path).unwrap(), side)
        .unwrap_or_else(|e| panic!("{}: {e:?}", path.display()))
}

/// Reads all parts of a table back into one COPY stream.
///
/// # Panics
///
/// When a part is damaged.
#[must_use]
pub fn frames(folder: &Path) -> (RowType, Vec<u8>) {
    let mut row_type = None;
    let mut out = Vec::new();
    for path in parts(folder) {
        let part = open_part(&path);
        let mut encoder = RowEncoder::new(part.row_type().clone());
        if row_type.is_none() {
            encoder.start(&mut out);
            row_type = Some(part.row_type().clone());
        }
        for batch in part {
            let batch = batch.unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
            encoder
                .encode(&batch, &mut out)
                .unwrap_or_else(|e| panic!("{}: {e:?}", path.display()));
        }
    }
    let row_type = row_type.expect("a table has a part");
    RowEncoder::new(row_type.clone()).end(&mut out);
    (row_type, out)
}

/// Asserts that two COPY streams are the same, and says where they part.
///
/// # Panics
///
/// When they are not.
pub fn assert_same_frames(what: &str, ours: &[u8], servers: &[u8]) {
    if ours == servers {
        return;
    }
    let at = ours.iter().zip(servers).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let range = at.saturating_sub(24)..(at + 40).min(bytes.len());
        String::from_utf8_lossy(&bytes[range.clone()]).into_owned()
            + &format!("  {:02x?}", &bytes[range])
    };
    panic!(
        "{what}: {} bytes instead of {}, different from byte {at} on\n  ours:   {}\n  server: {}",
        ours.len(),
        servers.len(),
        around(ours),
        around(servers)
    );
}

/// Asserts that something failed with this kind, and gives its chain.
///
/// # Panics
///
/// When it did not.
pub fn assert_kind<T: std::fmt::Debug>(result: Result<T>, kind: ErrorKind) -> String {
    let error = result.expect_err("this must fail");
    assert_eq!(error.kind(), kind, "{error:?}");
    error.chain().join(": ")
}
