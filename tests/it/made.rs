//! Repositories that are made without a server: backups of any time, with the records of their runs.

use opskit_core::repository::{
    BackupId, BackupType, RECORD_VERSION, Repository, RepositorySink, RunRecord, RunStatus,
    Selection,
};
use opskit_core::sink::{BackupSink as _, FileFormat};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A repository in the directory `backups` of a place of its own.
pub(crate) struct Made {
    pub(crate) place: tempfile::TempDir,
    pub(crate) repository: Repository,
    count: u32,
}

/// A day of the year 2026, as a number of days since the epoch.
const FIRST_DAY: u64 = 20_454;

impl Made {
    pub(crate) fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::create(place.path().join("backups")).unwrap();
        Self {
            place,
            repository,
            count: 0,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// A whole backup of a target, of noon of this day of 2026 (from 0), with its record.
    pub(crate) async fn backup(&mut self, target: &str, day: u64) -> BackupId {
        self.backup_of(target, day, Selection::All).await
    }

    pub(crate) async fn backup_of(
        &mut self,
        target: &str,
        day: u64,
        selection: Selection,
    ) -> BackupId {
        let (id, at) = self.next(day);
        let sink = RepositorySink::begin(&self.repository, &id, FileFormat::PgCopy(1)).unwrap();
        let contents = self.contents(&id, target);
        let sealed = sink
            .put_object("manifest.sealed", contents.to_string().as_bytes())
            .await
            .unwrap();
        let model = sink.put_object("schema/model", b"{}").await.unwrap();
        let manifest = json!({
            "version": 1, "repository": self.repository.id(), "id": id, "type": "full", "started_at": text(at),
            "snapshot_at": text(at), "finished_at": text(at), "opskit_version": "0.1.0", "sealed": sealed,
            "objects": [model],
        });
        let manifest = manifest.to_string();
        sink.commit(manifest.as_bytes()).await.unwrap();
        let record = RunRecord {
            manifest_sha256: Some(sha256(manifest.as_bytes())),
            selection,
            ..record(&id, target, at, RunStatus::Success)
        };
        self.repository.record(&record, at.into()).unwrap();
        id
    }

    /// A run that failed on this day.
    pub(crate) fn failure(&mut self, target: &str, day: u64) {
        let (id, at) = self.next(day);
        let record = record(&id, target, at, RunStatus::Failed);
        self.repository.record(&record, at.into()).unwrap();
    }

    fn next(&mut self, day: u64) -> (BackupId, SystemTime) {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs((FIRST_DAY + day) * 86_400 + 43_200);
        self.count += 1;
        // The random half of the name is in no order.
        let random = self.count.wrapping_mul(0x9e37_79b9);
        let made = BackupId::new(at.into()).unwrap();
        let (stamp, _) = made.as_str().split_once('-').unwrap();
        (format!("{stamp}-{random:08x}").parse().unwrap(), at)
    }

    /// What an earlier version wrote, with another name.
    fn contents(&self, id: &BackupId, target: &str) -> Value {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fixtures/repository-1/backups/20261121T145518Z-276330d4/manifest.sealed");
        let mut contents: Value = serde_json::from_slice(&std::fs::read(fixture).unwrap()).unwrap();
        contents["id"] = json!(id);
        contents["repository"] = json!(self.repository.id());
        contents["source"]["target"] = json!(target);
        contents["tables"] = json!([]);
        contents["tags"] = json!({});
        contents
    }
}

fn record(id: &BackupId, target: &str, at: SystemTime, status: RunStatus) -> RunRecord {
    RunRecord {
        version: RECORD_VERSION,
        id: id.clone(),
        backup_type: BackupType::Full,
        selection: Selection::All,
        status,
        started_at: text(at),
        finished_at: text(at),
        duration_ms: 125_000,
        database: "shop".to_owned(),
        target: Some(target.to_owned()),
        tables: 2,
        rows: 4,
        size_bytes: 1_200_000_000,
        manifest_sha256: None,
        migration_version: Some("20240215140312".to_owned()),
        tags: BTreeMap::new(),
        warnings: Vec::new(),
        error: None,
        opskit_version: "0.1.0".to_owned(),
    }
}

/// A time of whole seconds in RFC 3339.
fn text(at: SystemTime) -> String {
    let made = BackupId::new(at.into()).unwrap();
    let digits = made.as_str();
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        &digits[..4],
        &digits[4..6],
        &digits[6..8],
        &digits[9..11],
        &digits[11..13],
        &digits[13..15]
    )
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
