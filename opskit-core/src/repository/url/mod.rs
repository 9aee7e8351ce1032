//! Where a repository is: a path, or a URL of an object store.

mod azure;
mod connect;
mod env;
mod gcs;
mod profile;
mod query;
mod s3;

pub use env::StoreEnv;

use super::store::{Backend, Directory, Remote, Store, Terms};
use crate::error::{Error, ErrorKind, Result};
use object_store::memory::InMemory;
use query::Query;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a repository is. It may hold credentials, which are never shown.
///
/// | text | what it is |
/// |---|---|
/// | a path, or `file:///path` | a directory |
/// | `memory:` | the memory of this process: all clones of one value lead to the same place |
/// | `s3://bucket/prefix` | S3, and what speaks like it: `endpoint`, `region`, `path_style`, `credentials` |
/// | `gs://bucket/prefix` | Google Cloud Storage: `endpoint`, `credentials` |
/// | `az://container/prefix` | Azure Blob Storage: `account`, `endpoint`, `credentials` |
///
/// The words are parameters of the URL; all three know `allow_http` and `part_size` too.
///
/// ```
/// use opskit_core::repository::{Repository, RepositoryUrl, StoreEnv};
/// let url = RepositoryUrl::parse("memory:", &StoreEnv::default())?;
/// let repository = Repository::create_at(&url)?;
/// assert_eq!(Repository::open_at(&url)?.id(), repository.id());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Clone)]
pub struct RepositoryUrl {
    kind: Kind,
    /// What people are told.
    shown: String,
}

#[derive(Clone)]
enum Kind {
    Directory(PathBuf),
    Remote {
        backend: Arc<dyn Backend>,
        prefix: String,
        terms: Terms,
    },
}

/// What is known of a place in an object store before its parameters are looked at.
struct Place<'a> {
    scheme: &'a str,
    bucket: &'a str,
    prefix: &'a str,
}

impl Place<'_> {
    /// The URL for people, with the parameters that were said.
    fn shown(&self, said: &str) -> String {
        let Self {
            scheme,
            bucket,
            prefix,
        } = self;
        match prefix.is_empty() {
            true => format!("{scheme}://{bucket}{said}"),
            false => format!("{scheme}://{bucket}/{prefix}{said}"),
        }
    }
}

impl RepositoryUrl {
    /// Reads a path or URL. What it does not say, such as credentials, is taken from the variables.
    ///
    /// ```
    /// use opskit_core::repository::{RepositoryUrl, StoreEnv};
    /// let env = StoreEnv::from_vars([("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "s3cret")]);
    /// let url = RepositoryUrl::parse("s3://box/shop?endpoint=http://127.0.0.1:9000", &env)?;
    /// assert_eq!(url.to_string(), "s3://box/shop?endpoint=http://127.0.0.1:9000");
    /// assert!(!format!("{url:?}").contains("s3cret"));
    ///
    /// let error = RepositoryUrl::parse("s3://box/shop?regoin=eu", &env).unwrap_err();
    /// assert!(error.hint().unwrap().contains("region"));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no such URL, has a parameter that nobody knows, or holds
    /// credentials; [`ErrorKind::NotFound`] when credentials are nowhere to be found.
    pub fn parse(text: &str, env: &StoreEnv) -> Result<Self> {
        if text == "memory:" {
            return Ok(Self::memory());
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self::directory(text));
        };
        if scheme == "file" {
            return file(rest);
        }
        let open = match scheme {
            "s3" => s3::open,
            "gs" => gcs::open,
            "az" => azure::open,
            _ => return Err(unknown_scheme()),
        };
        let (place, query) = split(scheme, rest)?;
        open(&place, query, env).map_err(|error| {
            let shown = format!("{scheme}://{}/{}", place.bucket, place.prefix);
            error.while_doing(format!("cannot use repository \"{shown}\""))
        })
    }

    /// A directory.
    ///
    /// ```
    /// use opskit_core::repository::RepositoryUrl;
    /// assert_eq!(RepositoryUrl::directory("backups").to_string(), "backups");
    /// ```
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            shown: path.display().to_string(),
            kind: Kind::Directory(path),
        }
    }

    /// A new place in the memory of this process.
    ///
    /// ```
    /// use opskit_core::repository::RepositoryUrl;
    /// assert_eq!(RepositoryUrl::memory().to_string(), "memory:");
    /// ```
    #[must_use]
    pub fn memory() -> Self {
        Self::of_backend(
            Arc::new(InMemory::new()),
            "",
            "memory:".to_owned(),
            Terms::default(),
        )
    }

    pub(crate) fn of_backend(
        backend: Arc<dyn Backend>,
        prefix: &str,
        shown: String,
        terms: Terms,
    ) -> Self {
        Self {
            kind: Kind::Remote {
                backend,
                prefix: prefix.to_owned(),
                terms,
            },
            shown,
        }
    }

    /// The directory that it is, where it is one.
    ///
    /// ```
    /// use opskit_core::repository::{RepositoryUrl, StoreEnv};
    /// let url = RepositoryUrl::parse("file:///mnt/backups", &StoreEnv::default())?;
    /// assert_eq!(url.as_directory().unwrap(), std::path::Path::new("/mnt/backups"));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn as_directory(&self) -> Option<&std::path::Path> {
        match &self.kind {
            Kind::Directory(path) => Some(path),
            Kind::Remote { .. } => None,
        }
    }

    /// The store, which is there already where it can be missing.
    pub(super) fn open(&self) -> Result<Arc<dyn Store>> {
        match &self.kind {
            Kind::Directory(path) => Ok(Arc::new(Directory::open(path.clone())?)),
            Kind::Remote { .. } => self.remote(),
        }
    }

    /// The same; makes what can be missing.
    pub(super) fn make(&self) -> Result<Arc<dyn Store>> {
        match &self.kind {
            Kind::Directory(path) => Ok(Arc::new(Directory::make(path.clone())?)),
            Kind::Remote { .. } => self.remote(),
        }
    }

    fn remote(&self) -> Result<Arc<dyn Store>> {
        match &self.kind {
            Kind::Remote {
                backend,
                prefix,
                terms,
            } => {
                let (backend, shown) = (Arc::clone(backend), self.shown.clone());
                Ok(Arc::new(Remote::new(backend, prefix, shown, *terms)?))
            }
            Kind::Directory(_) => Err(Error::new(
                ErrorKind::Internal,
                "a directory is no object store",
            )),
        }
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RepositoryUrl").field(&self.shown).finish()
    }
}

