"""Parts of one snapshot, read by other processes on whatever machines: backups, and tables in memory.

Somebody holds the snapshot; parts and receipts are small values that can be pickled, and are JSON. They hold no
password: whoever reads a part has a `Database` of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

from opskit import _opskit
from opskit._document import Document
from opskit._reports import BackupPlan, BackupReport
from opskit._run import run_async, run_sync

P = TypeVar("P", bound="_Part")


@dataclass(frozen=True, slots=True)
class _Part(Document):
    table: str
    number: int
    parts: int
    heap_bytes: int
    token: str

    @classmethod
    def _shown(cls: type[P], shown: Iterable[tuple[str, int, int, int, str]]) -> tuple[P, ...]:
        return tuple(cls(*one) for one in shown)


@dataclass(frozen=True, slots=True, repr=False)
class BackupPart(_Part):
    """One part of a backup, for `run_part`: `number` of `parts` of a table. `token` is what it is, as JSON."""

    def __repr__(self) -> str:
        return f"<opskit.BackupPart: {self.table} {self.number + 1}/{self.parts}>"


@dataclass(frozen=True, slots=True, repr=False)
class ExportPart(_Part):
    """One part of a snapshot, for `read_part`: `number` of `parts` of a table. `token` is what it is, as JSON."""

    def __repr__(self) -> str:
        return f"<opskit.ExportPart: {self.table} {self.number + 1}/{self.parts}>"


@dataclass(frozen=True, slots=True, repr=False)
class Receipt(Document):
    """What became of a part of a backup. `FanOut.commit` takes one of each part."""

    token: str

    def __repr__(self) -> str:
        return "<opskit.Receipt>"


class FanOut:
    """A backup whose parts are read by others. It holds locks, snapshot, and the backup's place, until it is committed.

    As a context manager it gives the backup up at the end, unless it was committed.

        with db.backup.fan_out(repository) as plan:
            receipts = [opskit.run_part(part, repository, db) for part in plan.parts]
            report = plan.commit(receipts)
    """

    plan: BackupPlan
    """What the backup will hold."""
    parts: tuple[BackupPart, ...]
    """The parts, the largest first."""

    def __init__(self, native: _opskit.FanOutPlan) -> None:
        self._native = native
        self.plan = BackupPlan.from_json(native.plan)
        self.parts = BackupPart._shown(native.parts)

    def commit(self, receipts: Iterable[Receipt]) -> BackupReport:
        """Commits the backup. It exists once this returns, and not before.

        Raises `InvalidInputError`, and stays open, when a part has no receipt or two, or one is of another plan;
        `DamagedError` when a file is not there as its receipt says; whatever a backup raises.
        """
        return BackupReport.from_json(run_sync(self._commit(receipts)))

    async def commit_async(self, receipts: Iterable[Receipt]) -> BackupReport:
        """Commits the backup, as `commit` does."""
        return BackupReport.from_json(await run_async(self._commit(receipts)))

    def close(self) -> None:
        """Gives the backup up, unless it was committed. What was stored of it goes."""
        run_sync(self._native.abandon("the plan was closed before it was committed"))

    async def aclose(self) -> None:
        """Gives the backup up, as `close` does."""
        await run_async(self._native.abandon("the plan was closed before it was committed"))

    def _commit(self, receipts: Iterable[Receipt]) -> _opskit.Operation[str]:
        return self._native.commit([receipt.token for receipt in receipts])

    def __enter__(self) -> FanOut:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> FanOut:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<opskit.FanOut {self.plan.id}: {len(self.parts)} parts>"


class Snapshot:
    """One snapshot of a table or query, held while others read its parts with `read_part`.

    As a context manager it ends with the block; `release()` does too, and raises when it was lost meanwhile.
    """

    parts: tuple[ExportPart, ...]
    """The parts, the largest first."""
    schema: _opskit.Schema
    """The columns."""

    def __init__(self, native: _opskit.SnapshotPlan) -> None:
        self._native = native
        self._over = False
        self.parts = ExportPart._shown(native.parts)
        self.schema = native.schema

    def release(self) -> None:
        """Ends the snapshot, once all was read.

        Raises `ConnectionFailedError` when it was lost, `BusyError` when a materialised view was refreshed meanwhile.
        """
        self._over = True
        run_sync(self._native.release())

    async def release_async(self) -> None:
        """Ends the snapshot, as `release` does."""
        self._over = True
        await run_async(self._native.release())

    def close(self) -> None:
        """Ends the snapshot, whatever became of it."""
        run_sync(self._native.close())

    async def aclose(self) -> None:
        """Ends the snapshot, whatever became of it."""
        await run_async(self._native.close())

    def __enter__(self) -> Snapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self._over:
            self.release()
        self.close()

    async def __aenter__(self) -> Snapshot:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and not self._over:
            await self.release_async()
        await self.aclose()

    def __repr__(self) -> str:
        return f"<opskit.Snapshot: {len(self.parts)} parts>"
