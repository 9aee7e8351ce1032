//! Object stores: what a directory promises, memory and real servers keep too.

use opskit_core::backup::restore::{Restore, RestoreRequest};
use opskit_core::backup::{BackupRequest, backup};
use opskit_core::context::OpContext;
use opskit_core::repository::{
    BackupId, BackupReader, CopyOutcome, Repository, RepositoryUrl, VerifyLevel,
};
use opskit_core::{Error, ErrorKind};
use opskit_tests::export::parse;
use opskit_tests::stores::StoreServer;
use opskit_tests::{TestDb, database};

/// Rows of several kinds, with side files; one part is larger than a part of an upload.
async fn sample() -> TestDb {
    let db = database().await;
    db.psql(
        "create table t (id int primary key, amount numeric(12,2), grid int[]); \
         insert into t select i, case when i % 7 = 0 then 'NaN' else i / 4.0 end, \
           case when i % 5 = 0 then '{{1,2},{3,4}}'::int[] end from generate_series(1, 3000) i; \
         create table big (noise text); \
         insert into big select string_agg(md5(i::text || j), '') from generate_series(1, 2000) i, generate_series(1, 512) j group by i; \
         create table \"a/../b %41\" (i int); insert into \"a/../b %41\" values (1); \
         create sequence s start 5; select lo_from_bytea(0, repeat('large ', 5000)::bytea);",
    )
    .await;
    db
}

/// A repository is used on a thread that may block.
async fn apart<T: Send + 'static>(
    repository: &Repository,
    work: impl FnOnce(Repository) -> T + Send + 'static,
) -> T {
    let repository = repository.clone();
    tokio::task::spawn_blocking(move || work(repository))
        .await
        .unwrap()
}

async fn open(url: RepositoryUrl) -> Repository {
    tokio::task::spawn_blocking(move || Repository::create_at(&url).unwrap())
        .await
        .unwrap()
}

async fn assert_sound(repository: &Repository, id: &BackupId) {
    let id = id.clone();
    let report = apart(repository, move |repository| {
        repository.verify(&OpContext::default(), &id, VerifyLevel::Decode)
    });
    let report = report.await.unwrap();
    assert_eq!(report.faults, [], "{}", repository.place());
    assert!(report.rows > 3700);
}

async fn assert_restores(repository: &Repository, id: &BackupId) {
    let id = id.clone();
    let reader: BackupReader =
        apart(repository, move |repository| repository.read(&id).unwrap()).await;
    let (ctx, target) = (OpContext::default(), database().await);
    let url = parse(&target.url());
    let restore = Restore::open(&ctx, reader, &url, RestoreRequest::default()).await;
    let report = Box::pin(restore.unwrap().run(&ctx)).await.unwrap();
    assert!(
        report.is_same(),
        "{:?} {:?}",
        report.failures,
        report.differences
    );
}

/// Copies the backup to a place.
async fn copy(repository: &Repository, id: &BackupId, url: RepositoryUrl) -> Repository {
    let id = id.clone();
    apart(repository, move |repository| {
        let copies = repository.copies_at(&url).unwrap();
        let ctx = OpContext::default();
        let report = repository.copy(&ctx, &id, &copies).unwrap();
        assert_eq!(report.outcome, CopyOutcome::Copied);
        let again = repository.copy(&ctx, &id, &copies).unwrap();
        assert_eq!(again.outcome, CopyOutcome::AlreadyThere);
        copies.settle().unwrap();
        copies
    })
    .await
}

