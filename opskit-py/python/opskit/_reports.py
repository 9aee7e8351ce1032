"""Plans and reports. Sizes are in bytes, times in milliseconds, instants in RFC 3339; names are `schema.name`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opskit._document import Document
from opskit._errors import CheckFailedError

JsonObject = Mapping[str, Any]
"""A part of a document that has no class of its own."""


class Verdict(Document):
    """A document that says whether something is so."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        """Whether it is."""
        raise NotImplementedError

    def check(self) -> None:
        """Raises `CheckFailedError` unless `ok`."""
        if not self.ok:
            raise CheckFailedError(f"{type(self).__name__}: {self._why()}")

    def _why(self) -> str:
        return "the answer is no"


@dataclass(frozen=True, slots=True)
class Excluded(Document):
    """Something that is not in a backup, and why."""

    object: str
    reason: str


@dataclass(frozen=True, slots=True)
class ExportedTable(Document):
    """A table that was exported. `misfits` counts values that have no standard form."""

    table: str
    rows: int
    misfits: int
    fingerprint: str | None


@dataclass(frozen=True, slots=True)
class ExportReport(Document):
    """What an export did: rows counted here and by the server alike."""

    started_at: str
    elapsed_ms: int
    rows: int
    wire_bytes: int
    tables: tuple[ExportedTable, ...]
    source: JsonObject
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedTable(Document):
    """A table whose rows a backup will hold."""

    name: str
    holds: Any
    columns: int
    parts: int
    heap_bytes: int


@dataclass(frozen=True, slots=True)
class Missing(Document):
    """Something that the role may not do and a backup needs."""

    object: str
    needs: str


@dataclass(frozen=True, slots=True)
class Loss(Document):
    """Something that a backup cannot carry. `object` is the name with which it is accepted."""

    object: str
    reason: str
    accepted: bool


@dataclass(frozen=True, slots=True)
class BackupPlan(Verdict):
    """What a backup will hold. Nothing is stored yet."""

    id: str
    type: str
    database: str
    server_version: int
    tables: tuple[PlannedTable, ...]
    sequences: int
    objects: int
    excluded: tuple[Excluded, ...]
    missing: tuple[Missing, ...]
    losses: tuple[Loss, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way: nothing is missing, and each loss is accepted."""
        return not self.missing and all(loss.accepted for loss in self.losses)

    def _why(self) -> str:
        missing = [f"{one.object} needs {one.needs}" for one in self.missing]
        lost = [f"{one.object} cannot be carried" for one in self.losses if not one.accepted]
        return "; ".join(missing + lost)


@dataclass(frozen=True, slots=True)
class BackedUpTable(Document):
    """A table of a backup."""

    table: str
    rows: int
    parts: int
    fingerprint: str


@dataclass(frozen=True, slots=True)
class BackupReport(Document):
    """A backup that was taken: its manifest is written, and every count agreed."""

    id: str
    repository: str
    location: str
    encryption: JsonObject | None
    type: str
    database: str
    started_at: str
    snapshot_at: str
    elapsed_ms: int
    rows: int
    wire_bytes: int
    stored_bytes: int
    objects: int
    tables: tuple[BackedUpTable, ...]
    sequences: int
    facts_digest: str | None
    manifest_sha256: str
    excluded: tuple[Excluded, ...]
    accepted_losses: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedBackup(Document):
    """A backup of a repository. `error` says why its manifests cannot be read, where they cannot."""

    id: str
    type: str | None
    target: str | None
    database: str | None
    system_identifier: str | None
    encrypted: bool
    snapshot_at: str | None
    objects: int
    stored_bytes: int
    error: str | None


@dataclass(frozen=True, slots=True)
class Fault(Document):
    """Something that is wrong with a backup."""

    object: str
    problem: str


@dataclass(frozen=True, slots=True)
class VerifyReport(Verdict):
    """What a look at a backup found."""

    id: str
    level: str
    manifest_sha256: str | None
    objects: int
    bytes: int
    rows: int
    faults: tuple[Fault, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def _why(self) -> str:
        return "; ".join(f"{fault.object}: {fault.problem}" for fault in self.faults)


@dataclass(frozen=True, slots=True)
class RestoredTable(Document):
    """A table that rows are loaded into."""

    name: str
    rows: int
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class RestorePlan(Verdict):
    """What a restore would do, and in `problems` why it would not."""

    backup: str
    source: JsonObject
    source_version: int
    database: str
    role: str
    target_version: int
    session: str
    pre_data: int
    post_data: int
    access: int
    tables: tuple[RestoredTable, ...]
    bytes: int
    leftovers: tuple[str, ...]
    drops: tuple[str, ...]
    roles: tuple[str, ...]
    suspends: tuple[str, ...]
    skipped: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it can be done."""
        return not self.problems

    def _why(self) -> str:
        return "; ".join(self.problems)


@dataclass(frozen=True, slots=True)
class Failure(Document):
    """A statement or table of a restore that failed."""

    object: str
    kind: str
    message: str
    hint: str | None


@dataclass(frozen=True, slots=True)
class RestoreReport(Verdict):
    """What a restore did, and in `differences` where the database is not what the backup says."""

    backup: str
    database: str
    server_version: int
    started_at: str
    elapsed_ms: int
    statements: int
    tables: int
    rows: int
    phases: tuple[JsonObject, ...]
    skipped: tuple[str, ...]
    failures: tuple[Failure, ...]
    compared: tuple[str, ...]
    differences: tuple[JsonObject, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether all that was asked for is there, and the same."""
        return not self.failures and not self.differences

    def _why(self) -> str:
        return "; ".join([one.message for one in self.failures] + [str(one) for one in self.differences])


@dataclass(frozen=True, slots=True)
class Check(Document):
    """A check of a drill. `ok` is `None` when it could not be told, which is no success."""

    name: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class DrillReport(Verdict):
    """What a drill proved, and in `unproven` what it could not. `outcome` is `passed`, `partial` or `failed`."""

    backup: str
    source: JsonObject
    outcome: str
    started_at: str
    recovery_ms: int
    source_version: int
    server_version: int
    restore: RestoreReport
    checks: tuple[Check, ...]
    unproven: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether it passed. A partial one did not."""
        return self.outcome == "passed"

    def _why(self) -> str:
        return f"{self.outcome}: " + "; ".join(self.unproven)


@dataclass(frozen=True, slots=True)
class SchemaDiff(Verdict):
    """What is different between two schemas, and in `text` the same for people."""

    objects: tuple[JsonObject, ...]
    cluster: tuple[JsonObject, ...]
    respelled: tuple[JsonObject, ...]
    unknown: tuple[JsonObject, ...]
    is_same: bool
    text: str

    @property
    def ok(self) -> bool:
        """Whether they are the same."""
        return self.is_same

    def _why(self) -> str:
        return self.text
