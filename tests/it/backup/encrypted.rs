//! Backups that are sealed: whoever has the key has all, and nobody else anything.

use super::attacked::{Attacked, Forgery, files, verify};
use super::damage::sampled;
use super::{Place, place, sample};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{Restore, RestoreReport, RestoreRequest, Trust};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, DataFormat, Keyring, Others, Repository, VerifyLevel};
use opskit_core::seal::{Identity, Recipient};
use opskit_core::secret::Secret;
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::parse;
use opskit_tests::secrets::looked_at;
use opskit_tests::{TestDb, database, folder_of};
use std::fs;

fn keyring(identity: &Identity) -> Keyring {
    Keyring::new()
        .sealing_for([identity.recipient()])
        .opening_with([identity.clone()])
}

fn sealed_place(identity: &Identity) -> Place {
    let mut place = place();
    place.repository = place.repository.with_keyring(keyring(identity));
    place
}

/// The same repository, for somebody with other keys.
fn seen_with(repository: &Repository, keyring: Keyring) -> Repository {
    repository.clone().with_keyring(keyring)
}

async fn restore(repository: &Repository, id: &BackupId, target: &TestDb) -> Result<RestoreReport> {
    let ctx = OpContext::default();
    let reader = repository.read(id)?;
    let request = RestoreRequest::default().with_trust(Trust::Backup);
    let restore = looked_at(Restore::open(&ctx, reader, &parse(&target.url()), request).await)?;
    looked_at(Box::pin(restore.run(&ctx)).await)
}

#[tokio::test]
async fn a_sealed_backup_is_the_same_and_says_nothing() {
    let (identity, _) = Identity::generate();
    let (stranger, _) = Identity::generate();
    let (db, place) = (sample().await, sealed_place(&identity));
    db.psql("create table secrets (\"Spalte Ü\" text); insert into secrets select 'Donaudampfschiff-' || i from generate_series(1, 100) i")
        .await;
    for format in [DataFormat::Parquet, DataFormat::Pgcopy] {
        let request = BackupRequest::new()
            .with_format(format)
            .with_part_bytes(64 << 10);
        let id = place.back_up(&db, request).await.unwrap().id;
        let repository = &place.repository;
        assert_eq!(verify(repository, &id, VerifyLevel::Decode).unwrap(), 0);
        let report = restore(repository, &id, &database().await).await.unwrap();
        assert!(report.is_same(), "{:?}", report.differences);
        // Without a key, bytes can be looked at and nothing be read.
        let blind = seen_with(repository, Keyring::new());
        assert_eq!(verify(&blind, &id, VerifyLevel::Hash).unwrap(), 0);
        let origin = blind.origin_of(&blind.read(&id).unwrap()).unwrap();
        assert_eq!(origin.database, db.name());
        for keyring in [Keyring::new(), keyring(&stranger)] {
            let other = seen_with(repository, keyring);
            let target = database().await;
            for error in [
                verify(&other, &id, VerifyLevel::Decode).unwrap_err(),
                other.read(&id).unwrap().contents().unwrap_err(),
                restore(&other, &id, &target).await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error:?}");
            }
            assert_eq!(
                target
                    .psql(
                        "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
                    )
                    .await
                    .trim(),
                "0"
            );
        }
        let mut all = Vec::new();
        files(&folder_of(repository, &id), &mut all);
        for path in all {
            let bytes = fs::read(&path).unwrap();
            for word in ["Donaudampfschiff", "Spalte", "AGE-SECRET-KEY"] {
                let told = bytes
                    .windows(word.len())
                    .any(|part| part == word.as_bytes());
                assert!(!told, "{} tells {word}", path.display());
            }
        }
    }
}

/// A wrapped key that is damaged is told as such, and keeps nobody else's from opening.
#[tokio::test]
async fn one_damaged_key_is_not_all() {
    let (first, _) = Identity::generate();
    let (second, _) = Identity::generate();
    let db = database().await;
    db.psql("create table t (i int)").await;
    let mut place = place();
    let both = [first.clone(), second.clone()];
    let keyring = Keyring::new().sealing_for(both.iter().map(Identity::recipient));
    place.repository = place.repository.with_keyring(keyring.clone());
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let name = format!("keys/{}.age", first.recipient().id());
    let path = folder_of(&place.repository, &id).join(name);
    fs::write(path, "no key").unwrap();
    let with = |identities: &[Identity]| {
        let keyring = keyring.clone().opening_with(identities.to_vec());
        verify(
            &seen_with(&place.repository, keyring),
            &id,
            VerifyLevel::Decode,
        )
    };
    assert_eq!(with(&both).unwrap(), 0);
    assert!(with(&[first]).unwrap() > 0);
    assert_eq!(with(&[second]).unwrap(), 0);
}

