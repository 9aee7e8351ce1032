//! Backups whose parts are read by others: whole, or an error.

use super::attacked::verify;
use super::{Place, place, sample};
use opskit_core::backup::fan_out::{FanOut, FanOutPart, FanOutReceipt, run_part};
use opskit_core::backup::restore::{Restore, RestoreRequest, Trust};
use opskit_core::backup::{BackupReport, BackupRequest};
use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::repository::{BackupId, DataFormat, Keyring, Repository, RunStatus, VerifyLevel};
use opskit_core::seal::Identity;
use opskit_core::{Error, ErrorKind, Result};
use opskit_tests::export::parse;
use opskit_tests::secrets::{assert_kept, looked_at};
use opskit_tests::{TestDb, database, folder_of};
use std::collections::BTreeMap;

fn request() -> BackupRequest {
    BackupRequest::new().with_part_bytes(64 << 10)
}

async fn open(place: &Place, db: &TestDb, request: BackupRequest) -> FanOut {
    let ctx = OpContext::default();
    let opened = FanOut::open(&ctx, &parse(&db.url()), &place.repository, request).await;
    looked_at(opened).unwrap()
}

/// Runs a part as another process does: by its text alone, over a handle of its own.
async fn run_with(part: &FanOutPart, url: &str, repository: &Repository) -> Result<FanOutReceipt> {
    let text = part.to_json().unwrap();
    assert_kept("a part", &text);
    let part = FanOutPart::parse(&text).unwrap();
    let handle = Repository::open(repository.directory().unwrap())?;
    let handle = handle.with_keyring(repository.keyring().clone());
    let ran = run_part(&OpContext::default(), &parse(url), &handle, &part).await;
    let text = looked_at(ran)?.to_json()?;
    assert_kept("a receipt", &text);
    FanOutReceipt::parse(&text)
}

async fn run_all(plan: &FanOut, db: &TestDb, place: &Place) -> Vec<FanOutReceipt> {
    let mut receipts = Vec::new();
    for part in plan.parts() {
        receipts.push(run_with(part, &db.url(), &place.repository).await.unwrap());
    }
    receipts
}

fn whole(place: &Place, id: &BackupId) {
    assert_eq!(
        verify(&place.repository, id, VerifyLevel::Decode).unwrap(),
        0
    );
}

fn prints(report: &BackupReport) -> BTreeMap<String, (u64, String)> {
    let tables = report.tables.iter();
    let print = |table: &opskit_core::backup::BackedUpTable| {
        (
            table.table.to_string(),
            (table.rows, table.fingerprint.to_string()),
        )
    };
    tables.map(print).collect()
}

/// How the runs ended, by the records of them. Those of one second have no order.
fn ends(place: &Place) -> Vec<RunStatus> {
    let history = place.repository.history().unwrap();
    let mut ends: Vec<_> = history.iter().map(|run| run.status).collect();
    ends.sort_by_key(|end| format!("{end:?}"));
    ends
}

#[tokio::test]
async fn parts_that_others_read_make_a_backup_like_any_other() {
    let db = sample().await;
    db.psql(
        "select lo_from_bytea(0, decode(repeat('ab', 200000), 'hex')) from generate_series(1, 3)",
    )
    .await;
    for format in [DataFormat::Parquet, DataFormat::Pgcopy] {
        let place = place();
        let request = request().with_format(format);
        let wanted = place.back_up(&db, request.clone()).await.unwrap();
        let plan = open(&place, &db, request).await;
        if db.has_parts().await {
            assert!(plan.parts().len() > plan.plan().tables.len());
        }
        // What is written after the snapshot is in none of the parts.
        db.psql("insert into parent values (99)").await;
        let receipts = run_all(&plan, &db, &place).await;
        db.psql("delete from parent where i = 99").await;
        let report = looked_at(plan.commit(&receipts).await).unwrap();
        assert_eq!(prints(&report), prints(&wanted));
        assert_eq!(report.objects, wanted.objects);
        whole(&place, &report.id);
        let target = database().await;
        let ctx = OpContext::default();
        let trusted = RestoreRequest::default().with_trust(Trust::Backup);
        let restore = Restore::open(&ctx, place.latest(), &parse(&target.url()), trusted).await;
        let restored = Box::pin(restore.unwrap().run(&ctx)).await.unwrap();
        assert!(restored.is_same(), "{:?}", restored.differences);
        assert_eq!(ends(&place), [RunStatus::Success, RunStatus::Success]);
    }
}

