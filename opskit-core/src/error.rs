//! The one error type of the library: opaque, pointer-sized, branched on by [`ErrorKind`].

use std::error::Error as StdError;
use std::fmt;

/// What every fallible function of the library returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a class that callers can act on.
///
/// Each kind has one exit code ([`ErrorKind::exit_code`]) and one line in the documentation; a test
/// walks [`ErrorKind::ALL`] to prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A check ran and its answer is "no", or it could not have seen the problem.
    CheckFailed,
    /// The caller's words are off: an option, a URL, a pattern, a query.
    InvalidInput,
    /// The request is understood but cannot be served here (a pooler, an old server, a type).
    Unsupported,
    /// Stored or received bytes are not what they must be.
    Damaged,
    /// The named object does not exist.
    NotFound,
    /// The server cannot be reached, or the connection was lost.
    Connection,
    /// A defect of opskit itself.
    Internal,
    /// The destination cannot be written: disk full, no such folder, already there.
    Storage,
    /// Something else holds what is needed, or it changed meanwhile: try again later.
    Busy,
    /// The role may not do this, or would not see every row.
    PermissionDenied,
    /// A deadline passed.
    Timeout,
    /// The caller cancelled.
    Cancelled,
}

impl ErrorKind {
    /// Every kind, so that tests can prove that none lacks an exit code or a documentation line.
    pub const ALL: [Self; 12] = [
        Self::CheckFailed,
        Self::InvalidInput,
        Self::Unsupported,
        Self::Damaged,
        Self::NotFound,
        Self::Connection,
        Self::Internal,
        Self::Storage,
        Self::Busy,
        Self::PermissionDenied,
        Self::Timeout,
        Self::Cancelled,
    ];

    /// The exit status the command line ends with, after `sysexits.h` where it has a word for it.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::CheckFailed => 1,
            Self::InvalidInput | Self::Unsupported => 64,
            Self::Damaged => 65,
            Self::NotFound => 66,
            Self::Connection => 69,
            Self::Internal => 70,
            Self::Storage => 74,
            Self::Busy => 75,
            Self::PermissionDenied => 77,
            Self::Timeout => 124,
            Self::Cancelled => 130,
        }
    }

    /// A stable word for machines: JSON documents, Python classes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CheckFailed => "check-failed",
            Self::InvalidInput => "invalid-input",
            Self::Unsupported => "unsupported",
            Self::Damaged => "damaged",
            Self::NotFound => "not-found",
            Self::Connection => "connection",
            Self::Internal => "internal",
            Self::Storage => "storage",
            Self::Busy => "busy",
            Self::PermissionDenied => "permission-denied",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the same call may succeed later with nothing changed by the caller.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Connection | Self::Busy | Self::Timeout)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error with its kind, one clear sentence, a hint with the way out, and its causes.
///
/// `Display` prints this layer only; walk [`std::error::Error::source`] for the causes. Messages are
/// lower-case fragments that name the object, and never carry a password or a cell value.
///
/// ```
/// use opskit_core::error::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::NotFound, "table \"public.orders\" does not exist")
///     .with_hint("Check the spelling, or list the tables with \\dt.");
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.kind().exit_code(), 66);
/// assert!(!error.is_retryable());
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    report: Option<ServerReport>,
}

/// What a server's report says for programs.
#[derive(Debug, Clone, Copy)]
struct ServerReport {
    sqlstate: [u8; 5],
    position: Option<u32>,
}

impl Error {
    /// An error of `kind` that says `message`: a lower-case fragment with no final dot.
    ///
    /// No more than 8 KiB of it are kept: names in a backup that somebody forged are of any size.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: bounded(message.into()),
            hint: None,
            source: None,
            report: None,
        }))
    }

    /// Adds the way out, as a full sentence.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds what the server's report says for programs: its code, and the character of the statement that it points at.
    #[must_use]
    pub(crate) fn with_report(mut self, sqlstate: &str, position: Option<u32>) -> Self {
        if let Ok(sqlstate) = sqlstate.as_bytes().try_into() {
            self.0.report = Some(ServerReport { sqlstate, position });
        }
        self
    }

    /// Wraps this error in a layer that says what was being done; kind and hint stay.
    #[must_use]
    pub fn while_doing(self, message: impl Into<String>) -> Self {
        let hint = self.0.hint.clone();
        let outer = Self::new(self.kind(), message).with_source(self);
        match hint {
            Some(hint) => outer.with_hint(hint),
            None => outer,
        }
    }

    /// The server's code for what went wrong (`55P03`), of an error that a server reported, whatever layers are around
    /// it.
    ///
    /// ```
    /// use opskit_core::error::{Error, ErrorKind};
    /// assert_eq!(Error::new(ErrorKind::Busy, "not from a server").sqlstate(), None);
    /// ```
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        std::str::from_utf8(&self.report()?.sqlstate).ok()
    }

    /// The character of the statement that the server's report points at, counted from 1.
    pub(crate) fn position(&self) -> Option<usize> {
        self.report()?
            .position
            .and_then(|at| usize::try_from(at).ok())
    }

    fn report(&self) -> Option<&ServerReport> {
        let inner = || self.0.source.as_ref()?.downcast_ref::<Self>()?.report();
        self.0.report.as_ref().or_else(inner)
    }

    /// What went wrong, as a class.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The way out, when there is one to tell.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_retryable()
    }

    /// The error and its causes, outermost first, one line each.
    #[must_use]
    pub fn chain(&self) -> Vec<String> {
        let mut lines = vec![self.to_string()];
        let mut next = self.source();
        while let Some(cause) = next {
            lines.push(cause.to_string());
            next = cause.source();
        }
        lines
    }
}