#[tokio::test]
async fn a_copy_is_opened_by_the_same_keys() {
    let (identity, _) = Identity::generate();
    let (db, place) = (sample().await, sealed_place(&identity));
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let elsewhere = tempfile::tempdir().unwrap();
    let url = opskit_core::repository::RepositoryUrl::directory(elsewhere.path().join("c"));
    // Whoever copies need not be able to read.
    let blind = seen_with(&place.repository, Keyring::new());
    let copies = blind.copies_at(&url).unwrap();
    blind.copy(&OpContext::default(), &id, &copies).unwrap();
    let copies = copies.with_keyring(keyring(&identity));
    assert_eq!(verify(&copies, &id, VerifyLevel::Decode).unwrap(), 0);
}

#[tokio::test]
async fn keys_are_wrapped_anew_and_no_data_is_touched() {
    let ctx = OpContext::default();
    let (old, _) = Identity::generate();
    let (new, _) = Identity::generate();
    let (db, place) = (sample().await, sealed_place(&old));
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let manifest = folder_of(&place.repository, &id).join("manifest.json");
    let before = fs::read(&manifest).unwrap();
    let repository = &place.repository;
    let by_new = seen_with(repository, keyring(&new));
    assert!(!by_new.check_keys(&ctx, 5).unwrap().is_sound());
    // Without a key that opens, nothing is wrapped.
    let error = by_new.rekey(&ctx, &[new.recipient()], Others::Remove);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::PermissionDenied);
    let added = repository.rekey(&ctx, &[new.recipient()], Others::Keep);
    let added = added.unwrap();
    assert_eq!((added.backups, added.added, added.removed), (1, 1, 0));
    assert_eq!(
        verify(
            &seen_with(repository, Keyring::new().opening_with([new.clone()])),
            &id,
            VerifyLevel::Decode
        )
        .unwrap(),
        0
    );
    // The settings name the old one alone.
    let check = repository.check_keys(&ctx, 5).unwrap();
    assert_eq!(check.backups[0].strangers, [new.recipient().id()]);
    let refused = place.back_up(&db, BackupRequest::new()).await.unwrap_err();
    let said = refused.chain().join(": ");
    assert!(said.contains("whom the settings do not name"), "{said}");
    assert_eq!(verify(repository, &id, VerifyLevel::Hash).unwrap(), 1);
    let again = by_new
        .rekey(&ctx, &[new.recipient()], Others::Remove)
        .unwrap();
    assert_eq!((again.added, again.removed), (0, 1));
    assert!(by_new.check_keys(&ctx, 5).unwrap().is_sound());
    let error = verify(repository, &id, VerifyLevel::Decode).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    // The last key that opens is not taken away.
    let last = by_new.remove_recipient(&ctx, &new.recipient().id());
    assert_eq!(last.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert!(by_new.check_keys(&ctx, 5).unwrap().is_sound());
    assert_eq!(fs::read(&manifest).unwrap(), before);
}

#[tokio::test]
async fn a_passphrase_opens_and_can_be_changed() {
    let ctx = OpContext::default();
    let (first, second) = (Secret::new("first words"), Secret::new("second words"));
    let with =
        |secret: &Secret| Keyring::new().opening_with([Identity::passphrase(secret.clone())]);
    let db = database().await;
    db.psql("create table t (i int); insert into t values (1)")
        .await;
    let mut place = place();
    let sealing = with(&first).sealing_for([Recipient::passphrase(first.clone())]);
    place.repository = place.repository.with_keyring(sealing);
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let wanted = [Recipient::passphrase(second.clone())];
    let report = place.repository.rekey(&ctx, &wanted, Others::Keep).unwrap();
    assert_eq!((report.added, report.removed), (1, 1));
    let open = |secret: &Secret| {
        let seen = seen_with(&place.repository, with(secret));
        seen.read(&id)
            .unwrap()
            .contents()
            .map(|contents| contents.tables.len())
    };
    assert_eq!(open(&second).unwrap(), 1);
    assert_eq!(
        open(&first).unwrap_err().kind(),
        ErrorKind::PermissionDenied
    );
}

/// What is in the clear may be anybody's, where all is to be sealed.
#[tokio::test]
async fn encryption_cannot_be_switched_off_from_the_other_side() {
    let (identity, _) = Identity::generate();
    let db = database().await;
    db.psql("create table t (i int); insert into t values (1)")
        .await;
    let place = place();
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let pinned = seen_with(&place.repository, keyring(&identity));
    let error = restore(&pinned, &id, &database().await).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.hint().unwrap().contains("--accept-clear"));
    assert_eq!(verify(&pinned, &id, VerifyLevel::Hash).unwrap(), 1);
    let knowing = seen_with(&place.repository, keyring(&identity).accepting_clear());
    assert_eq!(verify(&knowing, &id, VerifyLevel::Decode).unwrap(), 0);
    assert!(
        restore(&knowing, &id, &database().await)
            .await
            .unwrap()
            .is_same()
    );
}

#[tokio::test]
async fn no_damage_of_a_sealed_repository_goes_unseen() {
    let (identity, _) = Identity::generate();
    let attacked = Attacked::of(sealed_place(&identity)).await;
    attacked.damages_are_seen(sampled(150, 2_000), &[Forgery::None, Forgery::Manifest]);
}