#[tokio::test]
async fn every_part_has_one_receipt_of_this_plan() {
    let (db, place) = (sample().await, place());
    let other = open(&place, &db, request()).await;
    let foreign = run_with(&other.parts()[0], &db.url(), &place.repository)
        .await
        .unwrap();
    other
        .abandon(&Error::new(ErrorKind::Cancelled, "given up"))
        .await;
    let plan = open(&place, &db, request()).await;
    let receipts = run_all(&plan, &db, &place).await;
    let refused = |receipts: &[FanOutReceipt], because: &str| {
        let error = plan.check(receipts).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(because), "{error}");
    };
    refused(&[], "have no receipt");
    refused(&receipts[1..], "1 of");
    let mut twice = receipts.clone();
    twice.push(receipts[0].clone());
    refused(&twice, "came twice");
    // The same part once more, by somebody who was thought dead: as good as the first, but not beside it.
    let again = run_with(&plan.parts()[0], &db.url(), &place.repository)
        .await
        .unwrap();
    assert_ne!(again, receipts[0]);
    twice.pop();
    twice.push(again.clone());
    refused(&twice, "came twice");
    let with = |first: FanOutReceipt| {
        let mut all = receipts.clone();
        all[0] = first;
        all
    };
    refused(&with(foreign), "is of backup");
    let edited = |change: fn(&mut FanOutReceipt)| {
        let mut first = receipts[0].clone();
        change(&mut first);
        with(first)
    };
    refused(
        &edited(|it| it.snapshot = "1:1:".into()),
        "another snapshot",
    );
    refused(&edited(|it| it.part.part = 9999), "has no part 9999");
    refused(&edited(|it| it.part.objects.clear()), "other files");
    refused(
        &edited(|it| it.part.objects[0].name = "schema/model".into()),
        "other files",
    );
    plan.check(&receipts).unwrap();
    let report = looked_at(plan.commit(&with(again)).await).unwrap();
    whole(&place, &report.id);
    assert_eq!(place.repository.backups().unwrap(), [report.id]);
    assert_eq!(ends(&place), [RunStatus::Cancelled, RunStatus::Success]);
}

#[tokio::test]
async fn a_commit_without_all_parts_leaves_nothing() {
    let (db, place) = (sample().await, place());
    let plan = open(&place, &db, request()).await;
    let mut receipts = run_all(&plan, &db, &place).await;
    receipts.pop();
    let error = looked_at(plan.commit(&receipts).await).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(place.repository.backups().unwrap(), []);
    assert_eq!(ends(&place), [RunStatus::Failed]);
}

#[tokio::test]
async fn a_file_that_is_not_there_is_noticed() {
    let db = sample().await;
    for harm in [
        (|path| std::fs::remove_file(path).unwrap()) as fn(&std::path::Path),
        |path| std::fs::write(path, b"short").unwrap(),
    ] {
        let place = place();
        let plan = open(&place, &db, request()).await;
        let receipts = run_all(&plan, &db, &place).await;
        let folder = folder_of(&place.repository, &plan.plan().id);
        harm(&folder.join(&receipts[0].part.objects[0].name));
        let error = looked_at(plan.commit(&receipts).await).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert_eq!(place.repository.backups().unwrap(), []);
    }
}

#[tokio::test]
async fn a_part_is_read_in_its_own_snapshot_or_not_at_all() {
    let (db, place, stranger) = (sample().await, place(), database().await);
    let plan = open(&place, &db, request()).await;
    let part = plan.parts()[0].clone();
    let repository = &place.repository;
    let refused = async |part: &FanOutPart, url: &str, repository: &Repository| {
        let error = run_with(part, url, repository).await.unwrap_err();
        (error.kind(), error.chain().join(": "))
    };
    let (kind, why) = refused(&part, &stranger.url(), repository).await;
    assert_eq!(kind, ErrorKind::InvalidInput, "{why}");
    assert!(why.contains("the part is of database"), "{why}");
    let changed = |from: &str, to: &str| {
        let text = String::from_utf8(part.to_json().unwrap()).unwrap();
        let at = text.find(from).unwrap() + from.len();
        let text = format!("{}{to}{}", &text[..at], &text[at..]);
        FanOutPart::parse(text.as_bytes()).unwrap()
    };
    let elsewhere = changed("\"server_started\":\"", "1");
    let (kind, why) = refused(&elsewhere, &db.url(), repository).await;
    assert_eq!(kind, ErrorKind::InvalidInput, "{why}");
    assert!(why.contains("another server"), "{why}");
    let (kind, why) = refused(&changed("\"snapshot\":\"", "1"), &db.url(), repository).await;
    assert_eq!(kind, ErrorKind::Internal, "{why}");
    let other = super::place();
    let (kind, why) = refused(&part, &db.url(), &other.repository).await;
    assert_eq!(kind, ErrorKind::InvalidInput, "{why}");
    plan.abandon(&Error::new(ErrorKind::Cancelled, "given up"))
        .await;
    let (kind, why) = refused(&part, &db.url(), repository).await;
    assert_eq!(kind, ErrorKind::NotFound, "{why}");
    assert!(why.contains("snapshot of the part is gone"), "{why}");
    let left = std::fs::read_dir(repository.directory().unwrap().join("backups"));
    assert_eq!(left.unwrap().count(), 0);
}

