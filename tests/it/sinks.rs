//! Every sink keeps the contract.

use opskit_core::export::Exactness;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::sink::{
    BackupSink, DirectorySink, Existing, FileFormat, FileSink, NullSink, RowForm, StreamSink,
};
use opskit_core::testing::sink::{Capacity, SinkUnderTest, check_sink};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

fn formats() -> [FileFormat; 6] {
    [
        FileFormat::Parquet(ParquetOptions::default()),
        FileFormat::Arrow(Exactness::Interop),
        FileFormat::PgCopy(0),
        FileFormat::PgCopy(1),
        FileFormat::Csv,
        FileFormat::JsonLines,
    ]
}

/// Every file below `dir`, by its path from there.
fn files(dir: &Path, from: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, from, found);
        } else {
            let name = path
                .strip_prefix(from)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
}

struct Null(RowForm);

impl SinkUnderTest for Null {
    fn sink(&mut self) -> Arc<dyn BackupSink> {
        Arc::new(NullSink::new(self.0))
    }

    fn visible(&self) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::new()
    }

    fn capacity(&self) -> Capacity {
        Capacity::Nothing
    }
}

struct Directory {
    place: TempDir,
    format: FileFormat,
}

impl SinkUnderTest for Directory {
    fn sink(&mut self) -> Arc<dyn BackupSink> {
        self.place = tempfile::tempdir().unwrap();
        Arc::new(DirectorySink::create(self.place.path().join("out"), self.format).unwrap())
    }

    fn visible(&self) -> BTreeMap<String, Vec<u8>> {
        let (mut found, out) = (BTreeMap::new(), self.place.path().join("out"));
        files(&out, &out, &mut found);
        found
    }

    fn leftovers(&self) -> Vec<String> {
        let mut found = BTreeMap::new();
        files(self.place.path(), self.place.path(), &mut found);
        found.into_keys().collect()
    }

    fn capacity(&self) -> Capacity {
        Capacity::Whole
    }
}

struct OneFile {
    place: TempDir,
    format: FileFormat,
    existing: Existing,
}

impl OneFile {
    fn target(&self) -> PathBuf {
        self.place.path().join("out.file")
    }
}

impl SinkUnderTest for OneFile {
    fn sink(&mut self) -> Arc<dyn BackupSink> {
        self.place = tempfile::tempdir().unwrap();
        Arc::new(FileSink::create(self.target(), self.format, self.existing).unwrap())
    }

    fn visible(&self) -> BTreeMap<String, Vec<u8>> {
        let bytes = std::fs::read(self.target()).ok();
        bytes
            .map(|bytes| (self.target().to_str().unwrap().to_owned(), bytes))
            .into_iter()
            .collect()
    }

    fn leftovers(&self) -> Vec<String> {
        let mut found = BTreeMap::new();
        files(self.place.path(), self.place.path(), &mut found);
        found.into_keys().collect()
    }

    fn capacity(&self) -> Capacity {
        Capacity::OnePart
    }
}

/// Bytes that a stream took.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<u8>>>);

impl Write for Taken {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Stream {
    taken: Taken,
    format: FileFormat,
}

impl SinkUnderTest for Stream {
    fn sink(&mut self) -> Arc<dyn BackupSink> {
        self.taken = Taken::default();
        Arc::new(StreamSink::new(self.taken.clone(), self.format))
    }

    fn visible(&self) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([("-".to_owned(), self.taken.0.lock().unwrap().clone())])
    }

    fn capacity(&self) -> Capacity {
        Capacity::Stream
    }
}

#[tokio::test]
async fn sinks_null() {
    for form in [
        RowForm::Batches,
        RowForm::Frames,
        RowForm::Csv,
        RowForm::JsonLines,
    ] {
        check_sink(&mut Null(form)).await;
    }
}

#[tokio::test]
async fn sinks_directory() {
    for format in formats() {
        check_sink(&mut Directory {
            place: tempfile::tempdir().unwrap(),
            format,
        })
        .await;
    }
}

#[tokio::test]
async fn sinks_file() {
    for format in formats() {
        for existing in [Existing::Refuse, Existing::Replace] {
            check_sink(&mut OneFile {
                place: tempfile::tempdir().unwrap(),
                format,
                existing,
            })
            .await;
        }
    }
}

#[tokio::test]
async fn sinks_stream() {
    for format in formats() {
        check_sink(&mut Stream {
            taken: Taken::default(),
            format,
        })
        .await;
    }
}

/// What stands at the target when the run ends is not overwritten, nor removed.
#[tokio::test]
async fn sinks_do_not_touch_what_is_there() {
    let place = tempfile::tempdir().unwrap();
    let (dir, file) = (place.path().join("dir"), place.path().join("file"));
    let directory = DirectorySink::create(&dir, FileFormat::Csv).unwrap();
    let single = FileSink::create(&file, FileFormat::Csv, Existing::Refuse).unwrap();
    let mut header = None;
    for sink in [&directory as &dyn BackupSink, &single] {
        let part = header.get_or_insert_with(|| opskit_core::sink::PartHeader {
            table: opskit_core::name::QualifiedName::new("s", "t"),
            part: 0,
            parts: 1,
            row_type: Arc::default(),
        });
        sink.open_part(part.clone())
            .await
            .unwrap()
            .finish()
            .await
            .unwrap();
    }
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("mine"), "mine").unwrap();
    std::fs::write(&file, "mine").unwrap();
    assert!(directory.commit(b"{}").await.is_err());
    assert!(single.commit(b"{}").await.is_err());
    drop((directory, single));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(dir.join("mine")).unwrap(), "mine");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    assert!(DirectorySink::create(&dir, FileFormat::Csv).is_err());
}
