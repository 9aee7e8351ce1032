//! All settings of one connection, by keyword: from the text, completed from the environment.

use super::env::ConnectEnv;
use super::parse_keywords::parse_keywords;
use super::parse_url::{parse_url, strip_scheme};
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;

/// What is done with a known parameter.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    /// It is obeyed.
    Obeyed,
    /// It changes nothing that matters here (keep-alives, cosmetics).
    Ignored,
    /// It asks for something not offered; ignoring it could weaken what the user relies on. The
    /// values listed ask for nothing.
    Refused(&'static [&'static str]),
}

/// Every parameter of `libpq` 18, the variable that is its default, and what is done with it.
const PARAMETERS: &[(&str, &str, Use)] = &[
    ("host", "PGHOST", Use::Obeyed),
    ("hostaddr", "PGHOSTADDR", Use::Obeyed),
    ("port", "PGPORT", Use::Obeyed),
    ("dbname", "PGDATABASE", Use::Obeyed),
    ("user", "PGUSER", Use::Obeyed),
    ("password", "PGPASSWORD", Use::Obeyed),
    ("passfile", "PGPASSFILE", Use::Obeyed),
    ("sslmode", "PGSSLMODE", Use::Obeyed),
    ("sslrootcert", "PGSSLROOTCERT", Use::Obeyed),
    ("sslcert", "PGSSLCERT", Use::Obeyed),
    ("sslkey", "PGSSLKEY", Use::Obeyed),
    ("channel_binding", "PGCHANNELBINDING", Use::Obeyed),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Use::Obeyed),
    ("options", "PGOPTIONS", Use::Obeyed),
    ("application_name", "PGAPPNAME", Use::Obeyed),
    ("fallback_application_name", "", Use::Obeyed),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Use::Obeyed),
    (
        "sslnegotiation",
        "PGSSLNEGOTIATION",
        Use::Refused(&["postgres"]),
    ),
    (
        "gssencmode",
        "PGGSSENCMODE",
        Use::Refused(&["disable", "prefer"]),
    ),
    ("require_auth", "PGREQUIREAUTH", Use::Refused(&[])),
    ("requirepeer", "PGREQUIREPEER", Use::Refused(&[])),
    ("sslcrl", "PGSSLCRL", Use::Refused(&[])),
    ("sslcrldir", "PGSSLCRLDIR", Use::Refused(&[])),
    ("sslcertmode", "PGSSLCERTMODE", Use::Refused(&["allow"])),
    (
        "ssl_min_protocol_version",
        "PGSSLMINPROTOCOLVERSION",
        Use::Refused(&["TLSv1", "TLSv1.1", "TLSv1.2"]),
    ),
    (
        "ssl_max_protocol_version",
        "PGSSLMAXPROTOCOLVERSION",
        Use::Refused(&["TLSv1.3"]),
    ),
    ("sslpassword", "", Use::Refused(&[])),
    ("sslsni", "PGSSLSNI", Use::Refused(&["1"])),
    ("service", "PGSERVICE", Use::Refused(&[])),
    ("servicefile", "", Use::Refused(&[])),
    (
        "replication",
        "",
        Use::Refused(&["false", "off", "no", "0"]),
    ),
    (
        "load_balance_hosts",
        "PGLOADBALANCEHOSTS",
        Use::Refused(&["disable"]),
    ),
    (
        "min_protocol_version",
        "PGMINPROTOCOLVERSION",
        Use::Refused(&["3.0"]),
    ),
    ("scram_client_key", "", Use::Refused(&[])),
    ("scram_server_key", "", Use::Refused(&[])),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Use::Ignored),
    ("client_encoding", "PGCLIENTENCODING", Use::Ignored),
    ("keepalives", "", Use::Ignored),
    ("keepalives_idle", "", Use::Ignored),
    ("keepalives_interval", "", Use::Ignored),
    ("keepalives_count", "", Use::Ignored),
    ("tcp_user_timeout", "", Use::Ignored),
    ("sslcompression", "PGSSLCOMPRESSION", Use::Ignored),
    ("sslkeylogfile", "", Use::Ignored),
    ("krbsrvname", "PGKRBSRVNAME", Use::Ignored),
    ("gsslib", "PGGSSLIB", Use::Ignored),
    ("gssdelegation", "PGGSSDELEGATION", Use::Ignored),
    ("oauth_issuer", "", Use::Ignored),
    ("oauth_client_id", "", Use::Ignored),
    ("oauth_client_secret", "", Use::Ignored),
    ("oauth_scope", "", Use::Ignored),
    ("tty", "", Use::Ignored),
    ("authtype", "", Use::Ignored),
];

/// The settings that are obeyed, none of them empty.
pub(super) struct Settings {
    values: BTreeMap<&'static str, String>,
    /// Whether the text itself carried the password.
    pub(super) password_in_text: bool,
}

