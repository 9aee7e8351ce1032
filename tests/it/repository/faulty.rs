//! Repositories on a store that fails.

use super::{InRepository, check_sink};
use opskit_core::context::OpContext;
use opskit_core::name::QualifiedName;
use opskit_core::pgtype::RowType;
use opskit_core::repository::{
    BackupId, Keyring, Repository, RepositorySink, RepositoryUrl, VerifyLevel,
};
use opskit_core::seal::{Identity, SigningKey};
use opskit_core::sink::{BackupSink, FileFormat, PartHeader, Rows};
use opskit_core::testing::store::{Call, Fault, FaultyMemory};
use opskit_core::{ErrorKind, Result};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn id(n: u64) -> BackupId {
    format!("20261121T013000Z-{n:08x}").parse().unwrap()
}

/// The rules of all sinks, in memory and in memory that fails now and then.
#[tokio::test]
async fn sinks_repository_in_memory() {
    for per_mille in [0, 20] {
        let store = FaultyMemory::new();
        let repository = Repository::create_at(&store.url()).unwrap();
        store.fail_at_random(7, per_mille);
        let mut under_test = InRepository {
            repository,
            format: FileFormat::PgCopy(1),
            count: 0,
            sound: store.url(),
            _place: None,
        };
        check_sink(&mut under_test).await;
        assert!(store.calls(Call::Put) > 0);
    }
}