const MESSAGE_BYTES_MAX: usize = 8 << 10;

fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE_BYTES_MAX {
        message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
        message.push('…');
    }
    message
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Error");
        debug
            .field("kind", &self.0.kind)
            .field("message", &self.0.message);
        if let Some(hint) = &self.0.hint {
            debug.field("hint", hint);
        }
        if let Some(source) = &self.0.source {
            debug.field("source", source);
        }
        debug.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Something that was dropped or changed by somebody else while it was read.
pub(crate) fn changed_meanwhile(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Busy, message).with_hint("Run it again when no migration is going on.")
}

/// A stored document that cannot be understood. Where, but not what: the parser repeats values.
pub(crate) fn unreadable_json(message: impl Into<String>, source: &serde_json::Error) -> Error {
    use serde_json::error::Category;
    let what = match source.classify() {
        Category::Io => "it cannot be read",
        Category::Syntax => "it is no JSON",
        Category::Data => "it has another form",
        Category::Eof => "it ends early",
    };
    let (line, column) = (source.line(), source.column());
    Error::new(ErrorKind::Damaged, message)
        .with_source(format!("{what}: line {line}, column {column}"))
}

/// A file-system error, named by what was being done to which object.
pub(crate) fn storage(doing: impl Into<String>, source: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    let doing = doing.into();
    // A writer of ours has said what it is.
    let source = match source.downcast::<Error>() {
        Ok(error) => return error.while_doing(doing),
        Err(source) => source,
    };
    let (kind, hint) = match source.kind() {
        Io::PermissionDenied => (ErrorKind::PermissionDenied, None),
        Io::StorageFull | Io::QuotaExceeded => (
            ErrorKind::Storage,
            Some("Free some space or choose another destination, then run it again."),
        ),
        _ => (ErrorKind::Storage, None),
    };
    let error = Error::new(kind, doing).with_source(source);
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_pointer_sized() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }

    #[test]
    fn display_prints_its_own_layer_and_source_has_the_rest() {
        let inner = Error::new(ErrorKind::Busy, "lock time-out").with_hint("Try later.");
        let outer = inner.while_doing("cannot lock table \"public.t\"");
        assert_eq!(outer.to_string(), "cannot lock table \"public.t\"");
        assert_eq!(
            outer.chain(),
            ["cannot lock table \"public.t\"", "lock time-out"]
        );
        assert_eq!(outer.kind(), ErrorKind::Busy);
        assert_eq!(outer.hint(), Some("Try later."));
    }

    #[test]
    fn the_code_of_a_server_is_found_below_other_layers() {
        let inner = Error::new(ErrorKind::Busy, "lock time-out").with_report("55P03", Some(7));
        let outer = inner
            .while_doing("cannot alter")
            .while_doing("cannot migrate");
        assert_eq!(
            (outer.sqlstate(), outer.position()),
            (Some("55P03"), Some(7))
        );
        let odd = Error::new(ErrorKind::Busy, "x").with_report("no code", None);
        assert_eq!(odd.sqlstate(), None);
    }

    #[test]
    fn a_message_is_short_whatever_it_names() {
        let error = Error::new(ErrorKind::Damaged, "é".repeat(70_000));
        assert!(error.to_string().len() < 9_000);
        assert!(error.to_string().ends_with("é…"));
    }

    #[test]
    fn kinds_have_distinct_words_and_a_non_zero_exit_code() {
        let mut words: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), ErrorKind::ALL.len());
        assert!(ErrorKind::ALL.iter().all(|kind| kind.exit_code() != 0));
    }
}