/// The whole loop: backup, verify, restore, copy out, copy back in.
async fn loop_in(repository: Repository, other: RepositoryUrl, back: RepositoryUrl) -> Vec<String> {
    let db = sample().await;
    let ctx = OpContext::default();
    let url = parse(&db.url());
    let making = backup(&ctx, &url, &repository, BackupRequest::new());
    let report = Box::pin(making).await.unwrap();
    assert!(
        report
            .location
            .starts_with(repository.place().split('?').next().unwrap())
    );
    assert_sound(&repository, &report.id).await;
    assert_restores(&repository, &report.id).await;
    let copies = copy(&repository, &report.id, other).await;
    assert_eq!(copies.id(), repository.id());
    assert_sound(&copies, &report.id).await;
    let back = copy(&copies, &report.id, back).await;
    assert_sound(&back, &report.id).await;
    assert_restores(&back, &report.id).await;
    let history = apart(&repository, |repository| repository.history().unwrap()).await;
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].manifest_sha256, Some(report.manifest_sha256));
    let sweeping = apart(&repository, |repository| repository.sweep().unwrap());
    assert_eq!(sweeping.await, []);
    report.warnings
}

#[tokio::test]
async fn the_whole_loop_in_memory() {
    let place = tempfile::tempdir().unwrap();
    let repository = open(RepositoryUrl::memory()).await;
    let directory = RepositoryUrl::directory(place.path().join("copies"));
    let warnings = loop_in(repository, directory, RepositoryUrl::memory()).await;
    assert_eq!(warnings, [""; 0]);
}

async fn the_whole_loop_on(server: Option<StoreServer>) -> Option<Vec<String>> {
    let server = server?;
    let place = tempfile::tempdir().unwrap();
    let repository = open(server.url("some/where")).await;
    let directory = RepositoryUrl::directory(place.path().join("copies"));
    Some(loop_in(repository, directory, server.url("elsewhere")).await)
}

/// It checks signatures and ignores conditional requests, which the run tells.
#[tokio::test]
async fn the_whole_loop_on_rclone() {
    if let Some(warnings) = the_whole_loop_on(StoreServer::rclone()).await {
        assert!(
            warnings[0].contains("ignores conditional requests"),
            "{warnings:?}"
        );
    }
}

/// It keeps to conditional requests.
#[tokio::test]
async fn the_whole_loop_on_moto() {
    if let Some(warnings) = the_whole_loop_on(StoreServer::moto()).await {
        assert_eq!(warnings, [""; 0]);
    }
}

#[tokio::test]
async fn the_whole_loop_on_azurite() {
    if let Some(warnings) = the_whole_loop_on(StoreServer::azurite()).await {
        assert_eq!(warnings, [""; 0]);
    }
}

/// A wrong secret is told as what it is, once, and is not repeated.
#[test]
fn a_wrong_secret_is_told() {
    let Some(server) = StoreServer::rclone() else {
        return;
    };
    let env = opskit_core::repository::StoreEnv::from_vars([
        ("AWS_ACCESS_KEY_ID", "OPSKITTESTS"),
        ("AWS_SECRET_ACCESS_KEY", "another-s3cret"),
    ]);
    let url = RepositoryUrl::parse(&server.text("x"), &env).unwrap();
    let error: Error = Repository::create_at(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
    let told = format!("{error:?} {:?} {:?}", error.chain(), error.hint());
    assert!(
        told.contains("credentials") && !told.contains("s3cret"),
        "{told}"
    );
}

/// A server that is not there is told within seconds.
#[test]
fn a_server_that_is_not_there_is_told() {
    let env = opskit_core::repository::StoreEnv::from_vars([
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "another-s3cret"),
    ]);
    let url = RepositoryUrl::parse("s3://box/x?endpoint=http://127.0.0.1:9", &env).unwrap();
    let error = Repository::create_at(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage, "{error:?}");
    assert!(error.to_string().contains("s3://box/x"), "{error}");
}

/// Backups name their repository: a copy goes where copies of it are, and nowhere else.
#[test]
fn another_repository_takes_no_copies() {
    let place = tempfile::tempdir().unwrap();
    let repository = Repository::create_at(&RepositoryUrl::memory()).unwrap();
    Repository::create(place.path().join("other")).unwrap();
    let url = RepositoryUrl::directory(place.path().join("other"));
    let error = repository.copies_at(&url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.hint().unwrap().contains("identity"));
}
