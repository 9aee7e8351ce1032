//! Where the database is and how to reach it: one value that both clients are built from.

mod env;
mod hosts;
mod jwt;
mod modes;
mod parse_keywords;
mod parse_url;
mod passfile;
mod settings;
mod sqlx_options;
#[cfg(test)]
mod tests;

pub use env::ConnectEnv;
pub use hosts::Host;
pub use modes::{ChannelBinding, SslMode, TargetSession};

use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use settings::Settings;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long one server is waited for when nothing says otherwise.
const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Which certificates are trusted to vouch for a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// Those in this file, PEM.
    File(PathBuf),
    /// Those that the operating system trusts.
    System,
}

/// A certificate to show to the server, and its key; both are PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCert {
    /// The certificate, with those between it and the authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where a database is and how to connect to it. Cheap to clone; never shows its password.
///
/// Reads what `libpq` reads: URLs, `keyword=value` strings, `PG*` variables and password files. One
/// thing is stricter: with no `sslmode`, a host that is not local means `require`.
///
/// ```
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl, SslMode};
/// let env = ConnectEnv::default();
/// let url = DatabaseUrl::parse("postgres://ann:hunter2@db.example.com/shop", &env)?;
/// assert_eq!(url.user(), "ann");
/// assert_eq!(url.hosts()[0].name(), "db.example.com");
/// assert_eq!(url.sslmode(&url.hosts()[0]), SslMode::Require);
/// assert_eq!(url.to_string(), "postgresql://ann:***@db.example.com:5432/shop");
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Arc<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    hosts: Vec<Host>,
    user: String,
    dbname: String,
    password_in_text: bool,
    sslmode: Option<SslMode>,
    root_cert: Option<RootCert>,
    client_cert: Option<ClientCert>,
    channel_binding: ChannelBinding,
    connect_timeout: Option<Duration>,
    options: Option<String>,
    application_name: String,
    target_session: TargetSession,
}

impl DatabaseUrl {
    /// Reads a URL or a `keyword=value` string; what it leaves open comes from `env` and from the
    /// password file. Empty text means: everything from there.
    ///
    /// Errors never repeat a value, because any of them may be a piece of a mistyped password.
    pub fn parse(text: &str, env: &ConnectEnv) -> Result<Self> {
        let settings = Settings::read(text, env)?;
        let user = match settings.get("user").or(env.user.as_deref()) {
            Some(user) => user.to_owned(),
            None => return Err(no_user()),
        };
        let dbname = settings.get("dbname").unwrap_or(&user).to_owned();
        let mut hosts = hosts::read_hosts(&settings, env)?;
        hosts::read_passwords(&mut hosts, &settings, env, (&user, &dbname));
        for password in hosts.iter().filter_map(|host| host.password.as_ref()) {
            jwt::refuse_api_key(password.expose())?;
        }
        let (sslmode, root_cert) = read_trust(&settings, env)?;
        let application_name = settings
            .get("application_name")
            .or(settings.get("fallback_application_name"));
        let word = |name| settings.get(name);
        Ok(Self(Arc::new(Inner {
            hosts,
            user,
            dbname,
            password_in_text: settings.password_in_text,
            sslmode,
            root_cert,
            client_cert: read_client_cert(&settings, env)?,
            channel_binding: word("channel_binding")
                .map_or(Ok(ChannelBinding::Prefer), ChannelBinding::parse)?,
            connect_timeout: read_timeout(&settings)?,
            options: settings.get("options").map(str::to_owned),
            application_name: application_name.unwrap_or("opskit").to_owned(),
            target_session: word("target_session_attrs")
                .map_or(Ok(TargetSession::Any), TargetSession::parse)?,
        })))
    }

