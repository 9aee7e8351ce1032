"""Reading parts of a snapshot that somebody else holds."""

from __future__ import annotations

import os
from typing import Literal, TypedDict

from opskit import _opskit
from opskit._database import Database, connect
from opskit._fan_out import BackupPart, ExportPart, Receipt
from opskit._repository import Repository
from opskit._run import OnEvent, encode, run_async, run_sync


def run_part(
    part: BackupPart,
    to: Repository | str | os.PathLike[str],
    db: Database | str | None = None,
    *,
    on_event: OnEvent = None,
) -> Receipt:
    """Reads one part of a backup and stores it, wherever the database and the repository are reached.

    `to` is the plan's repository, `db` its database (what `connect()` takes from the environment, where it is not
    given). It can be done again after a failure.

    Raises `InvalidInputError` for another database, server or repository, `NotFoundError` when the plan is not open
    any more, `PermissionDeniedError` when the backup is sealed and no key opens it, and what a backup raises.

    >>> with db.backup.fan_out(repository) as plan:
    ...     report = plan.commit([opskit.run_part(part, repository, db) for part in plan.parts])
    >>> report.rows
    1000
    """
    place = to if isinstance(to, Repository) else Repository(to)
    return Receipt(run_sync(_opskit.run_part(_database(db)._source, place._store, part.token), on_event))


async def run_part_async(
    part: BackupPart,
    to: Repository | str | os.PathLike[str],
    db: Database | str | None = None,
    *,
    on_event: OnEvent = None,
) -> Receipt:
    """Reads one part of a backup and stores it, as `run_part` does."""
    place = to if isinstance(to, Repository) else await Repository.open_async(to)
    return Receipt(await run_async(_opskit.run_part(_database(db)._source, place._store, part.token), on_event))


class _ReadKeys(TypedDict):
    exactness: str | None


def read_part(
    part: ExportPart, db: Database | str | None = None, *, exactness: Literal["strict", "interop"] = "strict"
) -> _opskit.Table:
    """Reads one part of a snapshot that is held somewhere, into memory. Rows were counted here and by the server.

    Raises `InvalidInputError` for another database or server, `NotFoundError` when the snapshot is gone, and what an
    export raises.
    """
    return run_sync(_read(part, db, exactness))


async def read_part_async(
    part: ExportPart, db: Database | str | None = None, *, exactness: Literal["strict", "interop"] = "strict"
) -> _opskit.Table:
    """Reads one part of a snapshot into memory, as `read_part` does."""
    return await run_async(_read(part, db, exactness))


def _read(part: ExportPart, db: Database | str | None, exactness: str) -> _opskit.Operation[_opskit.Table]:
    return _opskit.read_part(_database(db)._source, part.token, encode({"exactness": exactness}, _ReadKeys))


def _database(db: Database | str | None) -> Database:
    return db if isinstance(db, Database) else connect(db)
