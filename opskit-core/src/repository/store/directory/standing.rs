//! What there is of a backup in its directory.

use super::super::Standing;
use crate::repository::layout::{LOCK, MANIFEST};
use rustix::fs::{FlockOperation, flock};
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A writer takes its lock right after it made the file. One whose file is younger is not looked at: the look itself
/// takes the lock for a moment.
const YOUNG: Duration = Duration::from_secs(60);

pub(super) fn of(path: &Path, now: SystemTime) -> io::Result<Standing> {
    let has_manifest = || path.join(MANIFEST).symlink_metadata().is_ok();
    let lock = match File::open(path.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(match std::fs::read_dir(path)?.next() {
                _ if has_manifest() => Standing::Complete,
                // A writer that has not come far, or died there.
                None => Standing::Left {
                    objects: 0,
                    bytes: 0,
                },
                Some(_) => Standing::Unowned,
            });
        }
        Err(error) => return Err(error),
    };
    if has_manifest() {
        return Ok(Standing::Complete);
    }
    let age = now
        .duration_since(lock.metadata()?.modified()?)
        .unwrap_or_default();
    let is_free = age >= YOUNG && flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
    if !is_free {
        return Ok(Standing::Busy);
    }
    let (objects, bytes) = weigh(path)?;
    Ok(Standing::Left { objects, bytes })
}

/// How many files are below a directory, and how many bytes they have. Links are counted, not followed.
fn weigh(path: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let (more, size) = weigh(&entry.path())?;
            files += more;
            bytes += size;
        } else if entry.file_name() != LOCK {
            files += 1;
            bytes += entry.metadata()?.len();
        }
    }
    Ok((files, bytes))
}
