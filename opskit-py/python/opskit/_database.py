"""A database, and what can be done with it."""

from __future__ import annotations

import os
import weakref
from types import TracebackType
from typing import TYPE_CHECKING

from opskit import _opskit
from opskit._backup import Backups, Restores
from opskit._export import ExportOptions, ExportStream
from opskit._fan_out import Snapshot
from opskit._health import HealthOptions, HealthReport, ask
from opskit._state import State, StateDiff, StateOptions, again, take
from opskit._migrate import Migrations
from opskit._opskit import Source
from opskit._run import encode, run_async, run_sync
from opskit._schema import Schemas

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from opskit._opskit import Operation, SnapshotPlan


class _ExportKeys(ExportOptions, total=False):
    table: str | None
    query: str | None


class Database:
    """A database by its URL. Every operation makes the connections that it needs and closes them.

    As a context manager it first looks whether the server can be reached, and closes streams that are still open at
    the end. `backup`, `restore`, `migrate` and `schema` hold the operations of their kind.
    """

    def __init__(self, url: str) -> None:
        self._source = Source(url)
        # No WeakSet: its callbacks would swallow an interrupt that comes while a stream is collected.
        self._streams: list[weakref.ref[ExportStream]] = []
        self.backup = Backups(self._source)
        self.restore = Restores(self._source)
        self.migrate = Migrations(self._source)
        self.schema = Schemas(self._source)

    @property
    def name(self) -> str:
        """The database's name."""
        return self._source.name

    def server_version(self) -> int:
        """Connects and gives the server's version as a number: 170002 for 17.2.

        >>> db.server_version() >= 130000
        True
        """
        return run_sync(self._source.check())

    async def server_version_async(self) -> int:
        """Connects and gives the server's version as a number: 170002 for 17.2."""
        return await run_async(self._source.check())

    def export(
        self, table: str | None = None, /, *, query: str | None = None, **options: Unpack[ExportOptions]
    ) -> ExportStream:
        """Reads a table, or the rows of a query, as a stream of Arrow data.

        `table` is a name or a pattern (`public.orders`); a partitioned table stands for its partitions. A query must
        be one statement that only reads.

        The stream raises `NotFoundError`, `PermissionDeniedError` when the role would not see every row, `BusyError`
        when a table is locked or changed, `CheckFailedError` for a value that Arrow has no form for,
        `ConnectionFailedError` when the connection is lost (rows that were given out cannot be taken back, so nothing
        is read a second time).

        >>> with db.export("public.orders", jobs=1) as stream:
        ...     print(stream.schema.names, sum(len(batch) for batch in stream))
        ['id', 'total'] 1000
        >>> stream.report.rows
        1000
        >>> db.export(query="select max(id) as top from orders").read_all().num_rows
        1
        """
        text = encode({"table": table, "query": query, **options}, _ExportKeys)
        stream = ExportStream(lambda: self._source.export(text))
        self._streams = [*(one for one in self._streams if one() is not None), weakref.ref(stream)]
        return stream

    def snapshot(
        self, table: str | None = None, /, *, query: str | None = None, **options: Unpack[ExportOptions]
    ) -> Snapshot:
        """Takes the snapshot of an export whose parts are read by `read_part`, anywhere, as long as it is held.

        Raises what a stream raises when it is opened. A query is one part.

        >>> with db.snapshot("public.orders") as snapshot:
        ...     sum(opskit.read_part(part, db).num_rows for part in snapshot.parts)
        1000
        """
        return Snapshot(run_sync(self._snapshot(table, query, options)))

    async def snapshot_async(
        self, table: str | None = None, /, *, query: str | None = None, **options: Unpack[ExportOptions]
    ) -> Snapshot:
        """Takes the snapshot of an export, as `snapshot` does."""
        return Snapshot(await run_async(self._snapshot(table, query, options)))

    def _snapshot(
        self, table: str | None, query: str | None, options: ExportOptions
    ) -> Operation[SnapshotPlan]:
        return _opskit.snapshot(self._source, encode({"table": table, "query": query, **options}, _ExportKeys))

    def health(self, *, before: HealthReport | None = None, **options: Unpack[HealthOptions]) -> HealthReport:
        """Asks the server how it is. What is wrong or cannot be seen is in the report: look at `ok`, or `check()`.

        Counters are compared with those of an earlier report of the same server, `before`.

        >>> report = db.health(only=["locks"])
        >>> report.ok == (report.worst in ("pass", "warn", "skipped"))
        True
        """
        return HealthReport.from_json(run_sync(ask(self._source, before, options)))

    async def health_async(
        self, *, before: HealthReport | None = None, **options: Unpack[HealthOptions]
    ) -> HealthReport:
        """Asks the server how it is, as `health` does."""
        return HealthReport.from_json(await run_async(ask(self._source, before, options)))

    def state(self, **options: Unpack[StateOptions]) -> State:
        """Reads tables in one snapshot, and keeps how many rows they have and a fingerprint of them.

        >>> [table.rows for table in db.state(tables=["public.orders"]).tables]
        [1000]
        """
        return State.from_json(run_sync(take(self._source, options)))

    async def state_async(self, **options: Unpack[StateOptions]) -> State:
        """Reads what tables hold, as `state` does."""
        return State.from_json(await run_async(take(self._source, options)))

    def changes(self, before: State, *, jobs: int = 2) -> StateDiff:
        """Reads the same tables once more, and tells which are not as they were: look at `ok`, or `check()`.

        >>> db.changes(db.state()).ok
        True
        """
        return before.diff(State.from_json(run_sync(again(self._source, before, jobs))))

    async def changes_async(self, before: State, *, jobs: int = 2) -> StateDiff:
        """Tells which tables are not as they were, as `changes` does."""
        return before.diff(State.from_json(await run_async(again(self._source, before, jobs))))

    def close(self) -> None:
        """Closes streams that are still open."""
        for stream in self._open_streams():
            stream.close()

    async def aclose(self) -> None:
        """Closes streams that are still open."""
        for stream in self._open_streams():
            await stream.aclose()

    def _open_streams(self) -> list[ExportStream]:
        return [stream for one in self._streams if (stream := one()) is not None]

    def __enter__(self) -> Database:
        self.server_version()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Database:
        await self.server_version_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<opskit.Database {self._source}>"


def connect(url: str | None = None) -> Database:
    """The database at a URL; without one, at `DATABASE_URL`, else `SUPABASE_DB_URL`, else what the `PG*` variables say.

    Raises `InvalidInputError` for a URL that cannot be meant. Nothing is connected before it is used or entered:

    >>> with opskit.connect(url) as db:
    ...     table = db.export("public.orders").read_all()
    >>> table.num_rows
    1000

    `async with` does the same in an event loop, where methods that end in `_async` are awaited.
    """
    if url is None:
        url = os.environ.get("DATABASE_URL") or os.environ.get("SUPABASE_DB_URL") or ""
    return Database(url)