#[tokio::test]
async fn a_part_for_a_place_that_was_given_up_writes_nothing() {
    let (db, place) = (sample().await, place());
    let plan = open(&place, &db, request()).await;
    let folder = folder_of(&place.repository, &plan.plan().id);
    // As if the snapshot outlived the place: somebody swept it.
    std::fs::remove_dir_all(&folder).unwrap();
    let error = run_with(&plan.parts()[0], &db.url(), &place.repository)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(
        error.chain().join(" ").contains("nobody writes backup"),
        "{error}"
    );
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_plan_that_lost_its_connection_is_no_backup() {
    let (db, place) = (sample().await, place());
    let plan = open(&place, &db, request()).await;
    let mut receipts = Vec::new();
    let (last, parts) = plan.parts().split_last().unwrap();
    for part in parts {
        receipts.push(run_with(part, &db.url(), &place.repository).await.unwrap());
    }
    db.psql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
        .await;
    let error = run_with(last, &db.url(), &place.repository)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    // Whatever somebody says of that part.
    let mut forged = receipts[0].clone();
    (forged.table, forged.part.part) = (last.ticket.table.clone(), last.ticket.part.number);
    let stem = |table: &opskit_core::name::QualifiedName| format!("data/{}/", table.to_path());
    for object in &mut forged.part.objects {
        object.name = object
            .name
            .replace(&stem(&receipts[0].table), &stem(&last.ticket.table));
    }
    receipts.push(forged);
    let error = looked_at(plan.commit(&receipts).await).unwrap_err();
    assert_ne!(error.kind(), ErrorKind::Internal, "{error}");
    assert_eq!(place.repository.backups().unwrap(), []);
    assert_eq!(ends(&place), [RunStatus::Failed]);
}

#[tokio::test]
async fn what_a_worker_left_that_stopped_is_not_in_the_backup() {
    let (db, place) = (sample().await, place());
    let plan = open(&place, &db, request()).await;
    let part = &plan.parts()[0];
    // It is stopped once it has begun, before it could give a receipt.
    let (stop, stopped) = Cancel::pair();
    let ctx = OpContext::new(stopped).with_observer(move |event: &Event| {
        if matches!(event, Event::PartStarted { .. }) {
            stop.cancel();
        }
    });
    let ran = run_part(&ctx, &parse(&db.url()), &place.repository, part).await;
    assert_eq!(ran.unwrap_err().kind(), ErrorKind::Cancelled);
    let folder = folder_of(&place.repository, &plan.plan().id);
    // And one that was killed left half a file.
    let path = folder.join("data").join(part.ticket.table.to_path());
    std::fs::create_dir_all(&path).unwrap();
    std::fs::write(path.join("part-00000-0123456789abcdef.parquet"), b"PAR1").unwrap();
    let receipts = run_all(&plan, &db, &place).await;
    let report = looked_at(plan.commit(&receipts).await).unwrap();
    whole(&place, &report.id);
}

#[tokio::test]
async fn a_worker_of_a_sealed_backup_needs_its_key() {
    let db = sample().await;
    let (identity, _) = Identity::generate();
    let sealing = Keyring::new().sealing_for([identity.recipient()]);
    let Place { repository, dir } = place();
    let full = sealing.clone().opening_with([identity]);
    let blind = repository.clone().with_keyring(sealing);
    let place = Place {
        repository: repository.with_keyring(full),
        dir,
    };
    let plan = open(&place, &db, request()).await;
    let error = run_with(&plan.parts()[0], &db.url(), &blind)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let receipts = run_all(&plan, &db, &place).await;
    let report = looked_at(plan.commit(&receipts).await).unwrap();
    assert!(report.encryption.is_some());
    whole(&place, &report.id);
    assert!(place.latest().contents().is_ok());
}

#[test]
fn what_is_no_part_is_told() {
    for (text, kind) in [
        ("", ErrorKind::Damaged),
        ("{}", ErrorKind::Damaged),
        ("{\"version\":1}", ErrorKind::Damaged),
        ("{\"version\":2}", ErrorKind::Unsupported),
    ] {
        assert_eq!(
            FanOutPart::parse(text.as_bytes()).unwrap_err().kind(),
            kind,
            "{text}"
        );
        assert_eq!(
            FanOutReceipt::parse(text.as_bytes()).unwrap_err().kind(),
            kind,
            "{text}"
        );
    }
}
