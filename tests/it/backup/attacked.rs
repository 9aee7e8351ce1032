//! A repository that somebody changes who can write there, and who knows how backups are made.

use super::damage::Dice;
use super::{Place, sample};
use opskit_core::backup::BackupRequest;
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, DataFormat, Keyring, Manifest, Repository, VerifyLevel};
use opskit_core::seal::SigningKey;
use opskit_core::{ErrorKind, Result};
use opskit_tests::folder_of;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// How an attacker makes a damage fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgery {
    None,
    /// By a manifest that tells what is there.
    Manifest,
    /// And by a signature of their own.
    Signed,
    /// Nothing but the manifest says something else.
    Edited,
    /// The manifest and the signature are those of another backup.
    Replayed,
}

/// How many faults a backup has.
pub(super) fn verify(repository: &Repository, id: &BackupId, level: VerifyLevel) -> Result<usize> {
    let report = repository.verify(&OpContext::default(), id, level)?;
    Ok(report.faults.len())
}

/// All files below a directory.
pub(super) fn files(root: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

/// A backup that is damaged on purpose, by somebody who can also make the manifest fit.
pub(super) struct Attacked {
    pub(super) place: Place,
    pub(super) ids: Vec<BackupId>,
    whole: BTreeMap<PathBuf, Vec<u8>>,
}

impl Attacked {
    /// Two backups of it, one of each form of rows.
    pub(super) async fn of(place: Place) -> Self {
        let db = sample().await;
        let mut ids = Vec::new();
        for format in [DataFormat::Parquet, DataFormat::Pgcopy] {
            let request = BackupRequest::new()
                .with_format(format)
                .with_part_bytes(64 << 10);
            ids.push(place.back_up(&db, request).await.unwrap().id);
        }
        // The records of the runs would tell that a manifest was changed.
        fs::remove_dir_all(place.repository.directory().unwrap().join("history")).unwrap();
        let mut all = Vec::new();
        ids.iter()
            .for_each(|id| files(&folder_of(&place.repository, id), &mut all));
        let whole = all
            .into_iter()
            .map(|path| (path.clone(), fs::read(&path).unwrap()));
        Self {
            whole: whole.collect(),
            ids,
            place,
        }
    }

    fn root(&self, at: usize) -> PathBuf {
        folder_of(&self.place.repository, &self.ids[at])
    }

    fn mend(&self) {
        for at in 0..self.ids.len() {
            // What was added goes.
            let mut there = Vec::new();
            files(&self.root(at), &mut there);
            let added = there.iter().filter(|path| !self.whole.contains_key(*path));
            added.for_each(|path| fs::remove_file(path).unwrap());
        }
        self.whole.iter().for_each(|(path, bytes)| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        });
    }

    /// Makes the manifest say what is there.
    fn forge_manifest(&self, at: usize) {
        let path = self.root(at).join("manifest.json");
        let mut manifest = Manifest::parse(&fs::read(&path).unwrap()).unwrap();
        let root = self.root(at);
        let all = std::iter::once(&mut manifest.sealed).chain(&mut manifest.objects);
        for object in all {
            let Ok(bytes) = fs::read(root.join(&object.name)) else {
                continue;
            };
            object.bytes = bytes.len() as u64;
            let digest = Sha256::digest(&bytes);
            object.sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        }
        fs::write(path, serde_json::to_vec(&manifest).unwrap()).unwrap();
    }

    /// Damages something of the backup; tells what. None where nothing changed.
    fn damage(&self, at: usize, dice: &mut Dice) -> Option<String> {
        let root = self.root(at);
        let mine: Vec<&PathBuf> = self
            .whole
            .keys()
            .filter(|path| path.starts_with(&root))
            .collect();
        let objects: Vec<&PathBuf> = mine
            .iter()
            .copied()
            .filter(|path| path.file_name().unwrap() != "manifest.json")
            .collect();
        let path = objects[dice.roll(objects.len())];
        let mut bytes = self.whole[path].clone();
        let chunk = (64 << 10) + 16;
        let kind = dice.roll(8);
        match kind {
            0 | 1 => {
                let place = dice.roll(bytes.len());
                bytes[place] ^= 1 << dice.roll(8);
            }
            // At the edge of a chunk, where the rest looks whole.
            2 => bytes.truncate(15 + chunk * dice.roll(1 + bytes.len() / chunk)),
            3 => bytes.truncate(dice.roll(bytes.len())),
            4 => {
                fs::remove_file(path).unwrap();
                return Some(format!("{} removed", path.display()));
            }
            5 => {
                let all: Vec<&PathBuf> = self.whole.keys().collect();
                bytes = self.whole[all[dice.roll(all.len())]].clone();
            }
            6 => {
                let from = dice.roll(bytes.len());
                let piece = bytes[from..].to_vec();
                bytes.extend(piece);
            }
            _ => {
                let middle = bytes.len() / 2;
                bytes.rotate_left(middle);
            }
        }
        if bytes == self.whole[path] {
            return None;
        }
        fs::write(path, bytes).unwrap();
        Some(format!("{} by kind {kind}", path.display()))
    }

    /// Makes the manifest say something else, and fit all that is there.
    fn edit_manifest(&self, at: usize) {
        let path = self.root(at).join("manifest.json");
        let text = fs::read_to_string(&path).unwrap();
        let manifest = Manifest::parse(text.as_bytes()).unwrap();
        let edited = text.replace(&manifest.snapshot_at, "2020-01-01T00:00:00Z");
        assert_ne!(text, edited);
        fs::write(path, edited).unwrap();
    }

    /// Puts a manifest in its place that was signed too: that of the other backup, with its signature.
    fn replay(&self, at: usize) {
        let (here, other) = (self.root(at), self.root(1 - at));
        let taken = self.whole.iter().filter_map(|(path, bytes)| {
            let name = path.strip_prefix(&other).ok()?;
            let is_meant = name.starts_with("signatures") || name.ends_with("manifest.json");
            is_meant.then_some((name, bytes))
        });
        for (name, bytes) in taken {
            fs::write(here.join(name), bytes).unwrap();
        }
    }

    /// Signs what is there, with a key that nobody knows.
    fn sign_as_stranger(&self, at: usize) {
        let (key, _) = SigningKey::generate().unwrap();
        fs::remove_dir_all(self.root(at).join("signatures")).unwrap();
        let repository = &self.place.repository;
        let stranger = Keyring::new().signing_with(key);
        let forger = repository.clone().with_keyring(stranger);
        let id = &self.ids[at];
        // It looks at what it signs, and so signs nothing that does not fit.
        let _ = forger.sign(&OpContext::default(), std::slice::from_ref(id));
    }

    /// Does what an attacker does, often, and looks each time whether it is seen.
    pub(super) fn damages_are_seen(&self, times: usize, forgeries: &[Forgery]) {
        let mut dice = Dice(7);
        let (mut done, mut kinds) = (0, BTreeSet::new());
        while done < times {
            let (at, forgery) = (dice.roll(2), forgeries[dice.roll(forgeries.len())]);
            let Some(what) = self.attack(at, forgery, &mut dice) else {
                continue;
            };
            let seen = verify(&self.place.repository, &self.ids[at], VerifyLevel::Decode);
            match seen {
                Ok(faults) => assert!(faults > 0, "{what}, {forgery:?}"),
                Err(error) => {
                    // A key that is gone or of somebody else opens nothing.
                    let expected = [ErrorKind::PermissionDenied, ErrorKind::Damaged];
                    assert!(
                        expected.contains(&error.kind()),
                        "{what}, {forgery:?}: {error:?}"
                    );
                    kinds.insert(format!("{:?}", error.kind()));
                }
            }
            self.mend();
            done += 1;
        }
        println!("{done} damages, as errors: {kinds:?}");
        for id in &self.ids {
            let seen = verify(&self.place.repository, id, VerifyLevel::Decode);
            assert_eq!(seen.unwrap(), 0);
        }
    }

    fn attack(&self, at: usize, forgery: Forgery, dice: &mut Dice) -> Option<String> {
        match forgery {
            Forgery::Edited => self.edit_manifest(at),
            Forgery::Replayed => self.replay(at),
            _ => {
                let what = self.damage(at, dice)?;
                if forgery != Forgery::None {
                    self.forge_manifest(at);
                }
                if forgery == Forgery::Signed {
                    self.sign_as_stranger(at);
                }
                return Some(what);
            }
        }
        Some("the manifest".to_owned())
    }
}
