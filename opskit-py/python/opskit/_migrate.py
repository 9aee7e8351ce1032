"""Migrations of a database."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypedDict

from opskit import _opskit
from opskit._migrations import MigrationPlan, MigrationReport, MigrationStatus, Rehearsal, Suite
from opskit._reports import SchemaDiff
from opskit._run import OnEvent, encode, run_async, run_sync

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from opskit._opskit import Operation, Source
    from opskit._repository import Repository

Folder = str | os.PathLike[str]


class WantedOptions(TypedDict, total=False):
    """Which of the pending migrations run."""

    to: str
    """The last version to run."""
    out_of_order: bool
    """Run those with a lower version than one that ran, too."""
    file_gone: bool
    """Go on where a migration that ran has no file any more."""


class RehearseOptions(WantedOptions, total=False):
    """How migrations are rehearsed."""

    tests: Sequence[Folder]
    """Files or folders of tests that run behind the migrations."""
    bin_dir: Folder
    """The directory of the throw-away server's programs."""
    lock_timeout: float | timedelta
    """How long a statement waits for a lock, in seconds. Default 2."""
    lock_deadline: float | timedelta
    """For how long a statement that gets no lock is tried again, in seconds. Default 120."""
    statement_timeout: float | timedelta
    """How long a statement may take, in seconds. No limit by default."""


class ApplyOptions(RehearseOptions, total=False):
    """How migrations are applied."""

    accept_drift: bool
    """Go on where the schema is not what the last run left."""
    writers_stopped: bool
    """You stopped whoever writes, so that going back discards nothing."""


