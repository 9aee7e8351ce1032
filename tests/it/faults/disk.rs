//! A disk that fills up while a backup or a drill runs.

use super::{BIG, Mount, OURS, becomes};
use opskit_core::ErrorKind;
use opskit_core::backup::{BackupRequest, backup};
use opskit_core::context::OpContext;
use opskit_core::repository::{DataFormat, Keyring, Repository};
use opskit_core::seal::Identity;
use opskit_tests::export::{assert_kind, parse};
use opskit_tests::{database, helper};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_disk_full_in_a_backup() {
    let Some(mount) = Mount::new(2) else {
        println!("skipped: no file system may be mounted here");
        return;
    };
    let db = database().await;
    db.psql(BIG).await;
    let ctx = OpContext::default();
    let repository = Repository::create(mount.0.path().join("r")).unwrap();
    let (identity, _) = Identity::generate();
    let sealing = Keyring::new().sealing_for([identity.recipient()]);
    let formats = [DataFormat::Parquet, DataFormat::Pgcopy];
    let turns = [1 << 40, 4 << 20].map(|bytes| formats.map(|format| (format, bytes)));
    let turns = [Keyring::new(), sealing]
        .map(|keyring| turns.map(|turn| turn.map(|it| (keyring.clone(), it))));
    for (turn, (keyring, (format, part_bytes))) in turns.into_iter().flatten().flatten().enumerate()
    {
        let repository = repository.clone().with_keyring(keyring);
        let request = BackupRequest::new().with_format(format);
        let request = request.with_part_bytes(part_bytes).with_jobs(2);
        let made = backup(&ctx, &parse(&db.url()), &repository, request).await;
        let said = assert_kind(made, ErrorKind::Storage);
        assert!(said.contains("space"), "{said}");
        assert_eq!(repository.backups().unwrap(), []);
        let left = fs::read_dir(repository.directory().unwrap().join("backups")).unwrap();
        assert_eq!(left.count(), 0, "what was written is removed");
        assert_eq!(repository.history().unwrap().len(), turn + 1);
    }
    becomes(&db, OURS, "0").await;
    // With room again, the same repository takes a backup.
    let request = BackupRequest::new().excluding(["big"]).unwrap();
    let made = backup(&ctx, &parse(&db.url()), &repository, request).await;
    assert_eq!(repository.backups().unwrap(), [made.unwrap().id]);
}

/// Takes all but `rest` bytes of a file system.
fn fill(place: &Path, rest: u64) {
    let disk = rustix::fs::statvfs(place).unwrap();
    let mut free = disk.f_bavail * disk.f_frsize;
    let mut ballast = File::create(place.join("ballast")).unwrap();
    let block = vec![1; 1 << 20];
    while free > rest {
        // The server may have taken the rest meanwhile.
        if ballast.write_all(&block).is_err() {
            break;
        }
        free -= 1 << 20;
    }
}

/// Whether a server is up in one of the directories here.
fn is_up(place: &Path) -> bool {
    let entries = fs::read_dir(place).unwrap().flatten();
    let found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.iter().any(|path| {
        fs::read_dir(path.join("s")).is_ok_and(|entries| {
            entries
                .flatten()
                .any(|entry| entry.file_name().to_string_lossy().starts_with(".s.PGSQL"))
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_disk_full_in_a_drill() {
    let (Some(small), Some(large)) = (Mount::new(64), Mount::new(600)) else {
        println!("skipped: no file system may be mounted here");
        return;
    };
    let db = database().await;
    db.psql(BIG).await;
    // The first row takes its time, so that the room is gone before the rest.
    db.psql("alter table big add check (id > 1 or pg_catalog.pg_sleep(2)::text is not null)")
        .await;
    let place = tempfile::tempdir().unwrap();
    let repository = Repository::create(place.path().join("r")).unwrap();
    let request = BackupRequest::new();
    let made = backup(
        &OpContext::default(),
        &parse(&db.url()),
        &repository,
        request,
    )
    .await;
    made.unwrap();
    let opskit = std::env::var_os("OPSKIT_BIN").map_or_else(|| helper("opskit"), PathBuf::from);
    let drill = |scratch: &Path| {
        let mut command = Command::new(&opskit);
        command
            .args(["drill", "--repo"])
            .arg(repository.directory().unwrap());
        command.env("TMPDIR", scratch).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    let records = || {
        let names = fs::read_dir(repository.directory().unwrap().join("history")).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name());
        names
            .filter(|name| name.to_string_lossy().starts_with("drill-"))
            .count()
    };
    // Known before it starts.
    let output = drill(small.0.path()).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(74), "{said}");
    assert!(said.contains("the drill needs about"), "{said}");
    assert_eq!(records(), 1);
    // Somebody else takes the room meanwhile.
    let mut child = drill(large.0.path());
    let start = Instant::now();
    while !is_up(large.0.path()) {
        assert!(start.elapsed() < Duration::from_secs(30), "no server");
        assert_eq!(child.try_wait().unwrap(), None);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fill(large.0.path(), 8 << 20);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let code = output.status.code().unwrap();
    // 75 where the server lost its log, starts again, and says that it is not ready.
    assert!([1, 69, 74, 75].contains(&code), "{code}: {said}");
    assert_eq!(records(), 2);
    let left: Vec<_> = fs::read_dir(large.0.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "the ballast alone is left: {left:?}");
}
