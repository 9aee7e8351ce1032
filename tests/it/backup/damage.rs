//! Damage is found, all of it; and what a killed run leaves is no backup.

use super::{Place, place, sample};
use opskit_core::backup::BackupRequest;
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, VerifyLevel};
use opskit_tests::helper;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A small generator, so that a failure can be seen again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) % sides as u64) as usize
    }
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.file_name().unwrap() != "manifest.json" {
            found.push(path);
        }
    }
}

/// Does one damage; tells which files it touched.
fn damage(all: &[PathBuf], root: &Path, dice: &mut Dice) -> Option<(String, Vec<PathBuf>)> {
    let path = all[dice.roll(all.len())].clone();
    let mut bytes = fs::read(&path).unwrap();
    let kind = dice.roll(5);
    match kind {
        0 if !bytes.is_empty() => {
            let at = dice.roll(bytes.len());
            bytes[at] ^= 1 << dice.roll(8);
            fs::write(&path, bytes).unwrap();
        }
        1 if !bytes.is_empty() => {
            let len = dice.roll(bytes.len());
            bytes.truncate(len);
            fs::write(&path, bytes).unwrap();
        }
        2 => fs::remove_file(&path).unwrap(),
        3 => {
            let extra = root.join("data/extra.file");
            fs::write(&extra, "x").unwrap();
            return Some(("extra".into(), vec![extra]));
        }
        4 => {
            let other = &all[dice.roll(all.len())];
            let others = fs::read(other).unwrap();
            if others == bytes {
                return None;
            }
            fs::write(&path, others).unwrap();
            fs::write(other, bytes).unwrap();
            return Some(("swap".into(), vec![path, other.clone()]));
        }
        _ => return None,
    }
    Some((format!("kind {kind}"), vec![path]))
}

#[tokio::test]
async fn every_damage_is_found() {
    let (db, place) = (sample().await, place());
    let request = BackupRequest::new().with_part_bytes(64 << 10);
    let report = place.back_up(&db, request).await.unwrap();
    let root = place.repository.location(&report.id);
    let mut all = Vec::new();
    files(&root, &mut all);
    all.sort();
    let whole: BTreeMap<PathBuf, Vec<u8>> = all
        .iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    let full = std::env::var_os("OPSKIT_TEST_FULL").is_some();
    let rounds = if full { 1000 } else { 100 };
    let mut dice = Dice(7);
    let mut done = 0;
    while done < rounds {
        let Some((what, touched)) = damage(&all, &root, &mut dice) else {
            continue;
        };
        done += 1;
        let level = [VerifyLevel::Hash, VerifyLevel::Decode][dice.roll(2)];
        let ctx = OpContext::default();
        let found = place.repository.verify(&ctx, &report.id, level).unwrap();
        for path in &touched {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            let told = found.faults.iter().any(|fault| fault.object == name);
            assert!(told, "{what} of {name} at {level:?}: {:?}", found.faults);
            match whole.get(path) {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
        }
    }
    let ctx = OpContext::default();
    let sound = place
        .repository
        .verify(&ctx, &report.id, VerifyLevel::Decode);
    assert!(sound.unwrap().is_sound());
}

/// The complete backups, each of which must be whole.
fn complete(place: &Place) -> Vec<BackupId> {
    let ids = place.repository.backups().unwrap();
    for id in &ids {
        let ctx = OpContext::default();
        let found = place.repository.verify(&ctx, id, VerifyLevel::Decode);
        assert_eq!(found.unwrap().faults, [], "{id}");
    }
    ids
}

#[tokio::test]
async fn a_killed_run_is_no_backup() {
    let (db, place) = (sample().await, place());
    let full = std::env::var_os("OPSKIT_TEST_FULL").is_some();
    let opskit = std::env::var_os("OPSKIT_BIN").map_or_else(|| helper("opskit"), PathBuf::from);
    let run = || {
        let mut command = Command::new(&opskit);
        command
            .args(["backup", "--repo"])
            .arg(place.repository.path())
            .env("DATABASE_URL", db.url())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let started = Instant::now();
    assert!(run().wait().unwrap().success());
    let took = started.elapsed();
    let (mut dice, mut ended) = (Dice(11), 1);
    for _ in 0..if full { 50 } else { 12 } {
        let mut child = run();
        let moment = took.as_millis() as usize + 20;
        std::thread::sleep(Duration::from_millis(dice.roll(moment) as u64));
        child.kill().unwrap();
        ended += usize::from(child.wait().unwrap().success());
        let complete = complete(&place).len();
        assert!(complete >= ended, "{complete} of {ended}");
        ended = complete;
    }
    // The next run removes what is left of them.
    assert!(run().wait().unwrap().success());
    let folders = fs::read_dir(place.repository.path().join("backups")).unwrap();
    assert_eq!(folders.count(), complete(&place).len());
}
