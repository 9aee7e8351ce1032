//! Writing parts of a backup whose place somebody else holds, and taking them over.

use super::layout::{BACKUPS, DATA_PREFIX, check_object_name};
use super::sealed::Sealing;
use super::store::{Claim, Standing, Store};
use super::writer::Writing;
use super::{BackupId, Encryption, Repository, RepositorySink};
use crate::error::{Error, ErrorKind, Result};
use crate::name::random_hex;
use crate::sink::{FileFormat, StoredObject};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// The place of a backup as it is for those who only write parts of it.
#[derive(Debug)]
struct Joined {
    store: Arc<dyn Store>,
    id: BackupId,
}

impl Claim for Joined {
    fn check(&self) -> Result<()> {
        let gone = || {
            Error::new(
                ErrorKind::NotFound,
                format!("nobody writes backup {} here any more", self.id),
            )
            .with_hint("Its plan was committed or closed, or is of another place: a directory must be the same one for all workers.")
        };
        match self.store.standing(&self.id) {
            Ok(Standing::Busy) => Ok(()),
            Ok(_) => Err(gone()),
            Err(error) => Err(gone().with_source(error)),
        }
    }

    fn commit(&self, _manifest: &[u8]) -> Result<()> {
        Err(Error::new(
            ErrorKind::Internal,
            "only who began a backup commits it",
        ))
    }
}

impl RepositorySink {
    /// Writes parts of a backup that was begun elsewhere. Their names are this writer's own: two who write the
    /// same part do not meet. It waits for the store.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] when the backup is sealed and no key at hand opens it, `Damaged` when it
    /// is in the clear and must not be.
    pub(crate) fn join(
        repository: &Repository,
        id: &BackupId,
        format: FileFormat,
        encryption: Option<Encryption>,
    ) -> Result<Self> {
        let store = Arc::clone(&repository.store);
        let keyring = Arc::clone(&repository.keyring);
        let sealing = match &encryption {
            Some(sealed) => {
                let key = keyring.unwrap(&*store, repository.id(), id, sealed)?;
                Some(Sealing::new(key, repository.id(), id))
            }
            None => {
                keyring.check_clear(id)?;
                None
            }
        };
        let claim = Joined {
            store: Arc::clone(&store),
            id: id.clone(),
        };
        Ok(Self {
            writing: Arc::new(Writing {
                store,
                folder: format!("{BACKUPS}/{id}"),
                claim: Box::new(claim),
                sealing,
                keyring,
            }),
            encryption,
            format,
            suffix: Some(format!("-{}", random_hex())),
            started: Mutex::default(),
        })
    }

    /// Takes over the parts that others wrote: each must be there, and what else they left goes. It waits for
    /// the store.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when one is not there, or of another size.
    pub(crate) fn take_over(&self, parts: &[StoredObject]) -> Result<()> {
        let Writing { store, folder, .. } = &*self.writing;
        let full = |name: &str| format!("{folder}/{name}");
        for part in parts {
            check_object_name(&part.name)?;
            let bytes = store.size(&full(&part.name)).map_err(|error| {
                let what = format!("\"{}\" was written elsewhere and is not here", part.name);
                Error::new(ErrorKind::Damaged, what).with_source(error)
            })?;
            if bytes != part.bytes {
                return Err(Error::new(
                    ErrorKind::Damaged,
                    format!(
                        "\"{}\" has {bytes} bytes, and who wrote it tells {}",
                        part.name, part.bytes
                    ),
                ));
            }
        }
        let wanted: HashSet<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let left = store.objects(folder)?;
        let left = left.iter().filter(|name| name.starts_with(DATA_PREFIX));
        for name in left.filter(|name| !wanted.contains(name.as_str())) {
            store.remove(&full(name))?;
        }
        Ok(())
    }
}
