"""Keeping a repository: what is in a backup, what happened, pins, copies, retention."""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from opskit import _opskit
from opskit._document import Document
from opskit._reports import Excluded, JsonObject, Verdict
from opskit._run import OnEvent, encode, run_async, run_sync

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from opskit._opskit import Operation, Store


class RetentionOptions(TypedDict, total=False):
    """Which backups are kept. At least one rule, or names in `backups`, is needed."""

    backups: Sequence[str]
    """Backups that go whatever the rules say, by their names. Pinned ones do not."""
    keep_last: int
    keep_within: float | timedelta
    """Those that are not older than this, seen from the newest one; in seconds."""
    keep_hourly: int
    keep_daily: int
    keep_weekly: int
    keep_monthly: int
    keep_quarterly: int
    keep_yearly: int
    keep_verified: int
    """How many verified backups there must be at least. Default 1."""
    group_by: Sequence[str]
    """Tags that part backups from one another."""
    even_after_failure: bool
    """Go on where the last run of a database failed."""


class PinOptions(TypedDict, total=False):
    """How long a backup is kept, and why."""

    reason: str
    keep: float | timedelta
    """How long it is kept, in seconds. For good, where it is not given."""
    by: str
    """Who says so. The user of this process, where it is not given."""


@dataclass(frozen=True, slots=True)
class BackedTable(Document):
    """A table of a backup."""

    name: str
    holds: Any
    rows: int
    fingerprint: str
    row_type: JsonObject


@dataclass(frozen=True, slots=True)
class BackupContents(Document):
    """What a backup holds."""

    source: JsonObject
    excluded: tuple[Excluded, ...]
    accepted_losses: tuple[str, ...]
    facts_digest: str | None
    format: str
    tables: tuple[BackedTable, ...]
    sequences: tuple[JsonObject, ...]
    tags: JsonObject
    warnings: tuple[str, ...]
    opskit_version: str


@dataclass(frozen=True, slots=True)
class BackupManifest(Document):
    """What a backup tells without a key."""

    id: str
    type: str
    started_at: str
    snapshot_at: str
    finished_at: str
    encryption: JsonObject | None
    objects: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True)
class ShownBackup(Document):
    """A backup: its manifest, what it holds, and the public keys of those who signed it."""

    manifest: BackupManifest
    contents: BackupContents
    signers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History(Document):
    """What was done with a repository, in the order in which it was written down.

    Each record has a `kind` (`run`, `note`, `verify`, `drill`, `pin`, `forget`, `prune`) and what is told of its kind.
    """

    records: tuple[JsonObject, ...]
    unreadable: tuple[str, ...]

    def runs(self) -> tuple[JsonObject, ...]:
        """The records of backups, failed ones too."""
        return tuple(record for record in self.records if record["kind"] == "run")


@dataclass(frozen=True, slots=True)
class HistoryCheck(Verdict):
    """What a look at the chain of records found. Keep `ends` elsewhere: only who knows them notices that they are gone."""

    records: int
    chained: int
    ends: tuple[JsonObject, ...]
    faults: tuple[JsonObject, ...]
    warnings: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults

    def _why(self) -> str:
        return "; ".join(str(dict(fault)) for fault in self.faults)


@dataclass(frozen=True, slots=True)
class Pin(Document):
    """What keeps a backup from being removed."""

    id: str
    by: str
    at: str
    reason: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class CopyReport(Document):
    """A backup at a second place, each object read again there. `outcome` is `copied` or `already-there`."""

    id: str
    outcome: str
    location: str
    objects: int
    bytes: int
    elapsed_ms: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision(Document):
    """What becomes of a backup (`keep` or `remove`), and why."""

    id: str
    snapshot_at: str | None
    size_bytes: int
    verified: bool
    action: str
    reasons: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True)
class RetentionPlan(Document):
    """Which backups go. Nothing was removed yet; `refused` says what was named and does not go."""

    planned_at: str
    backups: tuple[Decision, ...]
    removals: tuple[str, ...]
    freed_bytes: int
    refused: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForgetReport(Document):
    """Which backups went, and which could not."""

    removed: tuple[str, ...]
    freed_bytes: int
    skipped: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True)
class Leftover(Document):
    """What a killed run left of a backup."""

    id: str
    objects: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class PrunePlan(Document):
    """What killed runs left; `busy` are backups that are being written or removed just now."""

    leftovers: tuple[Leftover, ...]
    busy: tuple[str, ...]
    freed_bytes: int
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PruneReport(Document):
    """What is gone."""

    removed: tuple[Leftover, ...]
    freed_bytes: int
    warnings: tuple[str, ...]


