//! Backups that are signed: nobody without the signing key makes one that is taken.

use super::attacked::{Attacked, Forgery, verify};
use super::damage::sampled;
use super::{Place, place};
use opskit_core::backup::BackupRequest;
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, Keyring, Repository, RepositoryUrl, VerifyLevel};
use opskit_core::seal::{Identity, SigningKey};
use opskit_core::{Error, ErrorKind};
use opskit_tests::{TestDb, database, folder_of};
use std::fs;
use std::process::Command;

/// A signing key, and what stands in its file.
fn signer() -> (SigningKey, String) {
    let (key, pem) = SigningKey::generate().unwrap();
    (key, pem.expose().to_owned())
}

fn trusting(key: &SigningKey) -> Keyring {
    Keyring::new().trusting([key.verifying_key()])
}

fn signing_place(key: &SigningKey) -> Place {
    let mut place = place();
    let keyring = trusting(key).signing_with(key.clone());
    place.repository = place.repository.with_keyring(keyring);
    place
}

async fn small() -> TestDb {
    let db = database().await;
    db.psql("create table t (i int); insert into t values (1)")
        .await;
    db
}

fn seen_with(repository: &Repository, keyring: Keyring) -> Repository {
    repository.clone().with_keyring(keyring)
}

fn refusal(repository: &Repository, id: &BackupId) -> Error {
    let error = repository.read(id).unwrap().contents().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    for level in [VerifyLevel::List, VerifyLevel::Hash, VerifyLevel::Decode] {
        assert_eq!(verify(repository, id, level).unwrap(), 1, "{level:?}");
    }
    error
}

fn said(error: &Error) -> String {
    error.chain().join(": ")
}

#[tokio::test]
async fn a_signature_is_one_that_openssl_checks() {
    let (key, pem) = signer();
    let (db, place) = (small().await, signing_place(&key));
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let folder = folder_of(&place.repository, &id);
    let mut signatures = fs::read_dir(folder.join("signatures")).unwrap();
    let signature = signatures.next().unwrap().unwrap().path();
    assert!(signatures.next().is_none());
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("key.pem"), pem).unwrap();
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(here.path())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&said)
        );
        String::from_utf8(said).unwrap()
    };
    openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    let manifest = folder.join("manifest.json");
    let (manifest, signature) = (manifest.to_str().unwrap(), signature.to_str().unwrap());
    let by_public = [
        "pkeyutl",
        "-verify",
        "-pubin",
        "-inkey",
        "public.pem",
        "-rawin",
    ];
    let said = openssl(&[&by_public[..], &["-in", manifest, "-sigfile", signature]].concat());
    assert!(said.contains("Verified Successfully"), "{said}");
    // And a key that openssl made signs.
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", "theirs.pem"]);
    let theirs = fs::read_to_string(here.path().join("theirs.pem")).unwrap();
    let theirs = SigningKey::parse_pem(&theirs).unwrap();
    let both = trusting(&key).trusting([theirs.verifying_key()]);
    let both = seen_with(&place.repository, both.signing_with(theirs.clone()));
    let report = both.sign(&OpContext::default(), std::slice::from_ref(&id));
    assert_eq!(report.unwrap().signed, std::slice::from_ref(&id));
    let theirs = seen_with(&place.repository, trusting(&theirs));
    assert_eq!(verify(&theirs, &id, VerifyLevel::Decode).unwrap(), 0);
}