class Migrations:
    """Migrations of one database."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def status(self, folder: Folder) -> MigrationStatus:
        """Says how each migration stands. Changes nothing.

        >>> [(one.id, one.standing) for one in db.migrate.status("migrations").migrations]
        [('1', 'pending')]
        """
        return MigrationStatus.from_json(run_sync(self._status(folder)))

    async def status_async(self, folder: Folder) -> MigrationStatus:
        """Says how each migration stands. Changes nothing."""
        return MigrationStatus.from_json(await run_async(self._status(folder)))

    def plan(self, folder: Folder, **options: Unpack[WantedOptions]) -> MigrationPlan:
        """Says what `apply` would do: statements, locks, and what the gate finds. Changes nothing.

        >>> plan = db.migrate.plan("migrations")
        >>> len(plan.migrations)
        1
        """
        return MigrationPlan.from_json(run_sync(self._plan(folder, options)))

    async def plan_async(self, folder: Folder, **options: Unpack[WantedOptions]) -> MigrationPlan:
        """Says what `apply` would do, as `plan` does."""
        return MigrationPlan.from_json(await run_async(self._plan(folder, options)))

    def apply(
        self,
        folder: Folder,
        *,
        backup_to: Repository | None,
        plan: MigrationPlan | None = None,
        on_event: OnEvent = None,
        **options: Unpack[ApplyOptions],
    ) -> MigrationReport:
        """Backs up into `backup_to`, migrates, and tests. `backup_to=None` is the decision to have no way back.

        With the plan that was looked at, raises `BusyError` where files or history are others by now. A migration or
        test that fails is in the report: look at `ok`, or `check()`.

        >>> plan = db.migrate.plan("migrations")
        >>> report = db.migrate.apply("migrations", plan=plan, backup_to=repository)
        >>> report.ok
        True
        """
        return MigrationReport.from_json(run_sync(self._apply(folder, backup_to, plan, options), on_event))

    async def apply_async(
        self,
        folder: Folder,
        *,
        backup_to: Repository | None,
        plan: MigrationPlan | None = None,
        on_event: OnEvent = None,
        **options: Unpack[ApplyOptions],
    ) -> MigrationReport:
        """Backs up, migrates, and tests, as `apply` does."""
        operation = self._apply(folder, backup_to, plan, options)
        return MigrationReport.from_json(await run_async(operation, on_event))

    def rehearse(
        self,
        folder: Folder,
        backup: str,
        of: Repository,
        *,
        on_event: OnEvent = None,
        **options: Unpack[RehearseOptions],
    ) -> Rehearsal:
        """Runs the pending migrations on a throw-away server with the rows of a backup (its name, or `"latest"`).

        >>> report = db.backup.run(repository)
        >>> db.migrate.rehearse("migrations", "latest", repository).failure is None
        True
        """
        return Rehearsal.from_json(run_sync(self._rehearse(folder, backup, of, options), on_event))

    async def rehearse_async(
        self,
        folder: Folder,
        backup: str,
        of: Repository,
        *,
        on_event: OnEvent = None,
        **options: Unpack[RehearseOptions],
    ) -> Rehearsal:
        """Runs the pending migrations on a throw-away server, as `rehearse` does."""
        return Rehearsal.from_json(await run_async(self._rehearse(folder, backup, of, options), on_event))

    def verify(self, *tests: Folder) -> tuple[Suite, ...]:
        """Runs tests of the database, each file in a transaction that is rolled back. Look at `ok` of each."""
        return _suites(run_sync(self._verify(tests)))

    async def verify_async(self, *tests: Folder) -> tuple[Suite, ...]:
        """Runs tests of the database, as `verify` does."""
        return _suites(await run_async(self._verify(tests)))

    def drift(self) -> SchemaDiff:
        """What changed in the schema since the last migration. Raises `NotFoundError` where none ran.

        >>> report = db.migrate.apply("migrations", backup_to=None)
        >>> db.migrate.drift().ok
        True
        """
        return _drift(run_sync(_opskit.migrate_drift(self._source)))

    async def drift_async(self) -> SchemaDiff:
        """What changed in the schema since the last migration, as `drift` says it."""
        return _drift(await run_async(_opskit.migrate_drift(self._source)))

    def accept_drift(self) -> None:
        """Takes the schema as it is now for what later runs compare with."""
        run_sync(_opskit.migrate_accept_drift(self._source))

    async def accept_drift_async(self) -> None:
        """Takes the schema as it is now for what later runs compare with."""
        await run_async(_opskit.migrate_accept_drift(self._source))

    def baseline(self, folder: Folder, version: str) -> tuple[str, ...]:
        """Declares migrations done that something else ran, up to a version; gives theirs. Runs nothing."""
        return tuple(run_sync(_opskit.migrate_baseline(self._source, os.fspath(folder), version)))

    async def baseline_async(self, folder: Folder, version: str) -> tuple[str, ...]:
        """Declares migrations done that something else ran, as `baseline` does."""
        return tuple(await run_async(_opskit.migrate_baseline(self._source, os.fspath(folder), version)))

    def repair(self, folder: Folder, version: str, *, reason: str) -> None:
        """Takes the file of a migration that ran as it is now, and writes down why. Runs nothing."""
        run_sync(_opskit.migrate_repair(self._source, os.fspath(folder), version, reason))

    async def repair_async(self, folder: Folder, version: str, *, reason: str) -> None:
        """Takes the file of a migration that ran as it is now, as `repair` does."""
        await run_async(_opskit.migrate_repair(self._source, os.fspath(folder), version, reason))

    def _status(self, folder: Folder) -> Operation[str]:
        return _opskit.migrate_status(self._source, os.fspath(folder))

    def _plan(self, folder: Folder, options: WantedOptions) -> Operation[str]:
        return _opskit.migrate_plan(self._source, os.fspath(folder), encode(options, WantedOptions))

    def _apply(
        self, folder: Folder, backup_to: Repository | None, plan: MigrationPlan | None, options: ApplyOptions
    ) -> Operation[str]:
        store = None if backup_to is None else backup_to._store
        shown = None if plan is None else json.dumps(plan.to_dict())
        return _opskit.migrate_apply(self._source, os.fspath(folder), store, encode(options, ApplyOptions), shown)

    def _rehearse(self, folder: Folder, backup: str, of: Repository, options: RehearseOptions) -> Operation[str]:
        on = (of._store, backup)
        return _opskit.migrate_rehearse(self._source, os.fspath(folder), on, encode(options, RehearseOptions))

    def _verify(self, tests: Sequence[Folder]) -> Operation[str]:
        return _opskit.migrate_verify(self._source, [os.fspath(path) for path in tests])


def _suites(text: str) -> tuple[Suite, ...]:
    return tuple(Suite.from_dict(one) for one in json.loads(text))


def _drift(found: tuple[str, str, bool]) -> SchemaDiff:
    document, text, is_same = found
    return SchemaDiff.from_dict({**json.loads(document)["diff"], "text": text, "is_same": is_same})
