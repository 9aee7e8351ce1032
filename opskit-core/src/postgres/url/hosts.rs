//! The servers that a connection string names.

use super::env::ConnectEnv;
use super::modes::SslMode;
use super::passfile;
use super::settings::Settings;
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The port of Postgres when nothing names one.
const DEFAULT_PORT: u16 = 5432;

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: String,
    address: Option<IpAddr>,
    port: u16,
    pub(super) password: Option<Secret>,
}

impl Host {
    /// The host name, or the directory of the server's socket.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address that `hostaddr` gives, so that the name is not looked up.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path of the server's Unix socket, when it is reached by one.
    #[must_use]
    pub fn socket_path(&self) -> Option<PathBuf> {
        let by_socket = self.address.is_none() && self.name.starts_with('/');
        by_socket.then(|| Path::new(&self.name).join(format!(".s.PGSQL.{}", self.port)))
    }

    /// Whether what is sent to it stays on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self.address.or_else(|| self.name.parse().ok()) {
            Some(address) => address.to_canonical().is_loopback(),
            None => self.socket_path().is_some() || self.name.eq_ignore_ascii_case("localhost"),
        }
    }

    /// The TLS mode for it when none was asked for.
    pub(super) fn default_sslmode(&self) -> SslMode {
        if self.is_local() {
            SslMode::Prefer
        } else {
            SslMode::Require
        }
    }

    /// The name that password files know it by.
    fn passfile_name(&self) -> String {
        let default_socket_dir = self.socket_path().is_some()
            && matches!(self.name.as_str(), "/var/run/postgresql" | "/tmp");
        if default_socket_dir {
            "localhost".to_owned()
        } else {
            self.name.clone()
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket_path() {
            Some(path) => path.display().fmt(f),
            None if self.name.contains(':') => write!(f, "[{}]:{}", self.name, self.port),
            None => write!(f, "{}:{}", self.name, self.port),
        }
    }
}

/// Pairs up the lists of hosts, addresses and ports, as `libpq` does.
pub(super) fn read_hosts(settings: &Settings, env: &ConnectEnv) -> Result<Vec<Host>> {
    let names = settings.list("host");
    let addresses = settings.list("hostaddr");
    let ports = settings.list("port");
    if !names.is_empty() && !addresses.is_empty() && names.len() != addresses.len() {
        return Err(uneven(
            ("hosts", names.len()),
            ("host addresses", addresses.len()),
        ));
    }
    let count = names.len().max(addresses.len()).max(1);
    if ports.len() > 1 && ports.len() != count {
        return Err(uneven(("hosts", count), ("ports", ports.len())));
    }
    let mut hosts = Vec::with_capacity(count);
    for index in 0..count {
        let port = if ports.len() == 1 {
            ports.first()
        } else {
            ports.get(index)
        };
        let port = read_port(port.copied().unwrap_or_default())?;
        let given = |list: &[&str]| {
            list.get(index)
                .filter(|item| !item.is_empty())
                .map(|item| (*item).to_owned())
        };
        let address = given(&addresses)
            .map(|text| read_address(&text))
            .transpose()?;
        let name = match (given(&names), address) {
            (Some(name), _) => name,
            (None, Some(address)) => address.to_string(),
            (None, None) => default_host(env, port),
        };
        if name.starts_with('@') {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "abstract socket names are not supported",
            ));
        }
        hosts.push(Host {
            name,
            address,
            port,
            password: None,
        });
    }
    Ok(hosts)
}

/// Gives each host its password: the one of the settings, or the one the password file has for it.
pub(super) fn read_passwords(
    hosts: &mut [Host],
    settings: &Settings,
    env: &ConnectEnv,
    who: (&str, &str),
) {
    if let Some(password) = settings.get("password") {
        for host in hosts {
            host.password = Some(Secret::new(password));
        }
        return;
    }
    let path = settings.get("passfile").map(PathBuf::from);
    let Some(path) = path.or_else(|| Some(env.home.as_ref()?.join(".pgpass"))) else {
        return;
    };
    let Some(text) = passfile::read(&path) else {
        return;
    };
    let (user, dbname) = who;
    for host in hosts {
        let name = host.passfile_name();
        let wanted = passfile::Wanted {
            host: &name,
            port: host.port,
            dbname,
            user,
        };
        host.password = passfile::find(&text, wanted);
    }
}

fn default_host(env: &ConnectEnv, port: u16) -> String {
    let socket = format!(".s.PGSQL.{port}");
    let dir = env
        .socket_dirs
        .iter()
        .find(|dir| dir.join(&socket).exists());
    dir.and_then(|dir| dir.to_str())
        .unwrap_or("localhost")
        .to_owned()
}

fn read_port(text: &str) -> Result<u16> {
    match text {
        "" => Ok(DEFAULT_PORT),
        text => text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
            // The text is not shown: with an unencoded ":" or "@" in the URL it is part of the password.
            Error::new(ErrorKind::InvalidInput, "the port is not a number from 1 to 65535").with_hint(
                "If the password holds special characters, percent-encode them: @ is %40, / is %2F, : is %3A, # is %23.",
            )
        }),
    }
}

fn read_address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("hostaddr \"{text}\" is not an IP address"),
        )
    })
}

fn uneven((these, these_count): (&str, usize), (those, those_count): (&str, usize)) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("the connection string has {these_count} {these} but {those_count} {those}"),
    )
}
