//! The chain of records: what is missing, edited or in another's place is found and named.

use crate::made::{Made, sha256};
use opskit_core::context::OpContext;
use opskit_core::repository::{
    BackupId, ChainFaultKind, HistoryCheck, HistoryEvent, RecordKind, Repository, VerifyLevel,
};
use opskit_tests::folder_of;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Five backups, one after the other; the names of their records in this order.
async fn five() -> (Made, Vec<String>) {
    let mut made = Made::new();
    for day in 0..5 {
        made.backup("shop", day).await;
    }
    let entries = made.repository.read_history().unwrap().entries;
    let names = entries.into_iter().map(|entry| entry.link.name).collect();
    (made, names)
}

fn path(made: &Made, name: &str) -> PathBuf {
    made.repository
        .directory()
        .unwrap()
        .join("history")
        .join(name)
}

fn check(made: &Made) -> HistoryCheck {
    made.repository.verify_history(&[]).unwrap()
}

/// What is wrong with which record.
fn faults(check: &HistoryCheck) -> Vec<(&str, ChainFaultKind)> {
    check
        .faults
        .iter()
        .map(|fault| (fault.record.as_str(), fault.kind))
        .collect()
}

/// Says something else in a record, of the same length.
fn edit(made: &Made, name: &str) {
    let path = path(made, name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("\"rows\": 4"), "{text}");
    fs::write(path, text.replace("\"rows\": 4", "\"rows\": 5")).unwrap();
}

#[tokio::test]
async fn each_record_names_the_one_before() {
    let (made, names) = five().await;
    let found = check(&made);
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.records, found.chained), (5, 5));
    assert_eq!(found.warnings, [""; 0]);
    let [end] = &found.ends[..] else {
        panic!("{found:?}")
    };
    assert_eq!(end.name, names[4]);
    assert_eq!(
        end.sha256,
        sha256(&fs::read(path(&made, &names[4])).unwrap())
    );
    let entries = made.repository.read_history().unwrap().entries;
    for (before, after) in entries.iter().zip(&entries[1..]) {
        assert_eq!(after.previous.as_deref(), Some(&[before.link.clone()][..]));
    }
    assert_eq!(entries[0].previous.as_deref(), Some(&[][..]));
}

#[tokio::test]
async fn an_edited_record_is_named() {
    for at in 0..4 {
        let (made, names) = five().await;
        edit(&made, &names[at]);
        assert_eq!(
            faults(&check(&made)),
            [(names[at].as_str(), ChainFaultKind::Edited)]
        );
    }
}

#[tokio::test]
async fn a_missing_record_is_named() {
    for at in 0..4 {
        let (made, names) = five().await;
        fs::remove_file(path(&made, &names[at])).unwrap();
        let found = check(&made);
        let told = faults(&found);
        assert!(
            told.contains(&(names[at].as_str(), ChainFaultKind::Missing)),
            "{told:?}"
        );
    }
}

/// Nobody names the last one, but its backup is there; and who kept its digest knows more.
#[tokio::test]
async fn the_last_record_is_missed_too() {
    let (made, names) = five().await;
    let digest = check(&made).ends[0].sha256.clone();
    let known = [digest];
    assert!(made.repository.verify_history(&known).unwrap().is_sound());
    let text = fs::read(path(&made, &names[4])).unwrap();
    fs::remove_file(path(&made, &names[4])).unwrap();
    let found = check(&made);
    assert!(found.faults[0].record.starts_with("run of "), "{found:?}");
    assert!(
        found.faults[0].problem.contains("opskit verify"),
        "{found:?}"
    );
    let found = made.repository.verify_history(&known).unwrap();
    assert!(faults(&found).contains(&(known[0].as_str(), ChainFaultKind::Missing)));
    fs::write(path(&made, &names[4]), text).unwrap();
    edit(&made, &names[4]);
    assert!(check(&made).is_sound(), "nobody can know");
    assert!(!made.repository.verify_history(&known).unwrap().is_sound());
}

/// A run that was killed after its backup was complete left no record; a look at it makes up for that.
#[tokio::test]
async fn a_look_makes_up_for_the_record_of_a_run() {
    let (made, names) = five().await;
    fs::remove_file(path(&made, &names[4])).unwrap();
    let id = made.repository.find("latest").unwrap();
    let report = made
        .repository
        .verify(&OpContext::default(), &id, VerifyLevel::Hash)
        .unwrap();
    made.repository
        .record_verification(&report, SystemTime::now().into())
        .unwrap();
    assert!(check(&made).is_sound());
}