fn file(rest: &str) -> Result<RepositoryUrl> {
    match rest.strip_prefix('/') {
        Some(_) => Ok(RepositoryUrl::directory(rest)),
        None => Err(invalid("a file URL has three slashes and a whole path")),
    }
}

/// Bucket, prefix and parameters. Nothing that could be a secret is repeated.
fn split<'a>(scheme: &'a str, rest: &'a str) -> Result<(Place<'a>, Query)> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    if path.contains('@') {
        return Err(invalid("the URL of a repository holds no credentials").with_hint(
            "Give them in the usual variables, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ));
    }
    let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if bucket.is_empty() || !bucket.bytes().all(plain) {
        return Err(invalid(format!(
            "the URL names no bucket: write {scheme}://bucket/prefix"
        )));
    }
    let part = |part: &str| !part.is_empty() && !matches!(part, "." | "..");
    let prefix = prefix.trim_end_matches('/');
    let clean = prefix.is_empty() || prefix.split('/').all(part);
    if !clean || prefix.contains(['#', '%', '\\']) || prefix.chars().any(char::is_control) {
        return Err(invalid(
            "the prefix of a URL is names with a slash between them, without # % and \\",
        ));
    }
    let place = Place {
        scheme,
        bucket,
        prefix,
    };
    Ok((place, Query::parse(query)?))
}

fn unknown_scheme() -> Error {
    invalid("a repository has no URL of this kind").with_hint(
        "Write a path, or a URL that starts with file://, memory:, s3://, gs:// or az://.",
    )
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> StoreEnv {
        StoreEnv::from_vars([
            ("AWS_ACCESS_KEY_ID", "AKID"),
            ("AWS_SECRET_ACCESS_KEY", "s3cret"),
            ("AWS_SESSION_TOKEN", "t0ken"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5"),
        ])
    }

    #[test]
    fn places_are_told_apart() {
        for (text, shown) in [
            ("backups", "backups"),
            ("/mnt/a?b", "/mnt/a?b"),
            ("file:///mnt/b", "/mnt/b"),
            ("memory:", "memory:"),
            ("s3://box", "s3://box"),
            ("s3://box/a/b/", "s3://box/a/b"),
            (
                "s3://box/a?region=eu-west-1&endpoint=https://s3.example.com&path_style=false",
                "s3://box/a?endpoint=https://s3.example.com&path_style=false&region=eu-west-1",
            ),
            ("az://box/a?account=acme", "az://box/a?account=acme"),
        ] {
            let url = RepositoryUrl::parse(text, &env()).unwrap();
            assert_eq!(url.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_repeating_it() {
        for (text, part) in [
            ("s3://AKID:s3cret@box/a", "holds no credentials"),
            ("s3://box/a?secret_access_key=s3cret", "secret_access_key"),
            ("s3://box/a?endpoint=https://u:s3cret@h", "endpoint"),
            (
                "s3://box/a?endpoint=http://example.com/s3cret",
                "allow_http",
            ),
            ("s3://box/a?path_style=s3cret", "path_style"),
            ("s3://box/a?part_size=1", "part_size"),
            ("s3://box/../s3cret", "prefix"),
            ("s3:///s3cret", "bucket"),
            ("ftp://s3cret/x", "no URL of this kind"),
            ("file://host/s3cret", "three slashes"),
            ("s3://box/a?region=x&region=s3cret", "twice"),
        ] {
            let error = RepositoryUrl::parse(text, &env()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
            let told = format!("{:?} {:?}", error.chain(), error.hint());
            assert!(told.contains(part), "{text}: {told}");
            assert!(!told.contains("s3cret"), "{text}: {told}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let url = RepositoryUrl::parse("s3://box/a?region=eu", &env()).unwrap();
        let repository = format!("{url:?} {url} {:?} {:?}", url.open().unwrap(), env());
        for secret in ["s3cret", "t0ken", "a2V5"] {
            assert!(!repository.contains(secret), "{repository}");
        }
    }

    #[test]
    fn credentials_that_are_nowhere_are_told() {
        for text in ["s3://box/a", "az://box/a?account=acme"] {
            let error = RepositoryUrl::parse(text, &StoreEnv::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
            assert!(error.hint().is_some());
        }
    }
}
