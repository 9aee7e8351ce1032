"""Backups and tables on a Dask cluster: workers read the parts of one snapshot, which the caller holds.

    client = distributed.Client("scheduler:8786")
    report = opskit.dask.backup(client, opskit.Repository("s3://bucket/backups"), db=db)

Workers make their own connections: `connect` is called on each, and by default takes what the worker's environment
says (`DATABASE_URL`, …), so that no password passes through the scheduler. A worker that dies costs its parts once
more; whatever cannot be read fails the whole. Needs `distributed`, and for tables `dask[dataframe]` and `pyarrow`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from opskit._database import Database, connect
from opskit._parts import read_part, run_part
from opskit._repository import Repository

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from opskit._backup import BackupOptions
    from opskit._export import ExportOptions
    from opskit._fan_out import BackupPart, ExportPart, Receipt
    from opskit._reports import BackupReport

__all__ = ["backup", "read_table"]

Connect = Callable[[], Database]
"""How a worker reaches the database. It is sent to workers: let it read a secret there, not hold one."""


def backup(
    client: Any,
    to: Repository,
    *,
    db: Database | None = None,
    connect: Connect = connect,
    open_repository: Callable[[], Repository] | None = None,
    retries: int = 2,
    **options: Unpack[BackupOptions],
) -> BackupReport:
    """Takes a backup whose parts the workers of a Dask client read and store. It is one like any other.

    `db` is the database as it is reached from here, where the snapshot is held; what `connect` gives, where it is not
    given. `open_repository` is called on workers, for a place with keys of its own; by default they open the place of
    `to` without any. A directory must be the same one for all of them. A part that fails is tried again `retries`
    times; one whose workers died, as often as the scheduler's `allowed-failures` says.

    Raises what `FanOut.commit` and `run_part` raise, and `distributed.KilledWorker`. There is no backup then.
    """
    source = connect() if db is None else db
    reach = open_repository or partial(Repository, _everywhere(to.place))
    with source.backup.fan_out(to, **options) as plan:
        run = partial(_run, connect=connect, reach=reach)
        # Not pure: what a part was answered with once, in another plan, is no answer.
        futures = client.map(run, plan.parts, pure=False, retries=retries)
        try:
            receipts: list[Receipt] = client.gather(futures)
        except BaseException:
            client.cancel(futures)
            raise
        return plan.commit(receipts)


@contextmanager
def read_table(
    table: str | None = None,
    /,
    *,
    query: str | None = None,
    db: Database | None = None,
    connect: Connect = connect,
    **options: Unpack[ExportOptions],
) -> Iterator[Any]:
    """A table as a Dask dataframe, one partition for each part, all of one snapshot that lasts as long as the block.

        with opskit.dask.read_table("public.orders", db=db) as orders:
            total = orders["total"].sum().compute()

    Columns are Arrow's, under the names that the table gives them (`pandas.ArrowDtype`). The order of rows is that of
    the heap, so a query without `ORDER BY` has none. Whatever is computed after the block, or when the snapshot was lost,
    raises `NotFoundError`; a partition is never short. Leaving the block raises when the snapshot was lost meanwhile.
    """
    frames, pandas, pyarrow = (import_module(name) for name in ("dask.dataframe", "pandas", "pyarrow"))
    exactness = options.get("exactness", "strict")
    source = connect() if db is None else db
    with source.snapshot(table, query=query, **options) as snapshot:
        parts = sorted(snapshot.parts, key=lambda part: (part.table, part.number))
        meta = pyarrow.schema(snapshot.schema).empty_table().to_pandas(types_mapper=pandas.ArrowDtype)
        read = partial(_read, connect=connect, exactness=exactness)
        yield frames.from_map(read, parts, meta=meta, label="opskit", enforce_metadata=False)


def _run(part: BackupPart, *, connect: Connect, reach: Callable[[], Repository]) -> Receipt:
    return run_part(part, reach(), connect())


def _read(part: ExportPart, *, connect: Connect, exactness: Literal["strict", "interop"]) -> Any:
    pandas, pyarrow = (import_module(name) for name in ("pandas", "pyarrow"))
    rows = read_part(part, connect(), exactness=exactness)
    return pyarrow.table(rows).to_pandas(types_mapper=pandas.ArrowDtype)


def _everywhere(place: str) -> str:
    """A path as other processes of this machine find it; a URL as it is."""
    return os.path.abspath(place) if os.path.isdir(place) else place