#[tokio::test]
async fn records_in_the_place_of_others_are_named() {
    let (made, names) = five().await;
    let (a, b) = (path(&made, &names[1]), path(&made, &names[2]));
    let aside = made.path().join("aside");
    fs::rename(&a, &aside).unwrap();
    fs::rename(&b, &a).unwrap();
    fs::rename(&aside, &b).unwrap();
    let found = check(&made);
    let moved = |name: &String| faults(&found).contains(&(name.as_str(), ChainFaultKind::Moved));
    assert!(moved(&names[1]) && moved(&names[2]), "{found:?}");
    // One that was given another time.
    let (made, names) = five().await;
    let later = names[4].replacen("20260105", "20260205", 1);
    assert_ne!(later, names[4]);
    fs::rename(path(&made, &names[4]), path(&made, &later)).unwrap();
    assert_eq!(
        faults(&check(&made)),
        [(later.as_str(), ChainFaultKind::Moved)]
    );
}

/// A manifest that was replaced together with its digests is not the one that the record tells.
#[tokio::test]
async fn a_record_and_its_backup_agree() {
    let (made, names) = five().await;
    let id = made.repository.find("latest").unwrap();
    let manifest = folder_of(&made.repository, &id).join("manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(
        &manifest,
        text.replace(
            "\"opskit_version\":\"0.1.0\"",
            "\"opskit_version\":\"0.1.1\"",
        ),
    )
    .unwrap();
    assert_eq!(
        faults(&check(&made)),
        [(names[4].as_str(), ChainFaultKind::Edited)]
    );
}

#[tokio::test]
async fn a_record_that_is_no_record_is_named() {
    let (made, names) = five().await;
    fs::write(path(&made, &names[4]), "{").unwrap();
    assert_eq!(
        faults(&check(&made)),
        [(names[4].as_str(), ChainFaultKind::Unreadable)]
    );
    // A backup that is gone by other hands is told.
    let id = made.repository.find("latest").unwrap();
    fs::write(path(&made, "notes.txt"), "mine").unwrap();
    let first = made.repository.backups().unwrap().remove(0);
    assert_ne!(first, id);
    fs::remove_dir_all(folder_of(&made.repository, &first)).unwrap();
    assert!(check(&made).warnings[0].contains(first.as_str()));
}

/// Writers of one moment may both follow the same record; the next one follows both.
#[tokio::test]
async fn writers_of_one_time_break_nothing() {
    let mut made = Made::new();
    let id = made.backup("shop", 0).await;
    let report = made
        .repository
        .verify(&OpContext::default(), &id, VerifyLevel::Hash)
        .unwrap();
    for _ in 0..5 {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    made.repository
                        .record_verification(&report, SystemTime::now().into())
                        .unwrap();
                });
            }
        });
    }
    made.repository
        .record_verification(&report, SystemTime::now().into())
        .unwrap();
    let found = check(&made);
    assert!(found.is_sound(), "{found:?}");
    assert_eq!(
        (found.records, found.ends.len()),
        (42, 1),
        "{:?}",
        found.ends
    );
    // Each of them is guarded now.
    for entry in made
        .repository
        .read_history()
        .unwrap()
        .entries
        .iter()
        .take(41)
    {
        let path = path(&made, &entry.link.name);
        let text = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!check(&made).is_sound(), "{}", entry.link.name);
        fs::write(&path, text).unwrap();
    }
}

/// What an earlier version wrote has no digests; the chain begins behind it.
#[tokio::test]
async fn records_of_version_1_are_the_beginning() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/repository-1");
    let place = tempfile::tempdir().unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-r")
        .arg(&fixture)
        .arg(place.path())
        .status();
    assert!(copied.unwrap().success());
    let repository = Repository::open(place.path().join("repository-1")).unwrap();
    let found = repository.verify_history(&[]).unwrap();
    assert!(found.is_sound(), "{found:?}");
    assert_eq!((found.records, found.chained), (1, 0));
    let id: BackupId = repository.find("latest").unwrap();
    let report = repository
        .verify(&OpContext::default(), &id, VerifyLevel::Decode)
        .unwrap();
    repository
        .record_verification(&report, SystemTime::now().into())
        .unwrap();
    let history = repository.read_history().unwrap();
    let [run, look] = &history.entries[..] else {
        panic!("{history:?}")
    };
    assert_eq!(
        (run.event.kind(), run.previous.as_ref()),
        (RecordKind::Run, None)
    );
    assert_eq!(look.previous.as_deref(), Some(&[run.link.clone()][..]));
    assert!(matches!(look.event, HistoryEvent::Verify(_)));
    let old = repository
        .directory()
        .unwrap()
        .join("history")
        .join(&run.link.name);
    fs::write(
        &old,
        fs::read_to_string(&old)
            .unwrap()
            .replace("\"rows\": 4", "\"rows\": 5"),
    )
    .unwrap();
    assert_eq!(
        repository.verify_history(&[]).unwrap().faults[0].kind,
        ChainFaultKind::Edited
    );
}
