//! Whether a backup is what its manifest says, in three depths; every fault is told, not the first.

use super::layout::{MANIFEST, SEALED, is_key, is_of_writer, signer_of};
use super::reader::{BackupReader, damaged};
use super::{BackupId, Contents, PartEntry, Repository, TableEntry};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::export::frames::FrameScanner;
use crate::export::{Fingerprint, Fingerprinter, RowEncoder};
use crate::pgtype::RowType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read;

/// How deep a backup is looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VerifyLevel {
    /// All objects exist, have their sizes, and nothing else stands there.
    List,
    /// And every byte is what was stored.
    Hash,
    /// And every row decodes; counts and fingerprints are taken again.
    Decode,
}

/// Something that is wrong with a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fault {
    /// The object.
    pub object: String,
    /// What is wrong, in one sentence.
    pub problem: String,
}

/// What a look at a backup found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The version of this document: `opskit.verify/1`.
    pub schema: &'static str,
    /// The backup.
    pub id: BackupId,
    /// How deep it was looked into.
    pub level: VerifyLevel,
    /// SHA-256 of its manifest. None where that cannot be read.
    pub manifest_sha256: Option<String>,
    /// Objects that were looked at, the manifest not among them.
    pub objects: u64,
    /// Bytes that they have by the manifest.
    pub bytes: u64,
    /// Rows that were decoded.
    pub rows: u64,
    /// Everything that is wrong.
    pub faults: Vec<Fault>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// How much of a stream of frames is unpacked at a time.
const CHUNK_BYTES: usize = 256 << 10;

impl Repository {
    /// Looks whether a backup is what its manifest says. A fault is a value, not an error.
    ///
    /// ```no_run
    /// use opskit_core::context::OpContext;
    /// use opskit_core::repository::{Repository, VerifyLevel};
    /// # fn example(repository: &Repository) -> opskit_core::Result<()> {
    /// let id = repository.find("latest")?;
    /// let report = repository.verify(&OpContext::default(), &id, VerifyLevel::Decode)?;
    /// for fault in &report.faults {
    ///     println!("{}: {}", fault.object, fault.problem);
    /// }
    /// assert!(report.is_sound());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such backup, [`ErrorKind::Unsupported`] for one of a
    /// later version; of kind `Storage` or `PermissionDenied` when an object store does not answer or does not
    /// let it be read; `Cancelled`.
    pub fn verify(
        &self,
        ctx: &OpContext,
        id: &BackupId,
        level: VerifyLevel,
    ) -> Result<VerifyReport> {
        let mut check = Check {
            ctx,
            is_far: self.directory().is_none(),
            report: VerifyReport {
                schema: "opskit.verify/1",
                id: id.clone(),
                level,
                manifest_sha256: None,
                objects: 0,
                bytes: 0,
                rows: 0,
                faults: Vec::new(),
            },
        };
        match self.read(id) {
            Ok(reader) => {
                check.report.manifest_sha256 = Some(reader.manifest_sha256().to_owned());
                let recorded = self.recorded_manifest(id);
                if recorded.is_some_and(|recorded| recorded != reader.manifest_sha256()) {
                    let what = "is not the one that the history tells of the run";
                    check.fault(MANIFEST, &damaged(MANIFEST, what));
                }
                check.all(&reader)?;
            }
            Err(error) if error.kind() == ErrorKind::Damaged => check.fault(MANIFEST, &error),
            Err(error) => return Err(error),
        }
        check.report.faults.sort_by(|a, b| a.object.cmp(&b.object));
        Ok(check.report)
    }
}

impl BackupReader {
    /// Looks whether objects have the size that the manifest tells, and above level `List` the digest.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] for the first that does not, `Cancelled`.
    pub(crate) fn check<'a>(
        &self,
        ctx: &OpContext,
        names: impl Iterator<Item = &'a str>,
        level: VerifyLevel,
    ) -> Result<()> {
        for name in names {
            ctx.cancel().check()?;
            look(self, name, level)?;
        }
        Ok(())
    }
}

fn look(reader: &BackupReader, name: &str, level: VerifyLevel) -> Result<()> {
    match level {
        VerifyLevel::List => reader.check_size(name),
        _ => reader.open_stored(name).map(drop),
    }
}

struct Check<'a> {
    ctx: &'a OpContext,
    /// Whether the objects are in a store that may be out of reach.
    is_far: bool,
    report: VerifyReport,
}

