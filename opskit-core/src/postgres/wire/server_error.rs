//! What the server said went wrong, as an [`Error`].

use crate::error::{Error, ErrorKind, Result};
use crate::name::start_of;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorFields;
use std::borrow::Cow;
use std::io;

/// The fields of an error or notice that are kept. Detail and context are not: they carry values of
/// the user's rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerFields {
    pub(super) severity: String,
    pub(super) code: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    pub(super) position: Option<String>,
    /// The server's function that told it.
    pub(super) routine: Option<String>,
}

impl ServerFields {
    /// Reads as many fields as are well-formed; a malformed report is still a report.
    pub(super) fn read(mut fields: ErrorFields<'_>) -> Self {
        let mut read = Self::default();
        let mut localised_severity = None;
        while let Ok(Some(field)) = fields.next() {
            let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'S' => localised_severity = Some(value),
                b'V' => read.severity = value,
                b'C' => read.code = value,
                b'M' => read.message = value,
                b'H' => read.hint = Some(value),
                b'P' => read.position = Some(value),
                b'R' => read.routine = Some(value),
                _ => {}
            }
        }
        if read.severity.is_empty() {
            read.severity = localised_severity.unwrap_or_default();
        }
        read
    }
}

/// The class of error that an SQLSTATE stands for.
fn kind_of(code: &str) -> ErrorKind {
    match code {
        "42501" => ErrorKind::PermissionDenied,
        "42P01" | "3F000" | "42704" | "42883" | "3D000" | "42703" | "57P04" => ErrorKind::NotFound,
        // Another session holds it, or the server has no room or is not up yet.
        "55P03" | "55006" | "57P03" | "40001" | "40P01" => ErrorKind::Busy,
        // A time-out of the server's, or somebody there. What we ask to cancel is known where it is asked.
        "57014" | "25P03" | "25P04" | "57P05" => ErrorKind::Timeout,
        "57P01" | "57P02" => ErrorKind::Connection,
        "53100" => ErrorKind::Storage,
        "XX001" | "XX002" => ErrorKind::Damaged,
        _ => match code.get(..2).unwrap_or_default() {
            "08" => ErrorKind::Connection,
            "28" => ErrorKind::PermissionDenied,
            "53" => ErrorKind::Busy,
            "0A" | "54" => ErrorKind::Unsupported,
            // The server could not read its own files.
            "58" => ErrorKind::Damaged,
            // Its own defects; and names of statements and cursors, which are ours.
            "XX" | "24" | "26" | "34" => ErrorKind::Internal,
            // Values, constraints, objects in the wrong state, what a function raised; and what an extension made up.
            _ if is_sqlstate(code) => ErrorKind::InvalidInput,
            _ => ErrorKind::Internal,
        },
    }
}

