"""Exceptions: one class for each kind of error of the library."""

from __future__ import annotations

from typing import ClassVar


class OpskitError(Exception):
    """Something failed. The base of all exceptions of this package.

    `str()` gives the message and its causes on one line. Neither holds a password or a value of a table.
    """

    kind: ClassVar[str] = "internal"
    """What went wrong, as a stable word: `"not-found"`, `"busy"`, …"""
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later with nothing changed."""

    hint: str | None = None
    """The way out, as a sentence, where there is one to tell. Tracebacks show it from Python 3.11 on."""
    causes: tuple[str, ...] = ()
    """What the message says, and its causes, outermost first."""
    sqlstate: str | None = None
    """The server's code (`"42501"`), where a server reported the error."""


class CheckFailedError(OpskitError):
    """A check ran and its answer is no, or it could not have seen the problem."""

    kind = "check-failed"


class InvalidInputError(OpskitError, ValueError):
    """What the caller said is off: an option, a URL, a pattern, a query."""

    kind = "invalid-input"


class UnsupportedError(OpskitError):
    """The request is understood but cannot be served here: a pooler, an old server, a type, a forked process."""

    kind = "unsupported"


class DamagedError(OpskitError):
    """Bytes that were stored or received are not what they must be."""

    kind = "damaged"


class NotFoundError(OpskitError, LookupError):
    """What was named does not exist."""

    kind = "not-found"


class ConnectionFailedError(OpskitError, ConnectionError):
    """The server cannot be reached, or the connection was lost."""

    kind = "connection"
    retryable = True


class InternalError(OpskitError, RuntimeError):
    """A defect of opskit."""

    kind = "internal"


class StorageError(OpskitError, OSError):
    """The destination cannot be written: disk full, no such folder, already there."""

    kind = "storage"


class BusyError(OpskitError):
    """Something else holds what is needed, or it changed meanwhile: try again later."""

    kind = "busy"
    retryable = True


class PermissionDeniedError(OpskitError, PermissionError):
    """The role may not do this, or would not see every row."""

    kind = "permission-denied"


class TimedOutError(OpskitError, TimeoutError):
    """A deadline passed."""

    kind = "timeout"
    retryable = True


class CancelledError(OpskitError):
    """The operation was cancelled: by `close()`, or because the interpreter ends."""

    kind = "cancelled"


BY_KIND: dict[str, type[OpskitError]] = {
    one.kind: one
    for one in (
        CheckFailedError,
        InvalidInputError,
        UnsupportedError,
        DamagedError,
        NotFoundError,
        ConnectionFailedError,
        InternalError,
        StorageError,
        BusyError,
        PermissionDeniedError,
        TimedOutError,
        CancelledError,
    )
}


def of_kind(kind: str, chain: list[str], hint: str | None, sqlstate: str | None) -> OpskitError:
    """Makes the exception of a kind. All but the message is in attributes, so that it can be pickled."""
    error = BY_KIND.get(kind, OpskitError)(": ".join(chain))
    error.causes = tuple(chain)
    error.hint = hint
    error.sqlstate = sqlstate
    if hint is not None:
        # What `add_note` does, which Python 3.10 lacks.
        error.__notes__ = [f"hint: {hint}"]
    return error
