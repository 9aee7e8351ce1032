//! Repositories: the sink keeps the contract of all sinks, and what an earlier version wrote is read.

mod faulty;
mod stores;

use opskit_core::context::OpContext;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::repository::{BackupId, Repository, RepositorySink, RepositoryUrl, VerifyLevel};
use opskit_core::sink::{BackupSink, FileFormat};
use opskit_core::testing::sink::{Capacity, SinkUnderTest, check_sink};
use opskit_core::{ErrorKind, Result};
use opskit_tests::folder_of;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// Backups into a repository, one after the other; a reader looks at the last.
struct InRepository {
    repository: Repository,
    format: FileFormat,
    count: u32,
    /// The same place, for the reader.
    sound: RepositoryUrl,
    _place: Option<TempDir>,
}

impl InRepository {
    fn id(&self) -> BackupId {
        format!("20261121T013000Z-{:08x}", self.count)
            .parse()
            .unwrap()
    }
}

impl SinkUnderTest for InRepository {
    fn sink(&mut self) -> Arc<dyn BackupSink> {
        self.count += 1;
        Arc::new(RepositorySink::begin(&self.repository, &self.id(), self.format).unwrap())
    }

    fn visible(&self) -> BTreeMap<String, Vec<u8>> {
        self.repository.settle().unwrap();
        let sound = Repository::open_at(&self.sound).unwrap();
        match sound.backups().unwrap().contains(&self.id()) {
            true => opskit_core::testing::store::objects(&sound, &self.id()).unwrap(),
            false => BTreeMap::new(),
        }
    }

    fn leftovers(&self) -> Vec<String> {
        self.repository.settle().unwrap();
        let found = opskit_core::testing::store::objects(&self.repository, &self.id()).unwrap();
        found.into_keys().collect()
    }

    fn capacity(&self) -> Capacity {
        Capacity::Whole
    }
}

#[tokio::test]
async fn sinks_repository() {
    for format in [
        FileFormat::Parquet(ParquetOptions::default()),
        FileFormat::PgCopy(1),
    ] {
        let place = tempfile::tempdir().unwrap();
        let url = RepositoryUrl::directory(place.path().join("r"));
        let mut under_test = InRepository {
            repository: Repository::create_at(&url).unwrap(),
            format,
            count: 0,
            sound: url,
            _place: Some(place),
        };
        check_sink(&mut under_test).await;
    }
}

/// The repository that is checked in.
fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/repository-1")
}

/// Every later version must read what version 1 wrote.
#[test]
fn a_repository_of_version_1_is_read() {
    let repository = Repository::open(fixture()).unwrap();
    let id = repository.find("latest").unwrap();
    let contents = repository.read(&id).unwrap().contents().unwrap();
    assert_eq!((contents.tables.len(), contents.rows()), (2, 4));
    let verified = repository
        .verify(&OpContext::default(), &id, VerifyLevel::Decode)
        .unwrap();
    assert_eq!(verified.faults, []);
    assert_eq!(verified.rows, 4);
    assert_eq!(repository.history().unwrap().len(), 1);
}

fn copy_of_fixture() -> (TempDir, Repository, BackupId) {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(path.file_name().unwrap());
            if path.is_dir() {
                copy(&path, &target);
            } else {
                std::fs::copy(&path, &target).unwrap();
            }
        }
    }
    let place = tempfile::tempdir().unwrap();
    copy(&fixture(), place.path());
    let repository = Repository::open(place.path()).unwrap();
    let id = repository.find("latest").unwrap();
    (place, repository, id)
}

fn edit_manifest(repository: &Repository, id: &BackupId, from: &str, to: &str) -> Result<()> {
    let path = folder_of(repository, id).join("manifest.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from} is in {text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    repository.read(id).map(drop)
}

/// Names that lead elsewhere, later versions and other backups are refused.
#[test]
fn an_edited_manifest_is_refused() {
    for (from, to, kind) in [
        ("schema/model", "../../../x", ErrorKind::Damaged),
        ("schema/model", "/etc/passwd", ErrorKind::Damaged),
        ("\"version\": 1", "\"version\": 2", ErrorKind::Unsupported),
        ("schema/model", "schema/facts", ErrorKind::Damaged),
        ("\"id\": \"2", "\"id\": \"1", ErrorKind::Damaged),
        ("\"objects\"", "\"objets\"", ErrorKind::Damaged),
    ] {
        let (_place, repository, id) = copy_of_fixture();
        let error = edit_manifest(&repository, &id, from, to).unwrap_err();
        assert_eq!(error.kind(), kind, "{to}: {error:?}");
    }
}

/// A link in a repository is not followed out of it.
#[test]
fn links_are_refused() {
    let (place, repository, id) = copy_of_fixture();
    let model = folder_of(&repository, &id).join("schema/model");
    let elsewhere = place.path().join("elsewhere");
    std::fs::rename(&model, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &model).unwrap();
    let reader = repository.read(&id).unwrap();
    let error = reader.open_stored("schema/model").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    let found = repository.verify(&OpContext::default(), &id, VerifyLevel::List);
    assert_eq!(found.unwrap().faults[0].object, "schema/model");
}

/// A directory that holds other things does not become a repository.
#[test]
fn a_directory_of_others_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("mine"), "mine").unwrap();
    let error = Repository::create(place.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    let error = Repository::open(place.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Names tell seconds; of two backups of one second, the later instant is the latest.
#[tokio::test]
async fn the_latest_of_one_second_is_the_later_one() {
    let place = tempfile::tempdir().unwrap();
    let repository = Repository::create(place.path().join("backups")).unwrap();
    for (random, snapshot_at) in [
        ("ffffffff", "2026-11-21T01:30:00.2Z"),
        ("00000000", "2026-11-21T01:30:00.25Z"),
        ("aaaaaaaa", "2026-11-21T01:30:00Z"),
    ] {
        let id: BackupId = format!("20261121T013000Z-{random}").parse().unwrap();
        let sink = RepositorySink::begin(&repository, &id, FileFormat::PgCopy(1)).unwrap();
        let sealed = sink.put_object("manifest.sealed", b"{}").await.unwrap();
        let manifest = serde_json::json!({
            "version": 1, "repository": repository.id(), "id": id, "type": "full", "started_at": snapshot_at,
            "snapshot_at": snapshot_at, "finished_at": snapshot_at, "opskit_version": "1", "sealed": sealed, "objects": [],
        });
        sink.commit(manifest.to_string().as_bytes()).await.unwrap();
    }
    let latest = repository.find("latest").unwrap();
    assert_eq!(latest.as_str(), "20261121T013000Z-00000000");
}
