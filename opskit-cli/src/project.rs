//! The project's `opskit.toml`: where it is, and what its names stand for.

use crate::App;
use crate::exit::usage_error;
use opskit_core::config::{Config, FILE_NAME, Target};
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// A configuration file that was found and read.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    /// The file.
    pub(crate) file: PathBuf,
    /// What it says.
    pub(crate) config: Config,
}

impl Project {
    /// The file that `--config` or `OPSKIT_CONFIG` names, else the nearest one from the working directory
    /// upwards.
    pub(crate) fn find(app: &App) -> Result<Option<Self>, Error> {
        let named = app.config_file.as_deref();
        let named = named.or_else(|| app.env.var("OPSKIT_CONFIG").map(Path::new));
        if let Some(file) = named {
            return Self::read(file.to_owned()).map(Some);
        }
        let start = std::env::current_dir().map_err(|source| {
            Error::new(ErrorKind::NotFound, "the working directory cannot be read")
                .with_source(source)
        })?;
        let mut files = start.ancestors().map(|dir| dir.join(FILE_NAME));
        files
            .find(|file| file.is_file())
            .map(Self::read)
            .transpose()
    }

    fn read(file: PathBuf) -> Result<Self, Error> {
        let text = std::fs::read_to_string(&file).map_err(|source| {
            let kind = match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::InvalidInput,
            };
            Error::new(kind, format!("cannot read \"{}\"", file.display())).with_source(source)
        })?;
        Ok(Self {
            config: Config::parse(&text)?,
            file,
        })
    }

    /// A path of the file: a relative one starts at the file's folder.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        folder.join(path)
    }
}

/// Whether this text is the name of a target rather than a URL or a `keyword=value` string.
pub(crate) fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

/// The URL of a target, from the variable that it names.
pub(crate) fn url_of(name: &str, target: &Target, app: &App) -> Result<DatabaseUrl, Error> {
    let variable = &target.url_env;
    let Some(text) = app.env.var(variable) else {
        return Err(usage_error(
            format!("{variable} is not set, and target \"{name}\" has its URL there"),
            format!("Set {variable} to the URL of the database."),
        ));
    };
    DatabaseUrl::parse(text, &app.env.connect)
}
