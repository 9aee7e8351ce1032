//! The adapter over the memory of the process: what it keeps, cuts, refuses and takes away.

use super::*;
use crate::error::ErrorKind;
use object_store::ObjectStoreExt as _;
use object_store::memory::InMemory;
use object_store::path::Path;
use std::io::{Read as _, Write as _};

const ID: &str = "20261121T013000Z-7f3a9c2e";

fn terms() -> Terms {
    Terms {
        first_pause: Duration::from_millis(1),
        part_bytes: 1000,
        ..Terms::default()
    }
}

fn remote(backend: &Arc<InMemory>, terms: Terms) -> Remote {
    let backend: Arc<dyn Backend> = Arc::clone(backend) as _;
    Remote::new(backend, "some/where", "memory:".to_owned(), terms).unwrap()
}

fn id() -> BackupId {
    ID.parse().unwrap()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 % 251) as u8).collect()
}

/// Sizes around those of the parts come back as they were, whole or cut.
#[test]
fn what_is_stored_comes_back() {
    let store = remote(&Arc::default(), terms());
    for len in [0, 1, 999, 1000, 1001, 2000, 7500] {
        let (name, written) = (format!("backups/{ID}/data/{len}"), bytes(len));
        let mut upload = store.upload(&name).unwrap();
        for chunk in written.chunks(333) {
            upload.write_all(chunk).unwrap();
        }
        upload.finish().unwrap();
        assert_eq!(store.size(&name).unwrap(), len as u64);
        let Opened { mut file, sha256 } = store.open(&name, len as u64).unwrap();
        let mut read = Vec::new();
        file.read_to_end(&mut read).unwrap();
        assert_eq!(read, written);
        let digest = crate::sink::stored_object("", &written).sha256;
        assert_eq!(sha256.as_deref(), Some(digest.as_str()));
        let error = store.open(&name, len as u64 + 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    }
    // No upload is left over, on the server or in the records.
    let names = store.objects(&format!("backups/{ID}")).unwrap();
    assert_eq!(names.len(), 7, "{names:?}");
    assert_eq!(
        store.open("backups/x", 1).unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn an_upload_that_is_dropped_leaves_nothing() {
    let backend = Arc::new(InMemory::new());
    let store = remote(&backend, terms());
    let name = format!("backups/{ID}/data/x");
    let mut upload = store.upload(&name).unwrap();
    upload.write_all(&bytes(5000)).unwrap();
    let records = store.objects(&format!("backups/{ID}/uploads")).unwrap();
    assert_eq!(records.len(), 1);
    drop(upload);
    store.settle().unwrap();
    assert_eq!(store.objects("").unwrap(), [""; 0]);
}

#[test]
fn what_exists_is_not_overwritten() {
    let backend = Arc::new(InMemory::new());
    let (one, two) = (remote(&backend, terms()), remote(&backend, terms()));
    one.create("history/x", b"one").unwrap();
    let error = two.create("history/x", b"two").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Storage);
    assert_eq!(two.read("history/x", 9).unwrap(), b"one");
    // The same once more is the first try whose answer was lost.
    one.create("history/x", b"one").unwrap();
    assert!(one.warning().is_none(), "memory keeps to conditions");
    let error = one.read("history/x", 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
}

#[test]
fn a_backup_has_one_writer_and_is_seen_when_it_is_complete() {
    let backend = Arc::new(InMemory::new());
    let (one, two) = (remote(&backend, terms()), remote(&backend, terms()));
    one.create("opskit-repository.json", b"{}").unwrap();
    let claim = one.claim(&id()).unwrap();
    assert_eq!(two.claim(&id()).unwrap_err().kind(), ErrorKind::Busy);
    assert!(!two.sweep(&id()).unwrap(), "its writer lives");
    claim.check().unwrap();
    claim.commit(b"manifest").unwrap();
    one.settle().unwrap();
    let names = two.objects(&format!("backups/{ID}")).unwrap();
    assert_eq!(names, ["manifest.json"]);
    drop(claim);
    one.settle().unwrap();
    assert_eq!(two.claim(&id()).unwrap_err().kind(), ErrorKind::Storage);
}

#[test]
fn a_claim_that_is_dropped_takes_everything_with_it() {
    let store = remote(&Arc::default(), terms());
    let claim = store.claim(&id()).unwrap();
    store.create(&format!("backups/{ID}/data/x"), b"x").unwrap();
    drop(claim);
    store.settle().unwrap();
    assert_eq!(store.objects("backups").unwrap(), [""; 0]);
}

/// A writer that was suspended past its lease finds that it was swept, and leaves no manifest behind.
#[test]
fn a_swept_writer_does_not_commit() {
    let backend = Arc::new(InMemory::new());
    let writer = remote(&backend, terms());
    let sweeper = remote(
        &backend,
        Terms {
            expires_after: Duration::ZERO,
            ..terms()
        },
    );
    writer.create("opskit-repository.json", b"{}").unwrap();
    let claim = writer.claim(&id()).unwrap();
    let mut upload = writer.upload(&format!("backups/{ID}/data/x")).unwrap();
    upload.write_all(&bytes(5000)).unwrap();
    // As kill -9 leaves it: nobody renews, nobody cleans up.
    std::mem::forget(upload);
    assert!(sweeper.sweep(&id()).unwrap());
    assert_eq!(sweeper.objects("backups").unwrap(), [""; 0]);
    // The sweeper is through, so this writer starts from nothing; the objects of its manifest are gone.
    let error = claim.commit(b"manifest").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    drop(claim);
    writer.settle().unwrap();
    assert_eq!(sweeper.objects("backups").unwrap(), [""; 0]);
}

/// A sweep that is in the middle of its work is seen by the writer, whose manifest goes again.
#[test]
fn a_writer_that_meets_a_sweep_withdraws() {
    let backend = Arc::new(InMemory::new());
    let writer = remote(&backend, terms());
    writer.create("opskit-repository.json", b"{}").unwrap();
    let claim = writer.claim(&id()).unwrap();
    writer
        .create(&format!("backups/{ID}/lease/sweep-x"), b"{}")
        .unwrap();
    assert_eq!(
        claim.commit(b"manifest").unwrap_err().kind(),
        ErrorKind::Busy
    );
    assert_eq!(claim.check().unwrap_err().kind(), ErrorKind::Busy);
    let manifest = format!("backups/{ID}/manifest.json");
    assert_eq!(writer.taken(&[manifest]).unwrap(), [false]);
}

fn complete(store: &Remote) {
    store.create("opskit-repository.json", b"{}").unwrap();
    let claim = store.claim(&id()).unwrap();
    store
        .create(&format!("backups/{ID}/data/x"), b"xyz")
        .unwrap();
    claim.commit(b"manifest").unwrap();
    store.settle().unwrap();
}

/// A removal that was killed is a leftover, which is swept when its claim is old, and nobody's before.
#[test]
fn a_removal_that_stops_in_the_middle_is_swept() {
    let backend = Arc::new(InMemory::new());
    let store = remote(&backend, terms());
    let later = Terms {
        expires_after: Duration::ZERO,
        ..terms()
    };
    let later = remote(&backend, later);
    complete(&store);
    assert_eq!(later.standing(&id()).unwrap(), Standing::Complete);
    drop(store.hide(&id()).unwrap());
    let manifest = format!("backups/{ID}/manifest.json");
    assert_eq!(store.taken(&[manifest]).unwrap(), [false]);
    assert_eq!(store.standing(&id()).unwrap(), Standing::Busy);
    assert_eq!(store.hide(&id()).unwrap_err().kind(), ErrorKind::Busy);
    let left = Standing::Left {
        objects: 1,
        bytes: 3,
    };
    assert_eq!(later.standing(&id()).unwrap(), left);
    assert!(later.sweep(&id()).unwrap());
    assert_eq!(store.objects("backups").unwrap(), [""; 0]);
}

#[test]
fn nothing_is_left_of_a_removal() {
    let store = remote(&Arc::default(), terms());
    complete(&store);
    store.hide(&id()).unwrap().clear().unwrap();
    assert_eq!(store.objects("backups").unwrap(), [""; 0]);
}

/// Two that remove the same backup see each other's claim; one that was killed long ago holds nobody up.
#[test]
fn removals_see_each_other() {
    let backend = Arc::new(InMemory::new());
    let store = remote(&backend, terms());
    let later = Terms {
        expires_after: Duration::ZERO,
        ..terms()
    };
    let later = remote(&backend, later);
    complete(&store);
    store
        .create(&format!("backups/{ID}/lease/sweep-x"), b"{}")
        .unwrap();
    assert_eq!(store.hide(&id()).unwrap_err().kind(), ErrorKind::Busy);
    assert!(!store.sweep(&id()).unwrap());
    assert_eq!(store.standing(&id()).unwrap(), Standing::Complete);
    later.hide(&id()).unwrap().clear().unwrap();
    assert_eq!(store.objects("backups").unwrap(), [""; 0]);
}

/// Objects without a sign of a writer are a backup whose manifest somebody took away: nobody sweeps them.
#[test]
fn a_robbed_backup_is_left_alone() {
    let backend = Arc::new(InMemory::new());
    let later = Terms {
        expires_after: Duration::ZERO,
        ..terms()
    };
    let store = remote(&backend, later);
    complete(&store);
    store
        .remove(&format!("backups/{ID}/manifest.json"))
        .unwrap();
    assert_eq!(store.standing(&id()).unwrap(), Standing::Unowned);
    assert!(!store.sweep(&id()).unwrap());
    assert_eq!(store.objects("backups").unwrap(), [format!("{ID}/data/x")]);
}

/// What stands beside the repository in the same bucket is not looked at.
#[test]
fn the_prefix_is_a_fence() {
    let backend = Arc::new(InMemory::new());
    let store = remote(&backend, terms());
    store.create("backups/x/y", b"1").unwrap();
    store
        .wait(|client| async move {
            let other = Path::from("some/where-else/backups/z");
            let put = client.backend.put(&other, "2".into()).await;
            put.map(drop)
                .map_err(|error| client::failed("write", "z", &error))
        })
        .unwrap();
    // And what was found out about the server.
    assert_eq!(
        store.objects("").unwrap(),
        ["backups/x/y", "opskit-store.json"]
    );
    assert_eq!(store.entries("").unwrap(), ["backups", "opskit-store.json"]);
    assert_eq!(store.entries("backups").unwrap(), ["x"]);
}
