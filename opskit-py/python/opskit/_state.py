"""What tables hold, and what changed since."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from opskit import _opskit
from opskit._document import Document
from opskit._reports import Verdict
from opskit._run import encode

if TYPE_CHECKING:
    from opskit._opskit import Operation, Source


class StateOptions(TypedDict, total=False):
    """Which tables, and how."""

    tables: Sequence[str]
    """Patterns (`orders`, `public.*`). All of the user's tables, where none is given."""
    jobs: int
    """Connections that read at the same time. Default 2."""


@dataclass(frozen=True, slots=True)
class TableName(Document):
    """A table in its schema."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class TableState(Document):
    """What one table holds: its rows, and their fingerprint, the same for the same rows in whatever order."""

    table: TableName
    rows: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class TableChange(Document):
    """A table that is not as it was. `change` is `gone`, `fewer`, `other`, `more` or `new`."""

    table: TableName
    change: str
    before: int | None
    after: int | None

    @property
    def is_loss(self) -> bool:
        """Whether rows were lost that can be counted."""
        return self.change in ("gone", "fewer")


@dataclass(frozen=True, slots=True)
class StateDiff(Verdict):
    """What changed between two states. `ok` where nothing did."""

    schema: str
    same: int
    changes: tuple[TableChange, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing changed."""
        return not self.changes

    def _why(self) -> str:
        return "; ".join(f"{change.table}: {change.change}" for change in self.changes)


@dataclass(frozen=True, slots=True)
class State(Document):
    """What tables held at one instant."""

    schema: str
    database: str
    server_version: int
    snapshot: str
    captured_at: str
    patterns: tuple[str, ...]
    tables: tuple[TableState, ...]

    def diff(self, after: State) -> StateDiff:
        """What changed from this one to another.

        >>> before = db.state(tables=["orders"])
        >>> before.diff(before).ok
        True
        """
        return StateDiff.from_json(_opskit.state_diff(_text(self), _text(after)))


def _text(state: State) -> str:
    return json.dumps(state.to_dict())


def take(source: Source, options: StateOptions) -> Operation[str]:
    """Starts to take it down."""
    return _opskit.state(source, encode(options, StateOptions))


def again(source: Source, before: State, jobs: int) -> Operation[str]:
    """Starts to take the same down once more."""
    return _opskit.state_again(source, _text(before), jobs)