class Upkeep:
    """What is done with the backups of a repository."""

    _store: Store

    def show(self, backup: str = "latest") -> ShownBackup:
        """What a backup holds, and where it is from. An encrypted one needs its key.

        >>> report = db.backup.run(repository)
        >>> [table.rows for table in repository.show().contents.tables]
        [1000]
        """
        return ShownBackup.from_json(run_sync(_opskit.show(self._store, backup)))

    async def show_async(self, backup: str = "latest") -> ShownBackup:
        """What a backup holds, as `show` says it."""
        return ShownBackup.from_json(await run_async(_opskit.show(self._store, backup)))

    def history(self) -> History:
        """The records of all that was done, the oldest first.

        >>> report = db.backup.run(repository)
        >>> [run["status"] for run in repository.history().runs()]
        ['success']
        """
        return History.from_json(run_sync(_opskit.history(self._store)))

    async def history_async(self) -> History:
        """The records of all that was done, as `history` gives them."""
        return History.from_json(await run_async(_opskit.history(self._store)))

    def verify_history(self, *known: str) -> HistoryCheck:
        """Looks whether no record was changed or taken away. `known` are digests of ends that somebody kept elsewhere."""
        return HistoryCheck.from_json(run_sync(_opskit.history_verify(self._store, known)))

    async def verify_history_async(self, *known: str) -> HistoryCheck:
        """Looks whether no record was changed or taken away, as `verify_history` does."""
        return HistoryCheck.from_json(await run_async(_opskit.history_verify(self._store, known)))

    def pin(self, backup: str = "latest", **options: Unpack[PinOptions]) -> Pin:
        """Keeps a backup from being removed. Raises `BusyError` when it is pinned already.

        >>> report = db.backup.run(repository)
        >>> repository.pin(report.id, reason="audit").reason
        'audit'
        >>> repository.unpin(report.id)
        """
        return Pin.from_json(run_sync(self._pin(backup, options)))

    async def pin_async(self, backup: str = "latest", **options: Unpack[PinOptions]) -> Pin:
        """Keeps a backup from being removed, as `pin` does."""
        return Pin.from_json(await run_async(self._pin(backup, options)))

    def unpin(self, backup: str, *, by: str | None = None) -> None:
        """Takes a pin away, and writes down who did."""
        run_sync(_opskit.unpin(self._store, backup, by or _user()))

    async def unpin_async(self, backup: str, *, by: str | None = None) -> None:
        """Takes a pin away, as `unpin` does."""
        await run_async(_opskit.unpin(self._store, backup, by or _user()))

    def copy(self, backup: str, to: str | os.PathLike[str], *, on_event: OnEvent = None) -> CopyReport:
        """Copies a backup to a second place, which is made where it is not there, and reads every object again there.

        >>> report = db.backup.run(repository)
        >>> repository.copy("latest", "second").outcome
        'copied'
        >>> opskit.Repository("second").verify().ok
        True
        """
        return CopyReport.from_json(run_sync(_opskit.copy(self._store, backup, os.fspath(to)), on_event))

    async def copy_async(self, backup: str, to: str | os.PathLike[str], *, on_event: OnEvent = None) -> CopyReport:
        """Copies a backup to a second place, as `copy` does."""
        return CopyReport.from_json(await run_async(_opskit.copy(self._store, backup, os.fspath(to)), on_event))

    def plan_forget(self, **options: Unpack[RetentionOptions]) -> RetentionPlan:
        """Says which backups rules keep and why, and which would go. Removes nothing."""
        return RetentionPlan.from_json(run_sync(_opskit.forget_plan(self._store, _rules(options))))

    async def plan_forget_async(self, **options: Unpack[RetentionOptions]) -> RetentionPlan:
        """Says which backups rules keep, as `plan_forget` does."""
        return RetentionPlan.from_json(await run_async(_opskit.forget_plan(self._store, _rules(options))))

    def forget(self, *, plan: RetentionPlan | None, **options: Unpack[RetentionOptions]) -> ForgetReport:
        """Removes the backups that the rules do not keep. `plan=None` is the decision not to look at a plan first.

        Raises `BusyError`, and removes nothing, when other backups would go by now than that plan says.

        >>> reports = [db.backup.run(repository) for _ in range(3)]
        >>> plan = repository.plan_forget(keep_last=1)
        >>> len(repository.forget(plan=plan, keep_last=1).removed) == len(plan.removals)
        True
        """
        return ForgetReport.from_json(run_sync(self._forget(plan, options)))

    async def forget_async(self, *, plan: RetentionPlan | None, **options: Unpack[RetentionOptions]) -> ForgetReport:
        """Removes the backups that the rules do not keep, as `forget` does."""
        return ForgetReport.from_json(await run_async(self._forget(plan, options)))

    def plan_prune(self) -> PrunePlan:
        """Says what killed runs left. Removes nothing."""
        return PrunePlan.from_json(run_sync(_opskit.prune_plan(self._store)))

    async def plan_prune_async(self) -> PrunePlan:
        """Says what killed runs left. Removes nothing."""
        return PrunePlan.from_json(await run_async(_opskit.prune_plan(self._store)))

    def prune(self) -> PruneReport:
        """Removes what killed runs left, once it is certain that they are gone."""
        return PruneReport.from_json(run_sync(_opskit.prune(self._store)))

    async def prune_async(self) -> PruneReport:
        """Removes what killed runs left, as `prune` does."""
        return PruneReport.from_json(await run_async(_opskit.prune(self._store)))

    def _pin(self, backup: str, options: PinOptions) -> Operation[str]:
        return _opskit.pin(self._store, backup, encode({"by": _user(), **options}, PinOptions))

    def _forget(self, plan: RetentionPlan | None, options: RetentionOptions) -> Operation[str]:
        return _opskit.forget(self._store, _rules(options), None if plan is None else plan.removals)


def _rules(options: RetentionOptions) -> str:
    return encode(options, RetentionOptions)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
