"""Exports as streams of Arrow data."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Literal, TypedDict

from opskit._errors import InvalidInputError
from opskit._reports import ExportReport
from opskit._run import run_async, run_sync

if TYPE_CHECKING:
    from opskit._opskit import Batch, Operation, Schema, Stream, Table


class ExportOptions(TypedDict, total=False):
    """How an export reads. Whatever is not given has its default."""

    exactness: Literal["strict", "interop"]
    """What becomes of a value that Arrow has no form for, such as a numeric NaN: the first one is an error
    (`strict`, the default), or it is null and counted in the report (`interop`)."""
    jobs: int
    """Connections that read at the same time. With more than one (the default is 2), rows of a large table come in
    no particular order."""
    part_bytes: int
    """Size of a part on the server's disk, about. Default 128 MiB."""
    batch_rows: int
    """Rows of a batch at most. Default 65,536."""
    batch_bytes: int
    """Bytes of a batch, about. Default 2 MiB."""
    lock_timeout: float | timedelta
    """How long to wait for the lock on a table, in seconds. Default 10."""


class ExportStream:
    """Rows of one export, which can be read once: as batches, as one table, or by any reader of Arrow streams.

    Nothing is asked of the server before it is read or entered. All rows are of one snapshot, taken then. The last
    batch is followed by the end only when every row was counted by us and by the server alike; anything else raises.
    `close()`, leaving the `with` block and garbage collection stop the query on the server.
    """

    def __init__(self, start: Callable[[], Operation[Stream]]) -> None:
        self._start = start
        self._native: Stream | None = None
        self._opening = threading.Lock()
        self._closed = False

    def _opened(self) -> Stream:
        with self._opening:
            if self._native is None:
                self._check_open()
                self._native = run_sync(self._start())
            return self._native

    async def _opened_async(self) -> Stream:
        if self._native is None:
            self._check_open()
            opened = await run_async(self._start())
            # Another task may have closed or opened it meanwhile; a stream that nobody has is cancelled.
            self._check_open()
            if self._native is None:
                self._native = opened
        return self._native

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidInputError("the stream is closed")

    @property
    def schema(self) -> Schema:
        """The columns. Opens the stream."""
        return self._opened().schema

    @property
    def report(self) -> ExportReport | None:
        """What was read; `None` before the end. Readers of the C interface end it when they read the last row."""
        text = None if self._native is None else self._native.report
        return None if text is None else ExportReport.from_json(text)

    def read_all(self) -> Table:
        """Reads what is left into memory."""
        return run_sync(self._opened().read_all())

    async def read_all_async(self) -> Table:
        """Reads what is left into memory."""
        return await run_async((await self._opened_async()).read_all())

    def close(self) -> None:
        """Stops the query where it still runs, on the server too, and waits until it has ended."""
        self._closed = True
        if self._native is not None:
            run_sync(self._native.close())

    async def aclose(self) -> None:
        """Stops the query where it still runs, on the server too, and waits until it has ended."""
        self._closed = True
        if self._native is not None:
            await run_async(self._native.close())

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Hands the rows over to a reader of the Arrow C stream interface, which then is the only one."""
        return self._opened().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> object:
        """The columns, by the Arrow C data interface."""
        return self.schema.__arrow_c_schema__()

    def __iter__(self) -> Iterator[Batch]:
        stream = self._opened()
        while (batch := run_sync(stream.next())) is not None:
            yield batch

    async def __aiter__(self) -> AsyncIterator[Batch]:
        stream = await self._opened_async()
        while (batch := await run_async(stream.next())) is not None:
            yield batch

    def __enter__(self) -> ExportStream:
        self._opened()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> ExportStream:
        await self._opened_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "not opened" if self._native is None else repr(self._native.schema)
        return f"<opskit.ExportStream: {state}>"
