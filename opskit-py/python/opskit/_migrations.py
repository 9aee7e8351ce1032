"""Plans and reports of migrations. Times are in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opskit._document import Document
from opskit._reports import JsonObject, Verdict


@dataclass(frozen=True, slots=True)
class MigrationState(Document):
    """A migration, and how it stands: `pending`, `applied`, `changed`, …"""

    id: str
    name: str
    file: str | None
    standing: str
    record: JsonObject | None
    known_to: str | None


@dataclass(frozen=True, slots=True)
class MigrationStatus(Verdict):
    """The migrations of a folder and of a database."""

    database: str
    migrations: tuple[MigrationState, ...]
    ledgers: tuple[Any, ...]
    ignored: tuple[str, ...]
    history_digest: str

    @property
    def ok(self) -> bool:
        """Whether nothing is to be done and nothing is wrong."""
        return all(one.standing in ("applied", "baseline") for one in self.migrations)

    def _why(self) -> str:
        open_ones = (one for one in self.migrations if one.standing not in ("applied", "baseline"))
        return "; ".join(f"{one.id} is {one.standing}" for one in open_ones)


@dataclass(frozen=True, slots=True)
class PlannedMigration(Document):
    """A migration that would run. `findings` is what the gate says of it."""

    id: str
    name: str
    file: str
    digests: Any
    mode: str
    standing: str
    has_down: str
    statements: tuple[JsonObject, ...]
    findings: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True)
class MigrationPlan(Document):
    """What a run would do, made for one state of history and files."""

    database: str
    history_digest: str
    ledgers: tuple[Any, ...]
    migrations: tuple[PlannedMigration, ...]


@dataclass(frozen=True, slots=True)
class Suite(Verdict):
    """A file of tests."""

    name: str
    tests: tuple[JsonObject, ...]

    @property
    def ok(self) -> bool:
        """Whether all tests hold, and there was one."""
        return bool(self.tests) and all(test["outcome"] != "failed" for test in self.tests)

    def _why(self) -> str:
        return "; ".join(f"{test['name']}: {test['detail']}" for test in self.tests if test["outcome"] == "failed")


@dataclass(frozen=True, slots=True)
class MigrationReport(Verdict):
    """What a run did. `outcome["is"]` is `applied`, `nothing-to-do`, or how far it came and what is left to do."""

    database: str
    outcome: JsonObject
    applied: tuple[JsonObject, ...]
    failure: JsonObject | None
    drift: JsonObject | None
    writers: str
    backup: JsonObject | None
    backup_after: JsonObject | None
    tests: tuple[Suite, ...]
    changed_tests: tuple[JsonObject, ...]
    elapsed_ms: int

    @property
    def ok(self) -> bool:
        """Whether all of the plan is done, and the tests hold."""
        return self.outcome["is"] in ("applied", "nothing-to-do")

    def _why(self) -> str:
        return str(self.outcome["is"]) + ": " + ": ".join((self.failure or {}).get("messages", ()))


@dataclass(frozen=True, slots=True)
class Rehearsal(Verdict):
    """What a rehearsal saw. `outcome` is `passed`, `partial` or `failed`."""

    backup: str
    server_version: int
    files_digest: str
    outcome: str
    applied: tuple[JsonObject, ...]
    failure: JsonObject | None
    harms: tuple[JsonObject, ...]
    max_access_exclusive_ms: int
    waiting: tuple[JsonObject, ...]
    row_counts: JsonObject
    size_change: int
    tests: tuple[Suite, ...]
    diff: JsonObject
    restore_ms: int
    unproven: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it passed. A partial one did not."""
        return self.outcome == "passed"

    def _why(self) -> str:
        failed = ": ".join((self.failure or {}).get("messages", ()))
        return "; ".join(part for part in (self.outcome, failed, *self.unproven) if part)