fn is_sqlstate(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Turns a server's report into an error. The message keeps the SQLSTATE and the position, and
/// never a value of the user's rows.
pub(super) fn server_error(fields: &ServerFields) -> Error {
    let kind = match is_of_a_vanished_object(fields) {
        true => ErrorKind::Busy,
        false => kind_of(&fields.code),
    };
    let message = match is_users(fields) {
        true => Cow::Borrowed(RAISED),
        false => without_values(&fields.code, &fields.message),
    };
    let position = fields
        .position
        .as_ref()
        .map(|at| format!(" at character {at}"))
        .unwrap_or_default();
    let error = Error::new(
        kind,
        format!(
            "{}{position} (SQLSTATE {})",
            start_of(&message, MESSAGE_BYTES_MAX),
            fields.code
        ),
    )
    .with_report(
        &fields.code,
        fields.position.as_ref().and_then(|at| at.parse().ok()),
    );
    match hint_of(fields) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// The most that is told of what a server says, which may repeat a statement of any size.
const MESSAGE_BYTES_MAX: usize = 2048;

/// Instead of what a user's function says, which may hold any value.
const RAISED: &str = "a function of the database raised an error";

/// Whether the words are a user's: those of `RAISE` and `ASSERT`, whatever SQLSTATE they were given.
fn is_users(fields: &ServerFields) -> bool {
    let routine = fields.routine.as_deref();
    fields.code.starts_with("P0") || matches!(routine, Some("exec_stmt_raise" | "exec_stmt_assert"))
}

/// The server looks definitions up as they are now, and may miss what a snapshot still shows. These words are of its
/// internal errors, which are never translated.
fn is_of_a_vanished_object(fields: &ServerFields) -> bool {
    const WORDS: [&str; 2] = [
        "cache lookup failed for ",
        "could not open relation with OID ",
    ];
    fields.code == "XX000" && WORDS.iter().any(|words| fields.message.starts_with(words))
}

fn hint_of(fields: &ServerFields) -> Option<Cow<'_, str>> {
    match fields.code.as_str() {
        _ if is_users(fields) => Some(Cow::Borrowed(
            "What it said may hold values of rows, and stands in the server's log alone.",
        )),
        "28P01" => Some(Cow::Borrowed(
            "Check the user name and the password; a password with special characters must be percent-encoded in a URL.",
        )),
        "57014" => Some(Cow::Borrowed(
            "The server cancelled the statement: a time-out that is set there (statement_timeout), or an administrator.",
        )),
        "53300" => Some(Cow::Borrowed(
            "The server has no free connection: lower the number of jobs, or try again later.",
        )),
        _ if is_of_a_vanished_object(fields) => Some(Cow::Borrowed(
            "An object was dropped meanwhile: run it again when no migration is going on. If it says so every time, the server's catalog is damaged.",
        )),
        _ if fields.message.contains("Tenant or user not found") => Some(Cow::Borrowed(
            "At the Supabase pooler the user is postgres.PROJECT_REF, and the host is that of the project's region.",
        )),
        _ => fields.hint.as_deref().map(Cow::Borrowed),
    }
}

/// Messages about data quote the value (`invalid input syntax for type integer: "…"`).
fn without_values<'a>(code: &str, message: &'a str) -> Cow<'a, str> {
    let about_a_setting_or_column = matches!(code, "22023" | "22P04");
    if !code.starts_with("22") || about_a_setting_or_column {
        return Cow::Borrowed(message);
    }
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if last > first => Cow::Owned(format!(
            "{}\"…\"{}",
            &message[..first],
            &message[last + 1..]
        )),
        _ => Cow::Borrowed(message),
    }
}

/// An error of `sqlx`, with the same classes as one of the wire client.
///
/// Like there, nothing of `sqlx`'s own text about the server's report is kept but what is known to
/// hold no value.
pub(crate) fn from_sqlx(doing: &str, error: sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(report) => {
            let Some(report) = report.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() else {
                return Error::new(ErrorKind::Internal, doing).with_source(report);
            };
            let position = match report.position() {
                Some(sqlx::postgres::PgErrorPosition::Original(at)) => Some(at.to_string()),
                _ => None,
            };
            let fields = ServerFields {
                severity: String::new(),
                code: report.code().to_owned(),
                message: report.message().to_owned(),
                hint: report.hint().map(str::to_owned),
                position,
                routine: report.routine().map(str::to_owned),
            };
            server_error(&fields).while_doing(doing)
        }
        sqlx::Error::Io(error) => lost(error).while_doing(doing),
        sqlx::Error::PoolTimedOut => {
            Error::new(ErrorKind::Timeout, doing).with_source("no connection became free in time")
        }
        error @ (sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed) => {
            Error::new(ErrorKind::Connection, doing).with_source(error)
        }
        error @ sqlx::Error::Configuration(_) => {
            Error::new(ErrorKind::InvalidInput, doing).with_source(error)
        }
        error @ sqlx::Error::RowNotFound => {
            Error::new(ErrorKind::NotFound, doing).with_source(error)
        }
        error => Error::new(ErrorKind::Internal, doing).with_source(error),
    }
}

/// The connection broke while it was used.
pub(super) fn lost(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::new(ErrorKind::Connection, "the server closed the connection")
        }
        io::ErrorKind::TimedOut => {
            Error::new(ErrorKind::Connection, "the server no longer answers").with_source(error)
        }
        _ => Error::new(
            ErrorKind::Connection,
            "the connection to the server was lost",
        )
        .with_source(error),
    }
}

/// The server said something that the protocol does not allow here.
pub(super) fn out_of_protocol(what: &str) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!("the server does not follow the protocol: {what}"),
    )
    .with_hint("Check that host and port are those of a Postgres server.")
}

/// Bytes that `postgres-protocol` refuses.
pub(super) fn malformed(error: io::Error) -> Error {
    out_of_protocol("a malformed message").with_source(error)
}