/// A backup of one part that is several parts of an upload, and some objects.
async fn back_up(repository: &Repository, id: &BackupId) -> Result<()> {
    let sink = RepositorySink::begin(repository, id, FileFormat::PgCopy(1))?;
    let header = PartHeader {
        table: QualifiedName::new("public", "t"),
        part: 0,
        parts: 1,
        row_type: Arc::new(RowType {
            columns: Vec::new(),
        }),
    };
    let mut part = sink.open_part(header).await?;
    let noise: Vec<u8> = (0..6000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    part.write(Rows::Bytes(&noise)).await?;
    let mut objects = part.finish().await?.objects;
    objects.push(sink.put_object("schema/model", b"{}").await?);
    let sealed = sink.put_object("manifest.sealed", b"{}").await?;
    let manifest = json!({
        "version": 1, "repository": repository.id(), "id": id, "type": "full", "started_at": "x",
        "snapshot_at": "x", "finished_at": "x", "opskit_version": "1", "sealed": sealed, "objects": objects,
        "encryption": sink.encryption(),
    });
    sink.commit(manifest.to_string().as_bytes()).await
}

/// Whether a backup is listed, and then every byte of it is what was sent.
fn is_listed(url: &RepositoryUrl, id: &BackupId) -> bool {
    let sound = Repository::open_at(url).unwrap();
    let listed = sound.backups().unwrap().contains(id);
    if listed {
        let report = sound
            .verify(&OpContext::default(), id, VerifyLevel::Hash)
            .unwrap();
        // The contents of this backup are no real ones.
        let mut real = report.faults.iter();
        let real = real.find(|fault| fault.object != "manifest.sealed");
        assert_eq!(real, None, "{id}");
    }
    listed
}

/// A run either succeeds and is sound, or fails with no backup listed.
#[tokio::test]
async fn five_hundred_schedules_of_faults() {
    let (mut made, mut failed) = (0, 0);
    let (identity, _) = Identity::generate();
    let (signing, _) = SigningKey::generate().unwrap();
    let keyring = Keyring::new()
        .sealing_for([identity.recipient()])
        .signing_with(signing);
    for seed in 0..500 {
        let store = FaultyMemory::new();
        if seed % 3 == 0 {
            store.ignore_conditions();
        }
        let mut repository = Repository::create_at(&store.url()).unwrap();
        // Half of them also store keys and a signature.
        if seed % 2 == 0 {
            repository = repository.with_keyring(keyring.clone());
        }
        store.fail_at_random(seed * 7919 + 1, 50 + seed % 7 * 150);
        let ended = back_up(&repository, &id(seed)).await;
        // What the run leaves is cleaned up as well as the store lets it.
        repository.settle().unwrap();
        store.heal();
        let listed = is_listed(&store.url(), &id(seed));
        match ended {
            Ok(()) => {
                assert!(listed, "seed {seed}");
                made += 1;
            }
            Err(error) => {
                assert!(!listed, "seed {seed}: {error:?}");
                failed += 1;
                // Whatever is left goes once its lease has run out.
                let later = Repository::open_at(&store.url_with(Duration::ZERO)).unwrap();
                later.sweep().unwrap();
                assert_eq!(later.backups().unwrap(), []);
            }
        }
    }
    assert!(made > 50 && failed > 50, "{made} made, {failed} failed");
}

/// Each call, failed once in every way, changes nothing: it is tried again.
#[tokio::test]
async fn one_fault_of_each_kind_is_got_over() {
    for call in Call::ALL {
        for fault in [Fault::Error, Fault::LostAnswer, Fault::ShortRead] {
            for nth in 1..=4 {
                let store = FaultyMemory::new();
                let repository = Repository::create_at(&store.url()).unwrap();
                store.fail(call, nth, fault);
                let ended = back_up(&repository, &id(nth)).await;
                assert!(ended.is_ok(), "{call:?} {nth} {fault:?}: {ended:?}");
                store.heal();
                assert!(is_listed(&store.url(), &id(nth)));
            }
        }
    }
}

/// What comes wrong out of a store is told, whichever object it is.
#[tokio::test]
async fn wrong_bytes_are_noticed() {
    let store = FaultyMemory::new();
    let repository = Repository::create_at(&store.url()).unwrap();
    back_up(&repository, &id(1)).await.unwrap();
    let reader = repository.read(&id(1)).unwrap();
    let names: Vec<String> = reader
        .manifest()
        .all_objects()
        .map(|object| object.name.clone())
        .collect();
    for name in names {
        store.fail(Call::Get, 1, Fault::WrongBytes);
        let error = reader.open_stored(&name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{name}");
        reader.open_stored(&name).unwrap();
    }
}

/// A store that does not answer is an error, and says nothing about the backup.
#[tokio::test]
async fn a_store_that_does_not_answer_is_no_damage() {
    let store = FaultyMemory::new();
    let repository = Repository::create_at(&store.url()).unwrap();
    back_up(&repository, &id(1)).await.unwrap();
    let ctx = OpContext::default();
    for level in [VerifyLevel::List, VerifyLevel::Hash] {
        store.heal();
        // The manifest is read, and nothing after it.
        for nth in 2..20 {
            store.fail(Call::Get, nth, Fault::Error);
        }
        let verified = repository.verify(&ctx, &id(1), level);
        assert_eq!(verified.unwrap_err().kind(), ErrorKind::Storage);
    }
}

/// The server is asked once whether it keeps to conditions, and the answer is written down.
#[tokio::test]
async fn the_server_is_asked_once() {
    let store = FaultyMemory::new();
    let first = Repository::create_at(&store.url()).unwrap();
    back_up(&first, &id(1)).await.unwrap();
    // The probe, the header, the manifest; and then the manifest alone.
    assert_eq!(store.calls(Call::PutNew), 3);
    let second = Repository::open_at(&store.url()).unwrap();
    back_up(&second, &id(2)).await.unwrap();
    assert_eq!(store.calls(Call::PutNew), 4);
}

/// Two runs that want the same backup: one gets it.
#[tokio::test]
async fn two_writers_do_not_share_a_backup() {
    for ignores in [false, true] {
        let store = FaultyMemory::new();
        if ignores {
            store.ignore_conditions();
        }
        let one = Repository::create_at(&store.url()).unwrap();
        let two = Repository::open_at(&store.url()).unwrap();
        let format = FileFormat::PgCopy(1);
        let first = RepositorySink::begin(&one, &id(1), format).unwrap();
        let error = RepositorySink::begin(&two, &id(1), format).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        first.commit(b"{}").await.unwrap();
        drop(first);
        one.settle().unwrap();
        let error = RepositorySink::begin(&two, &id(1), format).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
    }
}