    /// The servers, in the order in which they are tried; at least one.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.0.hosts
    }

    /// The role to connect as.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// The database.
    #[must_use]
    pub fn dbname(&self) -> &str {
        &self.0.dbname
    }

    /// The TLS mode for one of the hosts: the one that was asked for, or the default for where it is.
    /// A socket never has TLS. `require` with a root certificate is `verify-ca`, as in `libpq`.
    #[must_use]
    pub fn sslmode(&self, host: &Host) -> SslMode {
        if host.socket_path().is_some() {
            return SslMode::Disable;
        }
        match self.0.sslmode.unwrap_or_else(|| host.default_sslmode()) {
            SslMode::Require if self.0.root_cert.is_some() => SslMode::VerifyCa,
            mode => mode,
        }
    }

    /// Which certificates are trusted, when something names any.
    #[must_use]
    pub fn root_cert(&self) -> Option<&RootCert> {
        self.0.root_cert.as_ref()
    }

    /// The certificate to show to the server.
    #[must_use]
    pub fn client_cert(&self) -> Option<&ClientCert> {
        self.0.client_cert.as_ref()
    }

    /// Whether the password exchange is bound to the TLS channel.
    #[must_use]
    pub fn channel_binding(&self) -> ChannelBinding {
        self.0.channel_binding
    }

    /// How long each server is waited for; `None` means for ever.
    #[must_use]
    pub fn connect_timeout(&self) -> Option<Duration> {
        self.0.connect_timeout
    }

    /// Command-line options for the server's session process.
    #[must_use]
    pub fn options(&self) -> Option<&str> {
        self.0.options.as_deref()
    }

    /// The name under which the session shows in `pg_stat_activity`.
    #[must_use]
    pub fn application_name(&self) -> &str {
        &self.0.application_name
    }

    /// Which of the servers will do.
    #[must_use]
    pub fn target_session(&self) -> TargetSession {
        self.0.target_session
    }

    /// Whether the text itself carried a password. On a command line, every user of the machine can
    /// read it in the process list.
    #[must_use]
    pub fn has_password_in_url(&self) -> bool {
        self.0.password_in_text
    }

    /// The password for one of the hosts.
    #[must_use]
    pub(crate) fn password(&self, host: &Host) -> Option<Secret> {
        host.password.clone()
    }

    /// The same with another password, for all hosts.
    ///
    /// ```
    /// # use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
    /// # use opskit_core::secret::Secret;
    /// let url = DatabaseUrl::parse("postgres://ann@h/shop", &ConnectEnv::default())?;
    /// let url = url.with_password(Secret::new("hunter2"))?;
    /// assert!(!url.has_password_in_url());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    pub fn with_password(&self, password: Secret) -> Result<Self> {
        jwt::refuse_api_key(password.expose())?;
        let mut inner = (*self.0).clone();
        for host in &mut inner.hosts {
            host.password = Some(password.clone());
        }
        inner.password_in_text = false;
        Ok(Self(Arc::new(inner)))
    }

    /// The same for another database of the same servers.
    #[must_use]
    pub fn with_dbname(&self, dbname: &str) -> Self {
        let mut inner = (*self.0).clone();
        dbname.clone_into(&mut inner.dbname);
        Self(Arc::new(inner))
    }

    /// The same for another role.
    #[must_use]
    pub(crate) fn with_user(&self, user: &str) -> Self {
        let mut inner = (*self.0).clone();
        user.clone_into(&mut inner.user);
        Self(Arc::new(inner))
    }

    /// The URL with `***` in place of the password, for logs and messages.
    #[must_use]
    pub fn redacted(&self) -> String {
        let password = if self.0.hosts.iter().any(|host| host.password.is_some()) {
            ":***"
        } else {
            ""
        };
        let hosts: Vec<String> = self.0.hosts.iter().map(encode_host).collect();
        format!(
            "postgresql://{}{password}@{}/{}",
            encode(&self.0.user),
            hosts.join(","),
            encode(&self.0.dbname)
        )
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DatabaseUrl")
            .field(&self.redacted())
            .finish()
    }
}

fn encode_host(host: &Host) -> String {
    match host.socket_path() {
        Some(_) => format!("{}:{}", encode(host.name()), host.port()),
        None => host.to_string(),
    }
}

/// Percent-encodes everything that could end the part of a URL it stands in.
fn encode(text: &str) -> String {
    text.bytes()
        .fold(String::with_capacity(text.len()), |mut out, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    out.push(char::from(byte));
                }
                _ => out.push_str(&format!("%{byte:02X}")),
            }
            out
        })
}

/// The TLS mode and the trusted certificates, which depend on each other.
fn read_trust(
    settings: &Settings,
    env: &ConnectEnv,
) -> Result<(Option<SslMode>, Option<RootCert>)> {
    let sslmode = settings.get("sslmode").map(SslMode::parse).transpose()?;
    match settings.get("sslrootcert") {
        // Any public authority can vouch for anyone: without the host name that proves nothing.
        Some("system") => match sslmode.unwrap_or(SslMode::VerifyFull) {
            SslMode::VerifyFull => Ok((Some(SslMode::VerifyFull), Some(RootCert::System))),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                "sslrootcert=system needs sslmode=verify-full",
            )
            .with_hint("Leave sslmode out, or set it to verify-full.")),
        },
        Some(file) => Ok((sslmode, Some(RootCert::File(PathBuf::from(file))))),
        None => Ok((sslmode, dot_postgresql(env, "root.crt").map(RootCert::File))),
    }
}

fn read_client_cert(settings: &Settings, env: &ConnectEnv) -> Result<Option<ClientCert>> {
    let given = |name: &str, default: &str| {
        settings
            .get(name)
            .map(PathBuf::from)
            .or_else(|| dot_postgresql(env, default))
    };
    match (
        given("sslcert", "postgresql.crt"),
        given("sslkey", "postgresql.key"),
    ) {
        (Some(cert), Some(key)) => Ok(Some(ClientCert { cert, key })),
        (Some(_), None) => Err(Error::new(
            ErrorKind::InvalidInput,
            "sslcert is given without its private key",
        )
        .with_hint("Name the private key's file by sslkey.")),
        (None, _) => Ok(None),
    }
}

fn dot_postgresql(env: &ConnectEnv, file: &str) -> Option<PathBuf> {
    let path = env
        .home
        .as_deref()
        .map(|home: &Path| home.join(".postgresql").join(file))?;
    path.exists().then_some(path)
}

fn read_timeout(settings: &Settings) -> Result<Option<Duration>> {
    match settings
        .get("connect_timeout")
        .map(str::trim)
        .map(str::parse::<i32>)
    {
        None => Ok(Some(DEFAULT_CONNECT_TIMEOUT)),
        // libpq takes zero and less for "wait for ever", and never waits less than two seconds.
        Some(Ok(seconds)) => Ok(u64::try_from(seconds)
            .ok()
            .filter(|s| *s > 0)
            .map(|s| Duration::from_secs(s.max(2)))),
        Some(Err(_)) => Err(Error::new(
            ErrorKind::InvalidInput,
            "connect_timeout is not a number of seconds",
        )),
    }
}

fn no_user() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "the connection string names no user",
    )
    .with_hint("Write the user into the URL (postgresql://user@host/database) or set PGUSER.")
}