/// A message of ours that cannot be put into the protocol: too long, or with a NUL in it.
pub(super) fn unsendable(what: &str) -> impl FnOnce(io::Error) -> Error {
    let message = format!("the {what} cannot be sent");
    move |error| Error::new(ErrorKind::InvalidInput, message).with_source(error)
}

/// Fails when a message of ours cannot be built.
pub(super) fn sendable(what: &str, built: io::Result<()>) -> Result<()> {
    built.map_err(unsendable(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> Error {
        server_error(&ServerFields {
            code: code.to_owned(),
            message: message.to_owned(),
            ..ServerFields::default()
        })
    }

    #[test]
    fn classes_follow_the_sqlstate() {
        let table = [
            ("42501", ErrorKind::PermissionDenied),
            ("28P01", ErrorKind::PermissionDenied),
            ("28000", ErrorKind::PermissionDenied),
            ("42P01", ErrorKind::NotFound),
            ("3F000", ErrorKind::NotFound),
            ("3D000", ErrorKind::NotFound),
            ("42601", ErrorKind::InvalidInput),
            ("22012", ErrorKind::InvalidInput),
            ("23505", ErrorKind::InvalidInput),
            ("55P03", ErrorKind::Busy),
            ("40P01", ErrorKind::Busy),
            ("53300", ErrorKind::Busy),
            ("57P03", ErrorKind::Busy),
            ("53100", ErrorKind::Storage),
            ("57P01", ErrorKind::Connection),
            ("08006", ErrorKind::Connection),
            ("57014", ErrorKind::Timeout),
            ("XX001", ErrorKind::Damaged),
            ("0A000", ErrorKind::Unsupported),
            ("0LP01", ErrorKind::InvalidInput),
            ("HV00N", ErrorKind::InvalidInput),
            ("TS001", ErrorKind::InvalidInput),
            ("26000", ErrorKind::Internal),
            ("XX000", ErrorKind::Internal),
            ("", ErrorKind::Internal),
            ("é", ErrorKind::Internal),
        ];
        for (code, kind) in table {
            assert_eq!(error(code, "m").kind(), kind, "{code}");
        }
    }

    #[test]
    fn an_object_that_vanished_is_worth_another_try() {
        for message in [
            "cache lookup failed for index 16392",
            "could not open relation with OID 16392",
        ] {
            let error = error("XX000", message);
            assert_eq!(error.kind(), ErrorKind::Busy, "{message}");
            assert!(error.hint().unwrap().contains("migration"));
        }
    }

    /// The words of the message are the server's language; the caller's own cancelling is known elsewhere.
    #[test]
    fn what_the_server_cancels_is_no_cancelling_of_ours() {
        for message in [
            "canceling statement due to statement timeout",
            "canceling statement due to user request",
            "storniere Anfrage wegen Zeitüberschreitung der Anfrage",
        ] {
            let error = error("57014", message);
            assert_eq!(error.kind(), ErrorKind::Timeout, "{message}");
            assert!(error.hint().unwrap().contains("administrator"));
        }
    }

    /// A function may raise any SQLSTATE, with the value of a row in its words.
    #[test]
    fn what_a_function_raises_is_not_repeated() {
        let raised = |code: &str, routine: Option<&str>| {
            server_error(&ServerFields {
                code: code.to_owned(),
                message: "bad email a@example.org".to_owned(),
                hint: Some("ask a@example.org".to_owned()),
                routine: routine.map(str::to_owned),
                ..ServerFields::default()
            })
        };
        for (code, routine) in [
            ("P0001", None),
            ("P0004", Some("exec_stmt_assert")),
            ("23514", Some("exec_stmt_raise")),
        ] {
            let error = raised(code, routine);
            let shown = format!("a function of the database raised an error (SQLSTATE {code})");
            assert_eq!(error.to_string(), shown);
            assert!(!error.hint().unwrap().contains('@'));
        }
        assert!(
            raised("23514", Some("ExecConstraints"))
                .to_string()
                .contains("email")
        );
    }

    #[test]
    fn values_are_left_out() {
        let shown = error(
            "22P02",
            "invalid input syntax for type integer: \"4111 1111\"",
        )
        .to_string();
        assert_eq!(
            shown,
            "invalid input syntax for type integer: \"…\" (SQLSTATE 22P02)"
        );
        let shown = error("42P01", "relation \"t\" does not exist").to_string();
        assert_eq!(shown, "relation \"t\" does not exist (SQLSTATE 42P01)");
    }
}