#[tokio::test]
async fn what_is_not_signed_is_refused_until_somebody_vouches_for_it() {
    let ctx = OpContext::default();
    let (key, _) = signer();
    let (db, place) = (small().await, place());
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let only = std::slice::from_ref(&id);
    let pinned = seen_with(&place.repository, trusting(&key));
    let error = refusal(&pinned, &id);
    assert!(error.hint().unwrap().contains("--accept-unsigned"));
    let copies = RepositoryUrl::memory();
    let copies = pinned.copies_at(&copies).unwrap();
    let error = pinned.copy(&ctx, &id, &copies).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    let knowing = seen_with(&place.repository, trusting(&key).accepting_unsigned());
    assert_eq!(verify(&knowing, &id, VerifyLevel::Decode).unwrap(), 0);
    let signing = trusting(&key).signing_with(key.clone());
    // Not by the way: whoever signs says that it is theirs.
    let error = seen_with(&place.repository, signing.clone()).sign(&ctx, only);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Damaged);
    let vouching = seen_with(&place.repository, signing.accepting_unsigned());
    assert_eq!(vouching.sign(&ctx, only).unwrap().signed, only);
    assert_eq!(vouching.sign(&ctx, only).unwrap().already, 1);
    assert_eq!(verify(&pinned, &id, VerifyLevel::Decode).unwrap(), 0);
    // A copy has the signature too.
    pinned.copy(&ctx, &id, &copies).unwrap();
    let copies = copies.with_keyring(trusting(&key));
    assert_eq!(verify(&copies, &id, VerifyLevel::Decode).unwrap(), 0);
}

#[tokio::test]
async fn a_backup_of_somebody_else_is_refused() {
    let (key, _) = signer();
    let (other, _) = signer();
    let (db, place) = (small().await, signing_place(&other));
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    // Taking what is not signed does not mean taking what others signed.
    for keyring in [trusting(&key), trusting(&key).accepting_unsigned()] {
        let said = said(&refusal(&seen_with(&place.repository, keyring), &id));
        assert!(said.contains("do not name"), "{said}");
    }
    // A plan of what to keep does not count it.
    let pinned = seen_with(&place.repository, trusting(&key));
    let reader = pinned.read(&id).unwrap();
    assert_eq!(reader.origin().unwrap_err().kind(), ErrorKind::Damaged);
    // Where nobody is pinned, a signature must still be that of its manifest.
    let anybody = seen_with(&place.repository, Keyring::new());
    assert_eq!(verify(&anybody, &id, VerifyLevel::Decode).unwrap(), 0);
    let path = folder_of(&place.repository, &id).join("manifest.json");
    let mut manifest = fs::read(&path).unwrap();
    manifest.push(b'\n');
    fs::write(&path, manifest).unwrap();
    fs::remove_dir_all(place.repository.directory().unwrap().join("history")).unwrap();
    let said = said(&refusal(&anybody, &id));
    assert!(said.contains("was changed"), "{said}");
}

#[tokio::test]
async fn nothing_is_made_that_would_be_refused() {
    let (key, _) = signer();
    let (other, _) = signer();
    let (db, mut place) = (small().await, place());
    for (keyring, says) in [
        (trusting(&key), "no signing key was given"),
        (trusting(&key).signing_with(other), "do not name"),
    ] {
        place.repository = place.repository.with_keyring(keyring);
        let error = place.back_up(&db, BackupRequest::new()).await.unwrap_err();
        assert!(said(&error).contains(says), "{}", said(&error));
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let kept = place.repository.directory().unwrap().join("backups");
    assert!(fs::read_dir(kept).map_or(true, |mut left| left.next().is_none()));
}

/// Whoever can write everything there, and knows all public keys, and not the signing key.
#[tokio::test]
async fn no_damage_of_a_signed_repository_goes_unseen() {
    let (key, _) = signer();
    let (identity, _) = Identity::generate();
    let mut place = signing_place(&key);
    let keyring = place.repository.keyring().clone();
    let keyring = keyring
        .sealing_for([identity.recipient()])
        .opening_with([identity]);
    place.repository = place.repository.with_keyring(keyring);
    let attacked = Attacked::of(place).await;
    let all = [
        Forgery::None,
        Forgery::Manifest,
        Forgery::Signed,
        Forgery::Edited,
        Forgery::Replayed,
    ];
    attacked.damages_are_seen(sampled(150, 2_000), &all);
}
