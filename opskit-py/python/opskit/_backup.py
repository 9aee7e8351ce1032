"""Backups of a database, and restores into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypedDict

from opskit import _opskit
from opskit._fan_out import FanOut
from opskit._reports import BackupPlan, BackupReport, RestorePlan, RestoreReport
from opskit._run import OnEvent, encode, run_async, run_sync

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from opskit._opskit import Source
    from opskit._repository import Repository


class BackupOptions(TypedDict, total=False):
    """What a backup holds. Whatever is not given has its default."""

    only: Sequence[str]
    """Tables whose rows are wanted, by name or pattern. All, where none is given."""
    exclude: Sequence[str]
    """Tables whose rows are not wanted."""
    ignore_schemas: Sequence[str]
    """Schemas that are left out with everything in them."""
    exclude_large_objects: bool
    schema_only: bool
    """Definitions without rows."""
    format: Literal["parquet", "pgcopy"]
    zstd_level: int
    tags: Mapping[str, str]
    """What you write on it."""
    accept_losses: Sequence[str]
    """Objects that cannot be carried and may be missing, by the names that the plan tells."""
    target: str
    """Your name for the database."""
    jobs: int
    """Connections that read at the same time. Default 2."""
    part_bytes: int
    """Size of a part on the server's disk. Default 128 MiB."""
    memory_bytes: int
    """Memory for buffers, shared by the jobs."""
    lock_timeout: float | timedelta
    """How long to wait for the lock on a table, in seconds. Default 10."""


class RestoreOptions(TypedDict, total=False):
    """What is restored, and how. Whatever is not given has its default."""

    only: Sequence[str]
    """Tables, with what they need. Everything, where none is given."""
    part: Literal["everything", "schema", "data"]
    clean: bool
    """Drop what is there first. The plan names all of it."""
    no_owner: bool
    """Everything belongs to the role that restores."""
    no_privileges: bool
    keep_going: bool
    """Go on behind a statement that fails; the report names it."""
    create_roles: bool
    """Create roles that are missing, without passwords."""
    single_transaction: bool
    trust_backup: bool
    """Run code of the backup with the rights of the role that restores."""
    jobs: int
    """Connections that work at the same time. Default 2."""
    lock_timeout: float | timedelta
    """How long to wait for a lock, in seconds. Default 10."""


class Backups:
    """Backups of one database."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def plan(self, **options: Unpack[BackupOptions]) -> BackupPlan:
        """Says what a backup would hold, and what stands in its way. Stores nothing.

        >>> plan = db.backup.plan(exclude=["audit.*"])
        >>> plan.ok, [table.name for table in plan.tables]
        (True, ['public.orders'])
        """
        return BackupPlan.from_json(run_sync(self._plan(options)))

    async def plan_async(self, **options: Unpack[BackupOptions]) -> BackupPlan:
        """Says what a backup would hold, and what stands in its way. Stores nothing."""
        return BackupPlan.from_json(await run_async(self._plan(options)))

    def run(self, to: Repository, *, on_event: OnEvent = None, **options: Unpack[BackupOptions]) -> BackupReport:
        """Takes a backup of one instant. It exists once this returns, and not before.

        Raises `PermissionDeniedError` when the role lacks something, `UnsupportedError` for a loss that was not
        accepted, `BusyError` when definitions changed meanwhile, `StorageError`, `DamagedError` when counts differ.

        >>> report = db.backup.run(repository, tags={"why": "release"})
        >>> report.rows, report.tables[0].table
        (1000, 'public.orders')
        """
        return BackupReport.from_json(run_sync(self._run(to, options), on_event))

    async def run_async(
        self, to: Repository, *, on_event: OnEvent = None, **options: Unpack[BackupOptions]
    ) -> BackupReport:
        """Takes a backup of one instant, as `run` does."""
        return BackupReport.from_json(await run_async(self._run(to, options), on_event))

    def fan_out(self, to: Repository, *, on_event: OnEvent = None, **options: Unpack[BackupOptions]) -> FanOut:
        """Locks the tables, takes the snapshot, and begins a backup whose parts are read by `run_part`, anywhere.

        >>> with db.backup.fan_out(repository) as plan:
        ...     report = plan.commit([opskit.run_part(part, repository, db) for part in plan.parts])
        >>> repository.list()[0].id == report.id
        True

        The result is a backup like any other. Raises what `run` raises before it reads rows. `jobs` and
        `memory_bytes` do not matter here: a part takes one connection and up to 128 MiB, wherever it is read.
        """
        return FanOut(run_sync(self._fan_out(to, options), on_event))

    async def fan_out_async(
        self, to: Repository, *, on_event: OnEvent = None, **options: Unpack[BackupOptions]
    ) -> FanOut:
        """Begins a backup whose parts are read anywhere, as `fan_out` does."""
        return FanOut(await run_async(self._fan_out(to, options), on_event))

    def _fan_out(self, to: Repository, options: BackupOptions) -> _opskit.Operation[_opskit.FanOutPlan]:
        return _opskit.fan_out(self._source, to._store, encode(options, BackupOptions))

    def _plan(self, options: BackupOptions) -> _opskit.Operation[str]:
        return _opskit.backup_plan(self._source, encode(options, BackupOptions))

    def _run(self, to: Repository, options: BackupOptions) -> _opskit.Operation[str]:
        return _opskit.backup(self._source, to._store, encode(options, BackupOptions))


class Restores:
    """Restores into one database."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def plan(self, backup: str, of: Repository, **options: Unpack[RestoreOptions]) -> RestorePlan:
        """Says what restoring a backup (its name, or `"latest"`) into this database would do. Changes nothing.

        >>> report = db.backup.run(repository)
        >>> plan = empty.restore.plan("latest", repository)
        >>> plan.ok, plan.tables[0].rows
        (True, 1000)
        """
        return RestorePlan.from_json(run_sync(self._plan(backup, of, options)))

    async def plan_async(self, backup: str, of: Repository, **options: Unpack[RestoreOptions]) -> RestorePlan:
        """Says what restoring a backup into this database would do, as `plan` does."""
        return RestorePlan.from_json(await run_async(self._plan(backup, of, options)))

    def run(
        self, backup: str, of: Repository, *, on_event: OnEvent = None, **options: Unpack[RestoreOptions]
    ) -> RestoreReport:
        """Restores a backup into this database and compares. A difference is in the report: look at `ok`, or `check()`.

        Raises `UnsupportedError` when the plan has problems, `DamagedError` when the backup is damaged.

        >>> report = db.backup.run(repository)
        >>> restored = empty.restore.run("latest", repository)
        >>> restored.check()
        >>> restored.rows
        1000
        """
        return RestoreReport.from_json(run_sync(self._run(backup, of, options), on_event))

    async def run_async(
        self, backup: str, of: Repository, *, on_event: OnEvent = None, **options: Unpack[RestoreOptions]
    ) -> RestoreReport:
        """Restores a backup into this database and compares, as `run` does."""
        return RestoreReport.from_json(await run_async(self._run(backup, of, options), on_event))

    def _plan(self, backup: str, of: Repository, options: RestoreOptions) -> _opskit.Operation[str]:
        return of._store.restore_plan(self._source, backup, encode(options, RestoreOptions))

    def _run(self, backup: str, of: Repository, options: RestoreOptions) -> _opskit.Operation[str]:
        return of._store.restore(self._source, backup, encode(options, RestoreOptions))
