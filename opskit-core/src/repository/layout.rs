//! The names within a repository, and what a name may be.
//!
//! ```text
//! opskit-repository.json                             version and identity
//! backups/<id>/manifest.json                         written last: the commit
//! backups/<id>/manifest.sealed                       what the backup holds
//! backups/<id>/schema/pre-data.sql, post-data.sql    for people and `psql`
//! backups/<id>/schema/facts, model                   for restore and comparison
//! backups/<id>/data/<schema>.<table>/part-00000.*    the rows
//! backups/<id>/keys/<recipient>.age                  the data key, wrapped, of a backup that is sealed
//! backups/<id>/signatures/<public key>.sig           over the bytes of manifest.json, of a backup that is signed
//! backups/<id>/writer.lock                           while it is written, in a directory
//! backups/<id>/lease/<number>-<token>                while it is written, elsewhere: a new one each minute
//! backups/<id>/uploads/<token>                       an upload that is not complete yet
//! history/<time>-<id>.json                           one record per run
//! opskit-store.json                                  what was found out about the server
//! history/<kind>-<time>-<random>-<id>.json           and one per verification, drill, pin and removal
//! pins/<id>.json                                     keeps a backup
//! ```

use crate::error::{Error, ErrorKind, Result};
use crate::seal::VerifyingKey;

pub(super) const HEADER: &str = "opskit-repository.json";
pub(super) const BACKUPS: &str = "backups";
pub(super) const HISTORY: &str = "history";
pub(super) const MANIFEST: &str = "manifest.json";
pub(crate) const SEALED: &str = "manifest.sealed";
pub(super) const LOCK: &str = "writer.lock";
/// What the names of leases start with.
pub(super) const LEASES: &str = "lease/";
/// What the names of records of uploads start with.
pub(super) const UPLOADS: &str = "uploads/";
/// What was found out about the server.
pub(super) const STORE_RECORD: &str = "opskit-store.json";
/// What the names of objects start with that ask the server something and go again.
pub(super) const PROBE_PREFIX: &str = "opskit-probe-";
/// What the names of the rows' objects start with.
pub(super) const DATA_PREFIX: &str = "data/";

/// The model as JSON.
pub const MODEL: &str = "schema/model";
/// The facts as JSON.
pub const FACTS: &str = "schema/facts";
/// The roles and what is set for the database, as JSON.
pub const CLUSTER: &str = "schema/cluster";
/// What comes before the rows, for `psql`.
pub const PRE_DATA: &str = "schema/pre-data.sql";
/// What comes after the rows, for `psql`.
pub const POST_DATA: &str = "schema/post-data.sql";

/// The longest component of a path.
const COMPONENT_MAX: usize = 255;
/// How deep objects stand at most.
const DEPTH_MAX: usize = 3;

/// Refuses a name that no writer of ours gives: other characters, a leading dot, an absolute path.
pub(super) fn check_object_name(name: &str) -> Result<()> {
    let whole = name.split('/').count() <= DEPTH_MAX
        && name.split('/').all(is_component)
        && name != MANIFEST
        && !is_of_writer(name)
        && !name.starts_with(KEYS)
        && !name.starts_with(SIGNATURES);
    if whole {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Damaged,
        format!("{name:?} is no name of an object of a backup"),
    ))
}

/// What the names of wrapped keys start with. They are no part of what a manifest tells: keys can be wrapped anew.
pub(super) const KEYS: &str = "keys/";

/// The name of the key that was wrapped for a recipient.
pub(super) fn key_object(recipient: &str) -> String {
    format!("{KEYS}{recipient}.age")
}

/// Whether an object is a wrapped key.
pub(super) fn is_key(name: &str) -> bool {
    let recipient = name
        .strip_prefix(KEYS)
        .and_then(|rest| rest.strip_suffix(".age"));
    recipient.is_some_and(|recipient| {
        !recipient.is_empty() && recipient.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// What the names of signatures start with. No manifest can tell them: they are made over it.
pub(super) const SIGNATURES: &str = "signatures/";

/// The name of the signature that a key made.
pub(super) fn signature_object(key: &VerifyingKey) -> String {
    format!("{SIGNATURES}{}.sig", key.id())
}

/// The key that made a signature, by the signature's name. None for what is no such name.
pub(super) fn signer_of(name: &str) -> Option<VerifyingKey> {
    let id = name.strip_prefix(SIGNATURES)?.strip_suffix(".sig")?;
    VerifyingKey::of_id(id)
}

/// Whether an object stands for the writer of a backup, and is none of the backup's.
pub(super) fn is_of_writer(name: &str) -> bool {
    name == LOCK || name.starts_with(LEASES) || name.starts_with(UPLOADS)
}

/// The folder for records of uploads of the backup that an object belongs to.
pub(super) fn uploads_of(object: &str) -> String {
    let mut parts = object.splitn(3, '/');
    let folder: Vec<&str> = parts.by_ref().take(2).collect();
    format!("{}/{}", folder.join("/"), UPLOADS.trim_end_matches('/'))
}

fn is_component(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.~".contains(&byte);
    let upper_hex =
        |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b));
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at += match bytes[at] {
            b'%' if upper_hex(bytes.get(at + 1)) && upper_hex(bytes.get(at + 2)) => 3,
            byte if plain(byte) => 1,
            _ => return false,
        };
    }
    !bytes.is_empty() && bytes[0] != b'.' && bytes.len() <= COMPONENT_MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::QualifiedName;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_name_that_we_give_is_taken(schema in "\\PC{1,63}", name in "\\PC{1,63}") {
            let path = QualifiedName::new(schema, name).to_path();
            let object = format!("data/{path}/part-00000.pgcopy.zst");
            prop_assert!(check_object_name(&object).is_ok(), "{object}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "data/../../x",
            "data//x",
            "data/./x",
            "data/.x",
            "data/X",
            "data/%2e",
            "data/%2",
            "data/a b",
            "data/a\0",
            "data/a\\b",
            "data/é",
            "a/b/c/d",
            "manifest.json",
            "writer.lock",
            "lease/x",
            "uploads/x",
            "keys/x.age",
            "signatures/x.sig",
        ] {
            assert!(check_object_name(name).is_err(), "{name:?}");
        }
        let long = format!("data/{}/x", "a".repeat(256));
        assert!(check_object_name(&long).is_err());
    }
}