impl Settings {
    /// Reads `text`; what it leaves open comes from the `PG*` variables.
    pub(super) fn read(text: &str, env: &ConnectEnv) -> Result<Self> {
        let mut values = BTreeMap::new();
        for (name, variable, usage) in PARAMETERS {
            if let Some(value) = env.var(variable) {
                accept(&mut values, (name, *usage), value.to_owned())?;
            }
        }
        let mut password_in_text = false;
        for (name, value) in split(text)? {
            let Some((known, _, usage)) = PARAMETERS.iter().find(|(known, ..)| *known == name)
            else {
                return Err(unknown_parameter(&name));
            };
            password_in_text |= name == "password" && !value.is_empty();
            if !value.is_empty() {
                accept(&mut values, (known, *usage), value)?;
            }
        }
        Ok(Self {
            values,
            password_in_text,
        })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The items of a comma-separated setting; nothing when it is not set.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.get(name)
            .map(|list| list.split(',').map(str::trim).collect())
            .unwrap_or_default()
    }
}

fn accept(
    values: &mut BTreeMap<&'static str, String>,
    parameter: (&'static str, Use),
    value: String,
) -> Result<()> {
    let (name, usage) = parameter;
    match usage {
        Use::Obeyed => {
            values.insert(name, value);
            Ok(())
        }
        Use::Ignored => Ok(()),
        Use::Refused(harmless) if harmless.contains(&value.as_str()) => Ok(()),
        Use::Refused(_) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("connection parameter \"{name}\" is not supported with this value"),
        )
        .with_hint("Leave it out of the connection string, or unset its PG* variable.")),
    }
}

fn split(text: &str) -> Result<Vec<(String, String)>> {
    let text = text.trim();
    if let Some(rest) = strip_scheme(text) {
        return parse_url(rest);
    }
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme)
            if !scheme.is_empty()
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) =>
        {
            Err(not_a_url(&format!(
                "\"{scheme}\" is not a scheme of Postgres URLs"
            )))
        }
        _ if text.is_empty() || text.contains('=') => parse_keywords(text),
        _ => Err(not_a_url(
            "the text is neither a URL nor keyword=value pairs",
        )),
    }
}

fn not_a_url(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("not a database URL: {what}"),
    )
    .with_hint("Write postgresql://user@host:5432/database, or host=… dbname=… user=….")
}

fn unknown_parameter(name: &str) -> Error {
    let error = Error::new(
        ErrorKind::InvalidInput,
        format!("unknown connection parameter \"{name}\""),
    );
    match name {
        "pgbouncer"
        | "schema"
        | "connection_limit"
        | "pool_timeout"
        | "statement_cache_size"
        | "supa"
        | "uselibpqcompat" => error.with_hint(
            "This parameter belongs to another client library; leave it out of the URL.",
        ),
        _ => error.with_hint(
            "The parameters are those of libpq: host, port, dbname, user, sslmode, and so on.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(vars: &[(&str, &str)]) -> ConnectEnv {
        let vars = vars
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        ConnectEnv {
            vars,
            ..ConnectEnv::default()
        }
    }

    #[test]
    fn text_wins_over_environment() {
        let env = env(&[
            ("PGHOST", "a"),
            ("PGUSER", "u"),
            ("PGPASSWORD", "p"),
            ("PGPORT", ""),
        ]);
        let settings = Settings::read("postgres://b?user=", &env).unwrap();
        assert_eq!(settings.get("host"), Some("b"));
        assert_eq!(settings.get("user"), Some("u"));
        assert_eq!(settings.get("password"), Some("p"));
        assert_eq!(settings.get("port"), None);
        assert!(!settings.password_in_text);
        assert!(Settings::read("password=x", &env).unwrap().password_in_text);
    }

    #[test]
    fn refuses_what_it_cannot_honour() {
        let table = [
            (
                "postgres://h?pgbouncer=true",
                ErrorKind::InvalidInput,
                "pgbouncer",
            ),
            ("host=h colour=red", ErrorKind::InvalidInput, "colour"),
            (
                "host=h sslnegotiation=direct",
                ErrorKind::Unsupported,
                "sslnegotiation",
            ),
            (
                "host=h require_auth=scram-sha-256",
                ErrorKind::Unsupported,
                "require_auth",
            ),
            ("service=prod", ErrorKind::Unsupported, "service"),
            ("mysql://root:s3cret@h/db", ErrorKind::InvalidInput, "mysql"),
            ("s3cret", ErrorKind::InvalidInput, "neither"),
        ];
        for (text, kind, word) in table {
            let error = Settings::read(text, &ConnectEnv::default()).err().unwrap();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.to_string().contains(word), "{error}");
            assert!(
                error.hint().is_some() && !format!("{error:?}").contains("s3cret"),
                "{error:?}"
            );
        }
        assert!(
            Settings::read(
                "sslnegotiation=postgres keepalives_idle=3 client_encoding=auto",
                &ConnectEnv::default()
            )
            .is_ok()
        );
    }

    #[test]
    fn names_are_distinct() {
        let mut names: Vec<_> = PARAMETERS.iter().map(|(name, ..)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PARAMETERS.len());
    }
}
