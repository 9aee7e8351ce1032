//! The way from a name to a file that cannot leave the directory.

use super::super::too_large;
use crate::error::{Error, ErrorKind, Result, storage};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A directory that was opened, and below which no symbolic link is followed: whoever can write
/// into a repository must not make a reader look elsewhere.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    /// Opens a directory. The path itself may lead over links: it is the user's.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = openat(CWD, path, flags, Mode::empty());
        opened
            .map(Self)
            .map_err(|errno| cannot_open(&path.display().to_string(), errno))
    }

    /// Opens a file below, which must be a plain one, and tells its size.
    pub(super) fn file(&self, name: &str) -> Result<(File, u64)> {
        // A pipe would make the open wait.
        let file = File::from(self.walk(name, OFlags::NONBLOCK)?);
        let metadata = file
            .metadata()
            .map_err(|source| storage(format!("cannot look at \"{name}\""), source))?;
        if metadata.is_file() {
            return Ok((file, metadata.len()));
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("\"{name}\" is no plain file"),
        ))
    }

    /// Reads a small file whole.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let (file, bytes) = self.file(name)?;
        if bytes > bytes_max {
            return Err(too_large(name, bytes, bytes_max));
        }
        let mut read = Vec::with_capacity(bytes as usize);
        file.take(bytes_max)
            .read_to_end(&mut read)
            .map_err(|source| storage(format!("cannot read \"{name}\""), source))?;
        Ok(read)
    }

    /// Whether there is something of this name, of any kind.
    pub(super) fn has(&self, name: &str) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    fn walk(&self, name: &str, last: OFlags) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut components = name.split('/').peekable();
        let mut open: Option<OwnedFd> = None;
        while let Some(component) = components.next() {
            let kind = if components.peek().is_some() {
                OFlags::DIRECTORY
            } else {
                last
            };
            let below = open.as_ref().unwrap_or(&self.0);
            let next = openat(below, component, flags | kind, Mode::empty());
            open = Some(next.map_err(|errno| cannot_open(name, errno))?);
        }
        open.ok_or_else(|| Error::new(ErrorKind::Internal, "an empty path was walked"))
    }
}

fn cannot_open(name: &str, errno: rustix::io::Errno) -> Error {
    use rustix::io::Errno;
    match errno {
        Errno::NOENT => Error::new(ErrorKind::NotFound, format!("\"{name}\" is not there")),
        Errno::LOOP | Errno::MLINK => Error::new(
            ErrorKind::Damaged,
            format!("\"{name}\" leads over a symbolic link"),
        ),
        Errno::NOTDIR => Error::new(
            ErrorKind::Damaged,
            format!("\"{name}\" does not lead over directories"),
        ),
        errno => storage(format!("cannot open \"{name}\""), errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("in")).unwrap();
        std::fs::write(place.path().join("in/file"), "x").unwrap();
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, place.path().join(name)).unwrap();
        };
        link("in", "folder");
        link("in/file", "file");
        let root = Root::open(place.path()).unwrap();
        assert_eq!(root.read("in/file", 9).unwrap(), b"x");
        for name in ["folder/file", "file"] {
            let kind = root.file(name).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Damaged, "{name}");
        }
        assert_eq!(root.file("in").unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(root.file("no").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