impl Check<'_> {
    fn all(&mut self, reader: &BackupReader) -> Result<()> {
        self.extra(reader)?;
        let signed = reader.check_signed();
        let is_signed = signed.is_ok();
        self.take(MANIFEST, signed)?;
        let contents = match reader.contents() {
            Ok(contents) => Some(contents),
            // It says the same once more, and nothing about what is stored.
            Err(_) if !is_signed => {
                self.take(SEALED, look(reader, SEALED, self.report.level))?;
                None
            }
            // Whether bytes are what was stored is seen without any key.
            Err(error) if reader.is_sealed() && self.needs_no_key(&error) => {
                self.take(SEALED, look(reader, SEALED, self.report.level))?;
                None
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(error),
            Err(error) => {
                self.take(SEALED, Err(error))?;
                None
            }
        };
        if let Some(contents) = &contents {
            self.named(reader, contents);
        }
        let parts = match (&contents, self.report.level) {
            (Some(contents), VerifyLevel::Decode) => parts(contents),
            _ => BTreeMap::new(),
        };
        for object in reader.manifest().all_objects() {
            self.ctx.cancel().check()?;
            self.report.objects += 1;
            self.report.bytes += object.bytes;
            // A part is opened as a whole, which takes the digests of both its files.
            let is_part = parts.contains_key(object.name.as_str());
            if !is_part && object.name != SEALED {
                let mut looked = look(reader, &object.name, self.report.level);
                if looked.is_ok() && is_signed && self.report.level == VerifyLevel::Decode {
                    looked = reader.check_opens(&object.name);
                }
                self.take(&object.name, looked)?;
            }
        }
        let mut looked = std::collections::BTreeSet::new();
        for (table, part) in parts.values() {
            if looked.insert(&part.object) {
                self.part(reader, table, part)?;
            }
        }
        Ok(())
    }

    /// What stands there and not in the manifest.
    fn extra(&mut self, reader: &BackupReader) -> Result<()> {
        let names = reader.stored_names()?;
        for name in reader.strangers(&names) {
            self.fault(
                name,
                &damaged(name, "is a key for somebody whom the settings do not name"),
            );
        }
        for name in names {
            let known = reader.has_object(&name)
                || name == MANIFEST
                || is_of_writer(&name)
                || signer_of(&name).is_some()
                || reader.is_sealed() && is_key(&name);
            if !known {
                self.fault(&name, &damaged(&name, "is not in the manifest"));
            }
        }
        Ok(())
    }

    fn needs_no_key(&self, error: &Error) -> bool {
        error.kind() == ErrorKind::PermissionDenied && self.report.level < VerifyLevel::Decode
    }

    /// What the contents name and the manifest does not.
    fn named(&mut self, reader: &BackupReader, contents: &Contents) {
        for name in parts(contents).into_keys() {
            if !reader.has_object(name) {
                self.fault(name, &damaged(name, "is not in the manifest"));
            }
        }
    }

    fn part(&mut self, reader: &BackupReader, table: &TableEntry, part: &PartEntry) -> Result<()> {
        // Both are told, where both are damaged.
        let mut sound = true;
        for name in std::iter::once(&part.object).chain(&part.exact) {
            let looked = look(reader, name, self.report.level);
            sound &= looked.is_ok();
            self.take(name, looked)?;
        }
        if sound {
            let decoded = decode(self.ctx, reader, table, part);
            self.report.rows += *decoded.as_ref().unwrap_or(&0);
            self.take(&part.object, decoded.map(drop))?;
        }
        Ok(())
    }

    /// Keeps what is a fault of the backup, and gives back what is none.
    fn take(&mut self, object: &str, result: Result<()>) -> Result<()> {
        match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
            // A store that does not answer says nothing about the backup.
            Err(error) if self.is_far && is_out_of_reach(&error) => Err(error),
            Err(error) => {
                self.fault(object, &error);
                Ok(())
            }
        }
    }

    fn fault(&mut self, object: &str, error: &Error) {
        self.report.faults.push(Fault {
            object: object.to_owned(),
            problem: error.chain().join(": "),
        });
    }
}

fn is_out_of_reach(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Storage | ErrorKind::PermissionDenied
    )
}

/// The parts by the names of their objects; side files too.
fn parts(contents: &Contents) -> BTreeMap<&str, (&TableEntry, &PartEntry)> {
    let mut parts = BTreeMap::new();
    for table in &contents.tables {
        for part in &table.parts {
            parts.insert(part.object.as_str(), (table, part));
            if let Some(exact) = &part.exact {
                parts.insert(exact.as_str(), (table, part));
            }
        }
    }
    parts
}

/// Decodes a part, and counts and fingerprints its rows anew.
fn decode(
    ctx: &OpContext,
    reader: &BackupReader,
    table: &TableEntry,
    part: &PartEntry,
) -> Result<u64> {
    let mut count = Recount::new(&table.row_type);
    if part.object.ends_with(".parquet") {
        let rows = reader.open_part(part)?;
        if rows.row_type() != &*table.row_type {
            return Err(damaged(
                &part.object,
                "does not have the columns of its table",
            ));
        }
        let mut encoder = RowEncoder::new((*table.row_type).clone());
        let mut frames = Vec::new();
        encoder.start(&mut frames);
        for batch in rows {
            ctx.cancel().check()?;
            encoder.encode(&batch?, &mut frames)?;
            count.take(&frames)?;
            frames.clear();
        }
        encoder.end(&mut frames);
        count.take(&frames)?;
    } else {
        let mut frames = reader.open_frames(part)?;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            ctx.cancel().check()?;
            let read = frames.read(&mut chunk).map_err(|source| {
                damaged(&part.object, "cannot be unpacked").with_source(source)
            })?;
            if read == 0 {
                break;
            }
            count.take(&chunk[..read])?;
        }
    }
    let (rows, fingerprint) = count.finish()?;
    if rows == part.rows && fingerprint == part.fingerprint {
        return Ok(rows);
    }
    Err(damaged(
        &part.object,
        &format!(
            "holds {rows} rows of fingerprint {fingerprint} where the backup tells {} of {}",
            part.rows, part.fingerprint
        ),
    ))
}

/// Counts and fingerprints rows as they were counted when they were read.
struct Recount {
    scanner: FrameScanner,
    fingerprinter: Fingerprinter,
}

impl Recount {
    fn new(row_type: &RowType) -> Self {
        Self {
            scanner: FrameScanner::new(row_type.columns.len()),
            fingerprinter: Fingerprinter::new(row_type),
        }
    }

    fn take(&mut self, frames: &[u8]) -> Result<()> {
        let mut rest = frames;
        while !rest.is_empty() {
            let used = self.scanner.push(rest, &mut self.fingerprinter)?;
            rest = &rest[used..];
        }
        Ok(())
    }

    fn finish(self) -> Result<(u64, Fingerprint)> {
        self.scanner.finish()?;
        Ok((self.scanner.rows(), self.fingerprinter.fingerprint()))
    }
}
