//! Damage is found, all of it, by `verify` and before a restore commits it.

use super::{Place, place, sample};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{Existing, Restore, RestoreRequest, Trust};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, DataFormat, Manifest, VerifyLevel};
use opskit_tests::export::parse;
use opskit_tests::{TestDb, database, folder_of};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A small generator, so that a failure can be seen again.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        ((self.0 >> 33) % sides as u64) as usize
    }
}

pub(super) fn sampled(sample: usize, full: usize) -> usize {
    match std::env::var_os("OPSKIT_TEST_FULL") {
        Some(_) => full,
        None => sample,
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

/// The backups of one repository, and everything that stands in them.
struct Shelf {
    ids: Vec<BackupId>,
    roots: Vec<PathBuf>,
    whole: BTreeMap<PathBuf, Vec<u8>>,
    all: Vec<PathBuf>,
}

impl Shelf {
    async fn fill(db: &TestDb, place: &Place) -> Self {
        let mut ids = Vec::new();
        for format in [DataFormat::Parquet, DataFormat::Pgcopy, DataFormat::Parquet] {
            let request = BackupRequest::new().with_part_bytes(64 << 10);
            let made = place.back_up(db, request.with_format(format)).await;
            ids.push(made.unwrap().id);
        }
        let roots: Vec<PathBuf> = ids
            .iter()
            .map(|id| folder_of(&place.repository, id))
            .collect();
        let mut all = Vec::new();
        roots.iter().for_each(|root| files(root, &mut all));
        all.sort();
        let read = |path: &PathBuf| (path.clone(), fs::read(path).unwrap());
        Self {
            whole: all.iter().map(read).collect(),
            ids,
            roots,
            all,
        }
    }

    /// The backup that a file is of, and its name there.
    fn place_of<'a>(&self, path: &'a Path) -> (usize, &'a str) {
        let at = self.roots.iter().position(|root| path.starts_with(root));
        let at = at.unwrap();
        let name = path.strip_prefix(&self.roots[at]).unwrap();
        (at, name.to_str().unwrap())
    }

    fn mend(&self, touched: &[PathBuf]) {
        for path in touched {
            match self.whole.get(path) {
                Some(bytes) => fs::write(path, bytes).unwrap(),
                None => fs::remove_file(path).unwrap(),
            }
        }
    }

    /// Does one damage; tells which files it touched.
    fn damage(&self, dice: &mut Dice) -> Option<(&'static str, Vec<PathBuf>)> {
        let path = self.all[dice.roll(self.all.len())].clone();
        let mut bytes = self.whole[&path].clone();
        let what = match dice.roll(8) {
            0 if !bytes.is_empty() => {
                let at = dice.roll(bytes.len());
                bytes[at] ^= 1 << dice.roll(8);
                "flip"
            }
            1 if !bytes.is_empty() => {
                bytes.truncate(dice.roll(bytes.len()));
                "truncate"
            }
            2 => {
                fs::remove_file(&path).unwrap();
                return Some(("remove", vec![path]));
            }
            3 => {
                let extra =
                    self.roots[dice.roll(3)].join(["data/extra.file", "extra"][dice.roll(2)]);
                fs::write(&extra, "x").unwrap();
                return Some(("extra", vec![extra]));
            }
            4 => {
                let other = self.swapped(&path, dice);
                if self.whole[&other] == bytes {
                    return None;
                }
                fs::write(&path, &self.whole[&other]).unwrap();
                fs::write(&other, bytes).unwrap();
                return Some(("swap", vec![path, other]));
            }
            5 => {
                let other = self.swapped(&path, dice);
                if self.whole[&other] == bytes {
                    return None;
                }
                bytes.clone_from(&self.whole[&other]);
                "another's"
            }
            6 => {
                let more = 1 + dice.roll(100);
                bytes.extend(std::iter::repeat_n(0, more));
                "grow"
            }
            7 => {
                bytes.extend(self.whole[&path].clone());
                "twice"
            }
            _ => return None,
        };
        fs::write(&path, bytes).unwrap();
        Some((what, vec![path]))
    }

    /// Any other file, or the one of the same name in another backup.
    fn swapped(&self, path: &Path, dice: &mut Dice) -> PathBuf {
        let (_, name) = self.place_of(path);
        let same = self.roots[dice.roll(3)].join(name);
        match dice.roll(2) {
            0 if self.whole.contains_key(&same) => same,
            _ => self.all[dice.roll(self.all.len())].clone(),
        }
    }
}

#[tokio::test]
async fn every_damage_is_found() {
    let (db, place) = (sample().await, place());
    let shelf = Shelf::fill(&db, &place).await;
    assert!(
        shelf
            .all
            .iter()
            .any(|path| path.extension().is_some_and(|ext| ext == "exact"))
    );
    let mut dice = Dice(7);
    let (mut done, mut kinds) = (0, BTreeMap::new());
    while done < sampled(100, 1000) {
        let Some((what, touched)) = shelf.damage(&mut dice) else {
            continue;
        };
        done += 1;
        *kinds.entry(what).or_insert(0) += 1;
        let level = [VerifyLevel::Hash, VerifyLevel::Decode][dice.roll(2)];
        for path in &touched {
            let (at, name) = shelf.place_of(path);
            let ctx = OpContext::default();
            let found = place
                .repository
                .verify(&ctx, &shelf.ids[at], level)
                .unwrap();
            let told = found.faults.iter().any(|fault| fault.object == name);
            assert!(told, "{what} of {name} at {level:?}: {:?}", found.faults);
        }
        shelf.mend(&touched);
    }
    println!("{done} damages found: {kinds:?}");
    for id in &shelf.ids {
        let ctx = OpContext::default();
        let sound = place.repository.verify(&ctx, id, VerifyLevel::Decode);
        assert!(sound.unwrap().is_sound());
    }
}

/// Whether a restore reads an object: the statements are there for people.
fn is_read(name: &str) -> bool {
    !name.ends_with(".sql") && !name.ends_with("extra") && !name.ends_with("extra.file")
}

#[tokio::test]
async fn no_damage_is_restored() {
    let (db, place) = (sample().await, place());
    db.psql("select lo_from_bytea(0, convert_to(repeat('large', 9999), 'UTF8'))")
        .await;
    let shelf = Shelf::fill(&db, &place).await;
    let mut target = database().await;
    let mut dice = Dice(23);
    let mut done = 0;
    while done < sampled(12, 120) {
        // Where something is dropped first, all files are looked at; where nothing is, each as it is loaded.
        if dice.roll(2) == 0 {
            target = database().await;
        }
        let Some((what, touched)) = shelf.damage(&mut dice) else {
            continue;
        };
        let read = touched.iter().find(|path| is_read(shelf.place_of(path).1));
        if let Some(path) = read {
            let (at, name) = shelf.place_of(path);
            let count = || target.try_psql("select count(*) from t");
            let before = count().await.unwrap_or_default();
            let ctx = OpContext::default();
            let request = RestoreRequest::default()
                .with_existing(Existing::Drop)
                .with_trust(Trust::Backup);
            let restored = async {
                let reader = place.repository.read(&shelf.ids[at])?;
                let url = parse(&target.url());
                let restore = Restore::open(&ctx, reader, &url, request).await?;
                Box::pin(restore.run(&ctx)).await
            };
            let error = restored.await.expect_err(name);
            // What was begun is given up; the next one is of another backup.
            target
                .psql("drop schema if exists opskit_restore cascade")
                .await;
            let said = error.chain().join(": ");
            assert_eq!(error.kind(), ErrorKind::Damaged, "{what} of {name}: {said}");
            // A swap has two halves, and either may be met first.
            let told = |path: &PathBuf| said.contains(shelf.place_of(path).1);
            assert!(touched.iter().any(told), "{what} of {name}: {said}");
            // Rows of a restore that met another damage may be there.
            if name.starts_with("data/public.t/") && before != "5000" {
                let rows = count().await.unwrap_or_default();
                assert!(rows != "5000", "{what} of {name}: {rows} rows");
            }
            done += 1;
        }
        shelf.mend(&touched);
    }
}

/// What an edit of the clear manifest changes shows in what it says, or is nothing but layout.
#[tokio::test]
async fn an_edited_manifest_is_found() {
    let (db, place) = (sample().await, place());
    let id = place.back_up(&db, BackupRequest::new()).await.unwrap().id;
    let path = folder_of(&place.repository, &id).join("manifest.json");
    let whole = fs::read(&path).unwrap();
    let ctx = OpContext::default();
    let mut dice = Dice(3);
    for _ in 0..sampled(200, 2000) {
        let mut bytes = whole.clone();
        let at = dice.roll(bytes.len());
        match dice.roll(3) {
            0 => bytes[at] ^= 1 << dice.roll(8),
            1 => bytes[at] = b"0123456789abcdef\"{}[],:"[dice.roll(23)],
            _ => bytes.truncate(at),
        }
        if bytes == whole {
            continue;
        }
        fs::write(&path, &bytes).unwrap();
        let found = place.repository.verify(&ctx, &id, VerifyLevel::Hash);
        let is_found = match found {
            Ok(report) => report.faults.iter().any(|fault| !fault.object.is_empty()),
            Err(error) => matches!(error.kind(), ErrorKind::Damaged | ErrorKind::Unsupported),
        };
        let line =
            String::from_utf8_lossy(&bytes[at.saturating_sub(30)..(at + 30).min(bytes.len())]);
        assert!(is_found, "at {at}: {line}");
    }
    // Without the record of its run, what it says of objects is still held against them.
    fs::remove_dir_all(place.repository.directory().unwrap().join("history")).unwrap();
    let manifest = Manifest::parse(&whole).unwrap();
    let mut gone = manifest.clone();
    let object = gone.objects.remove(0).name;
    fs::write(&path, serde_json::to_vec(&gone).unwrap()).unwrap();
    let found = place
        .repository
        .verify(&ctx, &id, VerifyLevel::List)
        .unwrap();
    assert!(
        found.faults.iter().any(|fault| fault.object == object),
        "{:?}",
        found.faults
    );
    fs::write(&path, &whole).unwrap();
    let sound = place.repository.verify(&ctx, &id, VerifyLevel::Decode);
    assert!(sound.unwrap().is_sound());
}

#[tokio::test]
async fn damage_is_told_by_the_command() {
    let (db, place) = (sample().await, place());
    let shelf = Shelf::fill(&db, &place).await;
    let target = database().await;
    let mut dice = Dice(5);
    let mut done = 0;
    while done < sampled(4, 20) {
        let Some((what, touched)) = shelf.damage(&mut dice) else {
            continue;
        };
        let (at, name) = shelf.place_of(&touched[0]);
        let run = |args: &[&str]| {
            let mut command = std::process::Command::new(super::killed::program());
            command.args(args).arg(shelf.ids[at].as_str()).arg("--repo");
            let output = command
                .arg(place.repository.directory().unwrap())
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            let code = output.status.code();
            assert_eq!(code, Some(65), "{what} of {name} by {args:?}: {said}");
            assert!(said.contains(name), "{what} of {name} by {args:?}: {said}");
        };
        run(&["verify"]);
        if touched.len() == 1 && is_read(name) {
            run(&[
                "restore",
                "--clean",
                "--trust-backup",
                "--to",
                &target.url(),
            ]);
            // What was begun is given up; the next one is of another backup.
            target
                .psql("drop schema if exists opskit_restore cascade")
                .await;
        }
        done += 1;
        shelf.mend(&touched);
    }
}
